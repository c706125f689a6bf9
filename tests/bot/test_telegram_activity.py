"""“typing…”: while work goes on and nothing is shown, where it costs nobody a message."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image as Pillow
from telegram.error import NetworkError

from bot.settings import Settings
from bot.telegram.intake import Place
from handlers.kit.reply import File, Image, Reply
from inference.jobs import Done, Token
from inference.tasks.text_generation import GeneratedText
from locales import Message
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Person, Refusal, too_many

ADA = Person(42, "Ada", "en")
GROUP = -1001


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        stage.queue.hold.clear()
        yield stage


def actions(stage: Stage) -> list[str]:
    calls = stage.world.calls
    return [call.parameters["action"] for call in calls if call.method == "sendChatAction"]


async def test_typing_is_shown_again_and_again_until_the_answer_is_there(stage: Stage) -> None:
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.goes_on(3)
    assert actions(stage) == [], "the status message has just come"
    await stage.goes_on(2)
    assert actions(stage) == ["typing"]
    await stage.goes_on(18)
    assert actions(stage) == ["typing"] * 5
    stage.queue.hold.set()
    await stage.goes_on(30)
    assert actions(stage) == ["typing"] * 5
    methods = [call.method for call in stage.world.calls]
    assert methods.index("sendPhoto") > len(methods) - 1 - methods[::-1].index("sendChatAction")


async def test_no_typing_where_something_new_is_shown(stage: Stage) -> None:
    gates = [asyncio.Event() for _ in range(6)]
    words = [each for gate in gates for each in (gate, Token("word "))]
    whole = GeneratedText("word " * 6, 6, 30.0, "stop")
    stage.queue.script = [*words, Done(whole, "SmolLM2", 0.1)]  # type: ignore[list-item]
    await stage.world.says(ADA, "/gpt count")
    for gate in gates:
        await stage.goes_on(4)
        gate.set()
    await stage.goes_on(4)
    assert actions(stage) == []
    await stage.goes_on(1)
    assert actions(stage) == ["typing"]
    stage.queue.hold.set()


async def test_typing_is_shown_in_the_topic(stage: Stage) -> None:
    topic = {"message_thread_id": 7, "is_topic_message": True}
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP, **topic)
    await stage.goes_on(6)
    (action,) = (call for call in stage.world.calls if call.method == "sendChatAction")
    assert action.parameters == {"chat_id": GROUP, "action": "typing", "message_thread_id": 7}
    stage.queue.hold.set()


async def test_a_group_whose_budget_is_in_use_sees_none(stage: Stage) -> None:
    """Seven ask: what is shown as typing must leave their answers room within the minute."""
    for number in range(7):
        person = Person(100 + number, "Pupil", "en")
        await stage.world.shows(person, photo(), "/detect", chat=GROUP)
    await stage.goes_on(11)
    assert actions(stage) == []
    stage.queue.hold.set()
    await stage.goes_on(60)
    assert actions(stage) == []


async def test_where_many_ask_their_answers_come_no_later_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answered_after() -> float:
        stage.queue.hold.clear()
        pupils = [Person(100 + number, "Pupil", "en") for number in range(100)]
        before = len(stage.world.messages)
        for pupil in pupils:
            await stage.world.shows(pupil, photo(), "/detect")
        await stage.goes_on(20)
        began = stage.clock.now
        stage.queue.hold.set()
        photos = 0
        while photos < len(pupils):
            await stage.goes_on(0.1)
            photos = sum(s.kind == "photo" for s in stage.world.messages[before:])
        return stage.clock.now - began

    with_typing = await answered_after()
    assert len(actions(stage)) > 100
    await stage.goes_on(10)
    monkeypatch.setattr("bot.pace.Pace.spare", lambda pace, chat: False)
    assert with_typing <= await answered_after() + 0.2


@pytest.mark.parametrize("fault", [NetworkError("lost"), Refusal(500, "Internal"), too_many(7)])
async def test_a_failure_is_passed_over(stage: Stage, fault: Exception) -> None:
    stage.world.faults["sendChatAction"].append(fault)  # type: ignore[arg-type]
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.goes_on(6)
    stage.queue.hold.set()
    await stage.goes_on(1)
    # Only the pause that Telegram asked for is kept.
    paused = "retry_after" in str(getattr(fault, "body", ""))
    assert [s.kind for s in stage.world.visible(ADA.id)] == (["text"] if paused else ["photo"])
    await stage.goes_on(6)
    assert [shown.kind for shown in stage.world.visible(ADA.id)] == ["photo"]


# --- what is about to come -----------------------------------------------------------------------


def large_picture() -> bytes:
    buffer = io.BytesIO()
    Pillow.effect_noise((1400, 1400), 120).save(buffer, "PNG")
    assert buffer.tell() > 1_000_000
    return buffer.getvalue()


async def sends(stage: Stage, reply: Reply) -> None:
    """Send a reply that is ready; it must be out within half a second."""
    stage.world.known_chats.add(ADA.id)
    address = Place(ADA.id, ADA.id).address()
    sending = asyncio.create_task(stage.frontend.send(address, reply, "en"))
    await stage.goes_on(0.5)
    assert sending.done()


LARGE = Reply(pictures=(Image(large_picture(), "noise.png", Message("cancelled")),))


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        (LARGE, "upload_photo"),
        (Reply(files=(File(bytes(1_000_001), "a.bin"),)), "upload_document"),
        (
            Reply(pictures=(Image(bytes(4) + bytes(1_000_001), "a.mp4", Message("cancelled")),)),
            "upload_video",
        ),
    ],
)
async def test_what_takes_a_moment_to_send_is_announced(
    stage: Stage, reply: Reply, action: str
) -> None:
    await sends(stage, reply)
    assert stage.world.calls[-2].method == "sendChatAction"
    assert actions(stage) == [action]


async def test_what_is_sent_in_a_moment_is_not_announced(stage: Stage) -> None:
    await sends(stage, Reply(pictures=(Image(photo(), "a.jpg", Message("cancelled")),)))
    assert actions(stage) == []


async def test_an_announcement_that_would_hold_the_answer_up_is_left_out(stage: Stage) -> None:
    """Three pictures are all that a private chat may get at once."""
    await sends(stage, Reply(pictures=LARGE.pictures * 3))
    assert actions(stage) == []
