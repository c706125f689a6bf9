"""Edited messages: a command that has changed is a new one, and takes the place of the old one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from telegram import Message

from bot.settings import Settings
from bot.telegram import history
from bot.telegram.intake import Said
from inference.jobs import Done
from inference.tasks.text_generation import GeneratedText
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Person, World

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        yield stage


def said(stage: Stage, chat: int = ADA.id) -> list[str]:
    return [shown.text for shown in stage.world.visible(chat)]


def confidences(stage: Stage) -> list[float]:
    return [job.payload.confidence for job in stage.queue.jobs]


def answering(stage: Stage, text: str = "four") -> None:
    stage.queue.script = [Done(GeneratedText(text, 1, 30.0, "stop"), "SmolLM2", 0.1)]


def another_photo(stage: Stage) -> list[dict[str, Any]]:
    file_id = stage.world.store(photo(90, 60))
    size = {"file_id": file_id, "file_unique_id": "u" + file_id, "width": 90, "height": 60}
    return [size]


# --- nothing has changed -------------------------------------------------------------------------


async def test_an_edit_that_changes_nothing_is_ignored(stage: Stage) -> None:
    message = await stage.world.shows(ADA, photo(), "/detect")
    await stage.reads(ADA.id, "dog", "photo")
    renamed = [size | {"file_id": size["file_id"]} for size in message["photo"]]
    await stage.world.edits(message, photo=renamed, caption_entities=[])
    await stage.goes_on(10)
    assert len(stage.queue.jobs) == 1
    assert len(said(stage)) == 1


async def test_what_telegram_only_calls_edited_is_no_new_message(stage: Stage) -> None:
    """A reaction, a link's preview: on a message that we do not remember, after a restart."""
    message = stage.world._message(ADA, text="/start")
    await stage.world._push("edited_message", message)
    await stage.goes_on(10)
    assert said(stage) == []


async def test_edited_words_are_ignored(stage: Stage) -> None:
    message = await stage.world.says(ADA, "good morning")
    await stage.reads(ADA.id, "commands and pictures")
    await stage.world.edits(message, text="good evening")
    unseen = stage.world._message(ADA, text="good night")
    await stage.world.edits(unseen, text="good night!")
    await stage.goes_on(10)
    assert len(said(stage)) == 1


async def test_an_edit_that_comes_twice_is_answered_once(stage: Stage) -> None:
    message = await stage.world.says(ADA, "/detekt")
    await stage.reads(ADA.id, "/detect?")
    await stage.world.edits(message, text="/start")
    await stage.world.repeat_last_update()
    await stage.reads(ADA.id, "Welcome")
    await stage.goes_on(10)
    assert len(said(stage)) == 2


# --- a command has changed -----------------------------------------------------------------------


async def test_a_mistyped_command_is_mended(stage: Stage) -> None:
    message = await stage.world.shows(ADA, photo(), "/detekt")
    await stage.reads(ADA.id, "/detect?")
    await stage.world.edits(message, caption="/detect")
    answer = await stage.reads(ADA.id, "dog", "photo")
    assert answer.reply_to == message["message_id"]


async def test_a_run_under_way_is_stopped_and_the_edited_command_runs(stage: Stage) -> None:
    stage.queue.hold.clear()
    message = await stage.world.shows(ADA, photo(), "/detect confidence:0.3")
    await stage.reads(ADA.id, "is at work")
    await stage.world.edits(message, caption="/detect confidence:0.6")
    await stage.reads(ADA.id, "You edited the message")
    assert [job.payload.confidence for job in stage.queue.cancelled] == [0.3]
    stage.queue.hold.set()
    await stage.reads(ADA.id, "dog", "photo")
    await stage.goes_on(10)
    assert confidences(stage) == [0.3, 0.6]
    assert len(said(stage)) == 2


async def test_a_finished_command_that_is_edited_is_a_new_one(stage: Stage) -> None:
    message = await stage.world.shows(ADA, photo(), "/detect confidence:0.3")
    await stage.reads(ADA.id, "dog", "photo")
    edited = await stage.world.edits(message, caption="/detect confidence:0.6")
    await stage.goes_on(20)
    await stage.world.edits(edited, photo=another_photo(stage))
    await stage.goes_on(20)
    assert confidences(stage) == [0.3, 0.6, 0.6]
    assert stage.queue.jobs[-1].payload.width == 90
    assert len(said(stage)) == 3


async def test_words_that_become_a_command_are_one(stage: Stage) -> None:
    message = await stage.world.says(ADA, "start")
    await stage.reads(ADA.id, "commands and pictures")
    await stage.world.edits(message, text="/start")
    await stage.reads(ADA.id, "Welcome")


