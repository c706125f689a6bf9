"""What the queue promises, tried on random schedules: the scheduler by itself, then all of it.

Whole classrooms run on a virtual clock with the real queue and the real worker loop; see
`tests.inference.simulation`. Nothing here looks at a real clock, and a failing schedule is repeated
from the blob that hypothesis prints.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inference.jobs import (
    Done,
    Event,
    InferenceError,
    JobCancelled,
    JobTimeout,
    ModelUnavailable,
    Queued,
    QueueFull,
    Token,
    WorkerLost,
)
from inference.queue import InferenceQueue, QueueOptions
from inference.room import Room
from inference.scheduler import CREDIT, LEAST_COST, Rehearsed, Scheduler, Waiting
from inference.tasks import shares
from inference.ticket import Ticket
from inference.worker import LONG_SHARE
from tests.inference import simulation
from tests.inference.fake_models import NoWeights
from tests.inference.simulation import (
    EPOCH,
    Ask,
    Dispatch,
    NothingWillHappen,
    SimulatedEngine,
    SimulatedLink,
    TimeStandsStill,
    TooLate,
    VirtualLoop,
    run,
)

settings.register_profile(
    "queue",
    deadline=None,
    derandomize=True,
    print_blob=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CALM = settings.get_profile("queue")


def examples(count: int, **more: Any) -> settings:
    return settings(CALM, max_examples=count, **more)


# --- the instrument ----------------------------------------------------------------------------


def test_hours_pass_in_no_time_and_in_order() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        for delay in (7200, 3600, 0.5):
            loop.call_later(delay, lambda: times.append(loop.time() - EPOCH))
        await asyncio.sleep(10_000)
        return times

    assert run(main, horizon=20_000) == [0.5, 3600, 7200]


def test_a_wait_for_nothing_is_noticed() -> None:
    async def main() -> None:
        await asyncio.create_task(asyncio.Event().wait(), name="somebody")

    with pytest.raises(NothingWillHappen, match=r"somebody in Event\.wait"):
        run(main)


def test_a_timer_without_end_does_not_hide_a_wait_for_nothing() -> None:
    async def main() -> None:
        def tick() -> None:
            asyncio.get_running_loop().call_later(1, tick)

        tick()
        await asyncio.Event().wait()

    with pytest.raises(TooLate):
        run(main)


def test_callbacks_that_only_call_each_other_are_noticed() -> None:
    async def main() -> None:
        def again() -> None:
            asyncio.get_running_loop().call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(TimeStandsStill):
        run(main)


def test_what_a_callback_raises_is_not_only_logged() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    with pytest.raises(ExceptionGroup) as caught:
        run(main)
    assert caught.group_contains(ZeroDivisionError)


# --- the scheduler against its own description ----------------------------------------------------

CHATS = ("art", "bio")
USERS = ("ada", "bob")
LANES = ("a1", "a2", "b")
COSTS = st.sampled_from((0.0, 0.5, 1.0, 3.0, 10.0))
CLOSE = 1e-6  # tags are sums of floats


class SchedulerMachine(RuleBasedStateMachine):
    """Every operation in every order; who is next is looked up the slow way, from the docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.line: Scheduler[Waiting] = Scheduler(lambda lane: lane[0])
        self.waiting: dict[Waiting, bool] = {}  # in order of pushing; whether it is repeated
        self.chat_tags: dict[str, float] = {}
        self.user_tags: dict[tuple[str, str], float] = {}
        self.had: defaultdict[Any, float] = defaultdict(float)  # of chats and users, in all
        self.offsets: dict[Any, float] = {}  # of (lane, chat) and (lane, chat, user), for seats
        self.lifts: defaultdict[str, float] = defaultdict(float)
        self.flying: list[Waiting] = []  # taken, and perhaps not settled
        self.payers: dict[Waiting, tuple[str, str]] = {}  # whose turn it was

    # --- the description

    def enter(self, job: Waiting, again: bool) -> None:
        """Who comes (back) starts at the virtual time; a debt is not forgotten."""
        chat, user = job.chat, (job.chat, job.user)
        account = self.line._everybody.members[chat]
        if not any(other.chat == chat for other in self.waiting):
            assert account.tag >= self.chat_tags.get(chat, 0.0) - CLOSE
            self.chat_tags[chat] = account.tag
        if not any((other.chat, other.user) == user for other in self.waiting):
            assert account.members[job.user].tag >= self.user_tags.get(user, 0.0) - CLOSE
            self.user_tags[user] = account.members[job.user].tag
        if not again:
            lane = self.line._lanes[job.lane]
            alike = [each for each in self.waiting if each.lane == job.lane]
            alike = [each for each in alike if not self.waiting[each] and each.chat == chat]
            if not alike:
                self.offsets[job.lane, chat] = lane.members[chat].offset
            if not any(each.user == job.user for each in alike):
                offset = lane.members[chat].members[job.user].offset
                self.offsets[job.lane, *user] = offset
        self.waiting[job] = again

    def first_of_lane(self, lane: str) -> Callable[[Waiting], bool]:
        """Whether a job may be the lane's next one: more than one may, where tags are equal."""
        return self._first(lane, self.chat_tags.__getitem__, self.user_tags.__getitem__)

    def next_seat_of_lane(self, lane: str) -> Callable[[Waiting], bool]:
        """Whether a job may get the next seat in a batch: its chat has had least, and its user."""

        def chat_seat(chat: str) -> float:
            return self.had[chat] + self.offsets[lane, chat]

        def user_seat(user: tuple[str, str]) -> float:
            return self.had[user] + self.offsets[lane, *user]

        return self._first(lane, chat_seat, user_seat)

    def _first(
        self, lane: str, chat_key: Callable[[str], float], user_key: Callable[[Any], float]
    ) -> Callable[[Waiting], bool]:
        jobs = [job for job in self.waiting if job.lane == lane]
        again = [job for job in jobs if self.waiting[job]]
        if again:
            return lambda job: job is again[0]
        least = min(chat_key(job.chat) for job in jobs)

        def may_be(job: Waiting) -> bool:
            mates = [each for each in jobs if each.chat == job.chat]
            least_user = min(user_key((each.chat, each.user)) for each in mates)
            own = [each for each in mates if each.user == job.user]
            return (
                chat_key(job.chat) <= least + CLOSE
                and user_key((job.chat, job.user)) <= least_user + CLOSE
                and job is own[0]
            )

        return may_be

    def charge(self, job: Waiting, seconds: float) -> None:
        """Whose turn it was pays; the job's own chat and user have had it."""
        chat, user = self.payers[job]
        self.chat_tags[chat] += seconds
        self.user_tags[chat, user] += seconds
        self.had[job.chat] += seconds
        self.had[job.chat, job.user] += seconds

    def next_comes_first(self, lanes: list[tuple[str, Waiting]]) -> bool:
        """Whether the first of these lanes may be first, each represented by its next job."""
        if any(self.waiting[job] for _, job in lanes):
            return self.waiting[lanes[0][1]]

        def lift(job: Waiting) -> float:
            return self.lifts[job.lane[0]]

        def within(job: Waiting) -> float:
            return self.user_tags[job.chat, job.user] - lift(job)

        # A chat stands where that lane of it stands whose user is next in it.
        places: dict[str, float] = {}
        for chat in {job.chat for _, job in lanes}:
            heads = [job for _, job in lanes if job.chat == chat]
            least = min(map(within, heads))
            best = [job for job in heads if within(job) <= least + CLOSE]
            places[chat] = self.chat_tags[chat] - max(map(lift, best))
            if chat == lanes[0][1].chat and lanes[0][1] not in best:
                return False
        job = lanes[0][1]
        return self.chat_tags[job.chat] - lift(job) <= min(places.values()) + CLOSE or (
            places[job.chat] <= min(places.values()) + CLOSE
        )

    # --- what can happen

    @rule(
        chat=st.sampled_from(CHATS),
        user=st.sampled_from(USERS),
        lane=st.sampled_from(LANES),
        cost=COSTS,
        count=st.integers(1, 4),
        alone=st.sampled_from((False, False, False, True)),
    )
    def push(self, chat: str, user: str, lane: str, cost: float, count: int, alone: bool) -> None:
        for _ in range(count):
            job = Waiting(chat, user, lane, cost, alone)
            self.line.push(job)
            self.enter(job, again=False)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def push_again(self, data: Any) -> None:
        job = data.draw(st.sampled_from(self.flying))
        self.flying.remove(job)
        job.alone = True
        self.line.push(job, first=True)
        self.enter(job, again=True)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        job = data.draw(st.sampled_from(list(self.waiting)))
        if self.waiting[job] and not job.measured:
            self.charge(job, -job.charged)  # it was not served after all
        self.line.remove(job)
        self.line.remove(job)
        del self.waiting[job]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), most=st.integers(1, 6))
    def take(self, data: Any, most: int) -> None:
        lane = data.draw(st.sampled_from(sorted({job.lane for job in self.waiting})))
        alone_in_line = {job.lane for job in self.waiting} == {lane}
        everybody = self.line._everybody
        virtual = everybody.virtual
        within = {name: chat.virtual for name, chat in everybody.members.items()}
        batch = self.line.take(lane, most)
        leader: tuple[str, str] | None = None
        for job in batch:
            first = self.next_seat_of_lane(lane) if leader else self.first_of_lane(lane)
            assert first(job)
            if not self.waiting.pop(job):
                if leader is None:
                    leader = job.chat, job.user
                    tag, of_user = self.chat_tags[job.chat], self.user_tags[leader]
                    self.chat_tags[job.chat] = max(tag, virtual - CREDIT)
                    self.user_tags[leader] = max(of_user, within[job.chat] - CREDIT)
                self.payers[job] = leader
                self.charge(job, max(job.cost, LEAST_COST))
        left = [each for each in self.waiting if each.lane == lane]
        assert len(batch) <= most
        assert len(batch) == 1 or not any(job.alone for job in batch)
        full = len(batch) == most or batch[-1].alone or not left or self.line.head(lane).alone
        assert full or not alone_in_line, "the batch could have been larger"
        self.flying += batch

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), seconds=COSTS)
    def settle(self, data: Any, seconds: float) -> None:
        job = data.draw(st.sampled_from(self.flying))
        self.charge(job, seconds - job.charged)
        self.line.settle(job, seconds)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), chat=st.sampled_from(CHATS), user=st.sampled_from(USERS))
    def hasten(self, data: Any, chat: str, user: str) -> None:
        job = data.draw(st.sampled_from(list(self.waiting)))
        before = job.chat, job.user
        self.line.hasten(job, chat, user)
        if (job.chat, job.user) != before:
            assert (job.chat, job.user) == (chat, user)
            assert not self.waiting.pop(job), "a repeated job is paid for"
            self.enter(job, again=False)

    @rule(group=st.sampled_from("ab"), seconds=st.sampled_from((0.0, 2.0, 50.0)))
    def lift(self, group: str, seconds: float) -> None:
        self.line.lift(group, seconds)
        self.lifts[group] = seconds

    @precondition(lambda self: not self.waiting)
    @rule()
    def rest(self) -> None:
        self.line.rest()
        self.flying.clear()
        self.chat_tags.clear()
        self.user_tags.clear()
        self.had.clear()

    # --- what always holds

    @invariant()
    def it_counts_right(self) -> None:
        assert len(self.line) == len(self.waiting)
        assert self.line.users == len({(job.chat, job.user) for job in self.waiting})
        cost = sum(max(job.cost, LEAST_COST) for job in self.waiting)
        assert abs(self.line.cost - cost) < 1e-6
        for lane in LANES:
            assert self.line.waiting_in(lane) == sum(job.lane == lane for job in self.waiting)
        for job in self.waiting:
            account = self.line._everybody.members[job.chat]
            assert abs(account.tag - self.chat_tags[job.chat]) < CLOSE
            assert abs(account.all - self.had[job.chat]) < CLOSE
            user = account.members[job.user]
            assert abs(user.tag - self.user_tags[job.chat, job.user]) < CLOSE
            assert abs(user.all - self.had[job.chat, job.user]) < CLOSE

    @invariant()
    def the_lane_of_the_next_job_comes_first(self) -> None:
        lanes = self.line.lanes()
        assert {lane for lane, _ in lanes} == {job.lane for job in self.waiting}
        for lane, head in lanes:
            assert self.line.head(lane) is head
            assert self.first_of_lane(lane)(head)
        assert not lanes or self.next_comes_first(lanes)

    @invariant()
    def nobody_is_missing(self) -> None:
        everybody = self.line.all()
        assert len(everybody) == len(self.waiting) and set(everybody) == set(self.waiting)
        again = [self.waiting[job] for job in everybody]
        assert again == sorted(again, reverse=True)
        others = [job.order for job in everybody if not self.waiting[job]]
        assert others == sorted(others)
        for lane in LANES:
            came = [job for job in self.waiting if self.waiting[job] and job.lane == lane]
            assert came == [job for job in everybody if job in came]

    @invariant()
    def a_rehearsal_serves_everybody_and_changes_nothing(self) -> None:
        rehearsal = self.line.rehearsal()
        everybody = self.line.all()
        for job in everybody:
            rehearsal.push(Rehearsed(job), first=job.repeated)
        before = [head for _, head in self.line.lanes()]
        served = []
        while lanes := rehearsal.lanes():
            served += [double.of for double in rehearsal.take(lanes[0][0], 2)]
        assert sorted(served, key=id) == sorted(everybody, key=id)
        assert before == [head for _, head in self.line.lanes()]


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = examples(120, stateful_step_count=40)


