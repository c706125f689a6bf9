"""Albums: their pictures wait for each other, and are answered once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import Settings
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Person, Shown

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        yield stage


def photos(number: int) -> list[bytes]:
    """Photos that are told apart by their widths: 80, 81, 82, …"""
    return [photo(80 + each, 60) for each in range(number)]


def widths(stage: Stage) -> list[int]:
    """Those of the pictures that were looked at, in the order of asking."""
    return [job.payload.width for job in stage.queue.jobs]


def said(stage: Stage, chat: int) -> list[str]:
    return [shown.text for shown in stage.world.visible(chat)]


def kinds(shown: list[Shown]) -> list[str]:
    return [each.kind for each in shown]


# --- one command, one answer ---------------------------------------------------------------------


async def test_an_album_in_any_order_comes_back_as_one_annotated_album(stage: Stage) -> None:
    world = stage.world
    sent = await world.shows_album(ADA, photos(3), {1: "/detect güven:0,4"}, arriving=(2, 1, 0))
    await stage.reads(ADA.id, "3. I see one dog.", "text")
    await stage.goes_on(10)
    *pictures, text = world.visible(ADA.id)
    assert kinds(pictures) == ["photo"] * 3
    assert [shown.text[:3] for shown in pictures] == ["1. ", "2. ", "3. "]
    assert world.methods().count("sendMediaGroup") == 1
    assert "Again" in [button["text"] for button in text.buttons]
    assert pictures[0].reply_to == sent[1]["message_id"], "the one with the command"
    assert widths(stage) == [80, 81, 82]
    assert {job.payload.confidence for job in stage.queue.jobs} == {0.4}


async def test_again_repeats_the_whole_album(stage: Stage) -> None:
    await stage.world.shows_album(ADA, photos(2), {0: "/detect"})
    answer = await stage.reads(ADA.id, "2. I see one dog.", "text")
    await stage.world.presses_button(ADA, answer, "Again")
    await stage.goes_on(20)
    assert said(stage, ADA.id).count(answer.text) == 2
    assert widths(stage) == [80, 81, 80, 81]


async def test_an_album_alone_is_offered_as_a_whole(stage: Stage) -> None:
    await stage.world.shows_album(EFE, photos(2), {})
    offer = await stage.reads(EFE.id, "2 resim! Onlarla ne yapayım?")
    await stage.world.presses_button(EFE, offer, "/algıla")
    await stage.reads(EFE.id, "2. Gördüklerim: bir köpek.", "text")
    assert widths(stage) == [80, 81]
    assert said(stage, EFE.id).count(offer.text) == 1


async def test_a_picture_that_was_asked_for_may_be_an_album(stage: Stage) -> None:
    await stage.world.says(ADA, "/detect confidence:0.6")
    await stage.reads(ADA.id, "needs a picture")
    await stage.world.shows_album(ADA, photos(2), {})
    await stage.reads(ADA.id, "2. I see one dog.", "text")
    assert [job.payload.confidence for job in stage.queue.jobs] == [0.6, 0.6]


async def test_pictures_sent_as_files_make_albums_too(stage: Stage) -> None:
    data = photo()
    group = {"media_group_id": "files", "name": "p.jpg", "mime_type": "image/jpeg"}
    await stage.world.hands(ADA, data, **group)
    await stage.world.hands(ADA, data, caption="/detect", **group)
    await stage.reads(ADA.id, "2. I see one dog.", "text")


async def test_a_command_in_reply_to_one_picture_of_an_album_is_about_that_one(
    stage: Stage,
) -> None:
    sent = await stage.world.shows_album(ADA, photos(3), {})
    await stage.reads(ADA.id, "3 pictures! What")
    await stage.world.says(ADA, "/detect", reply_to_message=sent[1])
    await stage.reads(ADA.id, "dog", "photo")
    assert widths(stage) == [81]


async def test_a_command_that_takes_no_picture_is_answered_once(stage: Stage) -> None:
    await stage.world.shows_album(ADA, photos(3), {2: "/language"})
    await stage.reads(ADA.id, "English")
    await stage.goes_on(10)
    assert len(stage.world.visible(ADA.id)) == 1


# --- how long is waited --------------------------------------------------------------------------


async def test_pictures_are_waited_for_a_second_after_the_last(stage: Stage) -> None:
    await stage.world.shows(ADA, photo(80, 60), "/detect", media_group_id="a")
    await stage.goes_on(0.9)
    await stage.world.shows(ADA, photo(81, 60), media_group_id="a")
    await stage.goes_on(0.9)
    assert not stage.queue.jobs
    await stage.goes_on(0.2)
    assert widths(stage) == [80, 81]
    await stage.reads(ADA.id, "2. I see one dog.", "text")


async def test_five_seconds_are_enough_and_later_pictures_get_the_same_command(
    stage: Stage,
) -> None:
    await stage.world.shows(ADA, photo(80, 60), "/detect", media_group_id="a")
    for number in range(1, 7):  # the last after 5.4 s
        await stage.goes_on(0.9)
        assert len(stage.queue.jobs) == (6 if number == 6 else 0)
        await stage.world.shows(ADA, photo(80 + number, 60), media_group_id="a")
    await stage.goes_on(2)
    assert widths(stage) == [80, 81, 82, 83, 84, 85, 86]
    await stage.reads(ADA.id, "6. I see one dog.", "text")
    await stage.goes_on(20)
    texts = [shown.text for shown in stage.world.visible(ADA.id) if shown.buttons]
    assert len(texts) == 2, "no offer, no remark"


async def test_the_tenth_picture_completes_an_album(stage: Stage) -> None:
    await stage.world.shows_album(ADA, photos(10), {9: "/detect"}, arriving=range(9, -1, -1))
    await stage.goes_on(0)
    assert widths(stage) == list(range(80, 90))
    await stage.reads(ADA.id, "10. I see one dog.", "text")


async def test_an_album_is_one_message_for_those_who_write_too_fast(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.lanes.LONGEST", 2)
    await stage.world.shows_album(ADA, photos(5), {0: "/detect"})
    await stage.world.says(ADA, "/start")
    await stage.reads(ADA.id, "5. I see one dog.", "text")
    assert not [text for text in said(stage, ADA.id) if "faster than I can read" in text]


# --- order ---------------------------------------------------------------------------------------


async def test_later_messages_of_a_person_wait_and_other_people_do_not(stage: Stage) -> None:
    world = stage.world
    first = await world.shows(ADA, photo(), "/detect", media_group_id="of Ada")
    second = await world.shows(EFE, photo(), "/detect", media_group_id="of Efe")
    await world.says(ADA, "/start")
    await world.shows(EFE, photo(), media_group_id="of Efe")
    await world.shows(ADA, photo(), media_group_id="of Ada")
    await world.says(Person(44, "Can", "en"), "/start")
    await stage.goes_on(0.5)
    assert said(stage, ADA.id) == said(stage, EFE.id) == []
    assert "Welcome" in said(stage, 44)[0]
    await stage.reads(ADA.id, "Welcome")
    ada, efe = ([shown.reply_to for shown in world.messages if shown.chat == c] for c in (42, 43))
    assert ada[0] == first["message_id"], "the album's answer begins before the welcome"
    assert efe[0] == second["message_id"]
    await stage.reads(ADA.id, "2. I see one dog.", "text")
    await stage.reads(EFE.id, "2. Gördüklerim: bir köpek.", "text")
    assert len(stage.queue.jobs) == 4


async def test_a_picture_that_comes_twice_counts_once(stage: Stage) -> None:
    await stage.world.shows_album(ADA, photos(2), {0: "/detect"})
    await stage.world.repeat_last_update()
    await stage.reads(ADA.id, "2. I see one dog.", "text")
    assert widths(stage) == [80, 81]


async def test_the_program_s_end_does_not_wait_for_more_pictures(stage: Stage) -> None:
    await stage.world.shows_album(ADA, photos(2), {0: "/detect"})
    await stage.goes_on(0.1)
    assert not stage.queue.jobs
    await stage.passes(stage.restarts())
    await stage.world.reads(ADA.id, "2. I see one dog.", "text")


async def test_an_album_that_came_while_the_program_ends_is_told_so(stage: Stage) -> None:
    await stage.world.shows_album(ADA, photos(2), {0: "/detect"})
    await stage.goes_on(0.1)
    stage.hub.services.runs.closing = True
    await stage.restarts()  # without any time passing
    assert said(stage, ADA.id) == ["I am restarting. Try again in a minute."]


# --- groups --------------------------------------------------------------------------------------


async def test_in_a_group_only_albums_that_are_meant_for_us_are_answered(stage: Stage) -> None:
    world = stage.world
    asked = await world.says(ADA, "/detect", chat=GROUP)
    question = await stage.reads(GROUP, "needs a picture")
    await world.shows_album(EFE, photos(2), {1: "our holidays"}, chat=GROUP)
    await world.shows_album(EFE, photos(2), {1: "/detect@OtherBot"}, chat=GROUP)
    reply = {"reply_to_message": world._json(question), "chat": GROUP}
    await world.shows_album(EFE, photos(2), {0: "/detect@OtherBot"}, **reply)
    await stage.goes_on(10)
    assert said(stage, GROUP) == [question.text]
    assert question.reply_to == asked["message_id"]
    await world.shows_album(EFE, photos(2), {}, **reply)
    await stage.reads(GROUP, "2 resim! Onlarla ne yapayım?")
    await world.shows_album(EFE, photos(2), {1: "/detect@TadimTestBot"}, chat=GROUP)
    await stage.reads(GROUP, "2. Gördüklerim: bir köpek.", "text")
    assert len(stage.queue.jobs) == 2


async def test_albums_of_several_chats_are_not_mixed_up(stage: Stage) -> None:
    for chat in (GROUP, None):
        await stage.world.shows(ADA, photo(), "/detect", chat=chat, media_group_id="same")
    for chat in (GROUP, None):
        await stage.reads(chat or ADA.id, "I see one dog.", "photo")
    assert len(stage.queue.jobs) == 2
