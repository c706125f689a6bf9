"""Where more is asked than may be answered: groups over their budget, and two hundred in private.

The world counts every message; more than Telegram allows would be a violation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.telegram.crowd import LONG
from bot.telegram.intake import Place
from handlers.kit.reply import Reply
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Person, Shown, bad

GROUP = -1001
OTHER = -1002
LINK = "https://t.me/TadimTestBot?start=answers"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        yield stage


def pupils(count: int, language: str = "en") -> list[Person]:
    return [Person(100 + number, f"Pupil {number}", language) for number in range(count)]


async def all_ask(stage: Stage, people: list[Person], chat: int | None = GROUP) -> dict[int, int]:
    """Everybody asks with a photo at once; gives the messages that they asked with, by person."""
    asked = {}
    for person in people:
        message = await stage.world.shows(person, photo(), "/detect", chat=chat)
        asked[person.id] = message["message_id"]
    return asked


def notices(stage: Stage) -> list[Shown]:
    return [s for s in stage.world.messages if any(b.get("url") == LINK for b in s.buttons)]


def photos(stage: Stage, chat: int) -> list[Shown]:
    return [shown for shown in stage.world.visible(chat) if shown.kind == "photo"]


def words(stage: Stage, chat: int) -> list[str]:
    """The messages of words in a chat, notices apart."""
    told = notices(stage)
    return [s.text for s in stage.world.visible(chat) if s.kind == "text" and s not in told]


# --- a group that asks for more than it may get --------------------------------------------------


async def test_a_group_is_told_once_a_minute_where_answers_can_be_fetched(stage: Stage) -> None:
    await all_ask(stage, pupils(40))
    await stage.goes_on(20)
    (notice,) = notices(stage)
    assert "twenty messages a minute" in notice.text
    assert [button["text"] for button in notice.buttons] == ["Fetch my answer"]
    assert notice.reply_to is None
    await stage.goes_on(300)
    assert len(photos(stage, GROUP)) == 40, "who does not come is answered in turn"
    told = [shown.sent for shown in notices(stage)]
    assert len(told) > 1
    assert all(later - before > 59.99 for before, later in pairwise(told))


async def test_after_a_notice_the_group_is_left_to_those_who_stay(stage: Stage) -> None:
    people = pupils(40)
    await all_ask(stage, people)
    while not notices(stage):
        await stage.goes_on(0.1)
    await stage.goes_on(3)
    before = len(photos(stage, GROUP))
    assert before <= 2, "the one that brought the notice, and at most one before it"
    for person in people[15:]:
        await stage.world.says(person, "/start answers")
    await stage.goes_on(20)
    assert len(photos(stage, GROUP)) == 15
    assert len(notices(stage)) == 1


async def test_a_small_group_is_told_nothing(stage: Stage) -> None:
    await all_ask(stage, pupils(8))
    await stage.goes_on(60)
    assert notices(stage) == []
    assert len(photos(stage, GROUP)) == 8


async def test_the_notice_stands_in_the_topic_and_in_its_language(stage: Stage) -> None:
    topic = {"message_thread_id": 7, "is_topic_message": True}
    for person in pupils(20, "tr"):
        await stage.world.shows(person, photo(), "/algıla", chat=GROUP, **topic)
    await stage.goes_on(20)
    (notice,) = notices(stage)
    assert notice.thread == 7
    assert notice.buttons[0]["text"] == "Cevabımı al"


async def test_whoever_comes_gets_their_answers_at_once_and_only_there(stage: Stage) -> None:
    people = pupils(40)
    await all_ask(stage, people)
    await all_ask(stage, people[30:31], OTHER)
    await all_ask(stage, people[30:31])  # a second time
    await stage.goes_on(20)
    others = len(photos(stage, OTHER))
    for person in people[20:]:
        await stage.world.says(person, "/start answers")
    await stage.goes_on(5)
    for person in people[20:]:
        kinds = [shown.kind for shown in stage.world.visible(person.id)]
        assert kinds == ["photo"] * (2 if person is people[30] else 1)
    await stage.goes_on(300)
    assert len(photos(stage, GROUP)) == 20
    assert len(photos(stage, OTHER)) == others == 1
    everywhere = [shown for shown in stage.world.messages if shown.kind == "photo"]
    assert len(everywhere) == 42
    assert words(stage, GROUP) == []


async def test_each_is_answered_exactly_once_whenever_they_come(stage: Stage) -> None:
    """Somebody comes every second, at whatever point the group's line has got to."""
    people = pupils(30)
    asked = await all_ask(stage, people)
    for person in people:
        await stage.world.says(person, "/start answers")
        await stage.goes_on(1.3)
    await stage.goes_on(200)
    in_group = Counter(shown.reply_to for shown in photos(stage, GROUP))
    for person in people:
        own = photos(stage, person.id)
        assert len(own) + in_group[asked[person.id]] == 1
        told = words(stage, person.id)
        if any("Welcome" in text for text in told):
            assert own == []
        if any("will come here" in text for text in told):
            assert len(own) == 1
        assert told or own


