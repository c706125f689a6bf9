"""The one way to a model: `async with queue.submit(job) as ticket: async for event in ticket`.

The queue runs in the event loop and computes nothing. It admits jobs (or refuses them kindly), lets
equal ones share a run, sees that weights are there, asks the scheduler who is next, sends batches
to worker processes, and gives every job exactly one outcome, whatever becomes of the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import pickle
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from inference import metrics
from inference.jobs import (
    Done,
    Event,
    InferenceError,
    Job,
    JobCancelled,
    JobTimeout,
    Loading,
    ModelFailed,
    ModelUnavailable,
    Progress,
    Queued,
    QueueFull,
    Started,
    Token,
    WorkerLost,
)
from inference.scheduler import Scheduler, Waiting
from inference.supervisor import Supervisor
from inference.tasks import Task, Variant, all_tasks
from inference.ticket import Ticket
from inference.weights import Fetching, WeightsError
from inference.worker import WorkerOptions

log = logging.getLogger(__name__)

POSITION_INTERVAL = 0.5  # seconds between two looks at everybody's position
CANCEL_GRACE = 10.0  # seconds a worker has to let a timed-out job go before it is replaced
FIRST_GUESS = 1.0  # seconds a job of a task is taken to cost until one has been measured


class Weights(Protocol):
    """What the queue needs of `inference.weights.WeightsStore`; both methods run in a thread."""

    def path(self, name: str) -> Path | None: ...
    def pull(
        self,
        name: str,
        progress: Callable[[Fetching], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """See `config.toml` for the meaning; `variants` picks a task's checkpoint by hand."""

    profile: str = "embedded"
    device: str = "auto"
    threads: int = 0
    waiting_limit: int = 1000
    waiting_limit_user: int = 20
    cached_results: int = 256
    log_folder: Path | None = None
    variants: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Task] | None = None


@dataclass(slots=True, eq=False)
class _Entry:
    """A run in the making: one job, or several equal ones."""

    number: int
    job: Job
    task: Task
    variant: Variant
    share: Hashable
    submitted: float
    tickets: list[Ticket] = field(default_factory=list)
    waiting: Waiting[_Entry] | None = None
    session: _Session | None = None
    text: list[str] = field(default_factory=list)
    attempts: int = 0
    deadline: asyncio.TimerHandle | None = None

    @property
    def streaming(self) -> bool:
        return bool(self.text)

    def deliver(self, event: Event) -> None:
        for ticket in self.tickets:
            ticket.deliver(event)


@dataclass(slots=True, eq=False)
class _Session:
    """What a worker has in hand, as the queue sees it."""

    number: int
    room: _Room
    task: Task
    variant: Variant
    entries: dict[int, _Entry] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Room:
    """A worker process, what it has in hand and who waits for it."""

    name: str
    line: Scheduler[_Entry] = field(default_factory=Scheduler)
    sessions: dict[int, _Session] = field(default_factory=dict)
    worker: Supervisor | None = None


