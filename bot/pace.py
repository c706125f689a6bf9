"""How fast Tadım may speak: one outgoing budget for each chat, and one for all chats together.

Whoever sends more than a platform allows is silenced, for minutes or hours. Every message and every
edit is therefore sent within a `Turn`, whichever answer it belongs to:

1. Turns of a chat come one after the other, the most urgent first, otherwise in order of asking.
   A turn begins when the chat's budget allows a message of its urgency.
2. Within it, `pay()` goes before every message: it takes the message from both budgets, at the
   moment of sending, and waits where one of them is used up. `reserve()` pays for the next message
   ahead, so that what it says can be decided when it may go.
3. Where many chats wait for the budget of all, answers go before first words, and those before
   edits; but nobody is overtaken by what was asked for `PATIENCE` later.

Each budget is a leaky bucket in its virtual-scheduling form (GCRA): `paid_until` is when all that
was sent will have been paid off; `burst` sends may run ahead of it. A chat may have a `Cap` beside
it, over a longer time; the budget of all may have a `Window`, which a busy machine cannot break.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
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
class Cap:
    """At most `most` sends in any `seconds`. `kept`: as in `Rate`."""

    most: int
    seconds: float
    kept: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` sends arrive in any `seconds`, however unevenly they leave here.

    When a send arrived is not known, but it was before its answer came. So each counts from when it
    is allowed until `seconds` after its answer, or after an error that came instead of one.
    """

    most: int
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Rate:
    """One send every `interval` seconds, `burst` of them at once.

    `kept`: how many sends must remain possible after one, by urgency.
    """

    interval: float
    burst: int
    kept: tuple[int, int, int]
    cap: Cap | None = None


CROWDED = 0.5  # seconds of sends that wait for the common budget, beyond which edits wait
PATIENCE = (0.0, 10.0, 20.0)  # seconds by which others may go ahead there, by urgency
# What a send costs of the common budget, by urgency. Sends that leave evenly may arrive unevenly;
# what can be skipped keeps a distance from the limit.
COSTS = (1.0, 1.25, 1.5)
LULL = 1.0  # seconds in which nothing is sent at all after a platform's protest in a crowd
STRAGGLERS = 3.0  # seconds by which a send may arrive after its sender has given up
SPARE = 1.5  # seconds for which one counts that was sent beside all turns
MAKE_UP = 0.5  # seconds of sends that may go at once to make up for a delay, within a window


class Timer(Protocol):
    def cancel(self) -> None: ...


class Withdrawn(Exception):
    """The turn that was waited for was given up; see `Turn.withdraw`."""


class Turn:
    """The right to speak in a chat, within `async with`; meanwhile nobody else does there."""

    def __init__(self, lane: Lane, urgency: Urgency) -> None:
        self.urgency = urgency
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.asked_for: Asked | None = None  # while it waits for the common budget
        self.asked = lane.pace.clock()
        self.on_the_way: list[Sending] = []
        self._lane = lane
        self._reserved = False
        lane.enqueue(self)

    async def __aenter__(self) -> Turn:
        try:
            await self.granted
        except asyncio.CancelledError:
            if self.begun:
                self._lane.leave()  # it had begun in the very moment in which it was given up
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._reserved:
            self._lane.refund()
        late = 0.0 if exception[0] is None else STRAGGLERS
        self._lane.pace.common.arrived(self, late)
        self._lane.leave()

    @property
    def begun(self) -> bool:
        """Whether it is no longer waited for."""
        granted = self.granted
        return granted.done() and not granted.cancelled() and granted.exception() is None

    def hurry(self, urgency: Urgency = Urgency.FINAL) -> None:
        """Make it as urgent as an answer, or as something else, wherever it waits."""
        if urgency >= self.urgency:
            return
        self.urgency = urgency
        if not self.granted.done():
            self._lane.enqueue(self)
        elif self.asked_for is not None:
            self._lane.pace.common.enqueue(self.asked_for)

    def withdraw(self) -> bool:
        """Give it up while it is waited for, which raises `Withdrawn` there. Says if it was."""
        if self.granted.done():
            return False
        self.granted.set_exception(Withdrawn())
        self._lane.pump()
        return True

    async def reserve(self) -> None:
        """Pay for the next message now; what is not sent within the turn is given back."""
        if not self._reserved:
            await self._lane.pay(self, 1)
            self._reserved = True

    async def pay(self, sends: int = 1) -> None:
        """Take messages from the budgets; wait until they allow them, all at once."""
        if self._reserved and sends == 1:
            self._reserved = False
            return
        if self._reserved:  # nobody waits for more while holding some, or all might wait for ever
            self._reserved = False
            self._lane.refund()
        self._lane.pace.common.arrived(self)  # what was sent before
        await self._lane.pay(self, sends)

    def spare(self, sends: int) -> bool:
        """Like `Pace.spare`, where so many messages are about to be sent in this turn."""
        return self._lane.spare(sends - self._reserved)


