"""The one way to a model: `async with queue.submit(job) as ticket: async for event in ticket`.

The queue runs in the event loop and computes nothing. It admits jobs (or refuses them kindly), lets
equal ones share a run, sees that weights are there, and gives every job exactly one outcome,
whatever becomes of the workers.

Beside it: `ticket` (what a submitter reads), `entry` (a job as the queue keeps it), `sharing`
(equal jobs), `supply` (weights on their way), `room` (the workers of one kind of work and the line
before them), `scheduler` (who is next), `station` (one worker and what it has in hand), `costs` and
`forecast` (what it will take), `engines` (what brings workers to life).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from inference import metrics
from inference.costs import Costs, Key
from inference.engines import Engine
from inference.engines.process import ProcessEngine
from inference.entry import FIRST_GUESS, Entry
from inference.forecast import forecast
from inference.jobs import (
    Done,
    InferenceError,
    Job,
    JobCancelled,
    JobTimeout,
    ModelFailed,
    ModelUnavailable,
    OutOfMemory,
    Progress,
    QueueClosed,
    Queued,
    QueueFull,
    Scope,
    Started,
    Token,
    TooLargeForDevice,
    WorkerLost,
)
from inference.room import Room
from inference.sharing import Sharing
from inference.station import Station
from inference.supply import Supply, Weights
from inference.tasks import Task, Variant, all_tasks, shares
from inference.ticket import Ticket
from inference.wire import Sealed, seal, size_of, unseal
from inference.worker import WorkerOptions

log = logging.getLogger(__name__)
job_log = logging.getLogger("tadim.jobs")

FIRST_POSITION = 0.1  # seconds: who is served sooner need not be told that he waits
POSITION_INTERVAL = 0.5  # seconds between two looks at everybody's position, at least
POSITION_SHARE = 20  # and this many times as long as such a look takes
NOTICEABLE = 0.1  # of a position or an ETA: what is worth an event
DEVICES_INTERVAL = 10.0  # seconds between two questions whether there are more devices
LANES_KEPT = 1000
SLOW = 60.0  # seconds of waiting and running from which on a job is worth a line in the log


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """See `config.toml` for the meaning; `variants` picks a task's checkpoint by hand.

    `devices`: one worker each in every room; (): what the engine finds. `workers`: in every room,
    the devices in turn; 0: one for each device. `held_bytes`: of the payloads of all jobs without
    an outcome. `memory_budget`: bytes that the models resident on a device may occupy, those of all
    its workers together; 0: chosen by the device. `preload`: modules that a room's workers import
    before their first job.
    """

    profile: str = "embedded"
    devices: tuple[str, ...] = ()
    workers: int = 0
    threads: int = 0
    waiting_limit: int = 1000
    waiting_limit_user: int = 20
    waiting_limit_chat: int = 400
    held_bytes: int = 512_000_000
    memory_budget: int = 0
    cached_results: int = 256
    log_folder: Path | None = None
    variants: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Task] | None = None
    preload: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def profile_of(self, task: str) -> str:
        """The profile whose checkpoint answers a task."""
        return self.variants.get(task, self.profile)


@dataclass(frozen=True, slots=True)
class RoomOverview:
    """One room: its devices, those that take jobs, and the models that are being loaded."""

    name: str
    devices: int
    devices_ready: int
    waiting: int
    running: int
    loading: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What goes on. `users`: people who wait; `eta`: seconds until a newcomer's usual job is done,
    None where nothing was measured yet."""

    waiting: int
    running: int
    users: int
    eta: float | None
    rooms: tuple[RoomOverview, ...]


class Submission(Ticket):
    """`async with` it: the job is in the queue within the block, and given back after it."""

    __slots__ = ("_entry", "_queue", "job")

    def __init__(self, queue: InferenceQueue, job: Job) -> None:
        super().__init__(job)
        self._queue = queue
        self.job: Job | None = job  # until it is in the queue

    async def __aenter__(self) -> Ticket:
        self._entry = self._queue._admit(self)
        # Its payload is sealed, or an equal job's is. No other is counted, so none may be kept.
        self.job = None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._entry is not None:
            self._queue._give_back(self._entry, self)