# --- the scheduler's bounds -----------------------------------------------------------------------


@dataclass
class Source:
    """A user who keeps `depth` jobs in line, of these lanes in turn."""

    chat: str
    user: str
    lanes: tuple[str, ...]
    depth: int
    cost: float  # true device seconds of each of his jobs
    guess: float  # what they are taken to cost
    turn: int = 0
    waiting: int = 0


SOURCES = st.builds(
    Source,
    chat=st.sampled_from(CHATS),
    user=st.sampled_from(USERS),
    lanes=st.lists(st.sampled_from(LANES), min_size=1, max_size=3).map(tuple),
    depth=st.integers(1, 12),
    cost=st.sampled_from((0.1, 0.5, 1.0, 2.0)),
    guess=st.sampled_from((0.1, 1.0, 3.0)),
)


@dataclass
class Lead:
    """How far one of two has come before the other while both waited, at most and at least."""

    least: float = 0.0
    most: float = 0.0
    now: float = 0.0

    def move(self, seconds: float) -> None:
        self.now += seconds
        self.least = min(self.least, self.now)
        self.most = max(self.most, self.now)

    @property
    def span(self) -> float:
        """The largest difference of service over any interval in which both waited."""
        return self.most - self.least


@dataclass
class Race:
    """Follows who has been served how much while who else waited."""

    leads: dict[tuple[Any, Any], Lead] = field(default_factory=dict)
    worst: dict[tuple[Any, Any], float] = field(default_factory=dict)

    def served(self, waiting: set[Any], seconds: dict[Any, float], still: set[Any]) -> None:
        """`waiting` before and `still` after `seconds` of the device were given away."""
        for pair in itertools.combinations(sorted(waiting), 2):
            lead = self.leads.setdefault(pair, Lead())
            lead.move(seconds.get(pair[0], 0.0) - seconds.get(pair[1], 0.0))
            self.worst[pair] = max(self.worst.get(pair, 0.0), lead.span)
        for pair in list(self.leads):
            if not still.issuperset(pair):
                del self.leads[pair]


