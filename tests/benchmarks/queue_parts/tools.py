"""What the parts of the queue's benchmark share: a queue, its references, verdicts."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bot.app import spare_the_collector
from inference.engines import Engine
from inference.jobs import Job, Owner
from inference.queue import InferenceQueue, QueueOptions
from tests.benchmarks.peers.driving import Call, percentile
from tests.benchmarks.peers.fake_model import (
    MAX_BATCH,
    MAX_WAIT_SECONDS,
    FakeModel,
    bare_calls,
    bare_loop,
)
from tests.benchmarks.queue_models import TASKS, NoWeights

Report = dict[str, Any]
_SPAWN = multiprocessing.get_context("spawn")

PEOPLE = tuple(Owner(f"web:{n}", f"web:room-{n % 20}") for n in range(200))  # in twenty chats


def verdict(figure: float, unit: str, bar: str, met: bool, how: str, **details: Any) -> Report:
    """One line of the report; numbers in `details` are rounded to what is worth reading."""
    report: Report = {"figure": figure, "unit": unit, "bar": bar, "met": met, "how": how}
    worth_reading: Report = rounded(report | details)
    return worth_reading


def rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {key: rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [rounded(each) for each in value]
    return value


def spread(seconds: Sequence[float]) -> Report:
    """Percentiles in milliseconds."""
    return {
        "p50_ms": 1000 * percentile(seconds, 50),
        "p99_ms": 1000 * percentile(seconds, 99),
        "max_ms": 1000 * max(seconds),
        "samples": len(seconds),
    }


# --- the queue ------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(
    *tasks: str, engine: Engine | None = None, **options: Any
) -> AsyncIterator[InferenceQueue]:
    """A started queue over these tasks, its limits lifted; process workers on the CPU if there is
    no other engine.
    """
    lifted: dict[str, Any] = {
        "waiting_limit": 100_000,
        "waiting_limit_user": 100_000,
        "waiting_limit_chat": 100_000,
        "held_bytes": 4_000_000_000,
        "cached_results": 0,
    }
    with TemporaryDirectory(prefix="tadim-bench-") as folder:
        chosen = QueueOptions(
            devices=("cpu",),
            tasks={name: TASKS[name] for name in tasks},
            log_folder=Path(folder),
            **(lifted | options),
        )
        queue = InferenceQueue(NoWeights(), chosen, engine)
        await queue.start()
        try:
            async with asyncio.timeout(60):
                while queue.unready:
                    await asyncio.sleep(0.01)
            spare_the_collector()  # as the program does
            yield queue
        finally:
            await queue.close()


def worker_pids(queue: InferenceQueue, task: str | None = None) -> list[int]:
    """The queue's living workers, or those that serve a task."""
    rooms = [queue._tasks[task].room] if task else list(queue._rooms)
    links = [station.link for room in rooms for station in queue._rooms[room].stations]
    return [link.pid for link in links if link is not None and link.pid is not None]


def caller(queue: InferenceQueue, task: str, people: Sequence[Owner] = PEOPLE) -> Call:
    """The way of production: a ticket, all its events, the outcome. Call by call another person."""

    async def call(number: int) -> int:
        owner = people[number % len(people)]
        async with queue.submit(Job(task=task, payload=number, owner=owner)) as ticket:
            async for _ in ticket:
                pass
        answer: int = ticket.outcome.result
        return answer

    return call


def impatient_caller(queue: InferenceQueue, task: str) -> Call:
    """`await ticket.result()`: no event is looked at."""

    async def call(number: int) -> int:
        owner = PEOPLE[number % len(PEOPLE)]
        async with queue.submit(Job(task=task, payload=number, owner=owner)) as ticket:
            answer: int = await ticket.result()
            return answer

    return call


# --- references -----------------------------------------------------------------------------------


class BareModel:
    """The fake model in a process of its own, called directly, at a worker's priority."""

    def __init__(self, seconds: float, like: InferenceQueue) -> None:
        (pid,) = worker_pids(like)
        self._ours, theirs = _SPAWN.Pipe()
        priority = psutil.Process(pid).nice()
        self._process = _SPAWN.Process(target=_bare_model, args=(theirs, seconds, priority))
        self._process.start()
        theirs.close()

    async def loop(self, count: int) -> float:
        """Seconds of `count` items in full batches."""
        seconds: float = await self._ask("loop", count)
        return seconds

    async def calls(self, count: int) -> list[float]:
        """Seconds of each of `count` calls with one item."""
        seconds: list[float] = await self._ask("calls", count)
        return seconds

    async def busy(self, seconds: float) -> None:
        """Compute pure Python for so long."""
        await self._ask("busy", seconds)

    async def _ask(self, *question: Any) -> Any:
        self._ours.send(question)
        return await asyncio.to_thread(self._ours.recv)

    def close(self) -> None:
        self._ours.close()
        self._process.join()


