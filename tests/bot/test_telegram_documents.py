"""Text files: the value of a command's text, in whatever encoding people's editors write."""

from __future__ import annotations

import asyncio
import codecs
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.settings import Settings
from bot.telegram.documents import LIMIT, decode
from handlers.kit.errors import UserError
from handlers.kit.request import PictureRef
from handlers.kit.runner import Run
from inference.jobs import Done
from inference.tasks.text_generation import GeneratedText
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import TOKEN, Person, bad

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001
TURKISH = "Çağrı’nın öğüdü: “şıpsevdi İğde”, 5 €…"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        stage.queue.script = [Done(GeneratedText("so it goes", 3, 30.0, "stop"), "SmolLM2", 0.1)]
        yield stage


def asked(stage: Stage) -> list[str]:
    """The texts that the language model was given."""
    return [job.payload.messages[0][1] for job in stage.queue.jobs]


def said(stage: Stage, chat: int = ADA.id) -> list[str]:
    return [shown.text for shown in stage.world.visible(chat)]


# --- where a text is wanted ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [
        {"name": "a.txt"},
        {"name": "README.MD", "mime_type": "application/octet-stream"},
        {"name": "story", "mime_type": "text/plain"},
    ],
)
async def test_a_text_file_under_a_command_is_its_text(stage: Stage, file: dict[str, str]) -> None:
    message = await stage.world.hands(EFE, TURKISH.encode(), caption="/gpt uzunluk:20", **file)
    answer = await stage.reads(EFE.id, "so it goes")
    assert answer.reply_to == message["message_id"]
    assert asked(stage) == [TURKISH]
    assert stage.queue.jobs[0].payload.max_tokens == 20


async def test_a_command_in_reply_to_a_text_file(stage: Stage) -> None:
    message = await stage.world.hands(ADA, b"once")
    await stage.reads(ADA.id, "commands and pictures")
    await stage.world.says(ADA, "/gpt", reply_to_message=message)
    await stage.reads(ADA.id, "so it goes")
    assert asked(stage) == ["once"]


async def test_what_is_typed_counts_more_than_the_file_that_is_answered(stage: Stage) -> None:
    message = await stage.world.hands(ADA, b"once")
    await stage.world.says(ADA, "/gpt twice", reply_to_message=message)
    await stage.reads(ADA.id, "so it goes")
    await stage.world.says(ADA, "/cancel", reply_to_message=message)
    await stage.reads(ADA.id, "nothing under way")
    assert asked(stage) == ["twice"]


async def test_a_text_file_answers_a_question_for_a_text(stage: Stage) -> None:
    await stage.world.says(ADA, "/gpt length:20")
    await stage.reads(ADA.id, "needs a value")
    await stage.world.hands(ADA, b"once")
    await stage.reads(ADA.id, "so it goes")
    await stage.world.says(ADA, "thanks")
    await stage.reads(ADA.id, "commands and pictures")
    assert asked(stage) == ["once"]
    assert stage.queue.jobs[0].payload.max_tokens == 20


async def test_a_question_stays_open_until_a_file_can_be_read(stage: Stage) -> None:
    await stage.world.says(ADA, "/gpt")
    await stage.reads(ADA.id, "needs a value")
    await stage.world.hands(ADA, b"\x00\x01 garbage")
    await stage.reads(ADA.id, "not plain text")
    await stage.world.hands(ADA, b"once")
    await stage.reads(ADA.id, "so it goes")


async def test_a_text_file_alone_is_offered_to_the_language_model(stage: Stage) -> None:
    await stage.world.hands(ADA, b"once upon a time")
    offer = await stage.reads(ADA.id, "commands and pictures")
    await stage.world.presses_button(ADA, offer, "/gpt")
    await stage.reads(ADA.id, "so it goes")
    assert asked(stage) == ["once upon a time"]


