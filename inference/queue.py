"""The one way to a model: `async with queue.submit(job) as ticket: async for event in ticket`.

The queue runs in the event loop and computes nothing. It admits jobs (or refuses them kindly), lets
equal ones share a run, sees that weights are there, asks the scheduler who is next, sends batches
to worker processes, and gives every job exactly one outcome, whatever becomes of the worker.

Beside it: `ticket` (what a submitter reads), `supply` (weights on their way), `sharing` (equal
jobs), `scheduler` (who is next), `room` (what a worker has in hand), `supervisor` (its life).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from inference.room import SUSPICION, Entry, Room, Session
from inference.scheduler import Waiting
from inference.sharing import Sharing
from inference.supervisor import Supervisor
from inference.supply import Supply, Weights
from inference.tasks import Task, Variant, all_tasks
from inference.ticket import Ticket
from inference.wire import Sealed, seal, size_of, unseal
from inference.worker import WorkerOptions

log = logging.getLogger(__name__)

POSITION_INTERVAL = 0.5  # seconds between two looks at everybody's position
FIRST_GUESS = 1.0  # seconds a job of a task is taken to cost until one has been measured


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """See `config.toml` for the meaning; `variants` picks a task's checkpoint by hand.

    `preload`: modules that a room's worker imports before its first job.
    """

    profile: str = "embedded"
    device: str = "auto"
    threads: int = 0
    waiting_limit: int = 1000
    waiting_limit_user: int = 20
    cached_results: int = 256
    log_folder: Path | None = None
    variants: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Task] | None = None
    preload: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class InferenceQueue:
    """The shared queue. Make one, `await start()`, submit, `await close()`."""

    def __init__(self, weights: Weights, options: QueueOptions | None = None) -> None:
        self._weights = weights
        self._options = options or QueueOptions()
        self._tasks = self._options.tasks or all_tasks()
        self._supply = Supply(weights, self._line_up, self._unavailable)
        self._sharing = Sharing(self._options.cached_results)
        self._rooms: dict[str, Room] = {}
        self._entries: dict[int, Entry] = {}  # all that have no outcome yet
        self._numbers = itertools.count(1)
        self._costs: dict[tuple[str, str], float] = {}
        self._tickets: dict[str, int] = defaultdict(int)  # by user
        self._positions: asyncio.TimerHandle | None = None
        self._closing = False

    # --- the door ---------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def submit(self, job: Job) -> AsyncIterator[Ticket]:
        """A ticket for the job; leaving the block gives it back, which cancels the job.

        Raises:
            QueueFull: no room, for anybody or for this user.
            JobCancelled: the queue is shutting down.
            ModelFailed: the payload does not pickle.
            KeyError: no such task.
        """
        ticket = Ticket(job)
        entry = self._admit(ticket)
        if entry is None:
            yield ticket
            return
        user = job.owner.user
        self._tickets[user] += 1
        try:
            yield ticket
        finally:
            self._tickets[user] -= 1
            if not self._tickets[user]:
                del self._tickets[user]
            self._give_back(entry, ticket)

    @property
    def waiting(self) -> int:
        """Jobs that have not started."""
        return len(self._supply) + sum(len(room.line) for room in self._rooms.values())

    @property
    def running(self) -> int:
        """Jobs that are at a worker."""
        return sum(room.running for room in self._rooms.values())

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
        await self._supply.close()
        if self._positions:
            self._positions.cancel()
        for room in self._rooms.values():
            room.close()
        workers = [room.worker for room in self._rooms.values() if room.worker]
        await asyncio.gather(*(worker.close() for worker in workers))

    def _admit(self, ticket: Ticket) -> Entry | None:
        """Let a ticket in: to a remembered result (None), an equal job's run, or one of its own."""
        job = ticket.job
        task = self._tasks[job.task]
        variant = self.variant(job.task)
        key = task.share_key(job.payload)
        share = None if key is None else (task.name, variant.name, key)
        if share is not None and (done := self._sharing.result(share)):
            metrics.SHARED.labels(task.name, "cache").inc()
            ticket.deliver(done)
            return None
        self._check_limits(job, task)
        if share is not None and (twin := self._sharing.run(share)):
            metrics.SHARED.labels(task.name, "run").inc()
            self._join(twin, ticket)
            return twin
        entry = self._entry(job, task, variant, share)
        entry.tickets.append(ticket)
        self._entries[entry.number] = entry
        self._sharing.began(entry)
        self._supply.prepare(entry)
        return entry

    def _entry(self, job: Job, task: Task, variant: Variant, share: Hashable) -> Entry:
        """The job as the queue keeps it; what a task's own code may get wrong goes wrong here."""
        try:
            payload = seal(job.payload)
        except Exception as error:  # pickling runs the payload's own code
            raise ModelFailed(f"the payload does not pickle: {error}") from error
        return Entry(
            number=next(self._numbers),
            owner=job.owner,
            task=task,
            variant=variant,
            lane=(task.name, variant.name, task.batch_key(job.payload)),
            share=share,
            payload=payload,
            limit=job.timeout or task.timeout,
            submitted=time.monotonic(),
        )

    def _join(self, entry: Entry, ticket: Ticket) -> None:
        """A latecomer to an equal job: tell it what it has missed; his place may be the better."""
        latest = entry.tickets[0].latest if entry.tickets else None
        entry.tickets.append(ticket)
        if latest is not None:
            ticket.deliver(latest)
        if entry.text:
            ticket.deliver(Token("".join(entry.text)))
        if entry.waiting is not None:
            line = self._room(entry.task.room).line
            entry.waiting = line.hasten(entry.waiting, ticket.job.owner.user)

    def _check_limits(self, job: Job, task: Task) -> None:
        if self._closing:
            raise JobCancelled("shutting down")
        waiting = self.waiting
        if waiting >= self._options.waiting_limit:
            raise QueueFull(waiting, self._cost_of_waiting(task.room))
        personal = self._tickets.get(job.owner.user, 0)
        if personal >= self._options.waiting_limit_user:
            raise QueueFull(personal, None, personal=True)

    def _give_back(self, entry: Entry, ticket: Ticket) -> None:
        """One reader has gone; the run goes on while others read it."""
        ticket.fail(JobCancelled("the ticket was given back"))
        if ticket in entry.tickets:
            entry.tickets.remove(ticket)
        if not entry.tickets:
            self._finish(entry, JobCancelled("nobody waits for it"), "cancelled")

    def _unavailable(self, entry: Entry, error: ModelUnavailable) -> None:
        self._finish(entry, error, "unavailable")

    # --- the line ---------------------------------------------------------------------------------

    def _line_up(self, entry: Entry, *, first: bool = False) -> None:
        room = self._room(entry.task.room)
        cost = self._cost(entry) or FIRST_GUESS
        alone = entry.attempts > 0
        entry.waiting = Waiting(entry, entry.owner.user, entry.lane, cost, alone)
        room.line.push(entry.waiting, first=first)
        self._dispatch(room)
        if not entry.waiting.gone:
            # A first word at once; the exact place follows with everybody's.
            entry.deliver(Queued(len(room.line), len(room.line), None))
            self._tell_positions_soon()

    def _dispatch(self, room: Room) -> None:
        """Give the worker whatever it can begin now."""
        if room.worker is None or not room.worker.ready or not len(room.line):
            return
        for lane in room.line.lanes():
            while head := room.line.head(lane):
                session = room.place_for(head.item)
                if session is None:
                    break
                batch = [waiting.item for waiting in room.line.take(lane, room.seats(session))]
                self._send(room, session, batch)

    def _send(self, room: Room, session: Session, batch: list[Entry]) -> None:
        assert room.worker is not None
        room.seat(session, batch)
        for entry in batch:
            metrics.WAIT.labels(entry.task.name).observe(time.monotonic() - entry.submitted)
        metrics.BATCH.labels(session.task.name).observe(len(batch))
        payloads = {entry.number: entry.payload for entry in batch}
        files = self._supply.files(session.variant)
        room.worker.send(("run", session.number, session.variant, files, payloads))

    def _room(self, name: str) -> Room:
        if name not in self._rooms:
            room = self._rooms[name] = Room(name)
            folder = self._options.log_folder
            room.worker = Supervisor(
                WorkerOptions(
                    room=name,
                    device=self._options.device,
                    threads=self._options.threads,
                    log_file=folder / f"worker-{name}.log" if folder else None,
                    preload=self._options.preload.get(name, ()),
                ),
                heard=lambda frame: self._heard(room, frame),
                lost=lambda reason: self._lost(room, reason),
            )
            metrics.WAITING.labels(name).set_function(lambda: len(room.line))
            metrics.RUNNING.labels(name).set_function(lambda: room.running)
        return self._rooms[name]

    # --- what workers say -------------------------------------------------------------------------

    def _heard(self, room: Room, frame: list[Any]) -> None:
        for message in frame:
            match message:
                case ("event", job, event):
                    self._on_event(job, event)
                case ("result", job, sealed, seconds):
                    room.settled(job)
                    self._on_result(job, sealed, seconds)
                case ("error", job, error):
                    room.settled(job)
                    self._on_error(job, error)
                case ("dropped", job):
                    room.settled(job)
                case ("started", session, jobs):
                    room.loading(False)
                    self._on_started(room, session, jobs)
                case ("loading", model):
                    room.loading(True)
                    self._on_loading(room, model)
                case ("failed", _, jobs, error):
                    for job in jobs:
                        room.settled(job)
                    self._on_batch_failed(jobs, error)
                case ("end", session):
                    room.loading(False)
                    room.ended(session)
        self._dispatch(room)

    def _on_started(self, room: Room, number: int, jobs: list[int]) -> None:
        loop = asyncio.get_running_loop()
        session = room.sessions.get(number)
        if session is not None and session.isolated:
            loop.call_later(SUSPICION, self._cleared, room, session)
        for job in jobs:
            entry = self._entries.get(job)
            if entry is not None:
                entry.stop_clock()
                entry.deadline = loop.call_later(entry.limit, self._timed_out, entry)
                entry.deliver(Started(entry.variant.name))

    def _cleared(self, room: Room, session: Session) -> None:
        """A suspect has lived long enough: others may begin beside it."""
        session.isolated = False
        self._dispatch(room)

    def _on_loading(self, room: Room, model: str) -> None:
        for session in room.sessions.values():
            if session.variant.name == model:
                for entry in session.entries.values():
                    entry.deliver(Loading(model, "load"))

    def _on_event(self, job: int, event: Progress | Token) -> None:
        entry = self._entries.get(job)
        if entry is not None:
            if isinstance(event, Token):
                entry.text.append(event.text)
            if entry.session is not None:
                entry.session.isolated = False  # it has survived a step
            entry.deliver(event)

    def _on_result(self, job: int, sealed: Sealed, seconds: float) -> None:
        entry = self._entries.get(job)
        if entry is None:
            return
        try:
            value = unseal(sealed)
        except Exception as error:  # noqa: BLE001 (unpickling runs the result's own code)
            self._finish(entry, ModelFailed(f"the result does not unpickle: {error}"), "failed")
            return
        self._learn_cost(entry, seconds)
        done = Done(value, entry.variant.name, seconds)
        self._sharing.remember(entry.share, done, size_of(sealed))
        self._finish(entry, done, "done")

    def _on_error(self, job: int, error: InferenceError) -> None:
        entry = self._entries.get(job)
        if entry is None:
            return
        if isinstance(error, ModelUnavailable) and entry.variant.weights and entry.attempts == 1:
            # A file may have been damaged on disk: it is looked at, and fetched again if so.
            self._supply.doubt(entry.variant)
            entry.session = None
            self._supply.prepare(entry)
        else:
            self._finish(entry, error, "failed")

    def _on_batch_failed(self, jobs: list[int], error: InferenceError) -> None:
        """A whole batch fell over: repeat each job alone, so that only the culprit fails."""
        for job in jobs:
            if entry := self._entries.get(job):
                self._repeat_or_fail(entry, error, hopeless=len(jobs) == 1)

    def _lost(self, room: Room, reason: str) -> None:
        """The worker died. Whoever was with it is repeated once, with nobody beside him."""
        metrics.RESTARTS.labels(room.name).inc()
        for entry in room.lost():
            self._repeat_or_fail(entry, WorkerLost(reason))
        if room.worker and room.worker.hopeless:
            for waiting in room.line.in_order():
                failure = ModelUnavailable(f"the worker does not start: {reason}")
                self._finish(waiting.item, failure, "unavailable")

    def _repeat_or_fail(
        self, entry: Entry, error: InferenceError, *, hopeless: bool = False
    ) -> None:
        if hopeless or not entry.repeatable:
            self._finish(entry, error, "failed")
            return
        entry.stop_clock()
        entry.session = None
        self._line_up(entry, first=True)

    def _timed_out(self, entry: Entry) -> None:
        self._finish(entry, JobTimeout(entry.limit), "timeout")

    # --- outcomes ---------------------------------------------------------------------------------

    def _finish(self, entry: Entry, outcome: Done | InferenceError, word: str) -> None:
        """The one place where a job ends; harmless for one that has ended."""
        if self._entries.pop(entry.number, None) is None:
            return
        metrics.OUTCOMES.labels(entry.task.name, word).inc()
        self._sharing.ended(entry)
        self._supply.remove(entry)
        entry.stop_clock()
        entry.payload = None
        room = self._rooms.get(entry.task.room)
        if room is not None and entry.waiting is not None:
            room.line.remove(entry.waiting)
        if room is not None and entry.session is not None:
            room.release(entry)
        for ticket in entry.tickets:
            if isinstance(outcome, Done):
                ticket.deliver(outcome)
            else:
                ticket.fail(outcome)

    # --- positions --------------------------------------------------------------------------------

    def _learn_cost(self, entry: Entry, seconds: float) -> None:
        """A running average of measured device seconds, by task and checkpoint."""
        key = (entry.task.name, entry.variant.name)
        known = self._costs.get(key)
        self._costs[key] = seconds if known is None else 0.8 * known + 0.2 * seconds
        metrics.SERVICE.labels(entry.task.name).observe(seconds)

    def _cost(self, entry: Entry) -> float | None:
        """Expected device seconds of a job; None before the first was measured."""
        return self._costs.get((entry.task.name, entry.variant.name))

    def _cost_of_waiting(self, room: str) -> float | None:
        line = self._rooms[room].line if room in self._rooms else None
        return sum(waiting.cost for waiting in line.in_order()) if line else None

    def _tell_positions_soon(self, delay: float = 0.02) -> None:
        if self._positions is None:
            loop = asyncio.get_running_loop()
            self._positions = loop.call_later(delay, self._tell_positions)

    def _tell_positions(self) -> None:
        """Tell everybody who waits how many stand before him, and for how long."""
        self._positions = None
        for room in self._rooms.values():
            running = (e for session in room.sessions.values() for e in session.entries.values())
            ahead = sum(self._cost(entry) or 0.0 for entry in running)
            known = True
            line = room.line.in_order()
            for index, waiting in enumerate(line, start=1):
                cost = self._cost(waiting.item)
                known = known and cost is not None
                ahead += cost or 0.0
                event = Queued(index, len(line), ahead if known else None)
                previous = waiting.item.tickets[0].latest if waiting.item.tickets else None
                if not _alike(previous, event):
                    waiting.item.deliver(event)
        if any(len(room.line) for room in self._rooms.values()):
            self._tell_positions_soon(POSITION_INTERVAL)


def _alike(old: Event | None, new: Queued) -> bool:
    """Whether a reader would see no difference worth an edit: same place, ETA within a tenth."""
    if not isinstance(old, Queued) or old.position != new.position:
        return False
    if old.eta is None or new.eta is None:
        return old.eta == new.eta
    return abs(old.eta - new.eta) <= max(1.0, 0.1 * old.eta)


__all__ = ["InferenceQueue", "QueueOptions", "Ticket"]
