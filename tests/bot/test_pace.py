"""How fast Tadım speaks on Telegram, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.pace import COSTS, PATIENCE, STRAGGLERS, Turn, Urgency, Withdrawn
from bot.telegram.limits import ALL_INTERVAL, telegram_pace
from tests.bot.clock import Clock

GROUP, PRIVATE = -1001, 42


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

    def album(self, chat: int, photos: int) -> asyncio.Task[None]:
        """Send photos that leave in one request."""

        async def send() -> None:
            async with self.pace.turn(chat, Urgency.FINAL) as turn:
                await turn.pay(photos)
                self.sent += [("p", self.clock.now)] * photos

        self.tasks.append(asyncio.create_task(send()))
        return self.tasks[-1]

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


async def test_what_goes_out_together_counts_from_then(speakers: Speakers) -> None:
    """Ten pictures of an album, sent while a full group waits: twenty a minute all the same."""
    for _ in range(9):
        speakers.ask(GROUP, Urgency.FINAL, "a")
    await speakers.clock.advance(30)
    album = speakers.album(GROUP, 10)
    for _ in range(20):
        speakers.ask(GROUP, Urgency.FINAL, "b")
    await speakers.clock.advance(200)
    assert album.done()
    assert speakers.names == "a" * 9 + "p" * 10 + "b" * 20
    assert len({time for name, time in speakers.sent if name == "p"}) == 1
    assert speakers.most_within(60) <= 20


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
    await speakers.clock.advance(1)
    assert not turn.granted.done()
    turn.hurry()
    await speakers.clock.advance(0.1)
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
    await speakers.clock.settle()
    speakers.ask(500, Urgency.EDIT, "e")
    await speakers.clock.advance(2)
    assert "e" not in speakers.names
    await speakers.clock.advance(10)
    assert speakers.names == "f" * 100 + "e"


async def test_a_turn_that_is_given_up_costs_nothing(speakers: Speakers) -> None:
    speakers.pace.freeze(PRIVATE, 5)
    waiting = [speakers.ask(PRIVATE, Urgency.FINAL, "x") for _ in range(3)]
    await speakers.clock.settle()
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
        await speakers.clock.settle()
    first.cancel()  # its turn has begun, but its task has not run since
    speakers.ask(PRIVATE, Urgency.FINAL, "f")
    await speakers.clock.advance(1)
    assert speakers.names == "f"


async def test_quiet_chats_are_forgotten(speakers: Speakers) -> None:
    for chat in range(1, 3000):
        speakers.ask(chat, Urgency.FINAL)
        await speakers.clock.advance(1)
    assert len(speakers.pace._lanes) <= 1024


# --- the common budget, where many chats want it -------------------------------------------------


async def test_answers_go_before_first_words_and_those_before_edits_in_all_chats(
    speakers: Speakers,
) -> None:
    speakers.ask(1, Urgency.FINAL)  # takes the slot that is free
    await speakers.clock.settle()
    for urgency, name in zip(reversed(Urgency), "edF", strict=True):
        for chat in range(3):
            speakers.ask(10 * ord(name) + chat, urgency, name)
    await speakers.clock.advance(1)
    assert speakers.names == "FFFdddeee"


async def test_first_words_are_overtaken_for_a_while_only(speakers: Speakers) -> None:
    """Answers come for a minute, as fast as they may go, behind a line of them."""
    for chat in range(100):
        speakers.ask(chat, Urgency.FINAL, "F")
    await speakers.clock.settle()
    speakers.ask(1000, Urgency.FIRST, "d")
    asked = speakers.clock.now
    for chat in range(2000, 4000):
        speakers.ask(chat, Urgency.FINAL, "F")
        await speakers.clock.advance(ALL_INTERVAL)
        if "d" in speakers.names:
            break
    waited = speakers.sent[-1][1] - asked
    in_line = 100 * ALL_INTERVAL
    assert PATIENCE[Urgency.FIRST] < waited < PATIENCE[Urgency.FIRST] + in_line + 1


async def test_who_waits_for_the_common_budget_is_hurried_there(speakers: Speakers) -> None:
    for chat in range(1, 60):
        speakers.ask(chat, Urgency.FIRST, "d")
    await speakers.clock.settle()
    async with speakers.pace.turn(100, Urgency.FIRST) as turn:
        reserving = asyncio.create_task(turn.reserve())
        await speakers.clock.settle()
        turn.hurry()
        await speakers.clock.advance(ALL_INTERVAL * 2)
        assert reserving.done()
    assert len(speakers.names) < 5


async def test_who_holds_up_an_answer_is_as_urgent_as_that(speakers: Speakers) -> None:
    """The chat's turn belongs to first words, which wait behind those of fifty others."""
    for chat in range(1, 51):
        speakers.ask(chat, Urgency.FIRST, "d")
    speakers.ask(PRIVATE + 100, Urgency.FIRST, "D")
    await speakers.clock.settle()
    speakers.ask(PRIVATE + 100, Urgency.FINAL, "F")
    await speakers.clock.advance(ALL_INTERVAL * 4)
    assert "DF" in speakers.names