async def test_coming_twice_is_coming_once(stage: Stage) -> None:
    people = pupils(30)
    await all_ask(stage, people)
    await stage.goes_on(5)
    for _ in range(2):
        await stage.world.says(people[-1], "/start answers")
    await stage.goes_on(5)
    own = stage.world.visible(people[-1].id)
    assert sorted(shown.kind for shown in own) == ["photo", "text"]
    assert "Welcome" in words(stage, people[-1].id)[0]


async def test_where_nothing_waits_it_is_an_ordinary_welcome(stage: Stage) -> None:
    ada = pupils(1)[0]
    await stage.world.says(ada, "/start answers")
    await stage.goes_on()
    assert "Welcome" in words(stage, ada.id)[0]


async def test_the_link_s_word_means_nothing_in_a_group(stage: Stage) -> None:
    people = pupils(30)
    await all_ask(stage, people)
    await stage.goes_on(5)
    await stage.world.says(people[-1], "/start@TadimTestBot answers", chat=GROUP)
    await stage.goes_on(200)
    assert photos(stage, people[-1].id) == []
    assert len(photos(stage, GROUP)) == 30


async def test_an_answer_still_in_work_is_promised_and_comes(stage: Stage) -> None:
    people = pupils(30)
    stage.queue.hold.clear()
    await all_ask(stage, people)
    await stage.goes_on(2)
    await stage.world.says(people[-1], "/start answers")
    await stage.goes_on(2)
    assert words(stage, people[-1].id) == ["I am still working on it. The answer will come here."]
    stage.queue.hold.set()
    await stage.goes_on(3)
    assert len(photos(stage, people[-1].id)) == 1
    await stage.goes_on(200)
    assert len(photos(stage, GROUP)) == 29


async def test_a_question_stays_where_it_can_be_answered(stage: Stage) -> None:
    people = pupils(30)
    await all_ask(stage, people)
    await stage.world.says(people[-1], "/detect", chat=GROUP)  # without a picture
    await stage.goes_on(5)
    await stage.world.says(people[-1], "/start answers")
    await stage.goes_on(5)
    assert len(photos(stage, people[-1].id)) == 1
    assert words(stage, people[-1].id) == []
    await stage.goes_on(200)
    assert ["needs a picture" in text for text in words(stage, GROUP)] == [True]


async def test_a_status_message_in_the_group_goes_with_its_answer(stage: Stage) -> None:
    stage.queue.hold.clear()
    first = pupils(1)[0]
    await all_ask(stage, [first])
    await stage.goes_on(5)
    (status,) = stage.world.visible(GROUP)
    await all_ask(stage, pupils(40)[1:])
    await stage.goes_on(5)
    await stage.world.says(first, "/start answers")
    await stage.goes_on(1)
    stage.queue.hold.set()
    await stage.goes_on(200)
    assert len(photos(stage, first.id)) == 1
    assert len(photos(stage, GROUP)) == 39
    assert status.deleted