class InferenceQueue:
    """The shared queue. Make one, `await start()`, submit, `await close()`.

    `engine`: where workers live; None: processes of this machine.
    """

    def __init__(
        self,
        weights: Weights,
        options: QueueOptions | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._weights = weights
        self._options = options or QueueOptions()
        self._engine = engine or ProcessEngine(self._options.devices, self._options.workers)
        self._tasks = {
            name: task
            for name, task in (self._options.tasks or all_tasks()).items()
            if task.offered(self._options.profile_of(name))
        }
        self._supply = Supply(weights, self._line_up, self._unavailable)
        self._sharing = Sharing(self._options.cached_results)
        self._costs = Costs()
        self._rooms: dict[str, Room] = {}
        self._jobs = 0  # entries that have no outcome yet
        self._lanes: dict[Key, Key] = {}  # one tuple each, however many jobs it is of
        self._tickets = 0  # that have not been given back
        self._by_user: dict[Hashable, int] = {}  # of them
        self._by_chat: dict[Hashable, int] = {}
        self._ends: dict[Hashable, float] = {}  # of users at their limit: when a job will be done
        self._held = 0  # bytes of payloads
        self._ended: list[tuple[Entry, Done | InferenceError, str, float]] = []  # not in the books
        self._telling: asyncio.Handle | None = None
        self._positions: Iterator[None] | None = None  # a look at everybody's, under way
        self._opening: set[asyncio.Task[None]] = set()
        self._closing = False
        self._empty: asyncio.Event | None = None
        metrics.HELD.set_function(lambda: self._held)

    # --- the door ---------------------------------------------------------------------------------

    def submit(self, job: Job) -> Submission:
        """A ticket for the job; leaving the block gives it back, which cancels the job.

        Raises, on entering the block:
            QueueFull: no room, for anybody, for this user or for his chat.
            QueueClosed: the queue is shutting down.
            TooLargeForDevice: no device can ever hold the model.
            ModelFailed: the payload does not pickle.
            KeyError: no such task, or none under this configuration; see `offers`.
        """
        return Submission(self, job)

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
            if not any(station.ready for station in room.stations)
        ]

    @property
    def missing(self) -> list[str]:
        """Workers that are not there though others of their room are, a line each."""
        return [
            f"worker {station.name} is not running"
            for room in self._rooms.values()
            for station in room.stations
            if not station.ready and any(other.ready for other in room.stations)
        ]

    def overview(self) -> Overview:
        """What goes on, for people."""
        rooms = tuple(
            RoomOverview(
                name=room.name,
                devices=len(room.stations),
                devices_ready=sum(station.ready for station in room.stations),
                waiting=self._waiting_in(room),
                running=room.running,
                loading=tuple(
                    key.partition(" ")[2] for station in room.stations for key in station.loading
                ),
            )
            for room in self._rooms.values()
        )
        busiest = max(self._rooms.values(), key=lambda room: room.line.cost, default=None)
        return Overview(
            waiting=self.waiting,
            running=self.running,
            users=self._people(),
            eta=self._eta_of_newcomer(busiest) if busiest else None,
            rooms=rooms,
        )

    def _waiting_in(self, room: Room) -> int:
        """Jobs of a room that have not started, those whose model is on its way included."""
        return len(room.line) + self._supply.waiting(room.name)

    def _people(self) -> int:
        """How many people wait, in line or for a model on its way."""
        rooms = self._rooms.values()
        people = sum(room.line.users for room in rooms)
        if len(self._supply):
            in_line = {(entry.chat, entry.user) for room in rooms for entry in room.line.all()}
            people += len({(entry.chat, entry.user) for entry in self._supply} - in_line)
        return people

    def variant(self, task: str) -> Variant:
        """The checkpoint that answers a task under this configuration."""
        return self._tasks[task].variant(self._options.profile_of(task))

    def offers(self, task: str) -> bool:
        """Whether there is a checkpoint for a task under this configuration."""
        return task in self._tasks

    def lift(self, task: str, seconds: float) -> None:
        """Let a task's jobs go before others by `seconds` of device time; 0 ends that.

        For an instructor who wants one exercise to go first. Who is served first pays for it, so
        nobody starves (see `inference.scheduler`).

        Raises:
            KeyError: no such task.
        """
        room = self._room(self._tasks[task].room)
        room.line.lift(task, seconds)
        room.dispatch_soon()

    async def start(self) -> None:
        """Start the workers, so that the first job need not wait for them."""
        for task in self._tasks.values():
            self._room(task.room)
        await asyncio.gather(*self._opening)

    def dismiss(self) -> None:
        """Take no more, and tell those who wait; what is at a worker goes on until `close`."""
        self._closing = True
        for entry in self._all_waiting():
            self._finish(entry, QueueClosed("shutting down"), "cancelled")

    async def close(self, drain: float = 0.0) -> None:
        """Take no more; let the rest finish within `drain` seconds, or tell it; end the workers."""
        self._closing = True
        if self._jobs and drain > 0:
            self._empty = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain):
                    await self._empty.wait()
        for entry in self._all():
            self._finish(entry, QueueClosed("shutting down"), "cancelled")
        await self._supply.close()
        for opening in self._opening:
            opening.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        if self._telling:
            self._telling.cancel()
        for room in self._rooms.values():
            room.close()
        stations = [station for room in self._rooms.values() for station in room.stations]
        await asyncio.gather(*(each.link.close() for each in stations if each.link))
        await self._engine.close()

    def _admit(self, ticket: Submission) -> Entry | None:
        """Let a ticket in: to a remembered result (None), an equal job's run, or one of its own."""
        job = ticket.job
        assert job is not None, "a job is submitted once"
        task = self._tasks[job.task]
        variant = self.variant(job.task)
        key = task.share_key(job.payload)
        share: Hashable = None
        if key is not None:
            share = (task.name, variant.name, key)
            if done := self._sharing.result(share):
                metrics.SHARED.labels(task.name, "cache").inc()
                ticket.deliver(done)
                return None
        room = self._room(task.room)
        self._check_limits(job, task, variant, room)
        entry = self._sharing.run(share) if share is not None else None
        if entry is not None:
            metrics.SHARED.labels(task.name, "run").inc()
            self._join(entry, ticket)
        else:
            entry = self._entry(ticket, job, task, variant, share)
            size = entry.bytes
            if self._held + size > self._options.held_bytes and self._jobs:
                raise self._refused(task, QueueFull(self._jobs, self._eta_of_a_place(), "bytes"))
            self._held += size
            self._jobs += 1
            if share is not None:
                self._sharing.began(entry)
        user, chat = job.owner.user, job.owner.chat
        self._tickets += 1
        self._by_user[user] = self._by_user.get(user, 0) + 1
        self._by_chat[chat] = self._by_chat.get(chat, 0) + 1
        if entry.ticket is ticket:
            self._supply.prepare(entry)
        return entry

    def _entry(
        self, ticket: Ticket, job: Job, task: Task, variant: Variant, share: Hashable
    ) -> Entry:
        """The job as the queue keeps it; what a task's own code may get wrong goes wrong here."""
        try:
            payload = seal(job.payload)
        except Exception as error:  # pickling runs the payload's own code
            raise ModelFailed(f"the payload does not pickle: {error}") from error
        return Entry(
            ticket,
            job.owner,
            task,
            variant,
            self._lane((task.name, variant.name, task.batch_key(job.payload))),
            share,
            payload,
            float(task.units(job.payload)),
            job.timeout or task.timeout,
            asyncio.get_running_loop().time(),
        )

    def _lane(self, lane: Key) -> Key:
        if len(self._lanes) > LANES_KEPT:
            self._lanes.clear()
        return self._lanes.setdefault(lane, lane)

    def _join(self, entry: Entry, ticket: Ticket) -> None:
        """A latecomer to an equal job: tell it what it has missed; his place may be the better."""
        latest = next((other.latest for other in entry.tickets), None)
        entry.join(ticket)
        if latest is not None:
            ticket.deliver(latest)
        if entry.text:
            ticket.deliver(Token("".join(entry.text)))
        owner = ticket.owner
        self._room(entry.task.room).line.hasten(entry, owner.chat, owner.user)

    def _check_limits(self, job: Job, task: Task, variant: Variant, room: Room) -> None:
        if self._closing:
            raise QueueClosed("shutting down")
        options = self._options
        if self._tickets >= options.waiting_limit:
            waiting = self.waiting + self._tickets - self._jobs  # those who share a run too
            if waiting >= options.waiting_limit:
                raise self._refused(task, QueueFull(waiting, self._eta_of_a_place()))
        owner = job.owner
        own = self._by_user.get(owner.user, 0)
        if own >= options.waiting_limit_user:
            raise self._refused(task, QueueFull(own, self._eta_of_own(owner.user), "user"))
        theirs = self._by_chat.get(owner.chat, 0)
        if theirs >= options.waiting_limit_chat:
            raise self._refused(task, QueueFull(theirs, self._eta_of_a_place(), "chat"))
        if variant.memory and (budget := room.budget) is not None and variant.memory > budget:
            raise TooLargeForDevice(variant.name, variant.memory, budget)

    def _refused(self, task: Task, refusal: QueueFull) -> QueueFull:
        scope: Scope = refusal.scope
        metrics.REFUSED.labels(task.name, scope).inc()
        return refusal

    def _all(self) -> list[Entry]:
        """The entries that have no outcome yet, wherever they are."""
        stations = (station for room in self._rooms.values() for station in room.stations)
        held = (entry for station in stations for entry in station.held.values())
        return [entry for entry in (*self._all_waiting(), *held) if not entry.over]

    def _all_waiting(self) -> list[Entry]:
        """Those of them that are in line, or whose model is on its way."""
        lines = (entry for room in self._rooms.values() for entry in room.line.all())
        return [*self._supply, *lines]

    def _give_back(self, entry: Entry, ticket: Ticket) -> None:
        """One reader has gone; the run goes on while others read it."""
        self._tickets -= 1
        owner = ticket.owner
        for counts, name in ((self._by_user, owner.user), (self._by_chat, owner.chat)):
            left = counts[name] - 1
            if left:
                counts[name] = left
            else:
                del counts[name]
        if ticket.over:
            return
        ticket.fail(JobCancelled("the ticket was given back"))
        if entry.leave(ticket):
            self._finish(entry, JobCancelled("nobody waits for it"), "cancelled")

    def _unavailable(self, entry: Entry, error: ModelUnavailable) -> None:
        self._finish(entry, error, "unavailable")

    # --- the line ---------------------------------------------------------------------------------

    def _line_up(self, entry: Entry, *, first: bool = False) -> None:
        room = self._room(entry.task.room)
        entry.cost = self._cost(entry)
        room.line.push(entry, first=first)
        room.arrived(entry)
        if self._telling is None:
            self._tell_positions_soon(FIRST_POSITION)

    def _room(self, name: str) -> Room:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name, self._costs, self._supply.files)
            opening = asyncio.create_task(self._open(room), name=f"room {name}")
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
            metrics.WAITING.labels(name).set_function(lambda: self._waiting_in(room))
            metrics.RUNNING.labels(name).set_function(lambda: room.running)
            metrics.FAIRNESS.labels(name).set_function(lambda: room.line.fairness)
            metrics.WORKERS.labels(name).set_function(
                lambda: sum(station.ready for station in room.stations)
            )
        return room

    async def _open(self, room: Room) -> None:
        """Open a worker on every device that has none. A cluster may grow: ask again later."""
        try:
            devices = await self._engine.devices(room.name)
        except Exception as error:  # noqa: BLE001 (whatever a cluster meets, nobody waits for ever)
            log.error("no devices for %s: %s", room.name, error)
            if not room.stations:
                self._give_up(room, f"no device can be had: {error}")
            devices = ()
        for device in devices[len(room.stations) :]:
            if self._closing:
                return
            self._open_station(room, device, self._share(room.name, device, devices))
        if self._engine.elastic and not self._closing:
            asyncio.get_running_loop().call_later(DEVICES_INTERVAL, self._open_again, room)

    def _open_again(self, room: Room) -> None:
        if not self._closing:
            opening = asyncio.create_task(self._open(room), name=f"room {room.name}")
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _share(self, room: str, device: str, devices: Sequence[str]) -> float:
        """The part of a device's memory that is one worker's: all rooms have the same devices.

        In a cluster each name stands for a device of its own, though it may occur often.
        """
        chosen = [(task, self.variant(name)) for name, task in self._tasks.items()]
        return shares(chosen)[room] / (1 if self._engine.elastic else devices.count(device))

    def _open_station(self, room: Room, device: str, share: float) -> None:
        number = len(room.stations)
        name = f"{room.name}-{number}" if number else room.name
        options = self._options
        station = Station(room.name, name, device, self._costs, self, room.line.settle, room.freed)
        room.stations.append(station)
        folder = options.log_folder
        station.link = self._engine.open(
            WorkerOptions(
                room=name,
                device=device,
                threads=options.threads,
                memory_budget=options.memory_budget,
                share=share,
                log_file=folder / f"worker-{name}.log" if folder else None,
                preload=options.preload.get(room.name, ()),
            ),
            station.heard,
            station.lost,
        )

    # --- what becomes of jobs (`inference.station.Outcomes`) --------------------------------------

    def on_started(self, entry: Entry, event: Started) -> None:
        entry.deliver(event)

    def on_event(self, entry: Entry, event: Progress | Token) -> None:
        if type(event) is Token:
            if entry.text is None:
                entry.text = []
            entry.text.append(event.text)
        entry.deliver(event)

    def on_result(self, entry: Entry, sealed: Sealed, seconds: float) -> None:
        try:
            value = unseal(sealed)
        except Exception as error:  # noqa: BLE001 (unpickling runs the result's own code)
            self._finish(entry, ModelFailed(f"the result does not unpickle: {error}"), "failed")
            return
        done = Done(value, entry.variant.name, seconds)
        if entry.share is not None:
            self._sharing.remember(entry.share, done, size_of(sealed))
        self._finish(entry, done, "done")

    def on_error(self, entry: Entry, error: InferenceError) -> None:
        doubtful = isinstance(error, ModelUnavailable) and not isinstance(error, TooLargeForDevice)
        if doubtful and entry.variant.weights and entry.served.attempts == 1:
            # A file may have been damaged on disk: it is looked at, and fetched again if so.
            if self._supply.doubt(entry.variant, entry.served.sent):
                line = self._rooms[entry.task.room].line
                for other in line.all():
                    if other.variant is entry.variant:
                        line.remove(other)
                        self._supply.prepare(other)
            self._supply.prepare(entry)
        else:
            self._finish(entry, error, "failed")

    def on_failed(self, entries: list[Entry], error: InferenceError, together: bool) -> None:
        """A whole batch fell over.

        One that did not fit into memory is given again in smaller ones (the station remembers the
        size). Of any other each job is repeated alone, so that only the culprit fails.
        """
        too_large = isinstance(error, OutOfMemory)
        for entry in entries:
            if too_large and len(entries) > 1 and not entry.text:
                entry.served.attempts -= 1
                self._repeat(entry, "memory")
            elif entry.repeatable and (together or too_large):
                entry.alone = True
                self._repeat(entry, "memory" if too_large else "batch")
            else:
                self._finish(entry, error, "failed")

    def on_lost(self, station: Station, entries: list[Entry], reason: str) -> None:
        """A worker died. Whoever was with it is repeated once, with nobody beside him."""
        for entry in entries:
            if not entry.survivable:
                self._finish(entry, WorkerLost(reason), "lost")
                continue
            entry.alone = entry.alone or entry.served.suspect  # so every suspect is alone
            self._repeat(entry, "lost")
        room = self._rooms[station.room]
        if all(each.link and each.link.hopeless for each in room.stations):
            self._give_up(room, f"the worker does not start: {reason}")

    def on_overdue(self, entry: Entry) -> None:
        self._finish(entry, JobTimeout(entry.limit), "timeout")

    def _give_up(self, room: Room, reason: str) -> None:
        """No worker can be had: tell those who wait, rather than let them wait for ever."""
        for entry in room.line.all():
            self._finish(entry, ModelUnavailable(reason), "unavailable")

    def _repeat(self, entry: Entry, why: str) -> None:
        metrics.REPEATED.labels(entry.task.name, why).inc()
        entry.served.started = entry.served.fraction = 0.0
        self._line_up(entry, first=True)

    def _finish(self, entry: Entry, outcome: Done | InferenceError, word: str) -> None:
        """The one place where a job ends; harmless for one that has ended."""
        if entry.over:
            return
        entry.over = True
        self._jobs -= 1
        self._held -= entry.bytes
        entry.payload = None
        if entry.share is not None:
            self._sharing.ended(entry)
        if type(outcome) is Done:
            entry.deliver(outcome)
        else:
            self._let_go(entry)
            assert isinstance(outcome, InferenceError)
            for ticket in entry.tickets:
                ticket.fail(outcome)
        if not self._ended:
            # The readers go first; the books are for later.
            asyncio.get_running_loop().call_soon(self._keep_books)
        self._ended.append((entry, outcome, word, asyncio.get_running_loop().time()))
        if self._empty is not None and not self._jobs:
            self._empty.set()

    def _let_go(self, entry: Entry) -> None:
        """Take a job that has no result out of wherever it is."""
        self._supply.remove(entry)
        room = self._rooms[entry.task.room]
        room.line.remove(entry)
        if entry.served.session is not None:
            for station in room.stations:
                station.release(entry)
        elif room.idle:
            room.line.rest()

    def _keep_books(self) -> None:
        """Measure, learn from and log the jobs that have ended."""
        ended, self._ended = self._ended, []
        logged = job_log.isEnabledFor(logging.INFO)
        done: Counter[str] = Counter()
        for entry, outcome, word, now in ended:
            if type(outcome) is Done:
                observe = metrics.of_task(entry.task.name)
                done[entry.task.name] += 1
                observe.service.observe(outcome.seconds)
                if entry.task.kind != "short":  # of those the station learns, batch by batch
                    stay = now - entry.served.started if entry.served.started else outcome.seconds
                    self._costs.learn_job(entry.lane, entry.units, outcome.seconds, stay)
                if entry.promise and entry.served.attempts == 1:
                    true = now - entry.submitted
                    observe.eta_error.observe(abs(entry.promise - now) / max(true, 0.001))
            else:
                metrics.OUTCOMES.labels(entry.task.name, word).inc()
            if logged:
                self._note(entry, word, outcome, now)
        for name, count in done.items():
            metrics.of_task(name).done.inc(count)

    def _note(self, entry: Entry, word: str, outcome: Done | InferenceError, now: float) -> None:
        """A line in the log: every job's at DEBUG, that of a bad or slow one otherwise."""
        good = word in ("done", "cancelled") and now - entry.submitted < SLOW
        level = logging.DEBUG if good else logging.INFO
        if not job_log.isEnabledFor(level):
            return
        # Of an error only its kind: its text may quote what somebody typed.
        job_log.log(
            level,
            "%s %s",
            entry.task.name,
            word if isinstance(outcome, Done) else f"{word}: {type(outcome).__name__}",
            extra={
                "job": entry.number,
                "task": entry.task.name,
                "variant": entry.variant.name,
                "outcome": word,
                "wait": round((entry.served.started or now) - entry.submitted, 4),
                "seconds": round(outcome.seconds, 4) if isinstance(outcome, Done) else None,
                "attempts": entry.served.attempts,
                "worker": entry.served.worker,
            },
        )

    # --- positions --------------------------------------------------------------------------------

    def _cost(self, entry: Entry) -> float:
        """Expected device seconds of a job."""
        cost = self._costs.share(entry.lane, entry.units)
        return FIRST_GUESS if cost is None else cost

    def _eta_of_newcomer(self, room: Room) -> float | None:
        """Seconds until all that is there now is done, as far as it was measured."""
        ready = [station for station in room.stations if station.ready]
        in_hand = sum(entry.charged for station in ready for entry in station.held.values())
        return (room.line.cost + in_hand) / len(ready) if ready else None

    def _eta_of_a_place(self) -> float | None:
        """Seconds until there may be room under a limit that all rooms share, as far as known.

        That is when the first of them has done all that it has. One where nobody waits counts only
        if nobody waits in any: its end would leave as many waiting as before.
        """
        rooms = self._rooms.values()
        busy = [room for room in rooms if len(room.line)]
        busy = busy or [room for room in rooms if not room.idle]
        etas = [eta for room in busy if (eta := self._eta_of_newcomer(room)) is not None]
        return min(etas, default=None)

    def _eta_of_own(self, user: str) -> float | None:
        """Seconds until the first of a user's jobs is done, where he was told."""
        left = self._ends.get(user, 0.0) - asyncio.get_running_loop().time()
        return left if left > 0.0 else None

    def _tell_positions_soon(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        self._telling = loop.call_later(delay, self._tell_positions)

    def _tell_positions(self) -> None:
        """Tell everybody who waits how many stand before him, and for how long."""
        self._positions = self._positions or self._told()
        began = time.perf_counter()
        try:
            more = next(self._positions, self) is not self
        except Exception:
            log.exception("positions are not told this time")
            more = False
        loop = asyncio.get_running_loop()
        if more:
            self._telling = loop.call_soon(self._tell_positions)
            return
        self._positions = self._telling = None
        if any(len(room.line) for room in self._rooms.values()):
            self._tell_positions_soon(
                max(POSITION_INTERVAL, POSITION_SHARE * (time.perf_counter() - began))
            )

    def _told(self) -> Iterator[None]:
        """The work of `_tell_positions`, with pauses for the loop."""
        ends: dict[Hashable, float] = {}
        for room in list(self._rooms.values()):
            for station in room.stations:
                for entry in station.held.values():
                    self._note_end(ends, entry, entry.promise)
            if not len(room.line):
                continue
            now = asyncio.get_running_loop().time()
            position = 0
            for told in forecast(room.line, room.stations, self._costs, now):
                if told is None:
                    yield
                    continue
                entry, eta = told
                position += entry.in_line
                if entry.in_line:
                    room.line.reprice(entry, self._cost(entry))
                    _tell(entry, position, len(room.line), eta, now)
                    if eta is not None:
                        self._note_end(ends, entry, now + eta)
        self._ends = ends

    def _note_end(self, ends: dict[Hashable, float], entry: Entry, end: float) -> None:
        """Keep the soonest end of the jobs of whoever is at his limit: a refusal may not search."""
        user = entry.user
        if self._by_user.get(user, 0) < self._options.waiting_limit_user or entry.over:
            return
        if end > asyncio.get_running_loop().time():
            ends[user] = min(end, ends.get(user, end))


def _tell(entry: Entry, position: int, waiting: int, eta: float | None, now: float) -> None:
    """Say it, unless a reader would see no difference worth an edit."""
    if entry.told is not None and _alike(entry.told, position, eta):
        return
    entry.told = Queued(position, waiting, eta)
    if not entry.promise and eta is not None:
        entry.promise = now + eta
    entry.deliver(entry.told)


def _alike(told: Queued, position: int, eta: float | None) -> bool:
    if abs(told.position - position) > NOTICEABLE * told.position:
        return False
    if told.eta is None or eta is None:
        return told.eta == eta
    return abs(told.eta - eta) <= max(1.0, NOTICEABLE * told.eta)


__all__ = ["InferenceQueue", "Overview", "QueueOptions", "RoomOverview", "Ticket"]