@pytest.mark.parametrize("seconds_of_work", [5, 60])
async def test_two_hundred_who_press_at_once_are_answered_as_fast_as_the_limits_allow(
    speakers: Speakers, seconds_of_work: int
) -> None:
    """All press within a second; the work of all takes so long. Edits and first words may go."""
    people, clock = 200, speakers.clock
    last: list[float] = []

    async def press(person: int) -> None:
        await speakers.pace.sleep(person / people)
        turn = speakers.pace.turn(person, Urgency.FIRST)
        ready = asyncio.Event()
        ends = 1000.0 + 0.5 + person * seconds_of_work / people

        def finish() -> None:
            ready.set()
            turn.hurry()

        speakers.pace.call_later(ends - clock.now, finish)
        async with turn:
            await turn.reserve()
            speakers.sent.append(("", clock.now))
            if ready.is_set():
                last.append(clock.now)
                return
        await ready.wait()
        async with speakers.pace.turn(person, Urgency.FINAL) as answer:
            await answer.pay()
            speakers.sent.append(("", clock.now))
            last.append(clock.now)

    speakers.tasks += [asyncio.create_task(press(1 + number)) for number in range(people)]
    await clock.advance(120)
    assert len(last) == people
    allowed = max(len(speakers.sent) / 30, seconds_of_work)
    assert max(last) - 1000.0 <= 1.2 * allowed + 0.5
    assert speakers.most_within(1) <= 30


# --- messages paid ahead, to spare, given up -----------------------------------------------------


async def test_what_is_reserved_is_paid_once_and_given_back_if_not_sent(speakers: Speakers) -> None:
    for _ in range(20):  # far more than a burst
        async with speakers.pace.turn(PRIVATE, Urgency.FINAL) as turn:
            await turn.reserve()
        await speakers.clock.advance(ALL_INTERVAL)
    async with speakers.pace.turn(PRIVATE, Urgency.FINAL) as turn:
        await turn.reserve()
        await turn.reserve()
        await turn.pay()
    speakers.ask(PRIVATE, Urgency.FINAL, "f", times=9)
    await speakers.clock.advance(ALL_INTERVAL * 4)
    assert speakers.names == "ff"


async def test_there_is_something_to_spare_only_where_nobody_needs_it(speakers: Speakers) -> None:
    pace, clock = speakers.pace, speakers.clock
    assert pace.spare(PRIVATE)
    await clock.advance(ALL_INTERVAL)
    assert not pace.spare(PRIVATE), "not all is paid off"
    await clock.advance(1.05)
    assert pace.spare(PRIVATE)
    assert not pace.spare(43), "the common budget has none"
    await clock.advance(5)
    async with pace.turn(PRIVATE, Urgency.EDIT):
        assert not pace.spare(PRIVATE), "somebody speaks there"
    pace.freeze(PRIVATE, 3)
    assert not pace.spare(PRIVATE)


async def test_nothing_to_spare_while_others_wait_for_the_common_budget(speakers: Speakers) -> None:
    for chat in range(1, 31):
        speakers.ask(chat, Urgency.FINAL, "f")
    await speakers.clock.settle()
    for _ in range(29):
        assert not speakers.pace.spare(PRIVATE + 1000)
        await speakers.clock.advance(ALL_INTERVAL)
    await speakers.clock.advance(2 * ALL_INTERVAL)
    assert speakers.pace.spare(PRIVATE + 1000)


class Unsteady:
    """Sends to many chats over a way that takes a while, differently each time."""

    def __init__(self, speakers: Speakers, seconds: Iterator[float]) -> None:
        self.arrived: list[float] = []
        self._speakers = speakers
        self._seconds = seconds

    async def send(self, chat: int) -> None:
        pace = self._speakers.pace
        async with pace.turn(chat, Urgency.FINAL) as turn:
            await turn.pay()
            await pace.sleep(next(self._seconds))
            self.arrived.append(pace.clock())
            await pace.sleep(0.01)  # the answer's way back

    def most_within_a_second(self) -> int:
        return max(
            sum(start <= time < start + 1 for time in self.arrived) for start in self.arrived
        )


async def test_however_unevenly_sends_arrive_no_second_has_more_than_thirty(
    speakers: Speakers,
) -> None:
    unsteady = Unsteady(speakers, itertools.cycle([0.8, 0.3, 0.02, 0.02, 0.5]))
    speakers.tasks += [asyncio.create_task(unsteady.send(chat)) for chat in range(1, 151)]
    for _ in range(1500):
        await speakers.clock.advance(0.01)
    assert len(unsteady.arrived) == 150
    assert unsteady.most_within_a_second() <= 30


