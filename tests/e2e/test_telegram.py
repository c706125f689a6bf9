"""The real Telegram client against a strict Bot API of our own, over loopback."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from bot.app import opened
from bot.hub import FrontendError, Hub
from bot.settings import Settings, WeightsSettings
from bot.store import Store
from bot.telegram.frontend import TelegramFrontend
from handlers.kit.runner import Runs
from handlers.kit.services import Services
from handlers.kit.studio import Studio
from inference.jobs import Done, Started, Token
from inference.tasks.text_generation import GeneratedText
from inference.weights import WeightsStore
from locales import Message, words
from tests.bot.telegram_doubles import ScriptedQueue, photo
from tests.e2e.telegram_server import (
    TOKEN,
    Dropped,
    ErrorPage,
    Person,
    Refusal,
    World,
    bad,
    serve,
    too_many,
)

EFE = Person(43, "Efe", "tr-TR")
GROUP = -1001
SECRET = TOKEN.partition(":")[2]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.check()


@pytest.fixture
async def base(world: World) -> AsyncIterator[str]:
    async with serve(world) as base:
        yield base


@pytest.fixture
def queue() -> ScriptedQueue:
    queue = ScriptedQueue()
    queue.hold.set()
    return queue


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path), _env_file=None)


@asynccontextmanager
async def tadim(
    settings: Settings, queue: ScriptedQueue, base: str, token: str = TOKEN
) -> AsyncIterator[TelegramFrontend]:
    """The program from store to frontend, with a scripted queue in the place of the models."""
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        studio = Studio()
        stack.callback(studio.close)
        hub = Hub(Services(queue, store, studio, Runs()), settings)  # type: ignore[arg-type]
        yield await stack.enter_async_context(running(hub, base, token))


@asynccontextmanager
async def running(hub: Hub, base: str, token: str = TOKEN) -> AsyncIterator[TelegramFrontend]:
    frontend = TelegramFrontend(hub, token, base)
    hub.frontends["telegram"] = frontend
    await frontend.start()
    try:
        yield frontend
    finally:
        await frontend.stop()


def streams(queue: ScriptedQueue, *said: str) -> str:
    """Let the model write these words and then wait; gives all of them."""
    whole = GeneratedText("".join(said), len(said), 30.0, "stop")
    queue.script = [*(Token(word) for word in said), Done(whole, "SmolLM2", 0.1)]
    queue.hold.clear()
    return whole.text


# --- a photo goes in, an annotated photo comes out -----------------------------------------------


async def test_a_photo_in_turkish(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    async with tadim(settings, queue, base):
        sent = await world.shows(EFE, photo(), "/algıla güven:0,4")
        answer = await world.reads(EFE.id, "köpek", "photo")
        await world.until(lambda: world.visible(EFE.id) == [answer], "the status message to go")
    assert answer.text.startswith("Gördüklerim:")
    assert "Model: YOLO26n" in answer.text
    assert answer.reply_to == sent["message_id"]
    assert {"Tekrar dene", "Nasıl çalışıyor?"} <= {button["text"] for button in answer.buttons}
    annotated = Image.open(io.BytesIO(answer.data)).convert("RGB")
    plain = Image.open(io.BytesIO(photo())).convert("RGB").resize(annotated.size)
    assert ImageChops.difference(annotated, plain).getbbox() is not None
    assert queue.jobs[0].payload.confidence == 0.4
    assert {"algila", "yardim"} <= set(world.menu("tr", "all_private_chats"))


async def test_an_album_and_a_text_file(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    async with tadim(settings, queue, base):
        await world.shows_album(EFE, [photo(), photo(90, 60)], {1: "/algıla"}, arriving=(1, 0))
        text = await world.reads(EFE.id, "2. Gördüklerim: bir köpek.", "text")
        assert [shown.kind for shown in world.visible(EFE.id)][-3:] == ["photo", "photo", "text"]
        assert "Tekrar dene" in {button["text"] for button in text.buttons}
        queue.script = [Done(GeneratedText("bir varmış", 2, 30.0, "stop"), "SmolLM2", 0.1)]
        await world.hands(EFE, "İki kere iki".encode("windows-1254"), caption="/gpt")
        await world.reads(EFE.id, "bir varmış")
    assert [job.payload.width for job in queue.jobs[:2]] == [80, 90]
    assert queue.jobs[2].payload.messages == (("user", "İki kere iki"),)


@pytest.mark.weights
@pytest.mark.timeout(600)
async def test_a_photo_through_the_real_model(
    world: World,
    base: str,
    tmp_path: Path,
    bus_photo: bytes,
    weights_store: WeightsStore,
    pulled: Callable[[str], Path],
) -> None:
    await asyncio.to_thread(pulled, "yolo26n")
    weights = weights_store.folder
    settings = Settings(data_folder=str(tmp_path), weights=WeightsSettings(folder=str(weights)))
    async with opened(settings) as hub, running(hub, base):
        await hub.services.queue.start()
        await world.shows(EFE, bus_photo, "/algila", chat=GROUP)
        answer = await world.reads(GROUP, "bir otobüs", "photo", patience=300)
    assert "YOLO26n" in answer.text
    with Image.open(io.BytesIO(answer.data)) as drawn:
        assert drawn.size == (810, 1080)


async def test_streamed_text_grows_in_one_message(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    whole = streams(queue, "<Bir> ", "iki & ", "üç")
    async with tadim(settings, queue, base):
        await world.says(EFE, "/gpt say", chat=GROUP)
        growing = await world.reads(GROUP, whole)
        queue.hold.set()
        await world.until(lambda: "Model: SmolLM2" in growing.text, "the final state")
    assert world.visible(GROUP) == [growing]
    assert "<blockquote>&lt;Bir&gt; iki &amp; üç</blockquote>" in growing.sent_html


async def test_in_private_it_grows_in_a_draft(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    whole = streams(queue, "<Bir> ", "iki & ", "üç")
    async with tadim(settings, queue, base):
        await world.says(EFE, "/gpt say")
        await world.until(lambda: world.draft(EFE.id), "the draft")
        assert [(one.text, len(one.buttons)) for one in world.visible(EFE.id)] == [
            ("Yazıyorum…", 1)
        ]
        queue.hold.set()
        answer = await world.reads(EFE.id, whole)
        await world.until(lambda: world.visible(EFE.id) == [answer], "the status message to go")
    assert "<blockquote>&lt;Bir&gt; iki &amp; üç</blockquote>" in world.drafts[-1].html
    assert "<blockquote>&lt;Bir&gt; iki &amp; üç</blockquote>" in answer.sent_html


async def test_where_the_api_has_no_drafts_it_grows_by_edits(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    whole = streams(queue, "Bir ", "iki ", "üç")
    world.faults["sendMessageDraft"].append(Refusal(404, "Not Found"))
    async with tadim(settings, queue, base):
        await world.says(EFE, "/gpt say")
        growing = await world.reads(EFE.id, whole)
        queue.hold.set()
        await world.until(lambda: "Model: SmolLM2" in growing.text, "the final state")
    assert world.visible(EFE.id) == [growing]
    assert "sendMessageDraft" not in world.methods()


async def test_buttons_work_after_a_restart(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    async with tadim(settings, queue, base):
        await world.shows(EFE, photo(), "/algıla")
        first = await world.reads(EFE.id, "köpek", "photo")
    async with tadim(settings, queue, base):
        await world.presses_button(EFE, first, "Tekrar dene")
        await world.until(lambda: len(world.visible(EFE.id)) == 2, "a second answer")
    assert queue.jobs[0].payload == queue.jobs[1].payload
    assert world.methods().count("setMyCommands") == 9  # at the first start only


async def test_faults_on_the_way(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    world.faults["sendMessage"].append(too_many(1))
    world.faults["sendPhoto"].extend([Dropped(), bad("PHOTO_INVALID_DIMENSIONS")])
    world.faults["getFile"].append(Dropped())
    world.faults["getUpdates"].append(Dropped())
    async with tadim(settings, queue, base):
        await world.shows(EFE, photo(), "/algıla")
        await world.reads(EFE.id, "köpek", "document")


async def test_telegram_fails_for_a_while(
    world: World,
    base: str,
    queue: ScriptedQueue,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.telegram.outbox.PAUSES", (0.05, 0.05, 0.05))
    for method in ("getUpdates", "getFile", "sendPhoto"):
        world.faults[method].extend([Refusal(502, "Bad Gateway"), Refusal(500, "Internal")])
    async with tadim(settings, queue, base):
        await world.shows(EFE, photo(), "/algıla")
        answer = await world.reads(EFE.id, "köpek", "photo")
        await world.until(lambda: world.visible(EFE.id) == [answer], "one answer")


async def test_a_picture_that_telegram_finds_too_large(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    """It is as small as can be: the same bytes are not sent again, the words come alone."""
    world.faults["sendPhoto"].extend([Refusal(413, "Request Entity Too Large")] * 9)
    async with tadim(settings, queue, base):
        await world.shows(EFE, photo(), "/algıla")
        answer = await world.reads(EFE.id, words("tr")(Message("telegram-file-too-large")))
        await world.until(lambda: world.visible(EFE.id) == [answer], "the status message to go")
    assert answer.text.startswith("Gördüklerim: bir köpek.")
    assert {"Tekrar dene", "Sil"} <= {button["text"] for button in answer.buttons}
    assert len(world.faults["sendPhoto"]) == 8


async def test_nothing_new_to_say_is_no_trouble(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    """An edit whose answer was lost is repeated, and then there is nothing to modify."""
    whole = GeneratedText("üç", 1, 30.0, "stop")
    queue.script = [Started("SmolLM2"), Done(whole, "SmolLM2", 0.1)]
    queue.hold.clear()
    async with tadim(settings, queue, base):
        await world.says(EFE, "/gpt say")
        await world.until(lambda: world.visible(EFE.id), "a first word")
        world.faults["editMessageText"].append(bad("message is not modified: …"))
        queue.hold.set()
        await world.until(lambda: not world.faults["editMessageText"], "an edit")
        await world.says(EFE, "/dil")
        await world.until(lambda: len(world.visible(EFE.id)) == 2, "the answer to something else")
    assert world.methods().count("editMessageText") <= 1


async def test_an_update_that_comes_twice_is_answered_once(
    world: World, base: str, queue: ScriptedQueue, settings: Settings
) -> None:
    async with tadim(settings, queue, base):
        await world.shows(EFE, photo(), "/algıla")
        answer = await world.reads(EFE.id, "köpek", "photo")
        await world.repeat_last_update()
        await world.presses_button(EFE, answer, "Tekrar dene")
        await world.until(lambda: len(world.visible(EFE.id)) == 2, "a second answer")
        await world.repeat_last_update()
        await world.says(EFE, "/dil")
        await world.reads(EFE.id, "Hangi dili")
    assert len(world.visible(EFE.id)) == 3
    assert len(queue.jobs) == 2


# --- starting and ending -------------------------------------------------------------------------


async def test_the_token_is_not_logged(
    world: World,
    base: str,
    queue: ScriptedQueue,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("bot.telegram.outbox.PAUSES", (0.05, 0.05, 0.05))
    for method in ("getMe", "getUpdates", "getFile", "sendMessage", "deleteMessage", "sendPhoto"):
        world.faults[method].extend([ErrorPage(), Dropped()])
    async with tadim(settings, queue, base):
        await world.until(lambda: "setMyCommands" in world.methods(), "the connection")
        await world.shows(EFE, photo(), "/algıla")
        await world.until(lambda: not world.faults["getFile"] or world.messages, "an answer")
        await world.shows(EFE, photo(), "/algıla")
        await world.reads(EFE.id, "köpek")
    assert len(caplog.records) > 10
    assert SECRET not in caplog.text
    assert SECRET not in "".join(str(record.__dict__) for record in caplog.records)


async def test_a_wrong_token_is_one_clear_sentence(
    base: str, queue: ScriptedQueue, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = TOKEN.replace("q", "r")
    with pytest.raises(FrontendError, match="does not accept the token") as caught:
        async with tadim(settings, queue, base, wrong):
            pass
    assert "\n" not in str(caught.value)
    assert wrong.partition(":")[2] not in str(caught.value) + caplog.text


async def test_without_a_network_it_starts_tries_on_and_stops(
    queue: ScriptedQueue, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with tadim(settings, queue, "http://127.0.0.1:9") as frontend:
        assert frontend.address == ""
    assert "cannot be reached" in caplog.text
