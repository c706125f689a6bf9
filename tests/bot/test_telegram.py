"""The Telegram frontend with the real client, its transport plugged into a world in memory."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image as Pillow
from telegram.error import NetworkError

from bot.hub import FrontendError, Hub
from bot.settings import Settings
from bot.telegram.frontend import TelegramFrontend
from bot.telegram.intake import Place
from bot.telegram.questions import LIFETIME, Questions
from handlers.kit.reply import File, Question, Reply
from handlers.kit.request import Call, PictureGone, PictureRef, PictureTooLarge
from handlers.kit.studio import Studio
from inference.jobs import Done, Queued, Token
from inference.tasks.text_generation import GeneratedText
from tests.bot.telegram_doubles import FOUND, ScriptedQueue, photo
from tests.e2e.telegram_server import (
    TOKEN,
    Person,
    Refusal,
    World,
    WorldRequest,
    bad,
    too_many,
)
from tests.fakes import services

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001


@dataclass
class Stage:
    """A world with the bot in it."""

    world: World
    queue: ScriptedQueue
    hub: Hub
    frontend: TelegramFrontend


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path), language="en", _env_file=None)


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """One drawing process for all tests; starting it takes a second."""
    studio = Studio()
    yield studio
    studio.close()


@pytest.fixture
async def stage(settings: Settings, studio: Studio) -> AsyncIterator[Stage]:
    world, queue = World(), ScriptedQueue()
    queue.hold.set()
    hub = Hub(replace(services(queue), studio=studio), settings)
    frontend = TelegramFrontend(hub, TOKEN, request=WorldRequest(world))
    hub.frontends["telegram"] = frontend
    await frontend.start()
    await world.until(lambda: "setMyShortDescription" in world.methods()[-1:], "the menu")
    world.calls.clear()
    try:
        yield Stage(world, queue, hub, frontend)
    finally:
        queue.hold.set()
        await frontend.stop()
    world.check()


async def settled(world: World, times: int = 30) -> None:
    """Let everything that is due in this moment happen."""
    for _ in range(times):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)


# --- a photo goes in, an annotated photo comes out -----------------------------------------------


@pytest.mark.parametrize("typed", ["/algıla güven:0,4", "/algila güven:0,4", "/detect güven:0.4"])
async def test_a_command_under_a_photo_is_answered_with_a_photo(stage: Stage, typed: str) -> None:
    await stage.world.shows(EFE, photo(), typed)
    answer = await stage.world.reads(EFE.id, "köpek", "photo")
    assert stage.queue.jobs[0].payload.confidence == 0.4
    assert answer.data != photo()
    with Pillow.open(io.BytesIO(answer.data)) as picture:
        assert picture.format == "JPEG"
    assert [button["text"] for button in answer.buttons if "callback_data" in button]
    assert stage.world.visible(EFE.id) == [answer]  # the status message is gone


async def test_a_status_message_comes_first_and_says_the_position(stage: Stage) -> None:
    stage.queue.script = [Queued(3, 5, 12.0), FOUND]
    stage.queue.hold.clear()
    await stage.world.shows(ADA, photo(), "/detect")
    status = await stage.world.reads(ADA.id, "number 3 in the queue")
    assert status.button("Cancel")
    stage.queue.hold.set()
    await stage.world.reads(ADA.id, "dog", "photo")
    await stage.world.until(lambda: status.deleted, "the status message to go")


async def test_a_command_in_reply_to_a_picture(stage: Stage) -> None:
    message = await stage.world.shows(ADA, photo())
    await stage.world.says(ADA, "/detect", reply_to_message=message)
    await stage.world.reads(ADA.id, "dog", "photo")


async def test_an_image_sent_as_a_file_is_a_picture_and_another_file_is_not(stage: Stage) -> None:
    file_id = stage.world.store(photo())
    document = {"file_id": file_id, "file_unique_id": "u", "mime_type": "image/png"}
    await stage.world.says(ADA, caption="/detect", document=document)
    await stage.world.reads(ADA.id, "dog", "photo")
    await stage.world.says(ADA, document=document | {"mime_type": "application/zip"})
    await stage.world.reads(ADA.id, "cannot read this kind of message")


async def test_the_largest_size_is_taken(stage: Stage) -> None:
    data = photo(200, 150)
    await stage.world.shows(ADA, data, "/detect")
    await stage.world.reads(ADA.id, "dog", "photo")
    assert stage.queue.jobs[0].payload.picture == data


async def test_a_missing_picture_is_asked_for_and_the_next_one_continues(stage: Stage) -> None:
    await stage.world.says(EFE, "/algıla güven:0,6")
    await stage.world.reads(EFE.id, "bir resim gerekiyor")
    await stage.world.shows(EFE, photo())
    await stage.world.reads(EFE.id, "köpek", "photo")
    assert stage.queue.jobs[0].payload.confidence == 0.6


async def test_a_picture_alone_is_offered_to_the_commands_that_take_one(stage: Stage) -> None:
    await stage.world.shows(EFE, photo())
    offer = await stage.world.reads(EFE.id, "Onunla ne yapayım")
    await stage.world.presses_button(EFE, offer, "/algıla")
    await stage.world.reads(EFE.id, "köpek", "photo")


# --- refusals ------------------------------------------------------------------------------------


async def test_a_file_over_20_mb_is_refused_before_it_is_fetched(stage: Stage) -> None:
    big = {"file_id": "x", "file_unique_id": "u", "mime_type": "image/png", "file_size": 21_000_000}
    await stage.world.says(ADA, caption="/detect", document=big)
    await stage.world.reads(ADA.id, "over 20 MB")
    assert "getFile" not in stage.world.methods()
    with pytest.raises(PictureTooLarge):
        await stage.frontend.fetch(PictureRef("telegram", {"file_id": "x", "size": 21_000_000}))


async def test_a_picture_that_is_gone_is_asked_for_again(stage: Stage) -> None:
    with pytest.raises(PictureGone):
        await stage.frontend.fetch(PictureRef("telegram", {"file_id": "unknown", "size": None}))


async def test_something_else_with_a_picture_s_name_is_refused_kindly(stage: Stage) -> None:
    await stage.world.shows(ADA, b"%PDF-1.7 " * 200, "/detect")
    await stage.world.reads(ADA.id, "This is a PDF")


async def test_an_unknown_command_is_answered_with_the_nearest(stage: Stage) -> None:
    await stage.world.says(ADA, "/detekt")
    await stage.world.reads(ADA.id, "/detect?")


async def test_a_number_out_of_range_is_explained(stage: Stage) -> None:
    await stage.world.shows(EFE, photo(), "/algıla güven:7")
    await stage.world.reads(EFE.id, "0,95")


async def test_plain_words_are_offered_to_the_language_model(stage: Stage) -> None:
    text = GeneratedText("upon a time", 3, 30.0, "stop")
    stage.queue.script = [Token("upon "), Token("a time"), Done(text, "SmolLM2", 0.1)]
    await stage.world.says(ADA, "once")
    hint = await stage.world.reads(ADA.id, "commands and pictures")
    await stage.world.presses_button(ADA, hint, "/gpt")
    answer = await stage.world.reads(ADA.id, "upon a time")
    assert "<blockquote>upon a time</blockquote>" in answer.sent_html
    assert stage.queue.jobs[0].payload.messages == (("user", "once"),)


async def test_a_missing_text_is_asked_for_and_the_next_words_continue(stage: Stage) -> None:
    stage.queue.script = [Done(GeneratedText("four", 1, 30.0, "stop"), "SmolLM2", 0.1)]
    await stage.world.says(ADA, "/gpt")
    await stage.world.reads(ADA.id, "needs a value")
    await stage.world.says(ADA, "two and two")
    await stage.world.reads(ADA.id, "four")


async def test_a_new_command_takes_the_place_of_an_open_question(stage: Stage) -> None:
    await stage.world.says(ADA, "/gpt")
    await stage.world.reads(ADA.id, "needs a value")
    await stage.world.says(ADA, "/start")
    await stage.world.reads(ADA.id, "Welcome")
    await stage.world.says(ADA, "two and two")
    await stage.world.reads(ADA.id, "commands and pictures")
    assert not stage.queue.jobs


async def test_questions_are_forgotten_in_time_and_for_each_person_alone() -> None:
    now = [0.0]
    questions = Questions(lambda: now[0])
    asked = Question(Call("detect", {"confidence": 0.5}), "picture")
    questions.ask("telegram:42", "telegram:-1", asked)
    assert questions.open("telegram:42", "telegram:-1") is asked
    assert questions.open("telegram:43", "telegram:-1") is None
    assert questions.open("telegram:42", "telegram:-2") is None
    now[0] = LIFETIME + 1
    assert questions.open("telegram:42", "telegram:-1") is None


async def test_start_is_a_welcome(stage: Stage) -> None:
    await stage.world.says(EFE, "/start")
    await stage.world.reads(EFE.id, "hoş geldin")


async def test_hostile_text_is_answered_and_the_bot_lives_on(stage: Stage) -> None:
    stage.queue.script = [Done(GeneratedText("fine", 1, 30.0, "stop"), "SmolLM2", 0.1)]
    for text in ("/gpt " + "x" * 4090, "/gpt a\u202eb", "/" + "ş" * 4000, "/gpt \u0000", "<b>&"):
        await stage.world.says(ADA, text)
        await stage.world.until(lambda: stage.world.visible(ADA.id), text[:20])
        await asyncio.sleep(0.3)
        stage.world.messages.clear()
        stage.world._sent_at.clear()
    await stage.world.says(ADA, "/gpt hello")
    await stage.world.reads(ADA.id, "fine")


# --- groups --------------------------------------------------------------------------------------


async def test_in_a_group_only_what_is_meant_for_us_is_answered(stage: Stage) -> None:
    world = stage.world
    await world.says(ADA, "hello all", chat=GROUP)
    await world.shows(ADA, photo(), chat=GROUP)
    await world.shows(ADA, photo(), "look at my dog", chat=GROUP)
    await world.shows(ADA, photo(), "/detect@SomeOtherBot", chat=GROUP)
    await world.says(ADA, "/weather", chat=GROUP)
    await world.says(ADA, sticker=STICKER, chat=GROUP)
    await settled(world)
    assert world.messages == []
    asked = await world.shows(ADA, photo(), "/algila@TADIMTESTBOT", chat=GROUP)
    answer = await world.reads(GROUP, "dog", "photo")
    assert answer.reply_to == asked["message_id"]
    await world.says(ADA, "/weather@TadimTestBot", chat=GROUP)
    await world.reads(GROUP, "There is no /weather")


STICKER = {
    "file_id": "s",
    "file_unique_id": "s",
    "type": "regular",
    "width": 512,
    "height": 512,
    "is_animated": False,
    "is_video": False,
}


async def test_in_a_group_a_missing_picture_is_asked_for_by_a_reply_field(stage: Stage) -> None:
    world = stage.world
    await world.says(ADA, "/detect", chat=GROUP)
    question = await world.reads(GROUP, "needs a picture")
    assert question.markup == {"force_reply": True, "selective": True}
    await world.shows(EFE, photo(), chat=GROUP)  # somebody else's picture
    await settled(world)
    assert not stage.queue.jobs
    await world.shows(ADA, photo(), chat=GROUP)
    await world.reads(GROUP, "dog", "photo")


async def test_in_a_group_a_missing_text_is_taken_from_the_reply_only(stage: Stage) -> None:
    world = stage.world
    stage.queue.script = [Done(GeneratedText("four", 1, 30.0, "stop"), "SmolLM2", 0.1)]
    await world.says(ADA, "/gpt", chat=GROUP)
    question = await world.reads(GROUP, "needs a value")
    await world.says(ADA, "how is everybody?", chat=GROUP)
    await settled(world)
    assert not stage.queue.jobs
    await world.says(ADA, "two and two", chat=GROUP, reply_to_message=world._json(question))
    await world.reads(GROUP, "four")
    assert stage.queue.jobs[0].payload.messages == (("user", "two and two"),)


async def test_answers_go_to_the_topic_they_were_asked_in(stage: Stage) -> None:
    topic = {"message_thread_id": 7, "is_topic_message": True}
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP, **topic)
    answer = await stage.world.reads(GROUP, "dog", "photo")
    assert answer.thread == 7


async def test_files_that_are_private_leave_the_group(stage: Stage) -> None:
    reply = Reply(files=(File(b"{}", "my-data.json"),), private=True)
    place = Place(chat=GROUP, user=ADA.id)
    stage.world.known_chats |= {GROUP}
    await stage.frontend.send(place.address(), reply, "en")
    hint = await stage.world.reads(GROUP, "Open a chat with me")
    assert hint.buttons[0]["url"] == "https://t.me/TadimTestBot"
    stage.world.known_chats |= {ADA.id}
    await stage.frontend.send(place.address(), reply, "en")
    await stage.world.reads(GROUP, "sent it to you in private")
    assert [shown.name for shown in stage.world.visible(ADA.id)] == ["my-data.json"]
    anonymous = Place(chat=GROUP, user=GROUP)
    await stage.frontend.send(anonymous.address(), reply, "en")
    assert all(shown.kind == "text" for shown in stage.world.visible(GROUP))


# --- buttons -------------------------------------------------------------------------------------


async def test_again_answers_with_a_new_message_after_acknowledging(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect")
    first = await world.reads(ADA.id, "dog", "photo")
    world.calls.clear()
    await world.presses_button(ADA, first, "Again")
    await world.until(lambda: len(world.visible(ADA.id)) == 2, "a second answer")
    assert world.methods()[0] == "answerCallbackQuery"
    assert len(stage.queue.jobs) == 2


async def test_a_foreign_button_is_refused_to_its_presser_alone(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect", chat=GROUP)
    answer = await world.reads(GROUP, "dog", "photo")
    query = await world.presses_button(EFE, answer, "Again")
    await world.until(lambda: query in world.answered_presses, "the refusal")
    assert world.answered_presses[query]["alert"]
    assert "sahibi: Ada" in world.answered_presses[query]["text"]
    assert world.visible(GROUP) == [answer]


async def test_a_button_that_nobody_knows_is_acknowledged(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect")
    answer = await world.reads(ADA.id, "dog", "photo")
    stage.hub.services.memory.buttons.clear()  # type: ignore[attr-defined]
    query = await world.presses_button(ADA, answer, "Again")
    await world.until(lambda: query in world.answered_presses, "the refusal")
    assert "no longer know" in world.answered_presses[query]["text"]


async def test_a_late_acknowledgement_does_no_harm(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect")
    answer = await world.reads(ADA.id, "dog", "photo")
    world.faults["answerCallbackQuery"].append(bad("query is too old"))
    await world.presses_button(ADA, answer, "Again")
    await world.until(lambda: len(world.visible(ADA.id)) == 2, "the answer nevertheless")


async def test_cancel_is_a_notice_and_the_status_message_says_so(stage: Stage) -> None:
    world = stage.world
    stage.queue.hold.clear()
    await world.shows(ADA, photo(), "/detect")
    status = await world.reads(ADA.id, "is at work")
    query = await world.presses_button(ADA, status, "Cancel")
    await world.reads(ADA.id, "Cancelled.")
    assert world.visible(ADA.id) == [status]
    assert world.answered_presses[query]["text"]
    assert len(stage.queue.cancelled) == 1


# --- order, repetition, quarrels with Telegram ---------------------------------------------------


async def test_one_person_s_long_work_blocks_neither_others_nor_their_own_next_command(
    stage: Stage,
) -> None:
    stage.queue.hold.clear()
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.world.reads(ADA.id, "is at work")
    await stage.world.says(EFE, "/start")
    await stage.world.reads(EFE.id, "hoş geldin")
    await stage.world.says(ADA, "/start")
    await stage.world.reads(ADA.id, "Welcome")


async def test_a_whole_class_presses_at_once_and_everybody_is_answered_within_the_limits(
    stage: Stage,
) -> None:
    """The world counts: more than Telegram allows would be a violation."""
    pupils = [Person(100 + number, "Pupil", "tr") for number in range(40)]
    for pupil in pupils:
        await stage.world.shows(pupil, photo(), "/algıla")
    for pupil in pupils:
        await stage.world.reads(pupil.id, "köpek", "photo")
    assert len(stage.queue.jobs) == 40


async def test_commands_are_acknowledged_in_the_order_of_asking(stage: Stage) -> None:
    stage.queue.hold.clear()
    asked = []
    for _ in range(2):
        message = await stage.world.shows(ADA, photo(), "/detect")
        asked.append(message["message_id"])
    asked.append((await stage.world.says(ADA, "/start"))["message_id"])
    await stage.world.until(lambda: len(stage.world.messages) == 3, "three first words")
    assert [shown.reply_to for shown in stage.world.messages] == asked
    stage.queue.hold.set()


async def test_an_update_that_comes_twice_is_answered_once(stage: Stage) -> None:
    await stage.world.says(ADA, "/start")
    await stage.world.reads(ADA.id, "Welcome")
    await stage.world.repeat_last_update()
    await settled(stage.world)
    assert len(stage.world.messages) == 1


async def test_flood_control_is_obeyed_and_the_answer_still_comes(stage: Stage) -> None:
    stage.world.faults["sendMessage"].append(too_many(1))
    await stage.world.says(ADA, "/start")
    await stage.world.reads(ADA.id, "Welcome")


async def test_flood_control_of_an_edit_costs_only_that_edit(stage: Stage) -> None:
    text = GeneratedText("one two", 2, 30.0, "stop")
    stage.queue.script = [Token("one "), Token("two"), Done(text, "SmolLM2", 0.1)]
    stage.queue.hold.clear()
    stage.world.faults["editMessageText"].extend([too_many(1), too_many(1)])
    await stage.world.says(ADA, "/gpt count")
    await stage.world.until(lambda: stage.world.messages, "a first word")
    stage.queue.hold.set()
    answer = await stage.world.reads(ADA.id, "Model: SmolLM2")
    assert "one two" in answer.text


async def test_not_modified_is_no_error(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.queue.script = [Done(GeneratedText("x", 1, 30.0, "stop"), "SmolLM2", 0.1)]
    stage.queue.hold.clear()
    await stage.world.says(ADA, "/gpt count")
    status = await stage.world.reads(ADA.id, "I am on it")
    stage.world.faults["editMessageText"].append(
        bad("message is not modified: specified new message content is the same")
    )
    stage.queue.hold.set()
    await stage.world.until(lambda: not stage.world.faults["editMessageText"], "the edit")
    await settled(stage.world)
    assert stage.world.visible(ADA.id) == [status]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_status_message_that_the_reader_deleted_is_replaced(stage: Stage) -> None:
    stage.queue.script = [Done(GeneratedText("late", 1, 30.0, "stop"), "SmolLM2", 0.1)]
    stage.queue.hold.clear()
    await stage.world.says(ADA, "/gpt count")
    status = await stage.world.reads(ADA.id, "I am on it")
    status.deleted = True
    stage.queue.hold.set()
    await stage.world.reads(ADA.id, "late")


async def test_a_network_failure_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.outbox.PAUSES", (0.01, 0.01))
    stage.world.faults["sendMessage"].extend([NetworkError("lost"), Refusal(502, "Bad Gateway")])
    await stage.world.says(ADA, "/start")
    await stage.world.reads(ADA.id, "Welcome")


async def test_a_photo_that_telegram_refuses_goes_out_as_a_file(stage: Stage) -> None:
    stage.world.faults["sendPhoto"].append(bad("IMAGE_PROCESS_FAILED"))
    await stage.world.shows(ADA, photo(), "/detect")
    answer = await stage.world.reads(ADA.id, "dog", "document")
    assert answer.button("Again")


async def test_where_pictures_are_forbidden_the_words_come_alone(stage: Stage) -> None:
    stage.world.faults["sendPhoto"].append(bad("not enough rights to send photos to the chat"))
    await stage.world.shows(ADA, photo(), "/detect", chat=GROUP)
    answer = await stage.world.reads(GROUP, "does not let me send pictures")
    assert "dog" in answer.text


async def test_whoever_blocks_the_bot_is_left_alone_and_their_work_is_stopped(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.queue.hold.clear()
    stage.world.blocked.add(ADA.id)
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.world.until(lambda: stage.queue.cancelled, "the end of the work")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_group_that_became_a_supergroup_is_followed(stage: Stage) -> None:
    migrated = Refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1002)
    stage.world.known_chats.add(-1002)
    stage.world.faults["sendMessage"].append(migrated)
    await stage.world.says(ADA, "/detect", chat=GROUP)
    await stage.world.reads(-1002, "needs a picture")


async def test_markup_that_telegram_cannot_read_is_sent_plain(stage: Stage) -> None:
    stage.world.faults["sendMessage"].append(bad("can't parse entities: whatever"))
    await stage.world.says(ADA, "/start")
    shown = await stage.world.reads(ADA.id, "Welcome")
    assert shown.text == shown.sent_html


async def test_whoever_writes_too_fast_is_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    memory = stage.hub.services.memory
    language = memory.language

    async def slow(user: str) -> str | None:
        await gate.wait()
        return await language(user)

    monkeypatch.setattr(memory, "language", slow)
    monkeypatch.setattr("bot.telegram.lanes.LONGEST", 2)
    for _ in range(5):
        await stage.world.says(ADA, "/start")
    await settled(stage.world)
    gate.set()
    await stage.world.reads(ADA.id, "faster than I can read")
    await stage.world.until(lambda: len(stage.world.messages) == 3, "the rest")
    await settled(stage.world)
    assert len(stage.world.messages) == 3


async def test_a_failing_store_is_answered_with_a_number_to_report(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(user: str) -> str | None:
        raise OSError("disk full")

    monkeypatch.setattr(stage.hub.services.memory, "language", broken)
    await stage.world.says(ADA, "/help")
    await stage.world.reads(ADA.id, "it is our fault")


async def test_an_answer_comes_even_where_its_buttons_cannot_be_stored(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(stage.hub.services.memory, "save_buttons", broken)
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.world.reads(ADA.id, "it is our fault")


# --- language, menu, notices ---------------------------------------------------------------------


async def test_the_reader_s_choice_goes_before_their_client(stage: Stage) -> None:
    await stage.hub.services.memory.set_language("telegram:42", "tr")
    await stage.world.says(ADA, "/detect")
    await stage.world.reads(ADA.id, "bir resim gerekiyor")


async def test_the_menu_is_there_in_both_languages_and_sent_only_once(
    stage: Stage, settings: Settings
) -> None:
    assert {"algila", "gpt"} <= set(stage.world.menu("tr", "all_private_chats"))
    assert {"detect", "gpt"} <= set(stage.world.menu("en", "all_private_chats"))
    record = settings.data_folder / "telegram-commands.json"
    async with asyncio.timeout(20):
        while not record.exists():  # written by a thread, after the last menu was sent
            await asyncio.sleep(0.01)
    sent = json.loads(record.read_text())
    assert set(sent) == {"sent"}

    world = World()
    again = TelegramFrontend(stage.hub, TOKEN, request=WorldRequest(world))
    await again.start()
    await settled(world)
    await again.stop()
    assert world.menus == {}


async def test_a_notice_finds_the_chat_and_its_buttons_belong_to_the_asker(stage: Stage) -> None:
    stage.world.known_chats.add(EFE.id)
    place = Place(chat=EFE.id, user=EFE.id)
    address = json.loads(json.dumps(dict(place.address().place)))
    assert Place.of(place.address()) == place
    assert address["chat"] == EFE.id
    await stage.frontend.send(place.address(), Reply.say("cancelled"), "tr")
    await stage.world.reads(EFE.id, "İptal edildi.")


async def test_references_hold_no_address_of_telegram(stage: Stage) -> None:
    await stage.world.shows(ADA, photo(), "/detect")
    await stage.world.reads(ADA.id, "dog", "photo")
    stored = json.dumps(
        [dict(button.call.arguments) for button in stage.hub.services.memory.buttons.values()]  # type: ignore[attr-defined]
    )
    assert "file_id" in stored
    assert TOKEN not in stored
    assert "photos/" not in stored


# --- the connection ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["", "hello", "123456789:ABC DEF", "987654321:AAFwrongwrongwrong", TOKEN + "\n"]
)
async def test_a_wrong_token_is_one_clear_sentence_without_the_token(
    settings: Settings, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub = Hub(services(ScriptedQueue()), settings)
    with pytest.raises(FrontendError, match="TELEGRAM_TOKEN") as raised:
        await TelegramFrontend(hub, token, request=WorldRequest(World())).start()
    if token:
        assert token not in str(raised.value) + caplog.text
    assert raised.value.__cause__ is None


async def test_without_a_network_it_starts_and_keeps_trying(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.faults["getMe"].extend([NetworkError("no route"), NetworkError("no route")])
    waits: list[float] = []
    sleep = asyncio.sleep

    async def patient(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("bot.telegram.connection.asyncio.sleep", patient)
    frontend = TelegramFrontend(
        Hub(services(ScriptedQueue()), settings), TOKEN, request=WorldRequest(world)
    )
    assert frontend.address == ""
    await frontend.start()
    await world.until(lambda: "setMyCommands" in world.methods(), "the connection")
    assert frontend.address == "https://t.me/TadimTestBot"
    assert waits[:2] == [1.0, 2.0]
    await frontend.stop()
    world.check()


async def test_stopping_without_ever_connecting(settings: Settings) -> None:
    world = World()
    world.faults["getMe"].extend([NetworkError("no route")] * 5)
    frontend = TelegramFrontend(
        Hub(services(ScriptedQueue()), settings), TOKEN, request=WorldRequest(world)
    )
    await frontend.start()
    await frontend.stop()


async def test_a_call_whose_command_is_no_more_is_refused_kindly(stage: Stage) -> None:
    world = stage.world
    await world.shows(ADA, photo(), "/detect")
    answer = await world.reads(ADA.id, "dog", "photo")
    for token, stored in stage.hub.services.memory.buttons.items():  # type: ignore[attr-defined]
        old = type(stored)(Call("vanished"), stored.user, stored.chat)
        stage.hub.services.memory.buttons[token] = old  # type: ignore[attr-defined]
    query = await world.presses_button(ADA, answer, "Again")
    await world.until(lambda: query in world.answered_presses, "the refusal")
    assert "no longer know" in world.answered_presses[query]["text"]
