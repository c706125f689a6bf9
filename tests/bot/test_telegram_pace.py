"""How fast Tadım speaks on Telegram, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

from bot.telegram.pace import Pace, Permit, Urgency

GROUP_CHAT, PRIVATE_CHAT = -1001, 42


class Clock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None], list[bool]]] = []
        self._count = itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer()
        due = (self.now + delay, next(self._count), callback, timer.alive)
        heapq.heappush(self._due, due)
        return timer

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, callback, alive = heapq.heappop(self._due)
            if alive[0]:
                callback()
        self.now = until


class Timer:
    def __init__(self) -> None:
        self.alive = [True]

    def cancel(self) -> None:
        self.alive[0] = False


def a_pace() -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(clock.time, clock.call_later), clock


def granted(permits: list[Permit]) -> int:
    return sum(permit.granted.done() for permit in permits)


async def test_a_private_chat_gets_a_burst_and_then_about_one_a_second() -> None:
    pace, clock = a_pace()
    permits = [pace.ask(PRIVATE_CHAT, Urgency.FINAL) for _ in range(10)]
    clock.advance(0.2)
    assert granted(permits) == 3
    clock.advance(5)
    assert granted(permits) == 7


async def test_a_group_never_gets_more_than_twenty_in_any_minute() -> None:
    pace, clock = a_pace()
    permits = [pace.ask(GROUP_CHAT, Urgency.FINAL) for _ in range(60)]
    times: list[float] = []
    for _ in range(1800):
        clock.advance(0.1)
        times += [clock.now] * (granted(permits) - len(times))
    assert len(times) > 40
    for start in times:
        assert sum(start <= time < start + 60 for time in times) <= 20


async def test_all_chats_together_stay_under_thirty_a_second_and_wait_in_order() -> None:
    pace, clock = a_pace()
    permits = [pace.ask(chat, Urgency.FINAL) for chat in range(1, 301)]
    counts = []
    for _ in range(12):
        clock.advance(1)
        counts.append(granted(permits))
        assert [permit.granted.done() for permit in permits] == sorted(
            (permit.granted.done() for permit in permits), reverse=True
        )
    steps = [after - before for before, after in itertools.pairwise([0, *counts])]
    assert max(steps) <= 30
    assert counts[-1] == 300


async def test_answers_go_before_edits_and_edits_leave_room_for_answers() -> None:
    pace, clock = a_pace()
    edits = [pace.ask(PRIVATE_CHAT, Urgency.EDIT) for _ in range(5)]
    clock.advance(0.2)
    assert granted(edits) == 2
    answer = pace.ask(PRIVATE_CHAT, Urgency.FINAL)
    clock.advance(0.1)
    assert answer.granted.done()


async def test_an_edit_that_becomes_the_answer_is_hurried() -> None:
    pace, clock = a_pace()
    for _ in range(4):
        pace.ask(GROUP_CHAT, Urgency.FINAL)
    edit = pace.ask(GROUP_CHAT, Urgency.EDIT)
    clock.advance(0.5)
    assert not edit.granted.done()
    edit.hurry()
    clock.advance(0.5)
    assert edit.granted.done()


async def test_a_frozen_chat_is_left_alone_and_others_are_not() -> None:
    pace, clock = a_pace()
    pace.freeze(PRIVATE_CHAT, 30)
    frozen, other = pace.ask(PRIVATE_CHAT, Urgency.FINAL), pace.ask(43, Urgency.FINAL)
    clock.advance(29)
    assert (frozen.granted.done(), other.granted.done()) == (False, True)
    clock.advance(2)
    assert frozen.granted.done()


async def test_edits_wait_while_everything_is_crowded() -> None:
    pace, clock = a_pace()
    answers = [pace.ask(chat, Urgency.FINAL) for chat in range(1, 101)]
    edit = pace.ask(500, Urgency.EDIT)
    clock.advance(2)
    assert not edit.granted.done()
    late = pace.ask(501, Urgency.FINAL)
    clock.advance(10)
    assert granted([*answers, late, edit]) == 102


async def test_a_permit_that_is_given_up_costs_nothing() -> None:
    pace, clock = a_pace()
    pace.freeze(PRIVATE_CHAT, 5)

    async def wait() -> None:
        await pace.ask(PRIVATE_CHAT, Urgency.FINAL)

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    clock.advance(6)
    permits = [pace.ask(PRIVATE_CHAT, Urgency.FINAL) for _ in range(3)]
    clock.advance(0.2)
    assert granted(permits) == 3


async def test_quiet_chats_are_forgotten() -> None:
    pace, clock = a_pace()
    for chat in range(1, 3000):
        pace.ask(chat, Urgency.FINAL)
        clock.advance(1)
    assert len(pace._lanes) <= 1024
