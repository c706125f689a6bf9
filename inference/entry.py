"""A run in the making: one job, or several equal ones (a ticket each), as the queue keeps it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from inference.jobs import Event, Owner, Queued
from inference.scheduler import Waiting
from inference.tasks import Task, Variant
from inference.ticket import Ticket
from inference.wire import Sealed, size_of

if TYPE_CHECKING:
    from inference.station import Session

FIRST_GUESS = 1.0  # device seconds a job is taken to cost until one of its kind has been measured


class Entry(Waiting):
    """Times are the loop's. Ten thousand may wait, so it has slots and makes nothing in advance.

    `limit`: seconds it may run. `units`: how much work it is (see `Task.units`).
    """

    __slots__ = (
        "attempts",
        "fraction",
        "limit",
        "others",
        "over",
        "payload",
        "promise",
        "released",
        "session",
        "share",
        "started",
        "submitted",
        "suspect",
        "task",
        "text",
        "ticket",
        "told",
        "units",
        "variant",
        "worker",
    )

    def __init__(
        self,
        ticket: Ticket,
        owner: Owner,
        task: Task,
        variant: Variant,
        lane: Hashable,
        share: Hashable,
        payload: Sealed,
        units: float,
        limit: float,
        submitted: float,
    ) -> None:
        super().__init__(owner.chat, owner.user, lane, FIRST_GUESS)
        self.ticket: Ticket | None = ticket
        self.others: tuple[Ticket, ...] = ()  # of equal jobs that share this run
        self.task = task
        self.variant = variant
        self.share = share
        self.payload: Sealed | None = payload  # let go of when the job ends
        self.units = units
        self.limit = limit
        self.submitted = submitted
        self.over = False  # it has its outcome; the worker may not know yet
        self.attempts = 0
        self.suspect = False  # a worker died while it had this job in hand
        self.session: Session | None = None  # the worker has it in hand
        self.worker = ""  # the last that had it in hand
        self.started = 0.0  # 0: it has not
        self.released = 0.0  # when the worker was asked to let go of it; 0: it was not
        self.fraction = 0.0  # of its work, as far as it said
        self.text: list[str] | None = None  # streamed so far, for latecomers
        self.told: Queued | None = None  # what its readers were told last
        self.promise = 0.0  # when its result was first said to come; 0: nothing was said

    @property
    def number(self) -> int:
        """What messages and the log call it."""
        return self.order

    @property
    def bytes(self) -> int:
        """Of the payload."""
        return 0 if self.payload is None else size_of(self.payload)

    @property
    def repeatable(self) -> bool:
        """Whether a failure that may not be its own fault still leaves it a second try."""
        return not self.text and self.attempts < 2

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        return self.others if self.ticket is None else (self.ticket, *self.others)

    def join(self, ticket: Ticket) -> None:
        """Another reader of the same run."""
        self.others += (ticket,)

    def leave(self, ticket: Ticket) -> bool:
        """A reader has gone; whether he was the last."""
        if ticket is self.ticket:
            self.ticket = None
        else:
            self.others = tuple(other for other in self.others if other is not ticket)
        return self.ticket is None and not self.others

    def deliver(self, event: Event) -> None:
        if self.ticket is not None:
            self.ticket.deliver(event)
        for ticket in self.others:
            ticket.deliver(event)
