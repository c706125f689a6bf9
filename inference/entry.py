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

DEATHS = 4  # of workers after which a job is not tried again, though others were there each time
FIRST_GUESS = 1.0  # device seconds a job is taken to cost until one of its kind has been measured


class Served:
    """What has become of a job at workers. Times are the loop's, 0 where nothing was."""

    __slots__ = (
        "attempts",
        "deaths",
        "fraction",
        "released",
        "sent",
        "session",
        "spent",
        "started",
        "suspect",
        "worker",
    )

    def __init__(self) -> None:
        self.attempts = 0
        self.deaths = 0  # of workers that it may have caused
        self.sent = 0.0  # to a worker
        self.spent = 0.0  # device seconds of all its attempts
        self.suspect = False  # a worker died while it had this job in hand
        self.session: Session | None = None  # the worker has it in hand
        self.worker = ""  # the last that had it in hand
        self.started = 0.0
        self.released = 0.0  # when the worker was asked to let go of it
        self.fraction = 0.0  # of its work, as far as it said


NEVER = Served()  # of all jobs that have not been sent yet; nothing is written into it


class Entry(Waiting):
    """Times are the loop's. Ten thousand may wait, so it has slots and makes nothing in advance.

    `limit`: seconds it may run. `units`: how much work it is (see `Task.units`).
    """

    __slots__ = (
        "limit",
        "others",
        "over",
        "payload",
        "promise",
        "served",
        "share",
        "submitted",
        "task",
        "text",
        "ticket",
        "told",
        "units",
        "variant",
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
        self.others: dict[Ticket, None] | None = None  # of equal jobs that share this run
        self.task = task
        self.variant = variant
        self.share = share
        self.payload: Sealed | None = payload  # let go of when the job ends
        self.units = units
        self.limit = limit
        self.submitted = submitted
        self.over = False  # it has its outcome; the worker may not know yet
        self.served = NEVER
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
        return not self.text and self.served.attempts < 2

    @property
    def survivable(self) -> bool:
        """Whether it may be tried again after a worker died under it."""
        return not self.text and self.served.deaths < DEATHS

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        first = () if self.ticket is None else (self.ticket,)
        return (*first, *(self.others or ()))

    def join(self, ticket: Ticket) -> None:
        """Another reader of the same run."""
        self.others = self.others or {}
        self.others[ticket] = None

    def leave(self, ticket: Ticket) -> bool:
        """A reader has gone; whether he was the last."""
        if ticket is self.ticket:
            self.ticket = None
        elif self.others:
            self.others.pop(ticket, None)
        return self.ticket is None and not self.others

    def deliver(self, event: Event) -> None:
        if self.ticket is not None:
            self.ticket.deliver(event)
        for ticket in self.others or ():
            ticket.deliver(event)
