"""Who looks after a group, and whose buttons are whose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from telegram import Bot
from telegram.error import BadRequest

from bot.settings import Settings
from bot.telegram.intake import Place
from bot.telegram.moderators import AT_MOST, LIFETIME, Moderators
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Person

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001
ANONYMOUS = Person(1087968824, "Group", None)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        yield stage


class Members:
    """A bot that knows the status of people, and counts how often it is asked."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.asked: list[tuple[int, int]] = []

    async def get_chat_member(self, chat: int, user: int) -> SimpleNamespace:
        self.asked.append((chat, user))
        if f"_{user}" not in self.statuses:
            raise BadRequest("PARTICIPANT_ID_INVALID")
        return SimpleNamespace(status=self.statuses[f"_{user}"])


def moderators(bot: Members, now: list[float]) -> Moderators:
    stand_in: Bot = bot  # type: ignore[assignment]
    return Moderators(stand_in, lambda: now[0])


@pytest.mark.parametrize(
    ("status", "known"),
    [("creator", True), ("administrator", True), ("member", False), ("restricted", False)],
)
async def test_creators_and_administrators_look_after_a_group(status: str, known: bool) -> None:
    bot = Members(_42=status)
    assert await moderators(bot, [0.0]).question(Place(GROUP, 42))() is known


async def test_an_answer_counts_for_a_minute_and_for_one_group() -> None:
    bot, now = Members(_42="administrator"), [0.0]
    known = moderators(bot, now)
    for _ in range(3):
        assert await known.question(Place(GROUP, 42))()
    assert bot.asked == [(GROUP, 42)]
    assert await known.question(Place(GROUP - 1, 42))()
    assert bot.asked == [(GROUP, 42), (GROUP - 1, 42)]
    bot.statuses["_42"] = "member"
    now[0] = LIFETIME + 1
    assert not await known.question(Place(GROUP, 42))()
    assert len(bot.asked) == 3


async def test_where_telegram_does_not_say_nobody_is_and_it_is_asked_again() -> None:
    bot = Members()
    known = moderators(bot, [0.0])
    assert not await known.question(Place(GROUP, 42))()
    bot.statuses["_42"] = "creator"
    assert await known.question(Place(GROUP, 42))()


async def test_nobody_is_asked_about_private_chats_and_anonymous_administrators() -> None:
    bot = Members(_42="creator")
    known = moderators(bot, [0.0])
    assert not await known.question(Place(42, 42))()
    assert await known.question(Place(GROUP, GROUP))()
    assert bot.asked == []


async def test_answers_are_forgotten_the_oldest_first() -> None:
    bot = Members(**{f"_{user}": "member" for user in range(AT_MOST + 1)})
    known = moderators(bot, [0.0])
    for user in (*range(AT_MOST + 1), AT_MOST, 0):
        await known.question(Place(GROUP, user))()
    assert bot.asked[AT_MOST + 1 :] == [(GROUP, 0)]


# --- in a group ----------------------------------------------------------------------------------


async def held_up(stage: Stage) -> str:
    """Ada's work under way in a group; the id of its run."""
    stage.queue.hold.clear()
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP)
    await stage.reads(GROUP, "is at work")
    (run,) = stage.hub.services.runs.by_id
    return run


async def test_a_moderator_stops_the_work_of_others_and_telegram_is_asked_only_then(
    stage: Stage,
) -> None:
    run = await held_up(stage)
    stage.world.members[GROUP, EFE.id] = "administrator"
    assert "getChatMember" not in stage.world.methods()
    await stage.world.says(EFE, f"/cancel run:{run}", chat=GROUP)
    await stage.passes(stage.world.until(lambda: stage.queue.cancelled, "the end of the work"))
    assert stage.world.methods().count("getChatMember") == 1
    await stage.goes_on(10)


async def test_an_anonymous_administrator_stops_the_work_of_others(stage: Stage) -> None:
    run = await held_up(stage)
    speaker = {"id": GROUP, "type": "supergroup", "title": "Workshop"}
    line = f"/cancel run:{run}"
    await stage.world.says(ANONYMOUS, line, chat=GROUP, sender_chat=speaker)
    await stage.passes(stage.world.until(lambda: stage.queue.cancelled, "the end of the work"))
    assert "getChatMember" not in stage.world.methods()
    await stage.goes_on(10)


async def test_other_members_do_not(stage: Stage) -> None:
    run = await held_up(stage)
    stage.world.members[GROUP, EFE.id] = "member"
    await stage.world.says(EFE, f"/cancel run:{run}", chat=GROUP)
    await stage.passes(stage.world.until(lambda: "getChatMember" in stage.world.methods(), "it"))
    await stage.goes_on(10)
    assert not stage.queue.cancelled


# --- whose button it is --------------------------------------------------------------------------


async def test_a_foreign_button_is_refused_with_the_name_of_its_owner(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect", chat=GROUP)
    answer = await stage.reads(GROUP, "dog", "photo")
    query = await world.presses_button(EFE, answer, "Again")
    await stage.passes(world.until(lambda: query in world.answered_presses, "the refusal"))
    assert "Bu düğmenin sahibi: Ada." in world.answered_presses[query]["text"]


async def test_without_the_message_that_was_answered_it_has_no_name(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect", chat=GROUP)
    answer = await stage.reads(GROUP, "dog", "photo")
    answer.reply_to = None
    query = await world.presses_button(EFE, answer, "Again")
    await stage.passes(world.until(lambda: query in world.answered_presses, "the refusal"))
    assert "Bu düğme başkasının." in world.answered_presses[query]["text"]
