"""The Delete button: what it says, and what comes of pressing it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import (
    CallbackQuery,
    Chat,
    InaccessibleMessage,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    User,
)
from telegram.error import NetworkError

from bot.settings import Settings
from bot.telegram.deletion import DATA_BYTES, Deletion, delete, deletion_data, deletion_of
from bot.telegram.intake import Place
from handlers.kit.reply import Button, Generated, Image, Reply
from inference.jobs import Done
from inference.tasks.text_generation import GeneratedText
from locales import Message as Words
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Person, Refusal, Shown, bad

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001
DELETE = Button(Words("button-delete"), deletes=True)
HOURS = 3600.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_folder=str(tmp_path), language="en", admins=["telegram:77"], _env_file=None
    )


@pytest.fixture
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    async with on_stage(settings) as stage:
        stage.world.known_chats |= {ADA.id, GROUP}
        yield stage


async def answered(stage: Stage, reply: Reply, chat: int = GROUP) -> list[Shown]:
    """Ada gets an answer; gives its messages."""
    before = len(stage.world.messages)
    sending = stage.frontend.send(Place(chat, ADA.id).address(), reply, "en")
    stage.frontend._spawn(lambda: sending)
    await stage.goes_on(60)
    return stage.world.messages[before:]


async def pressed(stage: Stage, who: Person, shown: Shown, label: str = "Delete") -> dict[str, str]:
    """How the press is answered."""
    query = await stage.world.presses_button(who, shown, label)
    await stage.goes_on(1)
    return stage.world.answered_presses[query]


SILENT = {"text": "", "alert": False}


# --- what it says --------------------------------------------------------------------------------


def query(data: str, message: Message | InaccessibleMessage | None) -> CallbackQuery:
    return CallbackQuery("1", User(42, "Ada", False), "1", message=message, data=data)


def answer(message: int, *buttons: str) -> Message:
    """A message of ours with these buttons."""
    rows = [[InlineKeyboardButton("x", callback_data=data)] for data in buttons]
    chat, now = Chat(GROUP, "supergroup"), datetime.now(UTC)
    return Message(message, now, chat, reply_markup=InlineKeyboardMarkup(rows))


@given(
    st.integers(-(2**52), 2**52),
    st.lists(st.integers(1, 2**31), max_size=30, unique=True),
)
def test_the_data_fits_and_names_the_newest_messages(owner: int, others: Sequence[int]) -> None:
    data = deletion_data(owner, others)
    assert len(data.encode()) <= DATA_BYTES
    deletion = deletion_of(query(data, answer(2**31 + 1, data)))
    assert deletion is not None
    assert deletion.owner == owner
    own, *named = deletion.messages
    assert own == 2**31 + 1
    assert named == sorted(others, reverse=True)[: len(named)]
    assert len(named) >= min(len(others), 4)


def test_all_messages_of_a_long_answer_fit() -> None:
    """An album of ten and eight pages more, by somebody with a long id in a busy group."""
    others = [*range(2_000_000_000, 2_000_000_010), *range(2_000_000_013, 2_000_000_033, 3)]
    data = deletion_data(7_999_999_999, others)
    deletion = deletion_of(query(data, answer(2_000_000_040, data)))
    assert deletion is not None
    assert set(deletion.messages) == {*others, 2_000_000_040}


@pytest.mark.parametrize(
    "data", ["d1:", "d1:16", "d1:16:.", "d1:16:A", "d1:--6:1", "d1:16:1..2", "d1:ş:1", "t1:abc"]
)
def test_what_is_none_of_ours_deletes_nothing(data: str) -> None:
    assert deletion_of(query(data, answer(7, data))) is None


def test_the_message_must_have_the_button() -> None:
    """A client may send any data in the name of a button."""
    forged = deletion_data(42, [5, 6])
    assert deletion_of(query(forged, answer(7, deletion_data(43, [5, 6])))) is None
    assert deletion_of(query(forged, answer(7))) is None
    assert deletion_of(query(forged, answer(7, "t1:abc", forged))) == Deletion(42, (7, 6, 5))
    gone = InaccessibleMessage(Chat(GROUP, "supergroup"), 7)
    assert deletion_of(query(forged, gone)) is None


# --- what comes of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [ADA.id, GROUP])
async def test_the_owner_deletes_all_messages_also_after_a_restart(stage: Stage, chat: int) -> None:
    pictures = tuple(Image(photo(), f"{n}.jpg", Words("cancelled")) for n in range(4))
    text = Generated("A sentence. " * 800)
    messages = await answered(
        stage, Reply(blocks=(text,), pictures=pictures).with_buttons(DELETE), chat
    )
    assert len(messages) == 7
    await stage.restarts()
    assert await pressed(stage, ADA, messages[-1]) == SILENT
    assert all(shown.deleted for shown in messages)


async def test_a_status_message_that_became_the_answer_goes_too(stage: Stage) -> None:
    text = GeneratedText("A sentence. " * 800, 3, 30.0, "stop")
    stage.queue.script = [Done(text, "SmolLM2", 0.1)]
    stage.queue.hold.clear()
    await stage.world.says(ADA, "/gpt long", chat=GROUP)
    await stage.goes_on(2)
    (status,) = stage.world.visible(GROUP)
    stage.queue.hold.set()
    await stage.goes_on(60)
    first, *_, last = stage.world.visible(GROUP)
    assert first is status
    assert await pressed(stage, ADA, last) == SILENT
    assert stage.world.visible(GROUP) == []


async def test_every_answer_of_a_command_can_be_deleted(stage: Stage) -> None:
    await stage.world.shows(EFE, photo(), "/algıla")
    await stage.goes_on(5)
    (found,) = stage.world.visible(EFE.id)
    assert found.buttons[-1]["text"] == "Sil"
    assert await pressed(stage, EFE, found, "Sil") == SILENT
    assert stage.world.visible(EFE.id) == []


async def test_others_are_told_whose_it_is(stage: Stage) -> None:
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP)
    await stage.goes_on(5)
    (found,) = stage.world.visible(GROUP)
    said = await pressed(stage, EFE, found)
    assert said["alert"]
    assert said["text"] == "Bu düğmenin sahibi: Ada. Komutu yazarsan sana da bir tane gelir."
    assert not found.deleted


@pytest.mark.parametrize("status", ["administrator", "creator"])
async def test_who_looks_after_the_group_may_delete(stage: Stage, status: str) -> None:
    stage.world.members[GROUP, EFE.id] = status
    (one,) = await answered(stage, Reply.say("cancelled").with_buttons(DELETE))
    assert await pressed(stage, EFE, one) == SILENT
    assert one.deleted


async def test_whoever_the_configuration_names_may_delete(stage: Stage) -> None:
    (one,) = await answered(stage, Reply.say("cancelled").with_buttons(DELETE))
    assert await pressed(stage, Person(77, "Operator"), one) == SILENT
    assert one.deleted


async def test_after_two_days_one_sentence_says_why_it_stays(stage: Stage) -> None:
    (one,) = await answered(stage, Reply.say("cancelled").with_buttons(DELETE))
    await stage.goes_on(49 * HOURS)
    said = await pressed(stage, ADA, one)
    assert said["alert"]
    assert "two days" in said["text"]
    assert not one.deleted


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (bad("message can't be deleted for everyone"), "two days"),
        (Refusal(403, "Forbidden: bot was kicked from the supergroup chat"), "two days"),
        (NetworkError("lost"), "once more"),
        (Refusal(502, "Bad Gateway"), "once more"),
    ],
)
async def test_a_refusal_is_said_kindly(stage: Stage, fault: Exception, words: str) -> None:
    (one,) = await answered(stage, Reply.say("cancelled").with_buttons(DELETE))
    stage.world.faults["deleteMessages"].append(fault)  # type: ignore[arg-type]
    said = await pressed(stage, ADA, one)
    assert said["alert"]
    assert words in said["text"]
    assert await pressed(stage, ADA, one) == SILENT


async def test_a_slow_deletion_does_not_keep_the_button_spinning(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on only when the press has been acknowledged."""
    (one,) = await answered(stage, Reply.say("cancelled").with_buttons(DELETE))

    async def slow(*arguments: Any) -> str | None:
        await stage.world.until(lambda: stage.world.answered_presses, "the acknowledgement")
        return await delete(*arguments)

    monkeypatch.setattr("bot.telegram.conversation.delete", slow)
    monkeypatch.setattr("bot.telegram.conversation.TOAST_GRACE", 0.01)
    query = await stage.world.presses_button(ADA, one, "Delete")
    await stage.world.until(lambda: one.deleted, "the deletion")
    assert stage.world.answered_presses[query] == SILENT


async def test_it_needs_no_store(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(user: str) -> str | None:
        raise OSError("disk full")

    (one,) = await answered(stage, Reply.say("cancelled").with_buttons(DELETE))
    monkeypatch.setattr(stage.hub.services.memory, "language", broken)
    said = await pressed(stage, EFE, one)
    assert said["text"].startswith("This button belongs to somebody else.")
    assert not one.deleted
    assert await pressed(stage, ADA, one) == SILENT
    assert one.deleted