async def test_a_long_text_file_is_too_long_for_a_button(stage: Stage) -> None:
    await stage.world.hands(ADA, b"once " * 10_000)
    offer = await stage.reads(ADA.id, "too long for a button")
    assert not offer.buttons


async def test_an_edited_file_is_read_again(stage: Stage) -> None:
    message = await stage.world.hands(ADA, b"one", caption="/gpt")
    await stage.reads(ADA.id, "so it goes")
    other = stage.world.store(b"two")
    document = message["document"] | {"file_id": other, "file_unique_id": "u" + other}
    await stage.world.edits(message, document=document)
    await stage.goes_on(0)
    await stage.passes(stage.world.until(lambda: len(stage.queue.jobs) == 2, "the second text"))
    assert asked(stage) == ["one", "two"]
    await stage.goes_on(20)


async def test_in_a_group_files_are_read_where_they_are_meant_for_us(stage: Stage) -> None:
    await stage.world.says(ADA, "/gpt", chat=GROUP)
    question = await stage.reads(GROUP, "needs a value")
    await stage.world.hands(ADA, b"for somebody else", chat=GROUP)
    await stage.world.hands(ADA, b"not for us", caption="/gpt@OtherBot", chat=GROUP)
    await stage.goes_on(10)
    assert said(stage, GROUP) == [question.text]
    assert "getFile" not in stage.world.methods()
    reply = stage.world._json(question)
    await stage.world.hands(ADA, b"once", chat=GROUP, reply_to_message=reply)
    await stage.reads(GROUP, "so it goes")
    assert asked(stage) == ["once"]


# --- refusals ------------------------------------------------------------------------------------


async def test_a_file_over_a_megabyte_is_refused_before_it_is_fetched(stage: Stage) -> None:
    await stage.world.hands(ADA, b"x" * (LIMIT + 1), caption="/gpt")
    await stage.reads(ADA.id, "of up to 1 MB")
    assert "getFile" not in stage.world.methods()


async def test_a_file_that_hid_its_size_is_refused_when_it_is_there(stage: Stage) -> None:
    file_id = stage.world.store(b"x" * (LIMIT + 1))
    document = {"file_id": file_id, "file_unique_id": "u", "file_name": "a.txt"}
    await stage.world.says(ADA, caption="/gpt", document=document)
    await stage.reads(ADA.id, "of up to 1 MB")


@pytest.mark.parametrize(
    ("data", "file"),
    [
        (photo(), {"name": "a.txt"}),
        (b"PK\x03\x04\x14\x00\x00\x00", {"name": "a.md", "mime_type": "text/plain"}),
        (b"words", {"name": "a.zip", "mime_type": "application/zip"}),
    ],
)
async def test_what_is_no_text_is_refused(stage: Stage, data: bytes, file: dict[str, str]) -> None:
    await stage.world.hands(ADA, data, caption="/gpt", **file)
    await stage.reads(ADA.id, "not plain text")
    assert not stage.queue.jobs


async def test_a_command_that_takes_no_text_says_so(stage: Stage) -> None:
    await stage.world.hands(EFE, b"words", caption="/algıla")
    await stage.reads(EFE.id, "/algila burada metin dosyası kullanamıyor")
    await stage.world.hands(ADA, b"words", caption="/gpt already typed")
    await stage.reads(ADA.id, "/gpt cannot use a text file here")
    await stage.world.hands(ADA, b"words", caption="/gptt")
    await stage.reads(ADA.id, "/gpt?")
    assert not stage.queue.jobs


async def test_a_text_file_where_a_picture_was_asked_for(stage: Stage) -> None:
    await stage.world.says(ADA, "/detect")
    await stage.reads(ADA.id, "needs a picture")
    await stage.world.hands(ADA, b"words")
    await stage.reads(ADA.id, "/detect cannot use a text file here")


async def test_of_several_text_files_none_is_chosen(stage: Stage) -> None:
    for caption in (None, "/gpt"):
        await stage.world.hands(ADA, b"words", caption=caption, media_group_id="a")
    await stage.reads(ADA.id, "one text file at a time")
    await stage.goes_on(10)
    assert len(said(stage)) == 1