class InferenceQueue:
    """The shared queue. Make one, `await start()`, submit, `await close()`."""

    def __init__(self, weights: Weights, options: QueueOptions | None = None) -> None:
        self._weights = weights
        self._options = options or QueueOptions()
        self._tasks = self._options.tasks or all_tasks()
        self._rooms: dict[str, _Room] = {}
        self._entries: dict[int, _Entry] = {}
        self._shared: dict[Hashable, _Entry] = {}
        self._cache: OrderedDict[Hashable, Done] = OrderedDict()
        self._numbers = itertools.count(1)
        self._costs: dict[tuple[str, str], float] = {}
        self._held: dict[str, list[_Entry]] = {}  # waiting for weights, by variant
        self._ready: set[str] = set()
        self._chores: set[asyncio.Task[None]] = set()
        self._files: dict[str, Mapping[str, Path]] = {}
        self._personal: dict[str, int] = defaultdict(int)
        self._positions: asyncio.TimerHandle | None = None
        self._closing = False

    # --- the door -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def submit(self, job: Job) -> AsyncIterator[Ticket]:
        """A ticket for the job; leaving the block gives it back, which cancels the job.

        Raises:
            QueueFull: no room, for anybody or for this user.
            JobCancelled: the queue is shutting down.
            KeyError: no such task.
        """
        ticket = Ticket(job)
        entry = self._admit(ticket)
        try:
            yield ticket
        finally:
            if entry is not None:
                self._give_back(entry, ticket)

    @property
    def waiting(self) -> int:
        """Jobs that have not started."""
        held = sum(len(entries) for entries in self._held.values())
        return held + sum(len(room.line) for room in self._rooms.values())

    @property
    def running(self) -> int:
        """Jobs that are at a worker."""
        return sum(
            len(session.entries)
            for room in self._rooms.values()
            for session in room.sessions.values()
        )

    @property
    def unready(self) -> list[str]:
        """Why jobs would have to wait for a worker now, a line each; empty: they would not."""
        if self._closing:
            return ["the queue is shutting down"]
        return [
            f"worker {room.name} is not running"
            for room in self._rooms.values()
            if room.worker is None or not room.worker.ready
        ]

    def variant(self, task: str) -> Variant:
        """The checkpoint that answers a task under this configuration."""
        declared = self._tasks[task]
        return declared.variant(self._options.variants.get(task, self._options.profile))

    async def start(self) -> None:
        """Start the worker processes, so that the first job need not wait for them."""
        for task in self._tasks.values():
            self._room(task.room)

    async def close(self, drain: float = 0.0) -> None:
        """Take no more; let what runs finish within `drain` seconds; tell the rest; end workers."""
        self._closing = True
        deadline = time.monotonic() + drain
        while self._entries and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for entry in list(self._entries.values()):
            self._finish(entry, JobCancelled("shutting down"), "cancelled")
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if self._positions:
            self._positions.cancel()
        workers = [room.worker for room in self._rooms.values() if room.worker]
        await asyncio.gather(*(worker.close() for worker in workers))

    def _admit(self, ticket: Ticket) -> _Entry | None:
        job = ticket.job
        task = self._tasks[job.task]
        variant = self.variant(job.task)
        key = task.share_key(job.payload)
        share = None if key is None else (task.name, variant.name, key)
        if share is not None and (done := self._cache.get(share)):
            self._cache.move_to_end(share)
            metrics.SHARED.labels(task.name, "cache").inc()
            ticket.deliver(done)
            return None
        if self._closing:
            raise JobCancelled("shutting down")
        if share is not None and (twin := self._shared.get(share)):
            metrics.SHARED.labels(task.name, "run").inc()
            self._join(twin, ticket)
            return twin
        self._check_limits(job, task)
        entry = _Entry(next(self._numbers), job, task, variant, share, time.monotonic(), [ticket])
        self._entries[entry.number] = entry
        self._personal[job.owner.user] += 1
        if share is not None:
            self._shared[share] = entry
        self._prepare(entry)
        return entry

    def _join(self, entry: _Entry, ticket: Ticket) -> None:
        """A latecomer to an equal job: tell it what it has missed."""
        latest = entry.tickets[0].latest if entry.tickets else None
        entry.tickets.append(ticket)
        if latest is not None:
            ticket.deliver(latest)
        if entry.text:
            ticket.deliver(Token("".join(entry.text)))

    def _check_limits(self, job: Job, task: Task) -> None:
        waiting = self.waiting
        if waiting >= self._options.waiting_limit:
            raise QueueFull(waiting, self._cost_of_waiting(task.room))
        personal = self._personal.get(job.owner.user, 0)
        if personal >= self._options.waiting_limit_user:
            raise QueueFull(personal, None, personal=True)

    def _give_back(self, entry: _Entry, ticket: Ticket) -> None:
        """One reader has gone; the run goes on while others read it."""
        if ticket in entry.tickets:
            entry.tickets.remove(ticket)
        if not entry.tickets and entry.number in self._entries:
            self._finish(entry, JobCancelled("nobody waits for it"), "cancelled")

    # --- weights ------------------------------------------------------------------------------

    def _prepare(self, entry: _Entry) -> None:
        """Put the entry in line once its model's files are there."""
        name = entry.variant.name
        if name in self._ready:
            self._line_up(entry)
        elif name in self._held:
            self._held[name].append(entry)
        else:
            self._held[name] = [entry]
            self._chore(self._fetch(entry.variant))

    async def _fetch(self, variant: Variant) -> None:
        """Pull a variant's weights in a thread, telling those who wait for it."""
        loop = asyncio.get_running_loop()
        held = self._held[variant.name]
        cancelled = False

        def tell(fetching: Fetching) -> None:
            done, total = fetching.done_bytes, fetching.total_bytes
            event = Loading(variant.name, "download", done / total if total else None, total)
            for entry in held:
                entry.deliver(event)

        def progress(fetching: Fetching) -> None:
            loop.call_soon_threadsafe(tell, fetching)

        def fetch() -> dict[str, Path]:
            return {
                name: self._weights.path(name)
                or self._weights.pull(name, progress, lambda: cancelled or loop.is_closed())
                for name in variant.weights
            }

        try:
            self._files[variant.name] = await asyncio.to_thread(fetch)
        except asyncio.CancelledError:
            cancelled = True
            raise
        except WeightsError as error:
            log.error("weights of %s: %s", variant.name, error)
            for entry in self._held.pop(variant.name):
                failure = ModelUnavailable(f"{variant.name}: {error.reason}")
                failure.__cause__ = error
                self._finish(entry, failure, "unavailable")
            return
        self._ready.add(variant.name)
        for entry in self._held.pop(variant.name):
            self._line_up(entry)

    # --- the line -----------------------------------------------------------------------------

    def _line_up(self, entry: _Entry, *, first: bool = False) -> None:
        room = self._room(entry.task.room)
        lane = (entry.task.name, entry.variant.name, entry.task.batch_key(entry.job.payload))
        entry.waiting = Waiting(
            entry,
            entry.job.owner.user,
            lane,
            self._cost(entry.task, entry.variant) or FIRST_GUESS,
            alone=entry.attempts > 0,
        )
        room.line.push(entry.waiting, first=first)
        metrics.WAITING.labels(room.name).set(len(room.line))
        self._dispatch(room)
        if not entry.waiting.gone:
            self._tell_positions_soon()

    def _dispatch(self, room: _Room) -> None:
        """Give the worker whatever it can begin now."""
        if room.worker is None or not room.worker.ready or not len(room.line):
            return
        for lane in room.line.lanes():
            while (session := self._opening(room, lane)) is not None:
                places = session.variant.max_batch - len(session.entries)
                batch = [waiting.item for waiting in room.line.take(lane, places)]
                if not batch:
                    break
                self._send(session, batch)
        metrics.WAITING.labels(room.name).set(len(room.line))
        metrics.RUNNING.labels(room.name).set(sum(len(s.entries) for s in room.sessions.values()))

    def _opening(self, room: _Room, lane: Hashable) -> _Session | None:
        """The session that the next job of a lane may go to, or None while it must wait.

        A worker has one batch of short work and one long job in hand at a time (it alternates
        their steps); a continuous session takes newcomers until it is full.
        """
        head = room.line.head(lane)
        if head is None:
            return None
        task, variant = head.item.task, head.item.variant
        for session in room.sessions.values():
            if task.continuous and session.task is task and session.variant is variant:
                return session if len(session.entries) < variant.max_batch else None
            if session.task.long == task.long and not task.continuous:
                return None
        return _Session(next(self._numbers), room, task, variant)

    def _send(self, session: _Session, batch: list[_Entry]) -> None:
        room, worker = session.room, session.room.worker
        assert worker is not None
        room.sessions[session.number] = session
        for entry in batch:
            entry.session = session
            entry.attempts += 1
            session.entries[entry.number] = entry
            metrics.WAIT.labels(entry.task.name).observe(time.monotonic() - entry.submitted)
        metrics.BATCH.labels(session.task.name).observe(len(batch))
        payloads = {entry.number: entry.job.payload for entry in batch}
        files = self._files.get(session.variant.name, {})
        try:
            worker.send(("run", session.number, session.variant, files, payloads))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            # A payload that does not pickle is a handler's mistake; the worker is not to blame.
            for entry in batch:
                self._finish(entry, ModelFailed(f"unsendable payload: {error}"), "failed")
            del room.sessions[session.number]

    # --- what workers say ---------------------------------------------------------------------

    def _room(self, name: str) -> _Room:
        if name not in self._rooms:
            room = self._rooms[name] = _Room(name)
            folder = self._options.log_folder
            room.worker = Supervisor(
                WorkerOptions(
                    room=name,
                    device=self._options.device,
                    threads=self._options.threads,
                    log_file=folder / f"worker-{name}.log" if folder else None,
                ),
                heard=lambda frame: self._heard(room, frame),
                lost=lambda reason: self._lost(room, reason),
            )
        return self._rooms[name]

    def _heard(self, room: _Room, frame: list[Any]) -> None:
        for message in frame:
            match message:
                case ("event", job, event):
                    self._on_event(job, event)
                case ("result", job, value, seconds):
                    self._on_result(job, value, seconds)
                case ("error", job, error):
                    if entry := self._entries.get(job):
                        self._finish(entry, error, "failed")
                case ("started", session, jobs):
                    self._on_started(room, session, jobs)
                case ("loading", model):
                    self._on_loading(room, model)
                case ("failed", _, jobs, error):
                    self._on_batch_failed(jobs, error)
                case ("end", number):
                    session = room.sessions.get(number)
                    # A newcomer may have been sent to the session just as it ended.
                    if session and not session.entries:
                        del room.sessions[number]
        self._dispatch(room)

    def _on_started(self, room: _Room, number: int, jobs: list[int]) -> None:
        session = room.sessions.get(number)
        for job in jobs:
            entry = self._entries.get(job)
            if entry is None or session is None:
                continue
            limit = entry.job.timeout or entry.task.timeout
            loop = asyncio.get_running_loop()
            entry.deadline = loop.call_later(limit, self._timed_out, entry, limit)
            entry.deliver(Started(entry.variant.name))

    def _on_loading(self, room: _Room, model: str) -> None:
        for session in room.sessions.values():
            if session.variant.name == model:
                for entry in session.entries.values():
                    entry.deliver(Loading(model, "load"))

    def _on_event(self, job: int, event: Progress | Token) -> None:
        entry = self._entries.get(job)
        if entry is not None:
            if isinstance(event, Token):
                entry.text.append(event.text)
            entry.deliver(event)

    def _on_result(self, job: int, value: Any, seconds: float) -> None:
        entry = self._entries.get(job)
        if entry is None:
            return
        key = (entry.task.name, entry.variant.name)
        known = self._costs.get(key)
        self._costs[key] = seconds if known is None else 0.8 * known + 0.2 * seconds
        metrics.SERVICE.labels(entry.task.name).observe(seconds)
        done = Done(value, entry.variant.name, seconds)
        if entry.share is not None and self._options.cached_results:
            self._cache[entry.share] = done
            while len(self._cache) > self._options.cached_results:
                self._cache.popitem(last=False)
        self._finish(entry, done, "done")

    def _on_batch_failed(self, jobs: list[int], error: InferenceError) -> None:
        """A whole batch fell over: repeat each job alone, so that only the culprit fails."""
        entries = [entry for job in jobs if (entry := self._entries.get(job))]
        for entry in entries:
            if entry.session:
                entry.session.entries.pop(entry.number, None)
            if entry.streaming or len(jobs) == 1:
                self._finish(entry, error, "failed")
            else:
                self._again(entry)

    def _lost(self, room: _Room, reason: str) -> None:
        """The worker died. Whoever was with it is repeated once, alone."""
        metrics.RESTARTS.labels(room.name).inc()
        entries = [e for session in room.sessions.values() for e in session.entries.values()]
        room.sessions.clear()
        for entry in entries:
            if entry.streaming or entry.attempts > 1:
                self._finish(entry, WorkerLost(reason), "failed")
            else:
                self._again(entry)
        if room.worker and room.worker.hopeless:
            for waiting in room.line.in_order():
                failure = ModelUnavailable(f"the worker does not start: {reason}")
                self._finish(waiting.item, failure, "unavailable")

    def _again(self, entry: _Entry) -> None:
        if entry.deadline:
            entry.deadline.cancel()
        entry.session = None
        self._line_up(entry, first=True)

    def _timed_out(self, entry: _Entry, limit: float) -> None:
        worker = entry.session.room.worker if entry.session else None
        session = entry.session
        self._finish(entry, JobTimeout(limit), "timeout")
        if worker and session:
            loop = asyncio.get_running_loop()
            loop.call_later(CANCEL_GRACE, self._replace_if_stuck, worker, session)

    def _replace_if_stuck(self, worker: Supervisor, session: _Session) -> None:
        """A worker that neither ended nor shrank a session it was told to drop hangs."""
        if session.room.sessions.get(session.number) is session and not session.entries:
            worker.kill("it did not let go of a job that had run out of time")

    # --- outcomes -----------------------------------------------------------------------------

    def _finish(self, entry: _Entry, outcome: Done | InferenceError, word: str) -> None:
        """The one place where a job ends."""
        if self._entries.pop(entry.number, None) is None:
            return
        metrics.OUTCOMES.labels(entry.task.name, word).inc()
        user = entry.job.owner.user
        self._personal[user] -= 1
        if not self._personal[user]:
            del self._personal[user]
        if entry.share is not None and self._shared.get(entry.share) is entry:
            del self._shared[entry.share]
        if entry.deadline:
            entry.deadline.cancel()
        if entry.waiting and not entry.waiting.gone:
            self._room(entry.task.room).line.remove(entry.waiting)
        held = self._held.get(entry.variant.name)
        if held and entry in held:
            held.remove(entry)
        if entry.session:
            entry.session.entries.pop(entry.number, None)
            if word in ("cancelled", "timeout") and (worker := entry.session.room.worker):
                worker.send(("cancel", entry.number))
        for ticket in entry.tickets:
            if isinstance(outcome, Done):
                ticket.deliver(outcome)
            else:
                ticket.fail(outcome)

    # --- positions ----------------------------------------------------------------------------

    def _cost(self, task: Task, variant: Variant) -> float | None:
        """Measured device seconds of a job, a running average; None before the first."""
        return self._costs.get((task.name, variant.name))

    def _cost_of_waiting(self, room: str) -> float | None:
        line = self._rooms[room].line if room in self._rooms else None
        return sum(w.cost for w in line.in_order()) if line else None

    def _tell_positions_soon(self) -> None:
        if self._positions is None:
            loop = asyncio.get_running_loop()
            self._positions = loop.call_later(0.02, self._tell_positions)

    def _tell_positions(self) -> None:
        """Tell everybody who waits how many stand before him, and for how long."""
        self._positions = None
        for room in self._rooms.values():
            ahead = sum(
                self._cost(e.task, e.variant) or 0.0
                for session in room.sessions.values()
                for e in session.entries.values()
            )
            known = True
            line = room.line.in_order()
            for index, waiting in enumerate(line, start=1):
                cost = self._cost(waiting.item.task, waiting.item.variant)
                known = known and cost is not None
                ahead += cost or 0.0
                event = Queued(index, len(line), ahead if known else None)
                previous = waiting.item.tickets[0].latest if waiting.item.tickets else None
                if not _alike(previous, event):
                    waiting.item.deliver(event)
        if any(len(room.line) for room in self._rooms.values()):
            loop = asyncio.get_running_loop()
            self._positions = loop.call_later(POSITION_INTERVAL, self._tell_positions)

    def _chore(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


def _alike(old: Event | None, new: Queued) -> bool:
    """Whether a reader would see no difference worth an edit: same place, ETA within a tenth."""
    if not isinstance(old, Queued) or old.position != new.position:
        return False
    if old.eta is None or new.eta is None:
        return old.eta == new.eta
    return abs(old.eta - new.eta) <= max(1.0, 0.1 * old.eta)


__all__ = ["InferenceQueue", "QueueOptions", "Ticket"]
