"""How fast Tadım speaks on Telegram, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from bot.pace import Urgency
from bot.telegram.limits import telegram_pace

GROUP, PRIVATE = -1001, 42


class Clock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None], Timer]] = []
        self._count = itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer()
        heapq.heappush(self._due, (self.now + delay, next(self._count), callback, timer))
        return timer

    async def advance(self, seconds: float) -> None:
        until = self.now + seconds
        await settle()
        while self._due and self._due[0][0] <= until:
            self.now, _, callback, timer = heapq.heappop(self._due)
            if timer.alive:
                callback()
                await settle()
        self.now = until


class Timer:
    alive = True

    def cancel(self) -> None:
        self.alive = False


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


class Speakers:
    """Answers that want to send; `sent` lists who did and when."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pace = telegram_pace(self.clock.time, self.clock.call_later)
        self.sent: list[tuple[str, float]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(
        self, chat: int, urgency: Urgency, name: str = "", times: int = 1
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self._speak(chat, urgency, name, times))
        self.tasks.append(task)
        return task

    async def _speak(self, chat: int, urgency: Urgency, name: str, times: int) -> None:
        async with self.pace.turn(chat, urgency) as turn:
            for _ in range(times):
                await turn.pay()
                self.sent.append((name, self.clock.now))

    @property
    def names(self) -> str:
        return "".join(name for name, _ in self.sent)

    def most_within(self, seconds: float) -> int:
        """The most sends in any window of so many seconds."""
        times = [time for _, time in self.sent]
        return max(sum(start <= time < start + seconds for time in times) for start in times)


@pytest.fixture
async def speakers() -> AsyncIterator[Speakers]:
    speakers = Speakers()
    yield speakers
    for task in speakers.tasks:
        task.cancel()
    await asyncio.gather(*speakers.tasks, return_exceptions=True)


async def test_a_private_chat_gets_a_burst_and_then_about_one_a_second(speakers: Speakers) -> None:
    for _ in range(10):
        speakers.ask(PRIVATE, Urgency.FINAL)
    await speakers.clock.advance(0.2)
    assert len(speakers.sent) == 3
    await speakers.clock.advance(5)
    assert len(speakers.sent) == 7


@pytest.mark.parametrize("times", [1, 7])
async def test_a_group_never_gets_more_than_twenty_in_any_minute(
    speakers: Speakers, times: int
) -> None:
    for _ in range(60 // times):
        speakers.ask(GROUP, Urgency.FINAL, times=times)
    await speakers.clock.advance(180)
    assert len(speakers.sent) > 40
    assert speakers.most_within(60) <= 20


async def test_all_chats_together_stay_under_thirty_a_second_and_go_in_order(
    speakers: Speakers,
) -> None:
    for chat in range(1, 301):
        speakers.ask(chat, Urgency.FINAL, str(chat) + " ")
    await speakers.clock.advance(12)
    assert speakers.names.split() == [str(chat) for chat in range(1, 301)]
    assert speakers.most_within(1) <= 30


async def test_what_was_prepared_long_still_goes_out_at_the_common_pace(
    speakers: Speakers,
) -> None:
    """Turns that began long ago send at the same moment, as after a busy studio."""
    gate = asyncio.Event()

    async def late(chat: int) -> None:
        async with speakers.pace.turn(chat, Urgency.FINAL) as turn:
            await gate.wait()
            await turn.pay()
            speakers.sent.append(("", speakers.clock.now))

    speakers.tasks += [asyncio.create_task(late(chat)) for chat in range(1, 101)]
    await speakers.clock.advance(10)
    gate.set()
    await speakers.clock.advance(10)
    assert len(speakers.sent) == 100
    assert speakers.most_within(1) <= 30


async def test_messages_of_one_answer_stay_together(speakers: Speakers) -> None:
    speakers.ask(PRIVATE, Urgency.FINAL, "a", times=4)
    speakers.ask(PRIVATE, Urgency.FINAL, "b", times=2)
    await speakers.clock.advance(10)
    assert speakers.names == "aaaabb"


async def test_answers_go_before_edits_and_edits_leave_room_for_answers(
    speakers: Speakers,
) -> None:
    for _ in range(5):
        speakers.ask(PRIVATE, Urgency.EDIT, "e")
    await speakers.clock.advance(0.2)
    assert speakers.names == "ee"
    speakers.ask(PRIVATE, Urgency.FINAL, "f")
    await speakers.clock.advance(0.2)
    assert speakers.names == "eef"


async def test_an_edit_that_becomes_the_answer_is_hurried(speakers: Speakers) -> None:
    speakers.ask(GROUP, Urgency.FINAL, "f", times=4)
    await speakers.clock.advance(0.5)
    turn = speakers.pace.turn(GROUP, Urgency.EDIT)
    await speakers.clock.advance(0.5)
    assert not turn.granted.done()
    turn.hurry()
    await speakers.clock.advance(0.5)
    assert turn.granted.done()


async def test_a_frozen_chat_is_left_alone_and_others_are_not(speakers: Speakers) -> None:
    speakers.pace.freeze(PRIVATE, 30)
    speakers.ask(PRIVATE, Urgency.FINAL, "frozen")
    speakers.ask(43, Urgency.FINAL, "other ")
    await speakers.clock.advance(29)
    assert speakers.names == "other "
    await speakers.clock.advance(2)
    assert speakers.names == "other frozen"


async def test_edits_wait_while_everything_is_crowded(speakers: Speakers) -> None:
    for chat in range(1, 101):
        speakers.ask(chat, Urgency.FINAL, "f")
    await settle()
    speakers.ask(500, Urgency.EDIT, "e")
    await speakers.clock.advance(2)
    assert "e" not in speakers.names
    await speakers.clock.advance(10)
    assert speakers.names == "f" * 100 + "e"


async def test_a_turn_that_is_given_up_costs_nothing(speakers: Speakers) -> None:
    speakers.pace.freeze(PRIVATE, 5)
    waiting = [speakers.ask(PRIVATE, Urgency.FINAL, "x") for _ in range(3)]
    await settle()
    for task in waiting:
        task.cancel()
    await speakers.clock.advance(6)
    for _ in range(3):
        speakers.ask(PRIVATE, Urgency.FINAL, "f")
    await speakers.clock.advance(0.2)
    assert speakers.names == "fff"


async def test_a_turn_given_up_in_the_moment_it_begins_frees_the_chat(speakers: Speakers) -> None:
    async with speakers.pace.turn(PRIVATE, Urgency.FINAL):
        first = speakers.ask(PRIVATE, Urgency.FINAL, "x")
        await settle()
    first.cancel()  # its turn has begun, but its task has not run since
    speakers.ask(PRIVATE, Urgency.FINAL, "f")
    await speakers.clock.advance(1)
    assert speakers.names == "f"


async def test_quiet_chats_are_forgotten(speakers: Speakers) -> None:
    for chat in range(1, 3000):
        speakers.ask(chat, Urgency.FINAL)
        await speakers.clock.advance(1)
    assert len(speakers.pace._lanes) <= 1024