@examples(150)
@given(
    sources=st.lists(SOURCES, min_size=2, max_size=6, unique_by=lambda s: (s.chat, s.user)),
    sizes=st.fixed_dictionaries({lane: st.sampled_from((1, 2, 8)) for lane in LANES}),
    in_flight=st.integers(1, 3),
)
def test_who_waits_gets_his_share_of_the_device(
    sources: list[Source], sizes: dict[str, int], in_flight: int
) -> None:
    """The bound of the scheduler's docstring, for chats and for users within a chat."""
    line: Scheduler[Waiting] = Scheduler()
    by_name = {(source.chat, source.user): source for source in sources}
    flying: list[list[Waiting]] = []
    chats, users = Race(), Race()
    largest_batch = largest_error = 0.0

    def fill() -> None:
        for source in sources:
            while source.waiting < source.depth:
                lane = source.lanes[source.turn % len(source.lanes)]
                line.push(Waiting(source.chat, source.user, lane, source.guess))
                source.turn += 1
                source.waiting += 1

    def who_waits() -> set[tuple[str, str]]:
        return {name for name, source in by_name.items() if source.waiting}

    fill()
    for _ in range(120):
        before = who_waits()
        lane, head = line.lanes()[0]
        batch = line.take(lane, sizes[lane])
        assert batch[0] is head
        flying.append(batch)
        true_cost = 0.0
        for job in batch:
            source = by_name[job.chat, job.user]
            source.waiting -= 1
            true_cost += source.cost
        after = who_waits()
        largest_batch = max(largest_batch, true_cost, sum(job.cost for job in batch))
        error = sum(
            abs(job.cost - by_name[job.chat, job.user].cost) for each in flying for job in each
        )
        largest_error = max(largest_error, error)
        users.served(before, {(head.chat, head.user): true_cost}, after)
        waiting = {chat for chat, _ in before}
        chats.served(waiting, {head.chat: true_cost}, {chat for chat, _ in after})
        if len(flying) >= in_flight:
            for job in flying.pop(0):
                line.settle(job, by_name[job.chat, job.user].cost)
        fill()
    bound = 2 * (largest_batch + largest_error)
    assert all(span <= bound + CLOSE for span in chats.worst.values())
    for ((chat, _), (other, _)), span in users.worst.items():
        assert chat != other or span <= bound + CLOSE


