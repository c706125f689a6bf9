"""How fast Tadım may speak: one outgoing budget for each chat, and one for all chats together.

Whoever sends more than a platform allows is silenced, for minutes or hours. Every message and every
edit is therefore sent within a `Turn`, whichever answer it belongs to:

1. Turns of a chat come one after the other, the most urgent first, otherwise in order of asking.
   A turn begins when the chat's budget allows a message of its urgency.
2. Within it, `pay()` goes before every message: it takes the message from both budgets, at the
   moment of sending, and waits where one of them is used up.

Each budget is a leaky bucket in its virtual-scheduling form (GCRA): `paid_until` is when all that
was sent will have been paid off; `burst` sends may run ahead of it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol


class Urgency(IntEnum):
    """What goes first where not everything may go."""

    FINAL = 0  # the answer; it always goes
    FIRST = 1  # the word that something is on its way
    EDIT = 2  # a newer state of it; it may be skipped


@dataclass(frozen=True, slots=True)
class Rate:
    """One send every `interval` seconds, `burst` of them at once.

    `kept`: how many sends must remain possible after one, by urgency.
    """

    interval: float
    burst: int
    kept: tuple[int, int, int]


CROWDED = 0.5  # seconds of sends that are booked ahead, beyond which edits wait


class Timer(Protocol):
    def cancel(self) -> None: ...


class Turn:
    """The right to speak in a chat, within `async with`; meanwhile nobody else does there."""

    def __init__(self, lane: Lane, urgency: Urgency) -> None:
        self.urgency = urgency
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lane = lane
        lane.enqueue(self)

    async def __aenter__(self) -> Turn:
        try:
            await self.granted
        except asyncio.CancelledError:
            if not self.granted.cancelled():
                self._lane.leave()  # it had begun in the very moment in which it was given up
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._lane.leave()

    def hurry(self) -> None:
        """While waiting: make it as urgent as an answer."""
        if self.urgency is not Urgency.FINAL and not self.granted.done():
            self.urgency = Urgency.FINAL
            self._lane.enqueue(self)

    async def pay(self) -> None:
        """Take one message from the budgets; wait until they allow it."""
        await self._lane.pay()


@dataclass(eq=False)
class Lane:
    """One chat: its budget, and the turns that wait for it."""

    pace: Pace
    rate: Rate
    paid_until: float = 0.0
    frozen_until: float = 0.0
    busy: bool = False
    waiting: list[tuple[Urgency, int, Turn]] = field(default_factory=list)
    timer: Timer | None = None

    def enqueue(self, turn: Turn) -> None:
        heapq.heappush(self.waiting, (turn.urgency, next(self.pace.counter), turn))
        self.pump()

    def leave(self) -> None:
        self.busy = False
        self.pump()

    def pump(self) -> None:
        """Begin the next turn if it may begin; otherwise come back when it may."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        turn = self._next()
        if self.busy or turn is None:
            return
        wait = self._ready_at(turn.urgency) - self.pace.clock()
        if wait <= 0 and turn.urgency is Urgency.EDIT and self.pace.crowded:
            wait = CROWDED
        if wait > 0:
            self.timer = self.pace.call_later(wait, self.pump)
            return
        heapq.heappop(self.waiting)
        self.busy = True
        turn.granted.set_result(None)

    async def pay(self) -> None:
        # More may be sent in one turn than the chat's budget held when it began.
        while (wait := self._ready_at(Urgency.FINAL) - self.pace.clock()) > 0:
            await self.pace.sleep(wait)
        self.paid_until = max(self.paid_until, self.pace.clock()) + self.rate.interval
        await self.pace.slot()

    def _ready_at(self, urgency: Urgency) -> float:
        """When this chat's budget allows a send of this urgency, in the clock's seconds."""
        ahead = (self.rate.burst - 1 - self.rate.kept[urgency]) * self.rate.interval
        return max(self.paid_until - ahead, self.frozen_until)

    def _next(self) -> Turn | None:
        while self.waiting:
            urgency, _, turn = self.waiting[0]
            if not turn.granted.done() and turn.urgency is urgency:
                return turn
            heapq.heappop(self.waiting)  # given up, or queued anew with more urgency
        return None

    @property
    def idle(self) -> bool:
        settled = max(self.paid_until, self.frozen_until) <= self.pace.clock()
        return settled and not self.busy and self._next() is None


class Pace:
    """All lanes: `rate_of` a chat is its budget, `interval` the seconds between two sends in all.

    `clock` and `call_later` are the event loop's, or a test's.
    """

    def __init__(
        self,
        rate_of: Callable[[int], Rate],
        interval: float,
        clock: Callable[[], float] | None = None,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        self._rate_of = rate_of
        self._interval = interval
        self._clock = clock
        self._call_later = call_later
        self._lanes: dict[int, Lane] = {}
        self.counter = itertools.count()
        self._free_at = 0.0  # the first slot of the common budget that nobody has booked

    def turn(self, chat: int, urgency: Urgency) -> Turn:
        """Queue for a turn in `chat`; enter it by `async with`."""
        return Turn(self._lane(chat), urgency)

    def freeze(self, chat: int, seconds: float) -> None:
        """Send nothing to `chat` for so long: Telegram said so."""
        lane = self._lane(chat)
        lane.frozen_until = max(lane.frozen_until, self.clock() + seconds)
        lane.pump()

    # --- for the lanes ---------------------------------------------------------------------------

    def clock(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        if self._call_later:
            return self._call_later(delay, callback)
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        timer = self.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    async def slot(self) -> None:
        """Take the next slot of the common budget, in the order of asking, and wait for it."""
        now = self.clock()
        at = max(self._free_at, now)
        self._free_at = at + self._interval
        if at > now:
            await self.sleep(at - now)

    @property
    def crowded(self) -> bool:
        """Whether so much is booked ahead that what can be skipped should be."""
        return self._free_at - self.clock() > CROWDED

    def _lane(self, chat: int) -> Lane:
        if chat not in self._lanes:
            if len(self._lanes) >= 1024:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
            self._lanes[chat] = Lane(self, self._rate_of(chat))
        return self._lanes[chat]