@dataclass(eq=False)
class Lane:
    """One chat: its budget, and the turns that wait for it."""

    pace: Pace
    rate: Rate
    paid_until: float = 0.0
    frozen_until: float = 0.0
    speaking: Turn | None = None
    waiting: list[tuple[Urgency, int, Turn]] = field(default_factory=list)
    timer: Timer | None = None

    def __post_init__(self) -> None:
        cap = self.rate.cap
        self.sent: deque[float] = deque(maxlen=cap.most if cap else 0)  # when, for the cap

    def enqueue(self, turn: Turn) -> None:
        heapq.heappush(self.waiting, (turn.urgency, next(self.pace.counter), turn))
        if self.speaking is not None:
            self.speaking.hurry(turn.urgency)  # it holds up something as urgent as that
        self.pump()

    def leave(self) -> None:
        self.speaking = None
        self.pump()

    def pump(self) -> None:
        """Begin the next turn if it may begin; otherwise come back when it may."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        turn = self._next()
        if self.speaking is not None or turn is None:
            return
        kept = self.rate.kept[turn.urgency]
        left = self.rate.cap.kept[turn.urgency] if self.rate.cap else 0
        wait = self._ready_at(kept, left) - self.pace.clock()
        if wait <= 0 and turn.urgency is Urgency.EDIT and self.pace.crowded:
            wait = CROWDED
        if wait > 0:
            self.timer = self.pace.call_later(wait, self.pump)
            return
        heapq.heappop(self.waiting)
        self.speaking = turn
        turn.granted.set_result(None)

    async def pay(self, turn: Turn, sends: int) -> None:
        """Several sends that go out together may run further ahead than a burst."""
        while True:
            await self._allowed(sends)
            await self.pace.common.take(turn, sends)
            if self._wait(sends) <= 0:
                break
            self.pace.common.arrived(turn)  # the platform has asked for a pause meanwhile
        for _ in range(sends):
            self._charge()

    def refund(self) -> None:
        """Give back what was paid and not sent."""
        self.paid_until -= self.rate.interval
        if self.sent:
            self.sent.pop()

    def spare(self, sends: int) -> bool:
        """Take one send if it may go now and `sends` more after it, all of them at once."""
        cap = self.rate.cap
        left = max(sends, cap.kept[Urgency.EDIT]) if cap else 0
        fits = sends < self.rate.burst and (cap is None or left < cap.most)
        if not fits or self._ready_at(sends, left) > self.pace.clock():
            return False
        if not self.pace.common.take_spare():
            return False
        self._charge()
        return True

    def delay(self, sends: int) -> float:
        """Seconds until so many sends would be out, had they this chat for themselves."""
        now = self.pace.clock()
        return self._out(sends, max(now, self.frozen_until)) - now

    def _out(self, sends: int, start: float) -> float:
        """When the last of so many sends would be out, none of them before `start`."""
        owed = max(self.paid_until, start) + (sends - self.rate.burst) * self.rate.interval
        cap = self.rate.cap
        before = len(self.sent) + sends - 1 - cap.most if cap else -1  # which makes room for it
        if cap is None or sends < 1 or before < 0:
            return max(start, owed)
        known = before < len(self.sent)
        gone = self.sent[before] if known else self._out(before - len(self.sent) + 1, start)
        return max(start, owed, gone + cap.seconds)

    def _charge(self) -> None:
        now = self.pace.clock()
        self.paid_until = max(self.paid_until, now) + self.rate.interval
        self.sent.append(now)

    async def _allowed(self, sends: int) -> None:
        # More may be sent in one turn than the chat's budget held when it began.
        while (wait := self._wait(sends)) > 0:
            await self.pace.sleep(wait)

    def _wait(self, sends: int) -> float:
        """Seconds until so many may be sent together."""
        return self._ready_at(0, sends - 1) - self.pace.clock()

    def _ready_at(self, kept: int, left: int) -> float:
        """When one may be sent and `kept` more at once, `left` more by the cap."""
        ahead = (self.rate.burst - 1 - kept) * self.rate.interval
        ready = max(self.paid_until - ahead, self.frozen_until)
        cap = self.rate.cap
        if cap is None or len(self.sent) < cap.most - left:
            return ready
        return max(ready, self.sent[left - cap.most] + cap.seconds)

    def _next(self) -> Turn | None:
        while self.waiting:
            urgency, _, turn = self.waiting[0]
            if not turn.granted.done() and turn.urgency is urgency:
                return turn
            heapq.heappop(self.waiting)  # given up, or queued anew with more urgency
        return None

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks or waits here, and no burst is to be made up for."""
        settled = max(self.paid_until, self.frozen_until) <= self.pace.clock()
        return settled and self.speaking is None and self._next() is None

    @property
    def idle(self) -> bool:
        """Whether nothing here is worth remembering."""
        cap = self.rate.cap
        recent = cap and self.sent and self.sent[-1] + cap.seconds > self.pace.clock()
        return self.quiet and not recent