async def test_a_command_that_becomes_words_is_stopped(stage: Stage) -> None:
    stage.queue.hold.clear()
    message = await stage.world.shows(ADA, photo(), "/detect")
    await stage.reads(ADA.id, "is at work")
    edited = await stage.world.edits(message, caption="my dog")
    await stage.reads(ADA.id, "You edited the message")
    stage.queue.hold.set()
    await stage.goes_on(10)
    assert len(stage.queue.cancelled) == 1
    assert len(said(stage)) == 1
    await stage.world.edits(edited, caption="/detect")
    await stage.reads(ADA.id, "dog", "photo")


async def test_an_edit_waits_for_the_message_that_it_edits(stage: Stage) -> None:
    """Both come at once: the first must be remembered before the second is judged."""
    message = await stage.world.shows(ADA, photo(), "/detect", media_group_id="a")
    await stage.world.edits(message, caption="/detect confidence:0.6")
    await stage.reads(ADA.id, "You edited the message")
    await stage.reads(ADA.id, "dog", "photo")
    assert confidences(stage)[-1] == 0.6


def test_only_the_latest_messages_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "AT_MOST", 3)
    world, remembered = World(), history.History()
    pictures = [world._message(ADA, media_group_id="a") for _ in range(2)]
    messages = [Message.de_json(json) for json in (*pictures, world._message(ADA))]
    album = history.Deed(tuple(messages[:2]), Said("", True))
    remembered.note(album)
    assert remembered.begun(messages[0]) is album
    assert remembered.of(messages[1]) is album
    remembered.note(history.Deed((messages[2],), Said("", True)))
    assert [remembered.of(message) is None for message in messages] == [True, False, False]


# --- answers to questions ------------------------------------------------------------------------


async def test_an_answer_that_failed_is_mended(stage: Stage) -> None:
    await stage.world.says(ADA, "/detect confidence:0.6")
    await stage.reads(ADA.id, "needs a picture")
    message = await stage.world.shows(ADA, b"%PDF-1.7 " * 200)
    await stage.reads(ADA.id, "This is a PDF")
    await stage.world.edits(message, photo=another_photo(stage))
    await stage.reads(ADA.id, "dog", "photo")
    assert confidences(stage) == [0.6]


async def test_an_answer_that_is_worked_on_is_replaced_and_one_that_succeeded_is_not(
    stage: Stage,
) -> None:
    answering(stage)
    stage.queue.hold.clear()
    await stage.world.says(ADA, "/gpt")
    await stage.reads(ADA.id, "needs a value")
    message = await stage.world.says(ADA, "two and tow")
    await stage.passes(stage.world.until(lambda: stage.queue.jobs, "the work"))
    edited = await stage.world.edits(message, text="two and two")
    await stage.reads(ADA.id, "You edited the message")
    stage.queue.hold.set()
    await stage.reads(ADA.id, "four")
    await stage.world.edits(edited, text="three and three")
    await stage.goes_on(10)
    assert [job.payload.messages[0][1] for job in stage.queue.jobs] == [
        "two and tow",
        "two and two",
    ]


# --- albums and groups ---------------------------------------------------------------------------


async def test_the_edited_command_of_an_album_is_about_all_its_pictures(stage: Stage) -> None:
    sent = await stage.world.shows_album(ADA, [photo(), photo()], {1: "/detekt"})
    await stage.reads(ADA.id, "/detect?")
    await stage.world.edits(sent[1], caption="/detect")
    await stage.reads(ADA.id, "2. I see one dog.", "text")
    assert len(stage.queue.jobs) == 2


async def test_an_album_that_was_offered_gets_its_command_later(stage: Stage) -> None:
    sent = await stage.world.shows_album(ADA, [photo(), photo()], {})
    await stage.reads(ADA.id, "2 pictures!")
    await stage.world.edits(sent[0], caption="/detect")
    await stage.reads(ADA.id, "2. I see one dog.", "text")


async def test_in_a_group_only_edits_that_are_meant_for_us_are_answered(stage: Stage) -> None:
    message = await stage.world.shows(ADA, photo(), "look", chat=GROUP)
    await stage.world.edits(message, caption="/detect@OtherBot")
    await stage.world.edits(message, caption="look here")
    words = await stage.world.says(ADA, "weather", chat=GROUP)
    await stage.world.edits(words, text="/weather")
    await stage.goes_on(10)
    assert said(stage, GROUP) == []
    await stage.world.edits(message, caption="/detect@TadimTestBot")
    await stage.reads(GROUP, "dog", "photo")


async def test_a_message_number_of_another_chat_is_another_message(stage: Stage) -> None:
    stage.world.known_chats.add(ADA.id)
    message = await stage.world.says(ADA, "/detect", chat=GROUP)
    await stage.reads(GROUP, "needs a picture")
    await stage.world.edits({**message, "chat": ADA.chat_json(ADA.id)}, text="/detect")
    await stage.reads(ADA.id, "needs a picture")
