"""How fast Tadım may speak: one outgoing budget for each chat, and one for all chats together.

Telegram allows about one message a second in a chat (short bursts pass), twenty a minute in a
group, and thirty a second in all; whoever sends more is silenced, for minutes or hours. Every
message and every edit therefore asks here first, whichever answer it belongs to.

Each budget is a leaky bucket in its virtual-scheduling form (GCRA): `paid_until` is when all that
was sent will have been paid off; `burst` sends may run ahead of it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol


class Urgency(IntEnum):
    """What goes first where not everything may go."""

    FINAL = 0  # the answer; it always goes
    FIRST = 1  # the word that something is on its way
    EDIT = 2  # a newer state of it; it may be skipped


@dataclass(frozen=True, slots=True)
class Rate:
    """One send every `interval` seconds, `burst` of them at once. `kept`: left in the bucket."""

    interval: float
    burst: int
    kept: tuple[int, int, int]  # sends that must remain possible after one, by urgency


# 5 at once and then one in 4 s: never more than 20 within a minute. Edits leave room for answers.
GROUP = Rate(4.0, 5, kept=(0, 2, 3))
PRIVATE = Rate(1.05, 3, kept=(0, 0, 1))
ALL_INTERVAL = 1 / 28  # seconds; a little under the limit, for what is not counted here
CROWDED = 0.5  # seconds of sends that are booked ahead, beyond which edits wait


class Timer(Protocol):
    def cancel(self) -> None: ...


class Permit:
    """The right to send one message, once it has been awaited. Cancelling the wait gives it up."""

    def __init__(self, lane: Lane, urgency: Urgency) -> None:
        self.urgency = urgency
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lane = lane

    def __await__(self) -> Generator[Any, None, None]:
        return self.granted.__await__()

    def hurry(self) -> None:
        """Make it as urgent as a final answer."""
        if self.urgency is not Urgency.FINAL and not self.granted.done():
            self._lane.enqueue(self, Urgency.FINAL)


@dataclass(eq=False)
class Lane:
    """The waiting permits of one chat, most urgent first, otherwise in the order of asking."""

    pace: Pace
    rate: Rate
    paid_until: float = 0.0
    frozen_until: float = 0.0
    waiting: list[tuple[Urgency, int, Permit]] = field(default_factory=list)
    timer: Timer | None = None
    slot_booked: bool = False

    def enqueue(self, permit: Permit, urgency: Urgency) -> None:
        permit.urgency = urgency
        heapq.heappush(self.waiting, (urgency, next(self.pace.counter), permit))
        self.pump()

    def ready_at(self, urgency: Urgency) -> float:
        """When this chat's own budget allows a send of this urgency, in the clock's seconds."""
        ahead = (self.rate.burst - 1 - self.rate.kept[urgency]) * self.rate.interval
        return max(self.paid_until - ahead, self.frozen_until)

    def pump(self) -> None:
        """Grant what may go now; come back when the next one may."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while not self.slot_booked and (permit := self._next()) is not None:
            now = self.pace.clock()
            wait = self.ready_at(permit.urgency) - now
            if wait <= 0 and permit.urgency is Urgency.EDIT and self.pace.crowded:
                wait = CROWDED
            if wait > 0:
                self.timer = self.pace.call_later(wait, self.pump)
                return
            slot = self.pace.book()
            if slot <= now:
                self._grant(permit)
            else:
                self.slot_booked = True
                self.pace.call_later(slot - now, self._redeem)

    def _redeem(self) -> None:
        """The booked slot has come: it goes to whatever is most urgent by now."""
        self.slot_booked = False
        permit = self._next()
        if permit is not None and self.ready_at(permit.urgency) <= self.pace.clock():
            self._grant(permit)
        self.pump()

    def _next(self) -> Permit | None:
        while self.waiting:
            urgency, _, permit = self.waiting[0]
            if not permit.granted.done() and permit.urgency is urgency:
                return permit
            heapq.heappop(self.waiting)  # given up, or queued anew with more urgency
        return None

    def _grant(self, permit: Permit) -> None:
        heapq.heappop(self.waiting)
        self.paid_until = max(self.paid_until, self.pace.clock()) + self.rate.interval
        permit.granted.set_result(None)

    @property
    def idle(self) -> bool:
        return self._next() is None and max(self.paid_until, self.frozen_until) <= self.pace.clock()


class Pace:
    """All lanes. `clock` and `call_later` are the event loop's, or a test's."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        self._clock = clock
        self._call_later = call_later
        self._lanes: dict[int, Lane] = {}
        self.counter = itertools.count()
        self._free_at = 0.0  # the first slot of the common budget that nobody has booked

    def clock(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        if self._call_later:
            return self._call_later(delay, callback)
        return asyncio.get_running_loop().call_later(delay, callback)

    def book(self) -> float:
        """Take the next slot of the budget that all chats share; gives its time."""
        slot = max(self._free_at, self.clock())
        self._free_at = slot + ALL_INTERVAL
        return slot

    @property
    def crowded(self) -> bool:
        """Whether so much is booked ahead that what can be skipped should be."""
        return self._free_at - self.clock() > CROWDED

    def ask(self, chat: int, urgency: Urgency) -> Permit:
        """Queue for a send to `chat` (a group's id is negative); await the permit for its turn."""
        lane = self._lane(chat)
        permit = Permit(lane, urgency)
        lane.enqueue(permit, urgency)
        return permit

    def freeze(self, chat: int, seconds: float) -> None:
        """Send nothing to `chat` for so long: Telegram said so."""
        lane = self._lane(chat)
        lane.frozen_until = max(lane.frozen_until, self.clock() + seconds)
        lane.pump()

    def _lane(self, chat: int) -> Lane:
        if chat not in self._lanes:
            if len(self._lanes) >= 1024:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
            self._lanes[chat] = Lane(self, GROUP if chat < 0 else PRIVATE)
        return self._lanes[chat]
