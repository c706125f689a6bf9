"""A long rough day: random jobs, leavers, floods, poison, and workers killed all the while.

It goes in rounds. After each the queue must be as empty as before the first: every job has had
exactly one outcome, the right one, and no task, descriptor, process or memory is left over.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import psutil
from prometheus_client import REGISTRY

from inference.jobs import (
    InferenceError,
    Job,
    JobCancelled,
    Owner,
    Progress,
    QueueFull,
    Token,
    WorkerLost,
)
from inference.queue import InferenceQueue
from tests.benchmarks.peers.driving import percentile
from tests.benchmarks.queue_parts.tools import Report, opened, verdict, worker_pids

TASKS = ("unruly", "unruly-slow", "unruly-long", "unruly-hang", "unruly-stream")
CLIENTS = 48
WARM_UP = 6.0  # seconds, whatever the length: first uses of things are no growth
PATIENCE = 60.0  # seconds after which a job is said to hang
LIMITS = {
    "waiting_limit": 150,
    "waiting_limit_user": 20,
    "waiting_limit_chat": 100,
    "held_bytes": 8_000_000,
    "cached_results": 32,
}
MEMORY_SLACK = 4.0  # megabytes of resident memory that are taken for noise
COMPLAINTS = 20  # kept in full; all are counted


class Ledger:
    """Who has asked for what, and what became of it. It keeps nothing of jobs that have ended."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.complained = 0
        self._open: dict[int, str] = {}
        self._last = 0

    def asked(self, what: str) -> int:
        """A number for a new job."""
        self._last += 1
        self._open[self._last] = what
        self.counts["submitted"] += 1
        return self._last

    def ended(self, number: int, outcome: str) -> None:
        """A job's outcome; a second one is complained of."""
        if self._open.pop(number, None) is None:
            self.complain(f"job {number} has one more outcome: {outcome}")
        else:
            self.counts[outcome] += 1

    def settle(self) -> None:
        """Nothing should be open now; complain of what is."""
        for number, what in self._open.items():
            self.complain(f"job {number} ({what}) has no outcome")
        self._open.clear()

    def complain(self, text: str) -> None:
        self.complained += 1
        if len(self.complaints) < COMPLAINTS:
            self.complaints.append(text)


@dataclass(frozen=True, slots=True)
class Wish:
    """A job to submit, its right answer, and the error that it must end with instead, if any."""

    task: str
    payload: Any
    answer: Any = None
    error: str | None = None


def wish(chance: random.Random) -> Wish:
    """Something that a person might ask for."""
    number = chance.randrange(1_000_000)
    kind = chance.choices(
        ("plain", "slow", "seeded", "large", "long", "stream", "bad", "poison", "odd", "lambda"),
        (40, 12, 10, 4, 4, 14, 4, 2, 2, 2),
    )[0]
    match kind:
        case "plain":
            return Wish("unruly", number, 2 * number)
        case "slow":
            return Wish("unruly-slow", number, 2 * number)
        case "seeded":
            same = chance.randrange(12)
            return Wish("unruly", ("seeded", same), 2 * same)
        case "large":
            return Wish("unruly", (number, bytes(chance.randrange(400_000))), 2 * number)
        case "long":
            steps = chance.randint(5, 30)
            return Wish("unruly-long", steps, steps)
        case "stream":
            words = chance.randint(1, 60)
            return Wish("unruly-stream", words, words)
        case "bad":
            return Wish("unruly", "bad", error="BadInput")
        case "poison":
            task = chance.choice(("unruly", "unruly-slow"))
            return Wish(task, "poison", error="ModelFailed")
        case "odd":
            return Wish("unruly", "unpicklable", error="ModelFailed")
    return Wish("unruly", lambda: None, error="ModelFailed")  # a payload that does not travel


@dataclass(slots=True)
class Life:
    """What happened around a job from its submission on."""

    deaths: float  # of its room's workers before
    poisons: int  # poisonous jobs submitted before
    beside_poison: bool