@dataclass(eq=False)
class Sending:
    """A send as the window counts it: it is in there until `until`, seconds of the clock."""

    until: float = math.inf


@dataclass(frozen=True)
class Asked:
    """What waits for the common budget: so many sends at once, for a turn."""

    turn: Turn
    slot: asyncio.Future[None]
    sends: int


class Common:
    """The budget of all chats together, and the turns that wait for it.

    Who waits stands under the latest moment up to which others may go ahead; see `PATIENCE`. It is
    counted from when the turn was asked for, so that who waited for the chat's own budget does not
    wait again.
    """

    def __init__(self, pace: Pace, interval: float, window: Window | None = None) -> None:
        self.waiting = 0  # sends
        self._pace = pace
        self._interval = interval
        self._window = window
        self._recent: list[Sending] = []  # what the window counts
        self._free_at = 0.0
        self._queue: list[tuple[float, int, Asked]] = []
        self._timer: Timer | None = None

    async def take(self, turn: Turn, sends: int) -> None:
        """Wait until so many may be sent."""
        if not self.waiting:  # only what was held up is made up for, not a lull
            self._free_at = max(self._free_at, self._pace.clock())
        slot = asyncio.get_running_loop().create_future()
        turn.asked_for = Asked(turn, slot, sends)
        self.waiting += sends
        self.enqueue(turn.asked_for)
        try:
            await slot
        finally:
            self.waiting -= sends
            turn.asked_for = None

    def take_spare(self) -> bool:
        """Take a slot that is free now; says whether there was one."""
        now = self._pace.clock()
        if self.waiting or self._ready_at(1) > now:
            return False
        self._free_at = now + self._interval * COSTS[Urgency.EDIT]
        for each in self._count(1):  # nobody tells when it is answered
            each.until = now + SPARE
        return True

    def enqueue(self, asked: Asked) -> None:
        latest = asked.turn.asked + PATIENCE[asked.turn.urgency]
        heapq.heappush(self._queue, (latest, next(self._pace.counter), asked))
        self._pump()

    def arrived(self, turn: Turn, late: float = 0.0) -> None:
        """All that the turn sent so far arrives within `late` seconds, if it ever does."""
        if self._window is None or not turn.on_the_way:
            return
        for each in turn.on_the_way:
            each.until = self._pace.clock() + late + self._window.seconds
        turn.on_the_way.clear()
        self._pump()

    def pause(self, seconds: float) -> None:
        """Hand out no slot for so long."""
        self._free_at = max(self._free_at, self._pace.clock() + seconds)

    @property
    def booked(self) -> float:
        """Seconds until everything that waits is out."""
        return max(0.0, self._free_at - self._pace.clock()) + self.waiting * self._interval

    def _pump(self) -> None:
        """Hand out the next slot if it is due; otherwise come back when it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            _, _, asked = self._queue[0]
            if asked.slot.done():  # given up, or handed out under more urgency
                heapq.heappop(self._queue)
                continue
            now = self._pace.clock()
            ready = self._ready_at(asked.sends)
            if ready == math.inf:
                return  # until something arrives
            if ready > now:
                self._timer = self._pace.call_later(ready - now, self._pump)
                return
            heapq.heappop(self._queue)
            asked.slot.set_result(None)
            asked.turn.on_the_way += self._count(asked.sends)
            cost = COSTS[asked.turn.urgency] + asked.sends - 1
            self._free_at = self._made_up(now) + self._interval * cost

    def _ready_at(self, sends: int) -> float:
        """When so many may be sent."""
        now = self._pace.clock()
        if self._window is None:
            return self._free_at
        self._recent = [each for each in self._recent if each.until > now]
        too_many = len(self._recent) + sends - self._window.most
        if too_many <= 0:
            return self._free_at
        return max(self._free_at, sorted(each.until for each in self._recent)[too_many - 1])

    def _count(self, sends: int) -> list[Sending]:
        """Let the window count what is sent now."""
        if self._window is None:
            return []
        sendings = [Sending() for _ in range(sends)]
        self._recent += sendings
        return sendings

    def _made_up(self, now: float) -> float:
        """The moment from which on the next interval counts.

        A timer that came a little late is made up for, or the pace would drag behind; within a
        window so is what a busy machine held up.
        """
        if self._window is not None:
            return max(self._free_at, now - MAKE_UP)
        return self._free_at if now - self._free_at < self._interval else now


class Pace:
    """All lanes: `rate_of` a chat is its budget, `interval` the seconds between two sends in all.

    With a `window`, sends go out within their turns, which end when they are answered. `clock` and
    `call_later` are the event loop's, or a test's.
    """

    def __init__(
        self,
        rate_of: Callable[[int], Rate],
        interval: float,
        clock: Callable[[], float] | None = None,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
        window: Window | None = None,
    ) -> None:
        self._rate_of = rate_of
        self._clock = clock
        self._call_later = call_later
        self._lanes: dict[int, Lane] = {}
        self.counter = itertools.count()
        self.common = Common(self, interval, window)

    def turn(self, chat: int, urgency: Urgency) -> Turn:
        """Queue for a turn in `chat`; enter it by `async with`."""
        return Turn(self._lane(chat), urgency)

    def spare(self, chat: int) -> bool:
        """Take a send in `chat` right now if nobody needs it, for what may as well be left out.

        Says whether there was one: nobody speaks or waits there, and all that was sent is paid off.
        """
        lane = self._lane(chat)
        return lane.quiet and lane.spare(0)

    def delay(self, chat: int, sends: int) -> float:
        """Seconds until so many sends would be out in `chat`, went nothing else there."""
        return self._lane(chat).delay(sends)

    def freeze(self, chat: int, seconds: float) -> None:
        """Send nothing to `chat` for so long: the platform said so.

        It does not say which limit was meant; where much is sent to many, it may be that of all.
        """
        if self.crowded:
            self.common.pause(min(seconds, LULL))
        self.hold(chat, seconds)

    def hold(self, chat: int, seconds: float) -> None:
        """Send nothing to `chat` for so long."""
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

    @property
    def crowded(self) -> bool:
        """Whether so much waits for the common budget that what can be skipped should be."""
        return self.common.booked > CROWDED

    def _lane(self, chat: int) -> Lane:
        if chat not in self._lanes:
            if len(self._lanes) >= 1024:
                self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
            self._lanes[chat] = Lane(self, self._rate_of(chat))
        return self._lanes[chat]