@examples(40)
@given(
    rider=st.sampled_from(("ada", "bob")),
    size=st.integers(2, 8),
    rides=st.integers(2, 12),
    others=st.integers(1, 3),
)
def test_who_rides_along_keeps_nobody_of_his_chat_waiting(
    rider: str, size: int, rides: int, others: int
) -> None:
    """What rides in others' batches is no turn of its chat: that must come all the same."""
    line: Scheduler[Waiting] = Scheduler()

    def push(chat: str, user: str, lane: str) -> None:
        line.push(Waiting(chat, user, lane, 1.0))

    for other in range(others):
        # Their batches are never full: the rest of each is for whoever has work of that lane.
        push(f"other {other}", "zoe", "a1")
        push(f"other {other}", "zoe", "a2")
    patient = Waiting("art", "ada", "b", 1.0)
    line.push(patient)
    for _ in range(rides):
        push("art", rider, "a1")
    for turn in itertools.count():
        assert turn <= 4 * (others + 1) * (size + 1), "its turn never comes"
        lane, _ = line.lanes()[0]
        batch = line.take(lane, size if lane == "a1" else 1)
        if patient in batch:
            break
        for job in batch:
            push(job.chat, job.user, job.lane)
            line.settle(job, 1.0)


# --- the whole queue: a classroom on a virtual clock ----------------------------------------------

TASKS = {
    each.name: each
    for each in (
        simulation.task("quick", base=0.1, each=0.01, max_batch=8, timeout=30),
        simulation.task("slow", base=1.0, each=0.5, load=2, memory=3, max_batch=4, timeout=30),
        simulation.task("single", base=0.3, load=1, memory=3, timeout=30),
        simulation.task("tiny", base=0.004, each=0.001, memory=1, max_batch=8, timeout=30),
        simulation.task("tight", base=0.2, fits=3, memory=1, max_batch=8, timeout=30),
        simulation.task("broken", broken=True, memory=1),
        simulation.task("train", "Stepped", base=0.2, long=True, talks=False, timeout=600),
        simulation.task("text", "Stepped", base=0.05, continuous=True, room="text", max_batch=3),
        simulation.task("chat", "Stepped", base=0.04, each=0.01, continuous=True, max_batch=2),
    )
}
MODELS = {f"{v.entry} {v.name}": v for t in TASKS.values() for v in t.variants.values()}
TALKS = ("text", "chat")
SOUND = tuple(name for name in TASKS if name != "broken")


@dataclass(frozen=True)
class Visit:
    """Somebody comes `at` a time (seconds), asks, and leaves after `stays` seconds, if not None."""

    at: float
    task: str
    user: str
    chat: str
    deed: str = ""
    kind: int = 0
    steps: int = 1
    extra: float = 0.0
    seed: int | None = None
    stays: float | None = None

    def ask(self, number: int) -> Ask:
        if self.seed is not None:  # all that equal jobs ask for is equal
            return Ask(number, steps=2 * self.seed, seed=self.seed)
        return Ask(number, self.extra, self.steps, self.deed, self.kind)


@dataclass(eq=False)
class Stay:
    """What became of a visit."""

    number: int
    visit: Visit
    ask: Ask
    came: float = -1.0
    ticket: Ticket | None = None
    events: list[tuple[float, Event]] = field(default_factory=list)
    error: BaseException | None = None
    left: bool = False  # before there was an outcome
    ended: float = -1.0
    sent: list[float] = field(default_factory=list)  # times when it was given to a worker

    @property
    def done(self) -> Done | None:
        last = self.events[-1][1] if self.events else None
        return last if isinstance(last, Done) else None

    @property
    def text(self) -> str:
        return "".join(event.text for _, event in self.events if isinstance(event, Token))

    def __repr__(self) -> str:
        outcome = self.error or self.done or ("left" if self.left else "nothing")
        return f"<{self.number} {self.visit.task} {self.visit.deed} {outcome!r} sent {self.sent}>"