@dataclass(slots=True)
class Soak:
    """One soak. Everything random comes from `chance`; `patience`: seconds."""

    queue: InferenceQueue
    chance: random.Random
    patience: float = PATIENCE
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counter[str] = field(default_factory=Counter)
    poisons: int = 0  # submitted so far
    poisons_now: int = 0
    counted_before: float = field(default_factory=lambda: _outcomes())

    # --- a job ------------------------------------------------------------------------------------

    async def ask(self, wished: Wish, owner: Owner) -> None:
        """Submit, read in one of several manners, and hold the outcome against what is right."""
        number = self.ledger.asked(f"{wished.task} {str(wished.payload)[:30]}")
        manner = self.chance.choices(
            ("read", "result", "late", "leave", "gone"), (50, 15, 10, 15, 10)
        )[0]
        if wished.payload == "hang" or wished.payload == "die":
            manner = "read"
        poisonous = wished.payload == "poison"
        self.poisons += poisonous
        self.poisons_now += poisonous
        life = Life(self._deaths(wished.task), self.poisons, self.poisons_now > 0)
        try:
            async with asyncio.timeout(self.patience):
                if manner == "gone":
                    outcome = await self._gone(wished, owner, life)
                else:
                    outcome = await self._submitted(wished, owner, life, manner)
        except TimeoutError:
            outcome = "hung"
            self.ledger.complain(f"{wished.task} {str(wished.payload)[:30]} ({manner}) hangs")
        finally:
            self.poisons_now -= poisonous
        self.ledger.ended(number, outcome)

    async def _gone(self, wished: Wish, owner: Owner, life: Life) -> str:
        """The client vanishes: the task that waits is cancelled at some moment."""
        task = asyncio.create_task(self._submitted(wished, owner, life, "read"))
        await asyncio.wait([task], timeout=self._moment())
        task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) and current.cancelling():
                raise
            return "client gone"

    async def _submitted(self, wished: Wish, owner: Owner, life: Life, manner: str) -> str:
        job = Job(task=wished.task, payload=wished.payload, owner=owner)
        submission = self.queue.submit(job)
        try:
            ticket = await submission.__aenter__()
        except QueueFull as error:
            return f"refused ({error.scope})"
        except InferenceError as error:
            return self._judged_error(wished, error, life, begun=False)
        self.counts["admitted"] += 1
        begun = [False]
        try:
            if manner == "leave":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._moment()):
                        return await self._outcome(wished, ticket, life, manner, begun)
                return "given back"
            if manner == "late":
                await asyncio.sleep(self._moment())
            return await self._outcome(wished, ticket, life, manner, begun)
        finally:
            await submission.__aexit__(None, None, None)
            if not ticket.over:
                self.ledger.complain(f"{wished.task}: given back, and the ticket is not over")

    async def _outcome(
        self, wished: Wish, ticket: Any, life: Life, manner: str, begun: list[bool]
    ) -> str:
        """Read to the end. `begun`: whether text has been seen."""
        text = ""
        fraction = 0.0
        try:
            if manner == "result":
                await ticket.result()
            else:
                async for event in ticket:
                    if isinstance(event, Token):
                        text += event.text
                        begun[0] = True
                    elif isinstance(event, Progress):
                        if event.fraction < fraction:
                            fraction = 0.0  # the job is repeated
                        fraction = event.fraction
        except InferenceError as error:
            if not await self._says_it_again(ticket, error):
                self.ledger.complain(f"{wished.task}: a second look gave another outcome")
            return self._judged_error(wished, error, life, begun=begun[0] or manner == "result")
        answer = ticket.outcome.result
        if wished.error is not None:
            self.ledger.complain(f"{wished.payload!r} was answered with {answer!r}")
        elif answer != wished.answer:
            self.ledger.complain(f"{wished.task}: {answer!r} instead of {wished.answer!r}")
        if wished.task == "unruly-stream" and manner != "result":
            expected = "".join(f"{word} " for word in range(1, wished.payload + 1))
            if text != expected:
                self.ledger.complain(f"text was {text[:60]!r} instead of {expected[:60]!r}")
        return "done"

    async def _says_it_again(self, ticket: Any, error: InferenceError) -> bool:
        try:
            await ticket.result()
        except InferenceError as again:
            return type(again) is type(error)
        return False

    def _judged_error(self, wished: Wish, error: InferenceError, life: Life, *, begun: bool) -> str:
        """The outcome's name; complains unless it is what such a job may end with."""
        name = type(error).__name__
        if name == wished.error:
            return f"{name}, as it should"
        deaths = self._deaths(wished.task) - life.deaths
        if isinstance(error, WorkerLost) and wished.payload != "die":
            streaming = wished.task == "unruly-stream" and begun
            poisoned = life.beside_poison or self.poisons > life.poisons
            # A first try may end with a poisonous batch-mate, or with a worker; a second one is
            # all there is. Words that somebody has read are not said again.
            if deaths >= 2 or (deaths and (streaming or poisoned)):
                return "lost with two workers, or in the middle of its text"
        self.ledger.complain(
            f"{wished.task} {str(wished.payload)[:30]} ended with {name}: {error}, {deaths} deaths"
        )
        return f"{name}, for no reason"

    def _moment(self) -> float:
        """Seconds: often no time at all, seldom long."""
        return self.chance.choice((0.0, 0.001, 0.005, 0.02, self.chance.expovariate(5)))

    def _deaths(self, task: str) -> float:
        room = self.queue._tasks[task].room
        return REGISTRY.get_sample_value("tadim_worker_restarts_total", {"room": room}) or 0.0

    # --- people -----------------------------------------------------------------------------------

    async def client(self, number: int, end: float) -> None:
        """One person, one job at a time."""
        owner = Owner(f"web:{number}", f"web:room-{number % 6}")
        while _now() < end:
            await self.ask(wish(self.chance), owner)
            await asyncio.sleep(self._moment())

    async def killer(self, end: float) -> None:
        """kill -9 of one worker, again and again."""
        while await self._pause(end, 1.0, 4.0):
            for pid in self.chance.sample(worker_pids(self.queue), 1):
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker = psutil.Process(pid)
                    if worker.ppid() == os.getpid():
                        worker.send_signal(signal.SIGKILL)
                        self.counts["kills"] += 1

    async def assassin(self, end: float) -> None:
        """Jobs that kill their worker themselves."""
        while await self._pause(end, 1.0, 6.0):
            self.counts["deadly jobs"] += 1
            await self.ask(Wish("unruly", "die", error="WorkerLost"), Owner("web:a", "web:room-0"))

    async def sleeper(self, end: float) -> None:
        """In some long rounds, a job that hangs; its worker is killed for it, seconds later."""
        if end - _now() < 10.0 or self.chance.random() < 0.5:
            return
        if await self._pause(end, 1.0, 5.0):
            self.counts["hanging jobs"] += 1
            wished = Wish("unruly-hang", "hang", error="JobTimeout")
            await self.ask(wished, Owner("web:s", "web:room-1"))

    async def flooder(self, end: float) -> None:
        """More than one person may submit, and more than all may."""
        while await self._pause(end, 1.5, 5.0):
            before = self.ledger.counts["refused (user)"]
            one = Owner("web:flooder", "web:room-2")
            crowd = [Owner(f"web:crowd-{n}", f"web:crowd-{n % 9}") for n in range(250)]
            owners = [one] * 60 if self.chance.random() < 0.5 else crowd
            self.counts["floods"] += 1
            await asyncio.gather(*(self.ask(self._patient_wish(), owner) for owner in owners))
            refused = self.ledger.counts["refused (user)"] - before
            if owners is not crowd and refused + self.ledger.counts["refused (all)"] < 1:
                self.ledger.complain("60 jobs of one person were let in")

    def _patient_wish(self) -> Wish:
        number = self.chance.randrange(1_000_000)
        return Wish("unruly-slow", number, 2 * number)

    async def _pause(self, end: float, least: float, most: float) -> bool:
        """Wait for a random time; False if the round ends in it."""
        moment = self.chance.uniform(least, most)
        left = end - _now()
        await asyncio.sleep(max(0.0, min(moment, left)))
        return moment < left

    # --- rounds -----------------------------------------------------------------------------------

    async def round(self, seconds: float) -> None:
        """Everybody at once for so long, and then until the last has his outcome."""
        end = _now() + seconds
        people: list[Coroutine[Any, Any, None]] = [
            self.client(number, end) for number in range(CLIENTS)
        ]
        await asyncio.gather(
            *people, self.killer(end), self.assassin(end), self.sleeper(end), self.flooder(end)
        )

    async def checkpoint(self) -> Report:
        """What is there when nobody wants anything."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                while self.queue.waiting or self.queue.running or self.queue.unready:
                    await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        self.ledger.settle()
        counted = _outcomes() - self.counted_before
        if counted != self.counts["admitted"]:
            self.ledger.complain(
                f"the queue counts {counted:g} outcomes of {self.counts['admitted']} tickets"
            )
        gc.collect()
        process = psutil.Process()
        return {
            "waiting": self.queue.waiting + self.queue.running,
            "held_bytes": _sum("tadim_queue_held_bytes"),
            "tasks": len(asyncio.all_tasks()),
            "descriptors": process.num_fds(),
            "processes": len(process.children(recursive=True)),
            "resident_megabytes": process.memory_info().rss / 1e6,
        }

    async def closing(self, close: Coroutine[Any, Any, None]) -> None:
        """The queue is closed over people who wait: each of them is told."""
        told: Counter[str] = Counter()

        async def wait(number: int) -> None:
            job = Job(task="unruly-long", payload=100_000, owner=Owner(f"web:{number}", "web:end"))
            async with self.queue.submit(job) as ticket:
                self.counts["admitted"] += 1
                try:
                    await ticket.result()
                except JobCancelled:
                    told["cancelled"] += 1

        waiting = [asyncio.create_task(wait(number)) for number in range(40)]
        await asyncio.sleep(0.2)
        await close
        _, hung = await asyncio.wait(waiting, timeout=self.patience)
        for task in hung:
            task.cancel()
        if told["cancelled"] != 40:
            self.ledger.complain(f"of 40 who waited at the end {told['cancelled']} were told")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _sum(metric: str) -> float:
    """Of all samples of a metric, whatever their labels."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == metric
    )