async def test_what_a_busy_machine_held_up_is_made_up_for(speakers: Speakers) -> None:
    unsteady = Unsteady(speakers, itertools.repeat(0.001))
    speakers.tasks += [asyncio.create_task(unsteady.send(chat)) for chat in range(1, 91)]
    began = speakers.clock.now
    while len(unsteady.arrived) < 90:
        await speakers.clock.leap(0.1)
    assert unsteady.most_within_a_second() <= 30
    assert speakers.clock.now - began < 4  # three, and the way of thirty at a time


async def test_a_send_on_its_way_counts_until_it_is_answered(speakers: Speakers) -> None:
    slow = Unsteady(speakers, itertools.repeat(20.0))
    speakers.tasks += [asyncio.create_task(slow.send(chat)) for chat in range(1, 31)]
    await speakers.clock.advance(1)
    speakers.ask(100, Urgency.FINAL, "f")
    await speakers.clock.advance(18)
    assert not speakers.names
    await speakers.clock.advance(5)
    assert speakers.names == "f"
    assert speakers.sent[0][1] >= slow.arrived[0] + 1


async def test_what_was_given_up_on_its_way_may_still_arrive(speakers: Speakers) -> None:
    slow = Unsteady(speakers, itertools.repeat(20.0))
    given_up = [asyncio.create_task(slow.send(chat)) for chat in range(1, 31)]
    await speakers.clock.advance(1.1)
    for task in given_up:
        task.cancel()
    speakers.ask(100, Urgency.FINAL, "f")
    await speakers.clock.advance(STRAGGLERS)
    assert not speakers.names
    await speakers.clock.advance(1.1)
    assert speakers.names == "f"


async def test_answers_that_grow_while_they_hold_a_send_do_not_wait_for_each_other(
    speakers: Speakers,
) -> None:
    gate = asyncio.Event()

    async def grow(chat: int) -> None:
        async with speakers.pace.turn(chat, Urgency.FINAL) as turn:
            await turn.reserve()
            await gate.wait()
            await turn.pay(2)
            speakers.sent += [("", speakers.clock.now)] * 2

    speakers.tasks += [asyncio.create_task(grow(chat)) for chat in range(1, 31)]
    await speakers.clock.advance(3)
    gate.set()
    await speakers.clock.advance(10)
    assert len(speakers.sent) == 60
    assert speakers.most_within(1) <= 30


async def test_albums_that_are_sent_at_once_do_not_wait_for_each_other(speakers: Speakers) -> None:
    for chat in range(1, 9):
        speakers.album(chat, 8)
    await speakers.clock.advance(20)
    assert len(speakers.sent) == 64
    assert speakers.most_within(1) <= 30


@pytest.mark.parametrize(("sends", "some"), [(1, True), (2, True), (3, False)])
async def test_within_a_turn_only_what_its_own_messages_leave_is_to_spare(
    speakers: Speakers, sends: int, some: bool
) -> None:
    async with speakers.pace.turn(PRIVATE, Urgency.FINAL) as turn:
        assert turn.spare(sends) is some
        began = speakers.clock.now
        for _ in range(sends):
            paying = asyncio.create_task(turn.pay())
            await speakers.clock.advance(ALL_INTERVAL * COSTS[Urgency.EDIT])
            assert paying.done()
        assert speakers.clock.now - began < 0.2


async def test_how_long_so_many_would_take(speakers: Speakers) -> None:
    pace = speakers.pace
    assert pace.delay(GROUP, 0) == pace.delay(GROUP, 3) == 0
    for sends in (5, 10, 25, 50):
        forecast, began = pace.delay(GROUP, sends), speakers.clock.now
        for _ in range(sends):
            speakers.ask(GROUP, Urgency.FINAL)
        await speakers.clock.advance(200)
        assert speakers.sent[-1][1] - began == pytest.approx(forecast, abs=1)
    assert forecast > 120, "nineteen in the first minute, nineteen in the second"
    pace.freeze(43, 30)
    assert pace.delay(43, 1) == pytest.approx(30)


async def test_a_turn_is_withdrawn_only_while_it_is_waited_for(speakers: Speakers) -> None:
    pace, entered = speakers.pace, []

    async def wait(turn: Turn) -> None:
        async with turn:
            entered.append(turn)

    async with pace.turn(PRIVATE, Urgency.FINAL) as speaking:
        assert not speaking.withdraw()
        turn = pace.turn(PRIVATE, Urgency.FINAL)
        waiting = asyncio.create_task(wait(turn))
        speakers.ask(PRIVATE, Urgency.FINAL, "f")
        await speakers.clock.settle()
        assert turn.withdraw()
        assert not turn.withdraw()
        with pytest.raises(Withdrawn):
            await waiting
    await speakers.clock.advance(1)
    assert speakers.names == "f"
    assert entered == []