class World:
    """A queue on a virtual clock, its visitors, and an eye on all of them at every instant.

    `calm`: nothing fails and nobody leaves, so that more must hold.
    """

    def __init__(self, engine: SimulatedEngine, *, calm: bool = False, **options: Any) -> None:
        self.engine = engine
        self.calm = calm
        # So that it is what the worker with the large models has for them.
        part = shares((task, task.variant("")) for task in TASKS.values())["compute"]
        budget = math.ceil(engine.budget / part)
        settings = {"memory_budget": budget, "waiting_limit_user": 1000, **options}
        self.queue = InferenceQueue(NoWeights(), QueueOptions(tasks=TASKS, **settings), engine)
        self.stays: list[Stay] = []
        self.by_number: dict[int, Stay] = {}
        self.here: dict[int, Stay] = {}  # who has a ticket and no outcome
        self.loop = asyncio.get_running_loop()
        engine.on_run = self.on_run
        assert isinstance(self.loop, VirtualLoop)
        self.loop.watchers.append(self.look)

    async def play(self, visits: Iterable[Visit]) -> list[Stay]:
        """Let all visits happen, to their ends; then nothing may be left of them."""
        await self.queue.start()
        for number, visit in enumerate(visits):
            stay = Stay(number, visit, visit.ask(number))
            self.stays.append(stay)
            self.by_number[number] = stay
        await asyncio.gather(*map(self.stay, self.stays))
        await self.rest()
        return self.stays

    async def stay(self, stay: Stay) -> None:
        visit = stay.visit
        await asyncio.sleep(EPOCH + visit.at - self.loop.time())
        stay.came = self.loop.time()
        job = simulation.job(visit.task, stay.ask, visit.user, visit.chat)
        stay.ticket = self.queue.submit(job)
        admitted = False
        try:
            async with asyncio.timeout(visit.stays), stay.ticket:
                admitted = True
                self.here[stay.number] = stay
                async for event in stay.ticket:
                    assert stay.done is None, "an event after the outcome"
                    stay.events.append((self.loop.time(), event))
        except TimeoutError:
            stay.left = True
        except InferenceError as error:
            stay.error = error
        finally:
            self.here.pop(stay.number, None)
            stay.ended = self.loop.time()
        assert stay.ticket.over is admitted

    async def rest(self) -> None:
        """When everybody has gone, the queue forgets them all and the workers let go."""
        queue = self.queue
        limit = self.loop.time() + 300
        stations = [station for room in queue._rooms.values() for station in room.stations]
        while any(station.held or station.sessions for station in stations if not queue._closing):
            assert self.loop.time() < limit, "a worker never lets go"
            await asyncio.sleep(1)
        assert queue.waiting == queue.running == 0
        assert not queue._jobs and not queue._held
        assert not queue._by_user and not queue._by_chat
        assert not queue._sharing._runs and not len(queue._supply)
        for room in queue._rooms.values():
            assert not len(room.line) and room.line.cost == 0
            assert queue._closing or room.idle
        assert queue._closing or not any(link.in_hand for link in self.engine.links)
        assert self.engine.crashes == []

    async def close(self) -> None:
        await self.queue.close()
        assert self.engine.closed
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    # --- at every instant

    def on_run(self, link: SimulatedLink, run: Dispatch) -> None:
        """A batch is sent."""
        variant = MODELS[run.key]
        together = [
            hand.jobs
            for hand in link.in_hand.values()
            if run.kind == "stream" and hand.key == run.key
        ]
        assert len(run.jobs) <= variant.max_batch
        assert sum(map(len, together)) <= variant.max_batch
        for ask in run.asks:
            stay = self.by_number[ask.number]
            stay.sent.append(self.loop.time())
            assert ask.seed is not None or not stay.text, "a stream that has begun is repeated"
            assert stay.ticket is not None
            assert ask.seed is not None or not stay.ticket.over, "nobody wants it any more"

    def look(self) -> None:
        """All callbacks of this instant have run: does a worker idle while somebody waits?"""
        in_hand = {
            ask.number
            for link in self.engine.links
            for hand in link.in_hand.values()
            for ask in hand.jobs.values()
        }
        waiting: defaultdict[str, list[Stay]] = defaultdict(list)
        for stay in self.here.values():
            if stay.number not in in_hand and stay.ask.seed is None and not stay.ticket.over:
                waiting[TASKS[stay.visit.task].room].append(stay)
        for link in self.engine.links:
            stays = waiting[link.options.room] if link.ready else []
            if any(not other.ready for other in self.engine.links):
                # A larger device may be about to come for what has no room here.
                budget = self.engine.budget
                stays = [s for s in stays if TASKS[s.visit.task].variant("").memory <= budget]
            kinds = [hand.kind for hand in link.in_hand.values()]
            if stays:
                assert kinds, f"{link.options.device} idles while {stays} wait"
            if self.calm:
                for stay in stays:
                    task = TASKS[stay.visit.task]
                    alike = [h for h in link.in_hand.values() if h.key.endswith(f" {task.name}")]
                    full = sum(len(hand.jobs) for hand in alike) >= task.variant("").max_batch
                    assert full if task.continuous else task.kind in kinds, f"{stay} could begin"


def check(stays: Iterable[Stay]) -> None:
    """What must hold of every visit, whatever happened."""
    for stay in stays:
        outcomes = [stay.done is not None, stay.error is not None, stay.left]
        assert sum(outcomes) == 1, stay
        kinds = [type(event) for _, event in stay.events]
        assert Done not in kinds[:-1]
        if stay.done:
            assert stay.done.result == simulation.answer(stay.ask), stay
            assert stay.done.model == stay.visit.task
            # A remembered result comes at once, and is not streamed again.
            if stay.visit.task in TALKS and (stay.ask.seed is None or stay.text):
                assert stay.text == simulation.words(stay.ask), stay
        elif stay.visit.task in TALKS:
            assert simulation.words(stay.ask).startswith(stay.text), stay