def _outcomes() -> float:
    """What the queue says it has answered: by a run, by another's run, or from its memory."""
    return _sum("tadim_jobs_total") + _sum("tadim_jobs_shared_total")


async def soak(seconds: float, seed: int, patience: float = PATIENCE) -> Report:
    """The report of a soak of about so many seconds."""
    rounds = max(5, min(20, round(seconds / 15)))
    process = psutil.Process()
    before = len(asyncio.all_tasks())
    points: list[Report] = []
    async with contextlib.AsyncExitStack() as stack:
        queue = await stack.enter_async_context(opened(*TASKS, **LIMITS))
        run = Soak(queue, random.Random(seed), patience)
        await run.round(WARM_UP)  # whatever is made once
        points.append(await run.checkpoint())
        for _ in range(rounds):
            await run.round(seconds / rounds)
            points.append(await run.checkpoint())
        await run.closing(queue.close())
    first, last = points[0], points[-1]
    left_over = {
        name: last[name] - first[name]
        for name in ("waiting", "held_bytes", "tasks", "descriptors", "processes")
    }
    left_over["tasks_after_closing"] = len(asyncio.all_tasks()) - before
    left_over["processes_after_closing"] = sum(
        "spawn_main" in " ".join(child.cmdline()) for child in process.children(recursive=True)
    )
    resident = [point["resident_megabytes"] for point in points]
    third = max(1, len(resident) // 3)
    grown = percentile(resident[-third:], 50) - percentile(resident[1 : 1 + third], 50)
    ledger = run.ledger
    met = not ledger.complained and not any(left_over.values()) and grown <= MEMORY_SLACK
    return verdict(
        ledger.complained,
        "jobs without exactly one right outcome",
        "0, nothing left over, memory flat",
        met,
        f"{CLIENTS} people for {seconds:g} s in {rounds} rounds, seed {seed}: jobs of all kinds, "
        f"read, left, cancelled; workers killed, poison, floods. After each round: the ledger, and "
        f"that the queue's own count of outcomes is that of its admitted jobs. Left over: last "
        f"round against the warm-up of {WARM_UP:g} s. Memory: median of the last third of the "
        f"rounds against the first third, at most {MEMORY_SLACK:g} MB more",
        complaints=ledger.complaints,
        counts=dict(sorted((ledger.counts | run.counts).items())),
        left_over=left_over,
        resident_megabytes_grown=grown,
        resident_megabytes=resident,
        workers_lost=_sum("tadim_worker_restarts_total"),
        repeated=_sum("tadim_jobs_repeated_total"),
    )


def run_soak(seconds: float, seed: float) -> Report:
    return asyncio.run(soak(seconds, int(seed)))
