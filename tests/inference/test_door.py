"""The queue's door: what a refusal says, what is kept of those who wait, and their end.

Nobody computes here: workers are on a virtual clock, or never born.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from bot.logs import JOB_FIELDS
from inference.engines import Heard, Lost
from inference.jobs import JobCancelled, QueueClosed, Queued, QueueFull, Started
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import Task
from inference.ticket import Ticket
from inference.wire import Message, seal, size_of
from inference.worker import WorkerOptions
from tests.inference import fake_models, simulation
from tests.inference.fake_models import NoWeights, job
from tests.inference.simulation import Ask, SimulatedEngine, run


class Unborn:
    """A worker that is never ready; see `inference.engines.Link`."""

    ready = False
    hopeless = False
    pid = None

    def send(self, *messages: Message) -> None:
        raise AssertionError("nobody reads it")

    def kill(self, reason: str) -> None:
        raise AssertionError("nobody is there")

    async def close(self) -> None: ...


class Nobody:
    """An engine whose workers are never born. `opened`: those that were ordered."""

    def __init__(self, *names: str, elastic: bool = False) -> None:
        self.names = names or ("cpu",)
        self.elastic = elastic
        self.opened: list[WorkerOptions] = []

    async def devices(self, room: str) -> Sequence[str]:
        return self.names

    def open(self, options: WorkerOptions, heard: Heard, lost: Lost) -> Unborn:
        self.opened.append(options)
        return Unborn()

    async def close(self) -> None: ...


class SlowWeights(NoWeights):
    """Files that arrive when the test says so."""

    def __init__(self) -> None:
        self.arrive = threading.Event()

    def pull(self, name: str, progress: Any = None, cancelled: Any = None) -> Path:
        while not self.arrive.wait(0.01):
            if cancelled():
                raise RuntimeError("given up")
        return Path(name)


def tasks(*each: Task) -> dict[str, Task]:
    return {task.name: task for task in each}


@dataclass(eq=False)
class Payload:
    """What weak references can watch."""

    name: str
    data: bytes


SHARED = fake_models.task("shared", "Doubler", share_key=lambda payload: payload.name)
FETCHED = fake_models.task("fetched", "Doubler", room="text", weights=("file",))
THERE = fake_models.task("there", "Doubler", room="text")
PICTURE = fake_models.task("picture", "Doubler")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def opened(
    stack: AsyncExitStack, weights: NoWeights, *each: Task, **options: Any
) -> InferenceQueue:
    queue = InferenceQueue(weights, QueueOptions(tasks=tasks(*each), **options), Nobody())
    stack.push_async_callback(queue.close)
    return queue


# --- when to try again ----------------------------------------------------------------------------

BRIEF = simulation.task("brief", base=1.0)
SLOW = simulation.task("slow", base=10.0, room="text")


class Crowd:
    """Two rooms whose workers are known to take 1 s ("brief") and 10 s ("slow") for a job."""

    def __init__(self, **limits: int) -> None:
        limits = {"waiting_limit_user": 1000, "waiting_limit_chat": 1000} | limits
        options = QueueOptions(tasks=tasks(BRIEF, SLOW), **limits)
        self.queue = InferenceQueue(NoWeights(), options, SimulatedEngine(1))
        self.tickets: list[Ticket] = []
        self._stack = AsyncExitStack()
        self._count = 0

    async def __aenter__(self) -> Crowd:
        await self.queue.start()
        await asyncio.sleep(2)  # until the workers are there
        for name in ("brief", "slow"):
            async with self.queue.submit(simulation.job(name, Ask(0))) as ticket:
                await ticket.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        await self.queue.close()

    async def come(self, name: str, count: int = 1, user: str | None = None) -> None:
        for _ in range(count):
            self._count += 1
            asked = simulation.job(name, Ask(self._count), user or f"user {self._count}")
            self.tickets.append(await self._stack.enter_async_context(self.queue.submit(asked)))

    async def refused(self, name: str, user: str = "newcomer") -> QueueFull:
        with pytest.raises(QueueFull) as refusal:
            await self.come(name, user=user)
        return refusal.value

    def eta(self, room: str) -> float:
        eta = self.queue._eta_of_newcomer(self.queue._rooms[room])
        assert eta is not None
        return eta


@pytest.mark.parametrize("scope", ["all", "chat", "bytes"])
def test_a_limit_of_all_rooms_is_told_the_time_of_the_room_that_is_in_the_way(scope: str) -> None:
    limits = {
        "all": {"waiting_limit": 6},
        "chat": {"waiting_limit_chat": 7},
        "bytes": {"held_bytes": 7 * size_of(seal(Ask(1)))},
    }

    async def main() -> None:
        async with Crowd(**limits[scope]) as crowd:
            await crowd.come("slow")
            await asyncio.sleep(0.1)  # the first is at its worker
            await crowd.come("slow", 6)
            idle, busy = await crowd.refused("brief"), await crowd.refused("slow")
            assert idle.scope == busy.scope == scope
            assert idle.eta == busy.eta == crowd.eta("text") > crowd.eta("compute") == 0.0

    run(main)


def test_of_two_rooms_in_the_way_the_first_to_be_done_is_told() -> None:
    async def main() -> None:
        async with Crowd(waiting_limit=6) as crowd:
            await crowd.come("slow")
            await crowd.come("brief")
            await asyncio.sleep(0.1)  # both are at their workers
            await crowd.come("slow", 3)
            await crowd.come("brief", 3)
            for name in ("slow", "brief"):
                refusal = await crowd.refused(name)
                assert refusal.eta == crowd.eta("compute")
                assert 0.0 < refusal.eta < crowd.eta("text")

    run(main)


def test_a_room_where_nobody_waits_makes_no_place_for_those_who_would() -> None:
    async def main() -> None:
        async with Crowd(waiting_limit=6) as crowd:
            await crowd.come("slow")
            await crowd.come("brief")
            await asyncio.sleep(0.1)  # both are at their workers
            await crowd.come("slow", 6)
            refusal = await crowd.refused("brief")
            assert refusal.eta == crowd.eta("text") > crowd.eta("compute") > 0.0

    run(main)


def test_whoever_is_at_his_own_limit_is_told_when_his_first_job_is_done_if_it_is_known() -> None:
    async def main() -> None:
        async with Crowd(waiting_limit_user=3) as crowd:
            await crowd.come("slow", 2)
            await crowd.come("slow", 3, "ada")
            assert (await crowd.refused("brief", "ada")).eta is None
            await asyncio.sleep(1)  # all have been told their positions
            told = [ticket.latest for ticket in crowd.tickets[2:]]
            etas = [each.eta for each in told if isinstance(each, Queued)]
            refusal = await crowd.refused("brief", "ada")
            assert (refusal.scope, refusal.waiting, len(etas)) == ("user", 3, 3)
            assert 0.0 < refusal.eta <= min(etas) < max(etas)
            await crowd.come("slow", 3, "bob")
            assert (await crowd.refused("brief", "bob")).eta is None, "nobody else's time"

    run(main)


# --- what is kept of those who wait ---------------------------------------------------------------


@pytest.mark.parametrize("names", ["abc", "aaa"], ids=["sealed", "joined"])
async def test_of_a_payload_nothing_is_kept_but_what_is_counted(
    stack: AsyncExitStack, names: str
) -> None:
    queue = opened(stack, NoWeights(), SHARED)
    watched = []
    for name in names:
        payload = Payload(name, name.encode() * 100_000)
        watched.append(weakref.ref(payload))
        await stack.enter_async_context(queue.submit(job("shared", payload)))
        del payload
    assert queue.waiting == len(set(names))
    assert [each() for each in watched] == [None] * 3
    assert queue._held // 100_000 == len(set(names))


async def test_a_job_that_was_refused_can_be_submitted_again(stack: AsyncExitStack) -> None:
    queue = opened(stack, NoWeights(), PICTURE, waiting_limit_user=1)
    again = queue.submit(job("picture", 2))
    async with queue.submit(job("picture", 1)):
        with pytest.raises(QueueFull):
            await again.__aenter__()
    await stack.enter_async_context(again)
    assert queue.waiting == 1


# --- who waits ------------------------------------------------------------------------------------


async def test_whoever_waits_for_a_model_on_its_way_is_counted_in_its_room(
    stack: AsyncExitStack,
) -> None:
    weights = SlowWeights()
    queue = opened(stack, weights, FETCHED, THERE, PICTURE)
    # Ada waits for the download and in the line of the same room, and is one person.
    for name, user in (
        *(("fetched", "t:ada"), ("fetched", "t:ada"), ("fetched", "t:bob")),
        *(("there", "t:ada"), ("picture", "t:cem")),
    ):
        await stack.enter_async_context(queue.submit(job(name, 1, user)))

    def counted() -> dict[str, int]:
        overview = queue.overview()
        rooms = {room.name: room.waiting for room in overview.rooms}
        assert sum(rooms.values()) == overview.waiting == 5
        assert overview.users == 3
        for name, waiting in rooms.items():
            assert REGISTRY.get_sample_value("tadim_queue_waiting", {"room": name}) == waiting
        return rooms

    assert len(queue._supply) == 3
    assert counted() == {"text": 4, "compute": 1}
    weights.arrive.set()
    async with asyncio.timeout(30):
        while len(queue._supply):
            await asyncio.sleep(0.01)
    assert counted() == {"text": 4, "compute": 1}


async def test_all_that_the_log_may_write_of_a_job_is_known_of_it(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    queue = opened(stack, NoWeights(), PICTURE)
    with caplog.at_level(logging.DEBUG, "tadim.jobs"):
        async with queue.submit(job("picture", 1)):
            pass
        await asyncio.sleep(0)  # the books come after the readers
    (record,) = [each for each in caplog.records if each.name == "tadim.jobs"]
    assert [name for name in JOB_FIELDS if not hasattr(record, name)] == []


# --- who shares a device --------------------------------------------------------------------------


LARGE = simulation.task("large", memory=6)
SMALL = simulation.task("small", memory=2, room="there")
NEXT = simulation.task("next", memory=3)


@pytest.mark.parametrize(
    ("engine", "rooms", "shares"),
    [
        (Nobody("auto"), (LARGE, NEXT), {"compute auto": 1.0}),
        (Nobody("auto"), (LARGE, NEXT, SMALL), {"compute auto": 0.75, "there auto": 0.25}),
        (Nobody("cpu", "cpu"), (LARGE, SMALL), {"compute cpu": 0.375, "there cpu": 0.125}),
        (Nobody("auto", "cuda:1"), (LARGE,), {"compute auto": 1.0, "compute cuda:1": 1.0}),
        (Nobody("auto", "cuda:1", "auto"), (NEXT,), {"compute auto": 0.5, "compute cuda:1": 1.0}),
        # Each "cuda" is another GPU of the cluster.
        (Nobody("cuda", "cuda", elastic=True), (LARGE,), {"compute cuda": 1.0}),
    ],
)
async def test_rooms_share_a_device_as_their_largest_models_need_it(
    engine: Nobody, rooms: tuple[Task, ...], shares: dict[str, float]
) -> None:
    queue = InferenceQueue(NoWeights(), QueueOptions(tasks=tasks(*rooms)), engine)
    await queue.start()
    await queue.close()
    assert len(engine.opened) == len(engine.names) * len({task.room for task in rooms})
    told = {f"{each.room.partition('-')[0]} {each.device}": each.share for each in engine.opened}
    assert told == pytest.approx(shares)


# --- the end --------------------------------------------------------------------------------------


async def test_those_who_wait_are_dismissed_at_once(stack: AsyncExitStack) -> None:
    queue = opened(stack, SlowWeights(), FETCHED, PICTURE)
    waiting = [
        await stack.enter_async_context(queue.submit(job(name, number)))
        for name in ("fetched", "picture")
        for number in range(3)
    ]
    queue.dismiss()
    assert all(ticket.over for ticket in waiting)
    for ticket in waiting:
        with pytest.raises(QueueClosed):
            await ticket.result()
    assert (queue.waiting, queue._held) == (0, 0)
    assert queue.unready == ["the queue is shutting down"]
    with pytest.raises(QueueClosed):
        await queue.submit(job("picture", 9)).__aenter__()


def test_what_is_at_a_worker_goes_on_when_those_who_wait_are_dismissed() -> None:
    async def main() -> None:
        async with Crowd() as crowd:
            await crowd.come("slow", 3)
            first, *others = crowd.tickets
            await asyncio.sleep(0.1)
            crowd.queue.dismiss()
            assert [ticket.over for ticket in crowd.tickets] == [False, True, True]
            for ticket in others:
                with pytest.raises(QueueClosed):
                    await ticket.result()
            assert isinstance(first.latest, Started)
            assert await first.result() == "answer 1"

    run(main)


async def test_closing_ends_what_is_left_with_the_same_word(stack: AsyncExitStack) -> None:
    queue = opened(stack, NoWeights(), PICTURE)
    given_back = queue.submit(job("picture", 1))
    ticket = await given_back.__aenter__()
    await given_back.__aexit__(None, None, None)
    left = await stack.enter_async_context(queue.submit(job("picture", 2)))
    await queue.close()
    with pytest.raises(QueueClosed):
        await left.result()
    with pytest.raises(JobCancelled) as own:
        await ticket.result()
    assert not isinstance(own.value, QueueClosed), "whoever gives his job back is not told of us"