def visits(
    tasks: Sequence[str] = SOUND,
    deeds: Sequence[str] = ("",),
    *,
    leave: bool = False,
    seeds: bool = False,
    most: int = 40,
) -> st.SearchStrategy[list[Visit]]:
    """Who comes when, and wants what."""
    one = st.builds(
        Visit,
        at=st.sampled_from((0.0, 1.0)) | st.integers(0, 40).map(lambda tick: tick / 4),
        task=st.sampled_from(tasks),
        user=st.sampled_from(("ada", "bob", "cem")),
        chat=st.sampled_from(("art", "bio")),
        deed=st.sampled_from(("",) * 6 + tuple(deeds)),
        kind=st.sampled_from((0, 0, 1)),
        steps=st.sampled_from((1, 3, 20)),
        extra=st.sampled_from((0.0, 0.0, 0.1)),
        seed=st.sampled_from((None, None, 1, 2)) if seeds else st.none(),
        stays=st.sampled_from((None, None, 0.0, 0.5, 1.25, 5.0)) if leave else st.none(),
    )
    return st.lists(one, min_size=1, max_size=most) | st.lists(one, min_size=12, max_size=most)


def visit(task: str, deed: str = "", at: float = 0.0, **more: Any) -> Visit:
    return Visit(at, task, **{"user": "ada", "chat": "art", "deed": deed, **more})


@examples(60)
@given(visits=visits(), devices=st.integers(1, 3))
# Two batch keys of one text model share its places.
@example([visit("chat"), visit("chat", kind=1), visit("chat", kind=1)], 1)
# One worker leaves work to another, which has the model in memory and takes something else.
@example(
    [
        visit("tight"),
        visit("tight", at=0.25),
        visit("train", at=2),
        visit("tight", at=9, kind=1),
        visit("tight", at=9),
    ],
    3,
)
def test_calm_everybody_is_answered_in_order_and_no_worker_idles(
    visits: list[Visit], devices: int
) -> None:
    async def main() -> None:
        world = World(SimulatedEngine(devices), calm=True)
        stays = await world.play(visits)
        check(stays)
        assert all(stay.done for stay in stays)
        for stay in stays:
            assert len(stay.sent) == 1 or stay.visit.task == "tight", stay
        for one, then in itertools.combinations(sorted(stays, key=lambda s: s.came), 2):
            a, b = one.visit, then.visit
            if (a.user, a.chat, a.task, a.kind) == (b.user, b.chat, b.task, b.kind):
                assert one.came == then.came or one.sent[0] <= then.sent[0], (one, then)
        await world.close()

    run(main)


KILLERS = ("die", "assertion", "hang")


@examples(80)
@given(visits=visits(deeds=("poison", "bad", "reject", *KILLERS)), devices=st.integers(1, 2))
# A neighbour of a batch that loses the device, and that loses it again when it is repeated.
@example([visit("train", steps=3), visit("slow", "assertion"), visit("slow")], 1)
# A neighbour of poison that is repeated beside work that kills the worker.
@example([visit("tight"), visit("tight", "poison"), visit("train", "die")], 1)
# Batch-mates and neighbours of work that never ends.
@example([visit("quick"), visit("quick", "hang")], 1)
@example([visit("train"), visit("single", "hang")], 1)
@example([visit("chat"), visit("chat", "hang")], 1)
def test_only_the_culprits_fail(visits: list[Visit], devices: int) -> None:
    async def main() -> None:
        world = World(SimulatedEngine(devices))
        stays = await world.play(visits)
        check(stays)
        killers = sum(stay.visit.deed in KILLERS for stay in stays)
        for stay in stays:
            # A stream that has begun cannot be repeated. And who has had the bad luck of two
            # workers that other people's jobs killed may be taken for the culprit.
            unlucky = killers > 1 and len(stay.sent) > 1
            unlucky = unlucky and isinstance(stay.error, WorkerLost | JobTimeout)
            if stay.error is not None and not stay.text and not unlucky:
                assert stay.visit.deed, stay
        await world.close()

    run(main)


def test_a_culprit_that_has_left_is_blamed_all_the_same() -> None:
    async def main() -> None:
        world = World(SimulatedEngine(1))
        stays = await world.play(
            [visit("quick", "poison", at=10, stays=0.02), visit("quick", at=10)]
        )
        check(stays)
        assert stays[0].left
        assert stays[1].done and len(stays[1].sent) == 2
        await world.close()

    run(main)


@examples(80)
@given(
    visits=visits(tuple(TASKS), ("poison", "bad", "reject", *KILLERS), leave=True, seeds=True),
    devices=st.integers(1, 3),
    kills=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=5),
    stillborn=st.integers(0, 5),
    budget=st.sampled_from((1 << 40, 6, 3, 2)),
    latency=st.sampled_from((0.0, 1e-4, 0.3)),
    more=st.integers(0, 1),
)
# A small model is loaded again, and hangs before a word of that has left the worker.
@example(
    visits=[
        visit("tiny"),
        visit("slow", at=1),
        visit("tiny", "hang", at=6, stays=5.0),
    ],
    devices=1,
    kills=[],
    stillborn=0,
    budget=3,
    latency=1e-4,
    more=0,
)
def test_chaos_everybody_has_exactly_one_outcome(
    visits: list[Visit],
    devices: int,
    kills: list[tuple[int, int]],
    stillborn: int,
    budget: int,
    latency: float,
    more: int,
) -> None:
    async def main() -> None:
        engine = SimulatedEngine(
            devices, latency=latency, stillborn=stillborn, budget=budget, elastic=more > 0
        )
        world = World(engine)

        def kill(which: int) -> None:
            if engine.links:
                engine.links[which % len(engine.links)].die("killed")

        loop = asyncio.get_running_loop()
        for at, which in kills:
            loop.call_later(at / 4, kill, which)
        loop.call_later(5, engine.names.extend, ["simulated:late"] * more)
        stays = await world.play(visits)
        check(stays)
        for stay in stays:
            variant = TASKS[stay.visit.task].variant("")
            if stay.visit.task == "broken" or variant.memory > budget:
                assert stay.left or isinstance(stay.error, ModelUnavailable | WorkerLost), stay
        await world.close()

    run(main)