def _bare_model(connection: Connection, seconds: float, priority: int) -> None:
    from tests.benchmarks.queue_models import busy_loop

    os.setpriority(os.PRIO_PROCESS, 0, priority)
    model = FakeModel(seconds)
    with contextlib.suppress(EOFError):
        while True:
            match connection.recv():
                case ("loop", count):
                    connection.send(bare_loop(model, count))
                case ("calls", count):
                    connection.send(bare_calls(model, count))
                case ("busy", seconds):
                    busy_loop(seconds)
                    connection.send(None)


@contextlib.asynccontextmanager
async def bare_model(seconds: float, like: InferenceQueue) -> AsyncIterator[BareModel]:
    bare = BareModel(seconds, like)
    try:
        await bare.calls(5)  # it is there
        yield bare
    finally:
        bare.close()


class BarePipe:
    """The least that batches for a worker process: a spawned one on a socket pair, the loop's
    reader, an `asyncio.Queue` and one task that makes batches. No fairness, no events, no limits,
    no metrics, and it does not survive its worker.
    """

    def __init__(self, seconds: float) -> None:
        ours, theirs = socket.socketpair()
        self._process = _SPAWN.Process(target=_bare_worker, args=(theirs, seconds))
        self._process.start()
        theirs.close()
        self._connection = Connection(ours.detach())
        self._waiting: asyncio.Queue[tuple[int, asyncio.Future[int]]] = asyncio.Queue()
        self._answer: asyncio.Future[list[int]] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._connection.fileno(), self._read)
        self._task = asyncio.create_task(self._work())

    async def call(self, number: int) -> int:
        answer: asyncio.Future[int] = self._loop.create_future()
        self._waiting.put_nowait((number, answer))
        return await answer

    async def hop(self, number: int) -> int:
        """There and back, without a batch to wait for: the least that another process costs."""
        self._answer = self._loop.create_future()
        self._connection.send([number])
        (answer,) = await self._answer
        return answer

    def _read(self) -> None:
        assert self._answer is not None
        self._answer.set_result(self._connection.recv())

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            end = self._loop.time() + MAX_WAIT_SECONDS
            while len(batch) < MAX_BATCH:
                try:
                    batch.append(self._waiting.get_nowait())
                except asyncio.QueueEmpty:
                    left = end - self._loop.time()
                    if left <= 0:
                        break
                    try:
                        batch.append(await asyncio.wait_for(self._waiting.get(), left))
                    except TimeoutError:
                        break
            self._answer = self._loop.create_future()
            self._connection.send([number for number, _ in batch])
            for (_, future), answer in zip(batch, await self._answer, strict=True):
                future.set_result(answer)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._loop.remove_reader(self._connection.fileno())
        self._connection.close()
        await asyncio.to_thread(self._process.join)


def _bare_worker(end: socket.socket, seconds: float) -> None:
    connection = Connection(end.detach())
    model = FakeModel(seconds)
    with contextlib.suppress(EOFError):
        while True:
            connection.send(model(connection.recv()))


@contextlib.asynccontextmanager
async def bare_pipe(seconds: float) -> AsyncIterator[BarePipe]:
    pipe = BarePipe(seconds)
    try:
        yield pipe
    finally:
        await pipe.close()


# --- the event loop -------------------------------------------------------------------------------

TICK = 0.001  # seconds that the probe sleeps


class LagProbe:
    """How much later than asked for the loop wakes a sleeper, in seconds, again and again."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            self.lags.append(time.perf_counter() - began - TICK)


@contextlib.asynccontextmanager
async def probed() -> AsyncIterator[LagProbe]:
    probe = LagProbe()
    task = asyncio.create_task(probe.run())
    try:
        yield probe
        await asyncio.sleep(2 * TICK)  # a stall that has just begun is seen too
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def tidy() -> Iterator[None]:
    """Begin with no garbage of what came before; collection goes on as usual within."""
    gc.collect()
    yield


Way = Callable[[], Awaitable[float]]  # takes its requests; the seconds until all are answered


async def in_turns(ways: Mapping[str, Way], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Each way's seconds, and those that this process computed meanwhile, round by round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for index in range(repeats + 1):
        for name, way in ways.items():
            with tidy():
                before = time.process_time()
                seconds = await way()
                computed = time.process_time() - before
            if index:  # the first round loads and warms up
                found[name].append((seconds, computed))
    return found
