"""One worker as the queue sees it: what it has in hand, and what may run beside what.

The rules, in `place_for`:

- A worker has one batch of short work and one long job in hand; it shares its time between them.
- A full batch of short work is sent ahead when what the worker has in hand is about to end: so it
  need not wait for us, and a newcomer waits for little that he need not.
- A *continuous* session (streamed text) takes newcomers of its own lane until it is full, and keeps
  nobody else from working.
- A job whose batch raised is repeated in a batch of its own.
- A job whose worker died is a suspect: when it is repeated, nothing else begins on that worker
  until it has lived for a while. If the worker dies in that time, the suspect is the culprit and
  nobody else pays.
- A batch that takes too long is ended with its worker, and each of its jobs is repeated alone: only
  the one that takes so long by itself is told so.
- A batch that did not fit into memory is halved, and no larger one is sent to that worker again.

A job that nobody wants any more keeps its place until the worker says that it has let go of it. A
worker that does not say so in time hangs, and is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from inference import metrics
from inference.costs import Costs, Line
from inference.engines import Link
from inference.entry import DEATHS, NEVER, Entry, Served
from inference.jobs import InferenceError, Loading, OutOfMemory, Progress, Started, Token
from inference.tasks import Task, Variant
from inference.wire import Message, Sealed

log = logging.getLogger(__name__)

CANCEL_GRACE = 10.0  # seconds a worker has to say that it has let go of a job
SUSPICION = 2.0  # seconds that a repeated job is observed before others may begin
LOAD_LIMIT = 900.0  # seconds a model may take to load
AHEAD = 0.002  # seconds before the expected end of short work at which more is sent
SILENT = 5.0  # seconds without a word after which a worker may hang in a step
LATE = 0.05  # seconds that a batch may be late for more to be sent behind it
DEPTH = 8  # batches of short work in hand at most, one of which is being computed
WATCH = 0.1  # seconds between two looks at limits

_numbers = itertools.count(1)


class Outcomes(Protocol):
    """Who is told what becomes of jobs (the queue)."""

    def on_started(self, entry: Entry, event: Started) -> None: ...
    def on_event(self, entry: Entry, event: Progress | Token) -> None: ...
    def on_result(self, entry: Entry, sealed: Sealed, seconds: float) -> None: ...
    def on_error(self, entry: Entry, error: InferenceError) -> None: ...
    def on_failed(self, entries: list[Entry], error: InferenceError, together: bool) -> None:
        """The whole batch fell over; `together`: nobody knows whose fault it was."""

    def on_overdue(self, entry: Entry) -> None: ...
    def on_lost(self, station: Station, entries: list[Entry], reason: str) -> None:
        """The worker died with these in hand; `Served.suspect` says who may have killed it."""


class Session:
    """What a worker has in hand together."""

    __slots__ = (
        "begun",
        "cancelled",
        "confirmed",
        "entries",
        "expected",
        "isolated",
        "key",
        "lane",
        "number",
        "private",
        "short",
        "size",
        "task",
        "units",
        "variant",
    )

    def __init__(self, entry: Entry, *, private: bool, isolated: bool) -> None:
        self.number = next(_numbers)
        self.lane: Any = entry.lane
        self.task: Task = entry.task
        self.variant: Variant = entry.variant
        self.short = entry.task.kind == "short"
        self.key = key_of(entry.variant)
        self.private = private  # nobody joins it
        self.isolated = isolated  # a suspect is under observation: nothing begins beside it
        self.begun = 0.0  # when the worker can have begun with it; 0: others are before it
        self.expected: float | None = None  # device seconds of short work
        self.confirmed = False  # the worker has said that it has begun
        self.cancelled = False  # some of it was given back: its time teaches nothing
        self.units = 0.0  # of all jobs it has had
        self.size = 0  # how many they were
        self.entries: dict[int, Entry] = {}  # that the worker has not let go of


def key_of(variant: Variant) -> str:
    """What a worker knows a checkpoint by."""
    return f"{variant.entry} {variant.name}"


class Station:
    """One worker and what it has in hand.

    `device` is what was asked for; the worker's own word replaces it. `settle(entry, seconds)` and
    `freed()` tell the room what was spent and that there may be room for more.
    """

    def __init__(
        self,
        room: str,
        name: str,
        device: str,
        costs: Costs,
        outcomes: Outcomes,
        settle: Callable[[Entry, float], None],
        freed: Callable[[], None],
    ) -> None:
        self.room = room
        self.name = name
        self.device = device
        self.link: Link | None = None
        self.sessions: dict[int, Session] = {}
        self.held: dict[int, Entry] = {}  # all jobs that the worker has not let go of
        self.resident: dict[str, int] = {}  # models in memory, and what they occupy in bytes
        self.loading: dict[str, float] = {}  # models being loaded, and since when
        self.budget: int | None = None  # bytes for models; None: it has not said yet
        self._caps: dict[str, int] = {}  # the largest batches that fit, where it is known
        self._peaks: dict[str, Line] = {}  # bytes beside the models, by the jobs of a batch
        self._told: dict[str, tuple[Variant, Mapping[str, Path]]] = {}  # what it knows by key
        self._costs = costs
        self._outcomes = outcomes
        self._settle = settle
        self._freed = freed
        self._watch: asyncio.TimerHandle | None = None
        self._due: asyncio.TimerHandle | None = None  # when the next batch may be sent ahead
        self._outbox: list[Message] = []
        self._short = 0  # sessions of short work in hand
        self._leaving = False
        self._heard_at = 0.0  # when the worker said anything last
        self._handlers: dict[str, Callable[..., None]] = {
            "result": self._on_result,
            "started": self._on_started,
            "event": self._on_event,
            "end": self._on_end,
            "error": self._on_error,
            "dropped": self._on_dropped,
            "failed": self._on_failed,
            "loading": self._on_loading,
            "loaded": self._on_loaded,
            "unloadable": self._on_unloadable,
            "evicted": self._on_evicted,
            "leaving": self._on_leaving,
            "ready": self._on_ready,
        }

    @property
    def ready(self) -> bool:
        return self.link is not None and self.link.ready and not self._leaving

    @property
    def running(self) -> int:
        """Jobs in hand that somebody still wants."""
        return sum(not entry.over for entry in self.held.values())

    # --- what may begin ---------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether no short work may begin, whatever it is (a quick no; `place_for` knows more)."""
        return self._short >= DEPTH

    def place_for(self, entry: Entry, waiting: int) -> Session | None:
        """The session that a job may go to now, perhaps a new one; None while it must wait.

        `waiting`: how many jobs of its lane wait, itself included.
        """
        sessions = self.sessions.values()
        for session in sessions:
            if session.isolated:
                return None
        if not self.fits(entry.variant):
            return None
        if entry.task.continuous:
            return self._place_in_stream(entry)
        if entry.task.long:
            if any(session.task.long for session in sessions):
                return None
        else:
            if self._short and (entry.alone or not self._may_follow(entry, waiting)):
                return None
        return Session(entry, private=entry.alone, isolated=entry.served.suspect)

    def _place_in_stream(self, entry: Entry) -> Session | None:
        if self.streams(entry.variant) >= self.largest(entry):
            return None
        if not entry.alone:
            for session in self.sessions.values():
                if session.lane == entry.lane and not session.private:
                    return session
        return Session(entry, private=entry.alone, isolated=entry.served.suspect)

    def _may_follow(self, entry: Entry, waiting: int) -> bool:
        """Whether a batch may be sent while others are in hand."""
        if self._short >= DEPTH:
            return False
        if key_of(entry.variant) not in self.resident:
            return False
        beside_long = any(session.task.long for session in self.sessions.values())
        if waiting < self.batch_size(entry) and not beside_long:
            return False  # it could still grow; but long work would take the worker meanwhile
        loop = asyncio.get_running_loop()
        due = -AHEAD
        for session in self.sessions.values():
            if session.short:
                if session.private or session.expected is None:
                    return False
                if session.begun and loop.time() > session.begun + session.expected + LATE:
                    return False  # it takes longer than it should: who knows how long
                due += session.begun + session.expected
        if loop.time() >= due:
            return True
        if self._due is None:
            self._due = loop.call_at(due, self._on_due)
        return False

    def _on_due(self) -> None:
        self._due = None
        self._freed()

    def batch_size(self, entry: Entry) -> int:
        """How many jobs of an entry's lane make a good batch here."""
        if entry.alone:
            return 1
        return self._costs.best_batch(entry.lane, self.largest(entry))

    def largest(self, entry: Entry) -> int:
        """The most jobs that fit into a batch, as far as was declared, measured or suffered."""
        key = key_of(entry.variant)
        most = min(entry.variant.max_batch, self._caps.get(key, entry.variant.max_batch))
        peaks = self._peaks.get(key)
        if peaks is not None and self.budget is not None and peaks.varied:
            fixed, each = peaks.coefficients
            if each > 0.0:
                free = self.budget - sum(self.resident.values()) - fixed
                most = min(most, max(1, int(free / each)))
        return most

    def fits(self, variant: Variant) -> bool:
        """Whether a model has room beside those in use (the worker evicts those that are not)."""
        return self._fits_beside(variant, self.sessions.values())

    def fits_beside_long(self, variant: Variant) -> bool:
        """Whether it would if only the long work in hand were there."""
        return self._fits_beside(variant, (s for s in self.sessions.values() if s.task.long))

    def may_hold(self, memory: int) -> bool:
        """Whether a model of so many bytes has room on this device, as far as anybody knows."""
        if self.budget is None:
            return self.link is None or not self.link.hopeless
        return memory <= self.budget

    def streams(self, variant: Variant) -> int:
        """How many jobs of a text model are in hand, in all its sessions."""
        return sum(len(s.entries) for s in self.sessions.values() if s.variant is variant)

    def _fits_beside(self, variant: Variant, sessions: Iterable[Session]) -> bool:
        if self.budget is None or key_of(variant) in self.resident:
            return True
        in_use = {session.key: session.variant.memory for session in sessions}
        in_use[key_of(variant)] = variant.memory
        return sum(in_use.values()) <= max(self.budget, variant.memory)

    def seats(self, session: Session, entry: Entry) -> int:
        """How many more jobs a session takes, the entry included."""
        if session.private:
            return 1
        if entry.task.continuous:
            return self.largest(entry) - self.streams(entry.variant)
        return self.batch_size(entry)

    def begin(
        self, session: Session, batch: list[Entry], files: Mapping[str, Path], now: float
    ) -> None:
        """Send a batch to the worker."""
        assert self.link is not None
        if session.number not in self.sessions:
            if session.short:
                self._short += 1
                units = sum(entry.units for entry in batch)
                session.expected = self._costs.batch(session.lane, units)
            if not session.short or self._short == 1:
                session.begun = now
            self.sessions[session.number] = session
        for entry in batch:
            served = entry.served = Served() if entry.served is NEVER else entry.served
            served.session = session
            served.worker = self.name
            served.attempts += 1
            served.sent = now
            served.started = 0.0
            session.units += entry.units
            session.size += 1
            session.entries[entry.number] = entry
            self.held[entry.number] = entry
        if session.key not in self._told or self._told[session.key][1] is not files:
            self._told[session.key] = session.variant, files
            self._outbox.append(("model", session.key, session.variant, files))
        jobs = [entry.number for entry in batch]
        payloads = [entry.payload for entry in batch]
        kind = session.task.kind
        self._outbox.append(("run", session.number, session.key, jobs, payloads, kind))
        if self._watch is None:
            self._watch_on()

    def flush(self) -> None:
        """Send what was begun, together."""
        if self._outbox and self.link is not None:
            outbox, self._outbox = self._outbox, []
            self.link.send(*outbox)

    def release(self, entry: Entry) -> None:
        """Nobody wants a job any more that is in hand here."""
        if self.link is not None and entry.number in self.held and not entry.served.released:
            entry.served.released = asyncio.get_running_loop().time()
            if entry.served.session is not None:
                entry.served.session.cancelled = True
            self.flush()
            self.link.send(("cancel", entry.number))

    def close(self) -> None:
        """Stop all clocks."""
        for timer in (self._watch, self._due):
            if timer:
                timer.cancel()
        self._watch = self._due = None

    # --- what the worker says ---------------------------------------------------------------------

    def heard(self, frame: list[Message]) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        for message in frame:
            self._handlers[message[0]](*message[1:])
        self._freed()

    def lost(self, reason: str) -> None:
        """The worker is dead: give back what it had in hand, short work first.

        What it cannot have begun, what ran beside a suspect under observation, and what it had in
        hand when it left by itself is innocent: the attempt does not count.
        """
        self.close()
        now = asyncio.get_running_loop().time()
        sessions = sorted(self.sessions.values(), key=lambda session: session.task.long)
        observed = any(session.isolated for session in sessions)
        entries = []
        for session in sessions:
            # What answers in no time is not announced: its turn is enough.
            guilty = session.confirmed or (session.short and bool(session.begun))
            guilty = guilty and (session.isolated or not observed)
            guilty = guilty and not self._leaving  # whoever made it leave has been named
            for entry in session.entries.values():
                served = entry.served
                served.attempts -= 1  # that is for failures of the model
                if guilty:
                    served.deaths += DEATHS if session.isolated else 1
                    since = max(session.begun, served.started or served.sent)
                    served.spent += (now - since) / len(session.entries)
                    self._settle(entry, served.spent)
                served.suspect = served.suspect or guilty
                served.session = None
                if not entry.over:
                    entries.append(entry)
        self.sessions.clear()
        self._short = 0
        self._outbox.clear()
        self.held.clear()
        self.resident = {}
        self.loading = {}
        self._told.clear()
        self._caps.clear()
        self._peaks.clear()
        metrics.RESTARTS.labels(self.room).inc()
        self._outcomes.on_lost(self, entries, reason)

    def _on_ready(self, device: str, budget: int) -> None:
        self.device = device
        self.budget = budget
        self._leaving = False

    def _on_leaving(self) -> None:
        self._leaving = True

    def _on_loading(self, key: str) -> None:
        self.loading[key] = asyncio.get_running_loop().time()
        for session in self.sessions.values():
            if session.key == key:
                event = Loading(session.variant.name, "load")
                for entry in session.entries.values():
                    entry.served.started = 0.0
                    entry.deliver(event)

    def _on_loaded(self, key: str, seconds: float) -> None:
        self.loading.pop(key, None)
        self.resident[key] = self._told[key][0].memory
        self._costs.learn_load(key, seconds)
        metrics.LOADS.labels(key.partition(" ")[2]).observe(seconds)

    def _on_unloadable(self, key: str) -> None:
        self.loading.pop(key, None)

    def _on_evicted(self, key: str) -> None:
        self.resident.pop(key, None)
        metrics.EVICTIONS.labels(key.partition(" ")[2]).inc()

    def _on_started(self, number: int, jobs: list[int]) -> None:
        now = asyncio.get_running_loop().time()
        session = self.sessions.get(number)
        if session is None:
            return
        session.confirmed = True
        event = Started(session.variant.name)
        for job in jobs:
            entry = session.entries.get(job)
            if entry is not None and not entry.over:
                entry.served.started = now
                self._outcomes.on_started(entry, event)

    def _on_event(self, job: int, event: Progress | Token) -> None:
        entry = self.held.get(job)
        if entry is None or entry.over:
            return
        session = entry.served.session
        if session is not None:
            session.isolated = False  # it has survived a step
            session.confirmed = True
        if type(event) is Progress:
            entry.served.fraction = event.fraction
        self._outcomes.on_event(entry, event)

    def _on_result(self, job: int, sealed: Sealed, seconds: float) -> None:
        entry = self._settled(job, seconds)
        if entry is not None and not entry.over:
            self._outcomes.on_result(entry, sealed, seconds)

    def _on_error(self, job: int, error: InferenceError, seconds: float) -> None:
        entry = self._settled(job, seconds)
        if entry is not None and not entry.over:
            self._outcomes.on_error(entry, error)

    def _on_dropped(self, job: int, seconds: float) -> None:
        self._settled(job, seconds)

    def _on_failed(
        self, number: int, jobs: list[int], error: InferenceError, seconds: float
    ) -> None:
        session = self.sessions.get(number)
        settled = [self._settled(job, seconds) for job in jobs]
        entries = [entry for entry in settled if entry is not None and not entry.over]
        if isinstance(error, OutOfMemory) and session is not None and len(jobs) > 1:
            # Newcomers to a stream did not fit beside those who are in it.
            there = len(session.entries)
            most = there + len(jobs) - 1 if there else len(jobs) // 2
            self._caps[session.key] = most
            metrics.SMALLER.labels(session.task.name).inc()
            log.warning("%s: batches of %d at most", session.key, most)
        # Who has left since may have been the culprit all the same.
        together = len(jobs) > 1 or (session is not None and session.size > 1)
        self._outcomes.on_failed(entries, error, together)

    def _on_end(self, number: int, seconds: float, jobs: int, peak: int) -> None:
        session = self.sessions.get(number)
        if session is None or session.entries:
            return  # a newcomer was on his way to it just then
        del self.sessions[number]
        if session.short:
            self._short -= 1
            if self._due:
                self._due.cancel()
                self._due = None
            if jobs and seconds > 0.0 and not session.cancelled:
                self._costs.learn_batch(session.lane, jobs, session.units, seconds)
                if peak:
                    self._peaks.setdefault(session.key, Line()).learn(jobs, peak)
            now = asyncio.get_running_loop().time()
            for following in self.sessions.values():
                if following.short:  # it is this one's turn
                    following.begun = now
                    break

    def _settled(self, job: int, seconds: float) -> Entry | None:
        """The worker has let go of a job."""
        entry = self.held.pop(job, None)
        if entry is None:
            return None
        served = entry.served
        assert served.session is not None
        del served.session.entries[job]
        served.session = None
        served.spent += seconds
        self._settle(entry, served.spent)
        return entry

    # --- limits -----------------------------------------------------------------------------------

    def _watch_on(self) -> None:
        self._watch = asyncio.get_running_loop().call_later(WATCH, self._look)

    def _look(self) -> None:
        """See that jobs, cancellations and loading keep within their limits."""
        self._watch = None
        now = asyncio.get_running_loop().time()
        in_hand = {session.key for session in self.sessions.values()}
        self.loading = {key: since for key, since in self.loading.items() if key in in_hand}
        if any(now > since + LOAD_LIMIT for since in self.loading.values()):
            self._kill("a model takes too long to load")
        for session in self.sessions.values():
            if session.isolated and session.begun and now > session.begun + SUSPICION:
                session.isolated = False  # it has lived long enough: others may begin beside it
        for entry in list(self.held.values()):
            if entry.served.released:
                # It reads no messages while it loads, and that has a limit of its own.
                if not self.loading and now > entry.served.released + self._grace(entry):
                    self._kill(f"it did not let go of job {entry.number}")
                    break
            elif entry.served.started and now > entry.served.started + entry.limit:
                if self._may_be_a_mates_fault(entry, now):
                    self._kill(f"what it has in hand with job {entry.number} takes too long")
                    break
                self._outcomes.on_overdue(entry)
            elif self._should_have_begun(entry, now):
                self._kill(f"it does not come to job {entry.number}")
                break
        if self.held:
            self._watch_on()
        self._freed()

    def _grace(self, entry: Entry) -> float:
        """Seconds that the worker has to let go of a job: it may be in the middle of a batch."""
        expected = entry.served.session.expected if entry.served.session is not None else None
        return max(CANCEL_GRACE, 2.0 * (expected or 0.0))

    def _should_have_begun(self, entry: Entry, now: float) -> bool:
        """Whether a worker that says nothing has had all the time that the job itself may take."""
        served, session = entry.served, entry.served.session
        if served.started or entry.over or self.loading or session is None or not session.begun:
            return False
        return now > max(session.begun, served.sent) + entry.limit

    def _may_be_a_mates_fault(self, entry: Entry, now: float) -> bool:
        """Whether somebody else may be the one that takes so long: then each is tried alone.

        That is one of its batch, or anybody if the worker has not said a word for a while.
        """
        session = entry.served.session
        if session is None or not entry.survivable:
            return False
        silent = now > self._heard_at + SILENT
        mates = self.held if silent else session.entries if session.short else {}
        return sum(not each.over for each in mates.values()) > 1

    def _kill(self, reason: str) -> None:
        if self.link:
            self.link.kill(reason)
