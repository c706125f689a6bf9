"""A room: one worker process, who waits for it, and what it has in hand.

`Room` knows what may run beside what. Its rules, in `place_for`:

- A worker has one batch of short work and one long job in hand; it alternates their steps.
- A *continuous* session (streamed text) takes newcomers of its own lane until it is full, and keeps
  nobody else from working.
- A job whose batch raised is repeated in a batch of its own.
- A job whose worker died is a suspect: when it is repeated, nothing else begins until it has lived
  for a while. If the worker dies in that time, the suspect is the culprit and nobody else pays.

A job that nobody wants any more keeps its place until the worker says that it has let go of it. A
worker that does not say so in time hangs, and is killed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import count

from inference.jobs import Event, Owner
from inference.scheduler import Scheduler, Waiting
from inference.supervisor import Supervisor
from inference.tasks import Task, Variant
from inference.ticket import Ticket
from inference.wire import Sealed

log = logging.getLogger(__name__)

CANCEL_GRACE = 10.0  # seconds a worker has to say that it has let go of a job
SUSPICION = 2.0  # seconds that a repeated job is observed before others may begin
LOAD_LIMIT = 900.0  # seconds a model may take to load

_numbers = count(1)


@dataclass(slots=True, eq=False)
class Entry:
    """A run in the making: one job, or several equal ones (a ticket each)."""

    number: int
    owner: Owner
    task: Task
    variant: Variant
    lane: Hashable
    share: Hashable
    payload: Sealed | None  # let go of when the job ends
    limit: float
    submitted: float
    tickets: list[Ticket] = field(default_factory=list)
    waiting: Waiting[Entry] | None = None
    session: Session | None = None
    text: list[str] = field(default_factory=list)  # streamed so far, for latecomers
    attempts: int = 0
    suspect: bool = False
    deadline: asyncio.TimerHandle | None = None

    @property
    def repeatable(self) -> bool:
        """Whether a failure that may not be its own fault still leaves it a second try."""
        return not self.text and self.attempts < 2

    def deliver(self, event: Event) -> None:
        for ticket in self.tickets:
            ticket.deliver(event)

    def stop_clock(self) -> None:
        if self.deadline:
            self.deadline.cancel()
            self.deadline = None


@dataclass(slots=True, eq=False)
class Session:
    """What a worker has in hand, as the queue sees it."""

    lane: Hashable
    task: Task
    variant: Variant
    private: bool = False  # nobody joins it
    isolated: bool = False  # a suspect is under observation: nothing begins beside it
    entries: dict[int, Entry] = field(default_factory=dict)  # still wanted
    owed: set[int] = field(default_factory=set)  # jobs that the worker has not let go of
    number: int = field(default_factory=lambda: next(_numbers))


@dataclass(slots=True, eq=False)
class Room:
    """One worker process and the line before it."""

    name: str
    line: Scheduler[Entry] = field(default_factory=Scheduler)
    worker: Supervisor | None = None
    sessions: dict[int, Session] = field(default_factory=dict)
    _held_by: dict[int, Session] = field(default_factory=dict)  # job → the session that owes it
    _watches: dict[int, asyncio.TimerHandle] = field(default_factory=dict)
    _loading: asyncio.TimerHandle | None = None

    @property
    def running(self) -> int:
        return sum(len(session.entries) for session in self.sessions.values())

    def place_for(self, entry: Entry) -> Session | None:
        """The session that a job may go to now, perhaps a new one; None while it must wait."""
        sessions = self.sessions.values()
        if any(session.isolated for session in sessions):
            return None
        alone = entry.attempts > 0
        fresh = Session(entry.lane, entry.task, entry.variant, alone, entry.suspect)
        if entry.task.continuous:
            alike = [session for session in sessions if session.variant is entry.variant]
            if sum(len(session.owed) for session in alike) >= entry.variant.max_batch:
                return None
            joined = [s for s in alike if s.lane == entry.lane and not s.private and not alone]
            return joined[0] if joined else fresh
        in_hand = (s.task for s in sessions if not s.task.continuous)
        return None if any(task.long == entry.task.long for task in in_hand) else fresh

    def seats(self, session: Session) -> int:
        """How many more jobs a session takes."""
        return 1 if session.private else session.variant.max_batch - len(session.owed)

    def seat(self, session: Session, batch: list[Entry]) -> None:
        """The batch is on its way to the worker."""
        self.sessions[session.number] = session
        for entry in batch:
            entry.session = session
            entry.attempts += 1
            session.entries[entry.number] = entry
            session.owed.add(entry.number)
            self._held_by[entry.number] = session

    def release(self, entry: Entry) -> None:
        """Nobody wants a job any more that is at the worker."""
        assert entry.session is not None
        entry.session.entries.pop(entry.number, None)
        if entry.number in self._held_by and self.worker:
            self.worker.send(("cancel", entry.number))
            self._watch(entry.number)

    def settled(self, number: int) -> None:
        """The worker has let go of a job."""
        if watch := self._watches.pop(number, None):
            watch.cancel()
        if session := self._held_by.pop(number, None):
            session.owed.discard(number)
            session.entries.pop(number, None)

    def ended(self, number: int) -> None:
        """A session is over; unless a newcomer was on his way to it just then."""
        session = self.sessions.get(number)
        if session is not None and not session.owed:
            del self.sessions[number]

    def loading(self, begun: bool) -> None:
        """The worker has begun to load a model, or has come out of it."""
        if self._loading:
            self._loading.cancel()
            self._loading = None
        if begun:
            loop = asyncio.get_running_loop()
            self._loading = loop.call_later(
                LOAD_LIMIT, self._kill, "a model takes too long to load"
            )

    def lost(self) -> list[Entry]:
        """The worker is dead: everything it had in hand, short work first, all of them suspects.

        Where a suspect was under observation, the others' attempt does not count.
        """
        sessions = sorted(self.sessions.values(), key=lambda session: session.task.long)
        observed = any(session.isolated for session in sessions)
        self.close()
        self.sessions.clear()
        self._held_by.clear()
        entries = []
        for session in sessions:
            for entry in session.entries.values():
                if observed and not session.isolated:
                    entry.attempts -= 1
                entry.session = None
                entry.suspect = True
                entries.append(entry)
        return entries

    def close(self) -> None:
        """Stop all clocks."""
        self.loading(False)
        for watch in self._watches.values():
            watch.cancel()
        self._watches.clear()

    def _watch(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self._watches[number] = loop.call_later(CANCEL_GRACE, self._overdue, number)

    def _overdue(self, number: int) -> None:
        if self._loading:  # it reads no messages while it loads, and that has a limit of its own
            self._watch(number)
        else:
            self._kill(f"it did not let go of job {number}")

    def _kill(self, reason: str) -> None:
        if self.worker:
            self.worker.kill(reason)
