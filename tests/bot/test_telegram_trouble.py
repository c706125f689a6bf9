"""What goes wrong between people, groups and Telegram, and what becomes of the answer."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from telegram import Update
from telegram.error import NetworkError
from telegram.request import HTTPXRequest

from bot.hub import NotYours
from bot.settings import Settings
from bot.telegram.connection import DiscreetRequest
from bot.telegram.intake import Place
from bot.telegram.media import SMALL_BYTES, Media, shrink
from handlers.kit.reply import File, Reply
from handlers.kit.reply import Image as Picture
from handlers.kit.request import PictureRef
from locales import Message
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import TOKEN, Person, Refusal, Shown, bad, too_many

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001
WORKSHOP = {"id": GROUP, "type": "supergroup", "title": "Workshop"}
NAMELESS = Person(1087968824, "Group", None)  # who stands for anonymous administrators
CHANNEL = {"id": -1009, "type": "channel", "title": "News of AI"}
TOO_LARGE = Refusal(413, "Request Entity Too Large")
SECRET = TOKEN.partition(":")[2]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        stage.world.known_chats |= {ADA.id, GROUP}
        yield stage


def noise(side: int = 1200) -> bytes:
    """A JPEG of more than a byte a pixel."""
    pixels = np.random.default_rng(7).integers(0, 256, (side, side, 3), dtype=np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=95)
    return jpeg.getvalue()


async def sends(stage: Stage, reply: Reply, chat: int = ADA.id, thread: int | None = None) -> None:
    place = Place(chat, ADA.id, thread)
    stage.frontend._spawn(lambda: stage.frontend.send(place.address(), reply, "en"))
    await stage.goes_on(30)


def with_pictures(count: int, data: bytes) -> Reply:
    pictures = tuple(
        Picture(data, f"{number}.jpg", Message("cancelled")) for number in range(count)
    )
    reply = Reply(pictures=pictures)
    return reply.plus(*Reply.say("cancelled").blocks)


def kinds(stage: Stage, chat: int = ADA.id) -> list[str]:
    return [shown.kind for shown in stage.world.visible(chat)]


# --- too many bytes ------------------------------------------------------------------------------


async def test_a_photo_of_too_many_bytes_is_sent_smaller(stage: Stage) -> None:
    stage.world.faults["sendPhoto"].append(TOO_LARGE)
    large = noise()
    await sends(stage, with_pictures(1, large))
    (answer,) = stage.world.visible(ADA.id)
    assert (answer.kind, answer.text) == ("photo", "Cancelled.")
    assert len(large) > SMALL_BYTES >= len(answer.data)
    assert stage.world.methods().count("sendPhoto") == 1, "one refused, one taken"


async def test_an_album_of_too_many_bytes_stays_an_album(stage: Stage) -> None:
    stage.world.faults["sendMediaGroup"].append(TOO_LARGE)
    await sends(stage, with_pictures(3, noise(700)))
    assert kinds(stage) == ["photo", "photo", "photo", "text"]
    assert sum(len(shown.data) for shown in stage.world.visible(ADA.id)) <= SMALL_BYTES


async def test_where_nothing_is_small_enough_the_words_and_the_buttons_come_alone(
    stage: Stage,
) -> None:
    stage.world.faults["sendPhoto"].extend([TOO_LARGE] * 9)
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.goes_on(2)
    (answer,) = stage.world.visible(ADA.id)
    assert "one dog" in answer.text
    assert "too large for Telegram" in answer.text
    assert {"Again", "Delete"} <= {button["text"] for button in answer.buttons}
    assert len(stage.world.faults["sendPhoto"]) == 8, "the same bytes are not sent again"


async def test_a_file_of_too_many_bytes_is_replaced_by_a_sentence(stage: Stage) -> None:
    stage.world.faults["sendDocument"].extend([TOO_LARGE] * 9)
    await sends(stage, Reply(files=(File(b"{}", "all.json"),)))
    assert ["too large for Telegram" in shown.text for shown in stage.world.visible(ADA.id)] == [
        True
    ]
    assert len(stage.world.faults["sendDocument"]) == 8


def test_shrinking_ends_where_a_picture_is_tiny() -> None:
    tiny = shrink(Media("photo", noise(200), "a.png"), 10)
    assert tiny.name == "a.jpg"
    with Image.open(io.BytesIO(tiny.data)) as picture:
        assert max(picture.size) <= 64
    document = Media("document", bytes(100), "a.bin")
    assert shrink(document, 10) is document


# --- places that are no more ---------------------------------------------------------------------


async def test_the_answer_to_a_topic_that_was_deleted_comes_to_the_group(stage: Stage) -> None:
    stage.world.faults["sendPhoto"].append(bad("message thread not found"))
    await sends(stage, with_pictures(1, photo()), GROUP, thread=7)
    (answer,) = stage.world.visible(GROUP)
    assert (answer.kind, answer.thread) == ("photo", None)


@pytest.mark.parametrize(
    "reason",
    ["CHAT_WRITE_FORBIDDEN", "TOPIC_CLOSED", "not enough rights to send text messages to the chat"],
)
async def test_where_we_may_not_write_the_work_is_stopped(
    stage: Stage, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.queue.hold.clear()
    stage.world.faults["sendMessage"].extend([bad(reason)] * 9)
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP)
    await stage.goes_on(5)
    assert len(stage.queue.cancelled) == 1
    assert len(stage.world.faults["sendMessage"]) == 8
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    stage.world.faults["sendMessage"].clear()


async def test_whoever_blocks_us_between_an_album_and_its_words_is_left_alone(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.world.faults["sendMessage"].append(Refusal(403, "Forbidden: bot was blocked by the user"))
    await sends(stage, with_pictures(2, photo()))
    assert kinds(stage) == ["photo", "photo"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_group_s_language_moves_with_it(stage: Stage) -> None:
    memory, world = stage.hub.services.memory, stage.world
    await memory.set_chat_language(f"telegram:{GROUP}", "tr")
    await world.says(ADA, chat=GROUP, migrate_to_chat_id=-1002)
    await stage.goes_on()
    await world.says(ADA, "/detect", chat=-1002)
    await stage.reads(-1002, "bir resim gerekiyor")
    await sends(stage, Reply.say("cancelled"), GROUP)
    assert [shown.chat for shown in world.messages] == [-1002, -1002], "no detour"


# --- in somebody else's name ---------------------------------------------------------------------


def owners(stage: Stage) -> set[str]:
    """Whose all buttons are."""
    return {stored.user for stored in stage.hub.services.memory.buttons.values()}  # type: ignore[attr-defined]


async def asked_anonymously(stage: Stage) -> Shown:
    await stage.world.shows(NAMELESS, photo(), "/detect", chat=GROUP, sender_chat=WORKSHOP)
    return await stage.reads(GROUP, "dog", "photo")


async def test_an_anonymous_administrator_s_buttons_are_theirs(stage: Stage) -> None:
    answer = await asked_anonymously(stage)
    stage.world.members[GROUP, ADA.id] = "administrator"
    for _ in range(2):  # also the button under what came of the button
        await stage.world.presses_button(ADA, answer, "Again")
        await stage.goes_on(5)
        answer = stage.world.visible(GROUP)[-1]
    assert kinds(stage, GROUP) == ["photo"] * 3
    assert owners(stage) == {f"telegram:{GROUP}"}, "they stay anonymous"


async def test_they_are_nobody_else_s(stage: Stage) -> None:
    answer = await asked_anonymously(stage)
    stage.world.members[GROUP, EFE.id] = "member"
    query = await stage.world.presses_button(EFE, answer, "Again")
    await stage.goes_on(5)
    assert "Bu düğmenin sahibi: Workshop." in stage.world.answered_presses[query]["text"]
    assert len(stage.queue.jobs) == 1


async def test_who_writes_as_a_channel_is_answered(stage: Stage) -> None:
    stand_in = Person(136817688, "Channel", None)
    await stage.world.shows(stand_in, photo(), "/detect", chat=GROUP, sender_chat=CHANNEL)
    await stage.reads(GROUP, "dog", "photo")
    assert owners(stage) == {"telegram:-1009"}


async def test_the_post_of_a_channel_asks_for_nothing(stage: Stage) -> None:
    telegram = Person(777000, "Telegram", None)
    more = {"chat": GROUP, "sender_chat": CHANNEL, "is_automatic_forward": True}
    await stage.world.shows(telegram, photo(), "/detect", **more)
    await stage.world._push("channel_post", {"message_id": 1, "date": 1, "chat": CHANNEL})
    await stage.goes_on(10)
    assert stage.world.messages == []


# --- what only the presser sees ------------------------------------------------------------------


async def test_a_notice_is_in_the_presser_s_language_wherever_they_are(stage: Stage) -> None:
    await stage.hub.services.memory.set_chat_language(f"telegram:{GROUP}", "en")
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP)
    answer = await stage.reads(GROUP, "dog", "photo")
    query = await stage.world.presses_button(EFE, answer, "Again")
    await stage.goes_on()
    assert "Bu düğmenin sahibi: Ada." in stage.world.answered_presses[query]["text"]


async def test_a_notice_that_comes_too_late_is_a_message(stage: Stage) -> None:
    stage.queue.hold.clear()
    await stage.world.shows(ADA, photo(), "/detect")
    status = await stage.reads(ADA.id, "is at work")
    stage.world.faults["answerCallbackQuery"].append(bad("query is too old"))
    await stage.world.presses_button(ADA, status, "Cancel")
    await stage.goes_on(5)
    first, second = stage.world.visible(ADA.id)
    assert first.text == "Cancelled."
    assert second.text == "Cancelled: /detect."


async def test_a_notice_comes_even_where_the_store_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.queue.hold.clear()
    await stage.world.shows(EFE, photo(), "/detect")
    status = await stage.reads(EFE.id, "YOLO26n")
    memory = stage.hub.services.memory
    language, calls = memory.language, iter((True,))

    async def failing(user: str) -> str | None:
        if next(calls, False):
            return await language(user)  # for the press
        raise OSError("disk full")

    monkeypatch.setattr(memory, "language", failing)
    query = await stage.world.presses_button(EFE, status, "İptal")
    await stage.goes_on(5)
    assert stage.world.answered_presses[query]["text"] == "Cancelled: /detect."
    assert [shown.text for shown in stage.world.visible(EFE.id)] == ["İptal edildi."]


@pytest.mark.parametrize(
    ("name", "shown"), [("A\nda\u2028\n", "A da"), ("\u202eada", "\ufffdada"), (" \n ", None)]
)
def test_a_name_is_one_visible_line(name: str, shown: str | None) -> None:
    assert NotYours(name).message.arguments.get("name") == shown


# --- too much at once ----------------------------------------------------------------------------


async def test_answers_do_not_heap_up_for_one_person(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.conversation.ANSWERS", 5)
    stage.queue.hold.clear()
    for _ in range(5):
        await stage.world.shows(ADA, photo(), "/detect")
    await stage.goes_on(20)
    first = stage.world.visible(ADA.id)[0]
    for _ in range(20):
        await stage.world.says(ADA, "/language")
    await stage.world.says(EFE, "/language")
    await stage.goes_on(20)
    assert len(stage.world.visible(ADA.id)) == 6, "and one word that it is too much"
    assert len(stage.world.visible(EFE.id)) == 1
    await stage.world.presses_button(ADA, first, "Cancel")
    await stage.goes_on(5)
    assert first.text == "Cancelled."
    stage.queue.hold.set()
    await stage.goes_on(20)
    assert not stage.frontend._conversation._answers
    await stage.world.says(ADA, "/language")
    await stage.reads(ADA.id, "English")


async def test_a_press_that_would_be_too_much_is_refused_in_a_notice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.world.shows(ADA, photo(), "/detect")
    answer = await stage.reads(ADA.id, "dog", "photo")
    monkeypatch.setattr("bot.telegram.conversation.ANSWERS", 1)
    stage.queue.hold.clear()
    await stage.world.presses_button(ADA, answer, "Again")
    await stage.goes_on(2)
    query = await stage.world.presses_button(ADA, answer, "Again")
    await stage.goes_on(2)
    assert "still on their way" in stage.world.answered_presses[query]["text"]
    assert len(stage.hub.services.runs.by_id) == 1


async def test_what_was_taken_before_the_end_is_answered(stage: Stage) -> None:
    message = {
        "message_id": 900,
        "date": 1_790_000_000,
        "chat": {"id": ADA.id, "type": "private", "first_name": "Ada"},
        "from": ADA.json(),
        "text": "/start",
    }
    update = Update.de_json({"update_id": 99_999, "message": message}, stage.frontend._bot)
    consuming = stage.frontend._consuming
    assert consuming is not None
    consuming.cancel()  # the end came in this very moment
    stage.frontend._arrivals.updates.put_nowait(update)
    await stage.passes(stage.restarts())
    assert [shown.text[:7] for shown in stage.world.visible(ADA.id)] == ["Welcome"]


async def test_a_download_waits_as_long_as_telegram_asks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def patient(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("bot.telegram.frontend.asyncio.sleep", patient)
    stage.world.faults["getFile"].extend([too_many(2), NetworkError("lost")])
    file_id = stage.world.store(photo())
    assert await stage.frontend.fetch(PictureRef("telegram", {"file_id": file_id})) == photo()
    assert waits == [2.0, 0.5]


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 404, 413, 502, 599])
async def test_a_page_from_somewhere_on_the_way_is_not_passed_on(
    code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def page(*arguments: object, **more: object) -> tuple[int, bytes]:
        return code, f"<html>no such page: /bot{TOKEN}/getMe</html>".encode()

    monkeypatch.setattr(HTTPXRequest, "do_request", page)
    request = DiscreetRequest(TOKEN)
    with pytest.raises(NetworkError, match=f"HTTP {code}") as raised:
        await request.post(f"https://example.org/bot{TOKEN}/getMe")
    assert SECRET not in str(raised.value) + caplog.text


async def test_a_file_is_passed_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def file(*arguments: object, **more: object) -> tuple[int, bytes]:
        return 200, b"\xff\xd8 no JSON"

    monkeypatch.setattr(HTTPXRequest, "do_request", file)
    assert await DiscreetRequest(TOKEN).retrieve("https://example.org/a") == b"\xff\xd8 no JSON"