async def test_a_file_that_is_gone_is_asked_for_again(stage: Stage) -> None:
    stage.world.faults["getFile"].append(bad("wrong file_id"))
    await stage.world.hands(ADA, b"words", caption="/gpt")
    await stage.reads(ADA.id, "Send it again")


async def test_too_long_a_text_is_refused_by_the_command(stage: Stage) -> None:
    await stage.world.hands(ADA, b"word " * 1000, caption="/gpt")
    await stage.reads(ADA.id, "4,000")
    assert not stage.queue.jobs


async def test_nothing_that_is_kept_holds_an_address_of_telegram(stage: Stage) -> None:
    await stage.world.hands(ADA, b"once", caption="/gpt")
    await stage.reads(ADA.id, "so it goes")
    memory: Any = stage.hub.services.memory
    stored = json.dumps([dict(button.call.arguments) for button in memory.buttons.values()])
    assert "once" in stored
    assert TOKEN not in stored


# --- while it is read ----------------------------------------------------------------------------


async def test_a_slow_download_is_acknowledged_and_later_messages_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    fetch = stage.frontend.fetch

    async def slow(ref: PictureRef) -> bytes:
        await gate.wait()
        return await fetch(ref)

    monkeypatch.setattr(stage.frontend, "fetch", slow)
    message = await stage.world.hands(ADA, b"once", caption="/gpt")
    await stage.world.says(ADA, "/start")
    begun = await stage.reads(ADA.id, "I am on it")
    assert begun.reply_to == message["message_id"]
    assert said(stage) == [begun.text]
    gate.set()
    await stage.reads(ADA.id, "so it goes")
    await stage.reads(ADA.id, "Welcome")


async def test_the_work_of_somebody_who_blocked_us_meanwhile_is_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Run] = []
    line = stage.hub.line

    async def noted(*arguments: Any) -> Run:
        runs.append(await line(*arguments))
        return runs[-1]

    monkeypatch.setattr(stage.hub, "line", noted)
    stage.world.blocked.add(ADA.id)
    stage.queue.hold.clear()
    await stage.world.hands(ADA, b"once", caption="/gpt")
    await stage.passes(stage.world.until(lambda: runs and runs[0].final, "the end of the work"))
    assert runs[0].final is not None
    assert runs[0].final.blocks == runs[0].farewell.blocks
    assert len(stage.queue.cancelled) == len(stage.queue.jobs)


# --- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        TURKISH.encode(),
        codecs.BOM_UTF8 + TURKISH.encode(),
        TURKISH.encode("utf-16"),
        codecs.BOM_UTF16_BE + TURKISH.encode("utf-16-be"),
        TURKISH.encode("utf-16-le"),
        TURKISH.encode("utf-16-be"),
        TURKISH.encode("utf-32"),
        TURKISH.encode("windows-1254"),
    ],
)
def test_all_encodings_of_turkish_are_read(data: bytes) -> None:
    assert decode(data) == TURKISH


def test_lines_and_pages_end_in_one_way() -> None:
    assert decode(b"one\r\ntwo\rthree\n\ffour\x1a") == "one\ntwo\nthree\n\nfour"
    assert decode(b"") == ""
    assert decode("\u0639\u200c\U0001f600\ttab".encode()) == "\u0639\u200c\U0001f600\ttab"


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_no_text(seed: int) -> None:
    garbage = random.Random(seed).randbytes(1000)
    for mark in (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        with pytest.raises(UserError) as raised:
            decode(mark + garbage)
        assert raised.value.message.key == "telegram-document-not-text"


@pytest.mark.parametrize("data", [b"\x00" * 1000, b"a\x00b", b"\x1b[31mred", photo(), b"\xff\xfea"])
def test_binary_files_are_no_text(data: bytes) -> None:
    with pytest.raises(UserError):
        decode(data)