def test_a_lost_wake_up_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: without the queue's call to dispatch, somebody waits for ever."""
    monkeypatch.setattr(Room, "arrived", lambda room, entry: None)

    async def main() -> None:
        await World(SimulatedEngine(1)).play([visit("quick", at=10)])

    with pytest.raises(AssertionError, match="idles while"):
        run(main)


# --- shares, waits and forecasts of the whole queue -----------------------------------------------


@examples(25)
@given(
    parties=st.lists(
        st.tuples(
            st.sampled_from(("art", "bio", "chem")),
            st.sampled_from(("ada", "bob")),
            st.sampled_from((("quick",), ("single",), ("slow",), ("quick", "single"))),
            st.sampled_from((0.0, 0.05, 0.3)),
        ),
        min_size=2,
        max_size=4,
        unique_by=lambda party: party[:2],
    ),
    devices=st.integers(1, 2),
)
def test_device_time_is_shared_by_chats_and_their_users(
    parties: list[tuple[str, str, tuple[str, ...], float]], devices: int
) -> None:
    """Nobody knows at first what a job costs, and jobs of one lane cost different amounts."""

    async def main() -> None:
        world = World(SimulatedEngine(devices), calm=True)
        line: Counter[tuple[str, str]] = Counter()
        taken: list[tuple[float, set[Any], list[Stay], set[Any]]] = []
        look_at_run = world.engine.on_run

        def on_run(link: SimulatedLink, run: Dispatch) -> None:
            look_at_run(link, run)
            stays = [world.by_number[ask.number] for ask in run.asks]
            before = set(+line)
            line.subtract((stay.visit.chat, stay.visit.user) for stay in stays)
            taken.append((run.at, before, stays, set(+line)))

        world.engine.on_run = on_run
        everybody = [
            Visit(0, tasks[number % len(tasks)], user, chat, extra=extra)
            for chat, user, tasks, extra in parties
            for number in range(50)
        ]
        line.update((visit.chat, visit.user) for visit in everybody)
        stays = await world.play(everybody)
        await world.close()
        # From when everything has been measured once.
        learnt = max(
            min(stay.ended for stay in stays if stay.visit.task == name)
            for name in {stay.visit.task for stay in stays}
        )
        chats, users = Race(), Race()
        largest = 0.0
        for at, before, batch, after in taken:
            seconds: Counter[Any] = Counter()
            for stay in batch:
                assert stay.done
                seconds[stay.visit.chat, stay.visit.user] += stay.done.seconds
            largest = max(largest, sum(seconds.values()))
            if at >= learnt:
                by_chat: Counter[Any] = Counter()
                for (chat, _), spent in seconds.items():
                    by_chat[chat] += spent
                chats.served({c for c, _ in before}, by_chat, {c for c, _ in after})
                users.served(before, seconds, after)
        # Beside the scheduler's own bound: a model in memory goes first by what loading takes.
        load = 2.0
        bound = devices * 4 * largest + 2 * load
        assert all(span <= bound for span in chats.worst.values()), chats.worst
        for ((chat, _), (other, _)), span in users.worst.items():
            assert chat != other or span <= bound, users.worst

    run(main)


@examples(12)
@given(
    rivals=st.integers(1, 6),
    lift=st.sampled_from((0.0, 5.0)),
    new=st.sampled_from(("chat", "user")),
    task=st.sampled_from(("slow", "single")),
)
def test_newcomers_without_end_keep_nobody_waiting(
    rivals: int, lift: float, new: str, task: str
) -> None:
    """There is always somebody new with one short job, whose model is in memory and lifted."""

    async def main() -> None:
        world = World(SimulatedEngine(1))
        queue, loop = world.queue, world.loop
        numbers = itertools.count(1)
        served: list[float] = []

        async def ask(name: str, number: int, user: str, chat: str) -> None:
            world.by_number[number] = stay = Stay(number, Visit(0, name, user, chat), Ask(number))
            stay.ticket = queue.submit(simulation.job(name, stay.ask, user, chat))
            async with stay.ticket:
                await stay.ticket.result()

        async def newcomers() -> None:
            while not served:
                number = next(numbers)
                who = f"newcomer {number}"
                if new == "chat":
                    await ask("tight", number, "ada", who)
                else:
                    await ask("tight", number, who, "art")

        await queue.start()
        queue.lift("tight", lift)
        await ask(task, 0, "first", "art")  # so that it is known what loading it takes
        crowd = [asyncio.create_task(newcomers()) for _ in range(rivals)]
        await asyncio.sleep(5)
        came = loop.time()
        async with asyncio.timeout(600):
            await ask(task, next(numbers), "patient", "art")
        served.append(loop.time() - came)
        await asyncio.gather(*crowd)
        await world.rest()
        await world.close()
        advantage = lift + 2.0  # and what loading takes at most
        largest = 2.0
        assert served[0] <= (rivals + 1) * (2 * largest + advantage) + 2.0

    run(main)