async def test_an_answer_is_moved_also_in_its_turn_while_it_waits_for_the_common_budget(
    stage: Stage,
) -> None:
    ada, others = Person(42, "Ada"), pupils(100)
    stage.queue.hold.clear()
    await told(stage, others)
    await all_ask(stage, [ada])
    await stage.goes_on(1)
    stage.queue.hold.set()
    await stage.clock.settle()
    await stage.world.says(ada, "/start answers")
    await stage.clock.settle()
    assert stage.world.visible(GROUP) == []
    await stage.goes_on(10)
    (own,) = photos(stage, ada.id)
    assert stage.world.visible(GROUP) == []
    group = stage.frontend._conversation._outbox.pace._lane(GROUP)
    assert group.paid_until <= own.sent, "the group has not paid for it"


async def test_a_moved_answer_can_be_deleted_where_it_is(stage: Stage) -> None:
    people = pupils(30)
    await all_ask(stage, people)
    await stage.goes_on(5)
    await stage.world.says(people[-1], "/start answers")
    await stage.goes_on(5)
    (own,) = photos(stage, people[-1].id)
    await stage.world.presses_button(people[-1], own, "Delete")
    await stage.goes_on(1)
    assert own.deleted


async def test_a_notice_that_telegram_refuses_holds_nothing_up(stage: Stage) -> None:
    stage.world.faults["sendMessage"].append(bad("BUTTON_URL_INVALID"))
    await all_ask(stage, pupils(30))
    await stage.goes_on(200)
    assert not stage.world.faults["sendMessage"]
    assert len(photos(stage, GROUP)) == 30


# --- first words ---------------------------------------------------------------------------------


async def test_an_over_full_group_gets_no_first_words_but_answers(stage: Stage) -> None:
    stage.queue.hold.clear()
    await all_ask(stage, pupils(40))
    await stage.goes_on(LONG - 5)
    assert len(words(stage, GROUP)) == 1, "whoever came first came to an empty group"
    stage.queue.hold.set()
    await stage.goes_on(300)
    sent = Counter(s.kind for s in stage.world.messages if s not in notices(stage))
    assert sent == {"text": 1, "photo": 40}


async def test_long_work_is_acknowledged_in_a_full_group_after_all(stage: Stage) -> None:
    stage.queue.hold.clear()
    await all_ask(stage, pupils(15))
    await stage.goes_on(LONG + 70)
    assert len(words(stage, GROUP)) == 15
    stage.queue.hold.set()


async def test_a_group_with_room_gets_first_words_as_ever(stage: Stage) -> None:
    stage.queue.hold.clear()
    await all_ask(stage, pupils(3))
    await stage.goes_on(1)
    assert len(words(stage, GROUP)) == 3
    stage.queue.hold.set()


# --- two hundred at once, each in private --------------------------------------------------------


@pytest.mark.parametrize("held", [0.0, 3.0])
async def test_two_hundred_are_answered_within_what_the_limits_allow(
    stage: Stage, held: float
) -> None:
    """At once, or when their status messages are on the way. Each exactly once."""
    people = pupils(200)
    if held:
        stage.queue.hold.clear()
    began = stage.clock.now
    for person in people:
        await stage.world.shows(person, photo(), "/detect")
        await stage.goes_on(1 / len(people))
    await stage.goes_on(max(0.0, held - 1))
    stage.queue.hold.set()
    waited = 0.0
    while len([s for s in stage.world.messages if s.kind == "photo"]) < 200 and waited < 60:
        await stage.goes_on(0.25)
        waited += 0.25
    sends = sum(s.edits + 1 for s in stage.world.messages)
    sends += stage.world.methods().count("sendChatAction")
    assert stage.clock.now - began <= 1.2 * max(sends / 30, held) + 0.5
    await stage.goes_on(20)
    for person in people:
        assert [shown.kind for shown in stage.world.visible(person.id)] == ["photo"]


async def test_notices_go_out_within_the_limits_once_each(stage: Stage) -> None:
    people = pupils(60)
    await told(stage, people)
    await stage.goes_on(5)
    assert all(words(stage, person.id) == ["Cancelled."] for person in people)


async def told(stage: Stage, people: list[Person]) -> None:
    """Have everybody told something at once, as a notice, which answers no command."""
    stage.world.known_chats |= {person.id for person in people}
    for person in people:
        address = Place(person.id, person.id).address()
        stage.frontend._spawn(stage.frontend.send, address, Reply.say("cancelled"), "en")
    await stage.clock.settle()