@examples(20)
@given(
    jobs=st.lists(
        st.tuples(
            st.sampled_from(("quick", "single", "slow", "tiny")),
            st.sampled_from(("ada", "bob", "cem")),
            st.sampled_from(("art", "bio")),
        ),
        min_size=20,
        max_size=100,
    ),
    devices=st.integers(1, 2),
)
def test_who_is_told_a_time_is_answered_at_about_that_time(
    jobs: list[tuple[str, str, str]], devices: int
) -> None:
    async def main() -> None:
        world = World(SimulatedEngine(devices), calm=True)
        lessons = [
            Visit(20.0 * round, task, f"early {number}", "art")
            for task in ("quick", "single", "slow", "tiny")
            for round, size in enumerate((1, 3, 8, 2, 5, 8))
            for number in range(size)
        ]
        crowd = [Visit(150, task, user, chat) for task, user, chat in jobs]
        stays = await world.play(lessons + crowd)
        errors = []
        for stay in stays[len(lessons) :]:
            told = [(at, e.eta) for at, e in stay.events if isinstance(e, Queued) and e.eta]
            if told:
                when, eta = told[0]
                errors.append(abs(when + eta - stay.ended) / max(stay.ended - when, 0.1))
        await world.close()
        assert not errors or statistics.median(errors) <= 0.3, sorted(errors)

    run(main)


@examples(15)
@given(
    steps=st.integers(20, 60),
    task=st.sampled_from(("quick", "slow")),
    pause=st.sampled_from((0.0, 30.0)),
)
@example(30, "quick", 0.0)
def test_long_work_takes_its_share_and_no_more(steps: int, task: str, pause: float) -> None:
    """Beside full batches of short work long work gets `LONG_SHARE`, or a step for each batch.

    `pause`: seconds that it has the device for itself before; that is no debt.
    """

    async def main() -> None:
        world = World(SimulatedEngine(1))
        # Until the costs are known, batches are not sent ahead.
        lessons = [Visit(5.0 * (n % 4), task, f"early {n}", "art") for n in range(20)]
        train = [Visit(60, "train", "trainer", "bio", steps=steps + int(pause / 0.2))]
        crowd = [Visit(60 + pause, task, f"pupil {n}", "art") for n in range(40 * 8)]
        stays = await world.play(lessons + train + crowd)
        check(stays)
        await world.close()
        trainer = stays[len(lessons)]
        began, ended = EPOCH + 60 + pause, min(trainer.ended, max(s.ended for s in stays[21:]))
        spent = Counter({"train": 0.0, task: 0.0})
        for each in world.engine.computations:
            if began <= each.began and each.ended <= ended:
                spent[each.task] += each.ended - each.began
        steps_time = 0.2 * sum(each.task == task for each in world.engine.computations)
        share = LONG_SHARE * spent.total()
        slack = 2 * 0.2
        assert spent["train"] <= max(share, steps_time) + slack, spent
        assert spent["train"] >= min(share, steps_time) - slack, spent  # overtaken, not starved

    run(main)


@examples(20)
@given(visits=visits(("quick", "single", "tiny", "train")))
def test_short_work_overtakes_long_work_within_one_step(visits: list[Visit]) -> None:
    async def main() -> None:
        world = World(SimulatedEngine(1), calm=True)
        check(await world.play(visits))
        await world.close()
        loads = {"single": 1.0}
        shorts = [each for each in world.engine.dispatches if each.kind == "short"]
        done = {each.numbers: each for each in world.engine.computations}
        for before, batch in itertools.pairwise([None, *shorts]):
            assert batch is not None
            mine = done[tuple(ask.number for ask in batch.asks)]
            free = batch.at
            if before is not None:
                free = max(free, done[tuple(ask.number for ask in before.asks)].ended)
            step = 0.2 + 0.1  # with what its ask adds
            assert mine.began <= free + step + loads.get(mine.task, 0.0) + 0.01, (mine, free)

    run(main)


# --- the end of it, and the door ------------------------------------------------------------------


@examples(30)
@given(
    visits=visits(deeds=("poison", "die", "hang"), seeds=True),
    at=st.integers(1, 30),
    drain=st.sampled_from((0.0, 0.5, 5.0)),
    devices=st.integers(1, 2),
)
def test_a_queue_that_closes_leaves_nobody_without_a_word(
    visits: list[Visit], at: int, drain: float, devices: int
) -> None:
    async def main() -> None:
        world = World(SimulatedEngine(devices))
        playing = asyncio.create_task(world.play(visits))
        await asyncio.sleep(at / 4)
        begun = world.loop.time()
        world.loop.watchers.clear()  # from now on workers may idle
        await world.queue.close(drain)
        assert world.loop.time() - begun <= drain + 5
        for stay in world.here.values():
            assert stay.ticket is not None and stay.ticket.over, stay
        stays = await playing
        check(stays)
        for stay in stays:
            if stay.came > begun:
                assert isinstance(stay.error, JobCancelled) or stay.done, stay
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


@examples(30)
@given(
    visits=visits(("quick", "single", "train", "text"), leave=True),
    limits=st.permutations((3, 5, 8)),
)
def test_refused_is_who_exceeds_a_limit_and_nobody_else(
    visits: list[Visit], limits: list[int]
) -> None:
    async def main() -> None:
        of_user, of_chat, of_all = limits
        world = World(
            SimulatedEngine(1),
            waiting_limit_user=of_user,
            waiting_limit_chat=of_chat,
            waiting_limit=of_all,
        )
        admit = world.queue._admit

        def counted(ticket: Ticket) -> Any:
            owner = ticket.job.owner
            here = [stay.visit for stay in world.here.values()]
            users = sum(visit.user == owner.user for visit in here)
            chats = sum(visit.chat == owner.chat for visit in here)
            waits = world.queue.waiting
            try:
                entry = admit(ticket)
            except QueueFull as refusal:
                counts = {
                    "user": (users, of_user),
                    "chat": (chats, of_chat),
                    "all": (waits, of_all),
                }
                count, limit = counts[refusal.scope]
                assert count >= limit
                raise
            assert users < of_user and chats < of_chat and waits < of_all
            return entry

        world.queue._admit = counted  # type: ignore[method-assign]
        check(await world.play(visits))
        await world.close()

    run(main)
