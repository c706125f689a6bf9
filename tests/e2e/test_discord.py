"""The real Discord client against a strict Discord of our own, over loopback."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from bot.app import opened
from bot.discord.frontend import DiscordFrontend
from bot.hub import FrontendError, Hub
from bot.settings import Settings, WeightsSettings
from bot.store import Store
from handlers.kit.runner import Runs
from handlers.kit.services import Services
from handlers.kit.studio import Studio
from inference.jobs import Queued
from inference.weights import WeightsStore
from tests.bot.cave import cave_command
from tests.bot.discord_doubles import PHOTO, ScriptedQueue, jpeg
from tests.e2e.discord_server import library_at, serving
from tests.e2e.discord_world import (
    PERMISSIONS,
    TOKEN,
    Fault,
    Message,
    World,
    dropped,
    refusal,
    too_many,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with serving(world) as base:
        with library_at(base):
            yield world
    world.check()


@pytest.fixture
def queue() -> ScriptedQueue:
    return ScriptedQueue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=str(tmp_path))


@asynccontextmanager
async def tadim(settings: Settings, queue: ScriptedQueue) -> AsyncIterator[DiscordFrontend]:
    """The program from store to frontend, with a scripted queue in the place of the models."""
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        studio = Studio()
        stack.callback(studio.close)
        hub = Hub(Services(queue, store, studio, Runs()), settings)  # type: ignore[arg-type]
        yield await stack.enter_async_context(running(hub))


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[DiscordFrontend]:
    frontend = DiscordFrontend(hub, TOKEN)
    hub.frontends["discord"] = frontend
    await frontend.start()
    try:
        yield frontend
    finally:
        await frontend.stop()


def names(world: World) -> list[str]:
    return [name for name, _ in world.requests]


# --- a photo goes in, an annotated photo comes out -----------------------------------------------


async def test_a_photo_in_turkish(world: World, queue: ScriptedQueue, settings: Settings) -> None:
    ada = world.person("Ada", locale="tr")
    queue.detects()
    async with tadim(settings, queue):
        used = world.slash(ada, "algıla", resim=PHOTO, güven=0.4)
        answer = await world.finished(used)
    assert answer.content.startswith("Gördüklerim:")
    assert "köpek" in answer.content
    [drawn] = answer.uploads
    assert "köpek" in (drawn.alt or "")
    annotated = Image.open(io.BytesIO(drawn.data)).convert("RGB")
    plain = Image.open(io.BytesIO(PHOTO[1])).convert("RGB").resize(annotated.size)
    assert ImageChops.difference(annotated, plain).getbbox() is not None
    assert {"Tekrar dene", "Nasıl çalışıyor?"} <= set(answer.buttons)
    assert queue.jobs[0].payload.confidence == 0.4
    # It was acknowledged before anything else was done, the picture's download included.
    after = names(world)[names(world).index("respond") :]
    assert after.index("respond") < after.index("file") < after.index("edit_original")


async def test_a_missing_picture_is_asked_for(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada", locale="tr")
    queue.detects()
    async with tadim(settings, queue):
        shown = world.slash(ada, "algıla")
        await world.until(lambda: shown.form)
        assert shown.form is not None
        assert shown.form["title"] == "/algıla"
        sent = world.send_form(ada, shown, picture=PHOTO)
        assert "köpek" in (await world.finished(sent)).content


async def test_a_menu_on_somebody_elses_picture(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada, alan = world.person("Ada", locale="tr"), world.person("Alan")
    queue.detects()
    async with tadim(settings, queue):
        used = world.menu(ada, "Algıla", world.say(alan, "look", PHOTO))
        assert "köpek" in (await world.finished(used)).content


async def test_a_menu_on_a_message_with_several_pictures(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada, alan = world.person("Ada", locale="tr"), world.person("Alan")
    queue.detects()
    pictures = [(f"{number}.jpg", jpeg(60 + number)) for number in range(10)]
    async with tadim(settings, queue):
        used = world.menu(ada, "Algıla", world.say(alan, "look", *pictures))
        answer = await world.finished(used)
    assert len(used.visible) == 1
    assert len(answer.uploads) == 10
    assert len({upload.data for upload in answer.uploads}) == 10
    assert answer.content.count("köpek") == 10
    assert len(queue.jobs) == 10


async def test_several_pictures_in_a_form(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada")
    queue.detects()
    async with tadim(settings, queue):
        shown = world.slash(ada, "detect")
        await world.until(lambda: shown.form)
        sent = world.send_form(ada, shown, picture=[PHOTO, ("b.jpg", jpeg(80))])
        assert len((await world.finished(sent)).uploads) == 2


async def test_a_long_text_keeps_its_lines(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada")
    queue.writes("Understood.")
    async with tadim(settings, queue):
        shown = world.slash(ada, "gpt")
        await world.until(lambda: shown.form)
        await world.finished(world.send_form(ada, shown, text="One line,\nand another."))
    assert queue.jobs[0].payload.messages == (("user", "One line,\nand another."),)


async def test_a_conversation_in_a_thread(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada", locale="tr")
    with cave_command() as cave:
        async with tadim(settings, queue):
            used = world.slash(ada, "cave")
            where = await world.answer(used, lambda m: "<#" in m.content)
            [thread] = world.threads
            [first] = await world.until(
                lambda: [m for m in said_in(world, thread, "start") if "On" in m.buttons]
            )
            pressed = world.press(ada, first, "On")
            second = await world.answer(pressed, lambda m: "on" in m.content)
    assert world.threads[thread] == "/cave · Ada"
    assert where.content.endswith(f"<#{thread}>")
    assert second.channel == thread
    assert [request.chat for request in cave.requests] == [f"discord:{thread}"] * 2
    assert [request.ground for request in cave.requests] == [f"discord:{world.channel}"] * 2


async def test_no_thread_without_the_permission(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    world.permissions = PERMISSIONS
    with cave_command():
        async with tadim(settings, queue):
            used = world.slash(world.person("Ada"), "cave")
            await world.answer(used, lambda m: m.content == "It is dark. start")
    assert world.threads == {}
    assert "start_thread" not in names(world)


def said_in(world: World, channel: int, text: str) -> list[Message]:
    return [m for m in world.messages.values() if m.channel == channel and text in m.content]


async def test_wrong_input_is_told_to_the_asker_alone(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada")
    async with tadim(settings, queue):
        used = world.slash(ada, "detect", picture=("photo.jpg", b"%PDF-1.7"))
        answer = await world.answer(used, lambda message: message.ephemeral)
    assert "This is a PDF" in answer.content
    assert [message.ephemeral for message in used.visible] == [True]


@pytest.mark.weights
@pytest.mark.timeout(600)
async def test_a_photo_through_the_real_model(
    world: World,
    tmp_path: Path,
    bus_photo: bytes,
    weights_store: WeightsStore,
    pulled: Callable[[str], Path],
) -> None:
    await asyncio.to_thread(pulled, "yolo26n")
    weights = weights_store.folder
    bus = ("bus.jpg", bus_photo)
    settings = Settings(data_folder=str(tmp_path), weights=WeightsSettings(folder=str(weights)))
    ada = world.person("Ada", locale="tr")
    async with opened(settings) as hub, running(hub):
        await hub.services.queue.start()
        answer = await world.finished(world.slash(ada, "algıla", resim=bus))
    assert "bir otobüs" in answer.content
    assert "YOLO26n" in answer.content
    [drawn] = answer.uploads
    assert Image.open(io.BytesIO(drawn.data)).size == (810, 1080)


# --- starting and ending -------------------------------------------------------------------------


async def test_buttons_work_after_a_restart(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada")
    queue.writes("Once upon a time.")
    async with tadim(settings, queue):
        first = await world.finished(world.slash(ada, "gpt", text="Tell me a story."))
    async with tadim(settings, queue):
        pressed = world.press(ada, first, "Again")
        again = await world.finished(pressed)
    assert again.id != first.id
    assert "> Once upon a time." in again.content
    assert queue.jobs[0].payload.messages == queue.jobs[1].payload.messages
    assert names(world).count("set_commands") == 1  # Discord knew them already


async def test_somebody_elses_button(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada, alan = world.person("Ada"), world.person("Alan", locale="tr")
    queue.writes("Once upon a time.")
    async with tadim(settings, queue):
        first = await world.finished(world.slash(ada, "gpt", text="Tell me a story."))
        answer = await world.finished(world.press(alan, first, "Again"))
    assert answer.ephemeral
    assert answer.content == "Bu düğmenin sahibi: Ada. Komutu yazarsan sana da bir tane gelir."
    assert len(queue.jobs) == 1


async def test_an_answer_is_taken_away_after_a_restart(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada, alan = world.person("Ada"), world.person("Alan", locale="tr")
    grace = world.person("Grace", moderates=True)
    queue.writes("This is a sentence of a long story. " * 120)
    async with tadim(settings, queue):
        told = [world.slash(ada, "gpt", text="Tell me a story.") for _ in range(2)]
        for used in told:
            await world.answer(used, lambda m: "Delete" in m.buttons)
    assert [len(used.visible) for used in told] == [3, 3]
    first, second = told
    async with tadim(settings, queue):
        refused = await world.answer(world.press(alan, first.visible[-1], "Delete"))
        assert refused.ephemeral
        assert refused.content.startswith("Bu düğmenin sahibi: Ada.")
        assert len(first.visible) == 3
        world.press(ada, first.visible[-1], "Delete")
        await world.until(lambda: not first.visible)
        world.press(grace, second.visible[-1], "Delete")
        await world.until(lambda: not second.visible)


async def test_what_a_button_brings_for_one_person_is_acknowledged_so(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    """Nobody else sees that Tadım is "thinking" about it."""
    ada = world.person("Ada")
    queue.script = [Queued(3, 3, None), asyncio.Event().wait]
    async with tadim(settings, queue):
        used = world.slash(ada, "gpt", text="Tell me a story.")
        waiting = await world.answer(used)
        done = await world.finished(world.press(ada, waiting, "Cancel"))
        await world.answer(used, lambda m: "Cancel" not in m.buttons)
    assert done.ephemeral
    acknowledged = [body for name, body in world.requests if name == "respond"]
    assert acknowledged[-1] == {"type": 5, "data": {"flags": 64}}


async def test_a_moderator_cancels_what_others_run(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada, alan = world.person("Ada"), world.person("Alan")
    grace = world.person("Grace", moderates=True)
    queue.script = [Queued(3, 3, None), asyncio.Event().wait]
    async with tadim(settings, queue):
        used = world.slash(ada, "gpt", text="Tell me a story.")
        waiting = await world.answer(used)
        refused = await world.finished(world.press(alan, waiting, "Cancel"))
        assert refused.ephemeral
        assert "Ada" in refused.content
        done = await world.finished(world.press(grace, waiting, "Cancel"))
        assert done.ephemeral
        await world.answer(used, lambda m: "Cancel" not in m.buttons)
    # Nobody else saw that Tadım was "thinking" about it.
    acknowledged = [body for name, body in world.requests if name == "respond"]
    assert [body["data"]["flags"] for body in acknowledged[1:]] == [64, 64]


async def test_a_wrong_token_is_one_clear_sentence(
    world: World, queue: ScriptedQueue, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = TOKEN.replace("G", "H")
    hub = Hub(Services(queue, None, Studio(), Runs()), settings)  # type: ignore[arg-type]
    with pytest.raises(FrontendError, match="does not accept this token") as caught:
        await DiscordFrontend(hub, wrong).start()
    assert "\n" not in str(caught.value)
    assert wrong not in str(caught.value) + caplog.text


@pytest.mark.parametrize("token", ["", "line\nbreak", "düğme"])
async def test_a_token_that_is_none(
    world: World, queue: ScriptedQueue, settings: Settings, token: str
) -> None:
    hub = Hub(Services(queue, None, Studio(), Runs()), settings)  # type: ignore[arg-type]
    with pytest.raises(FrontendError, match="does not accept this token"):
        await DiscordFrontend(hub, token).start()


async def test_no_network_is_one_clear_sentence(queue: ScriptedQueue, settings: Settings) -> None:
    hub = Hub(Services(queue, None, Studio(), Runs()), settings)  # type: ignore[arg-type]
    with library_at("http://127.0.0.1:9"), pytest.raises(FrontendError, match="cannot be reached"):
        await DiscordFrontend(hub, TOKEN).start()


@pytest.mark.parametrize(
    ("route", "sentence"),
    [("me", "answers 403"), ("set_commands", "refuses the commands"), ("gateway", "gateway")],
)
async def test_a_start_that_discord_refuses_is_one_clear_sentence(
    world: World, queue: ScriptedQueue, settings: Settings, route: str, sentence: str
) -> None:
    world.faults[route].append(refusal(400 if route == "set_commands" else 403, 50035))
    hub = Hub(Services(queue, None, Studio(), Runs()), settings)  # type: ignore[arg-type]
    with pytest.raises(FrontendError, match=sentence):
        await DiscordFrontend(hub, TOKEN).start()


async def test_the_token_is_not_logged(
    world: World, queue: ScriptedQueue, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    queue.writes("Hello.")
    async with tadim(settings, queue):
        await world.finished(world.slash(world.person("Ada"), "gpt", text="Hi"))
    assert TOKEN not in caplog.text


async def test_stopping_lets_the_last_word_out(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    goes_on = asyncio.Event()
    queue.writes("The last word.")
    queue.script[:0] = [Queued(1, 1, None), goes_on.wait]
    ada = world.person("Ada")
    async with tadim(settings, queue):
        used = world.slash(ada, "gpt", text="Hi")
        await world.answer(used)
        goes_on.set()
    assert "The last word." in used.visible[-1].content


async def test_a_command_from_before_an_update(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada", locale="tr")
    async with tadim(settings, queue):
        old = next(command for command in world.commands if command["name"] == "how")
        for name, localised in (("gone", "gitti"), ("how", "nasıl")):
            old["name"], old["name_localizations"] = name, {"tr": localised}
            # Under its new name it is unknown; then it is known, but lacks a required option.
            used = world.slash(ada, localised)
            answer = await world.answer(used)
            assert answer.ephemeral
            assert answer.content.startswith("Bu komut değişti.")


# --- faults --------------------------------------------------------------------------------------


async def test_too_many_requests(world: World, queue: ScriptedQueue, settings: Settings) -> None:
    """The world counts a request within Retry-After as a violation."""
    world.faults["edit_original"].extend([too_many(0.2), too_many(0.3)])
    queue.detects()
    async with tadim(settings, queue):
        used = world.slash(world.person("Ada"), "detect", picture=PHOTO)
        assert "one dog" in (await world.finished(used)).content
    assert names(world).count("edit_original") >= 3


async def test_an_answer_of_discords_is_lost(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    """The connection breaks: once before Discord did it, once after."""
    world.faults["edit_original"].extend([dropped(), dropped(done=True)])
    queue.writes("Here I am.")
    async with tadim(settings, queue):
        used = world.slash(world.person("Ada"), "gpt", text="Hi")
        answer = await world.answer(
            used, lambda m: "Here I am." in m.content and "Again" in m.buttons
        )
    assert len(used.visible) == 1
    assert "Here I am." in answer.content


async def test_the_acknowledgement_is_refused(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    world.faults["respond"].append(refusal(404, 10062))
    queue.writes("Here I am.")
    ada = world.person("Ada")
    async with tadim(settings, queue):
        used = world.slash(ada, "gpt", text="Hi")
        [message] = await world.until(
            lambda: [m for m in world.messages.values() if "Here I am." in m.content]
        )
    assert message.content.startswith(f"<@{ada.id}>\n")
    assert used.visible == []


async def test_the_answer_comes_after_the_deadline(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    queue.writes("Better late than never.")
    ada = world.person("Ada")
    async with tadim(settings, queue):
        used = world.slash(ada, "gpt", age=15 * 60 + 1, text="Hi")
        [message] = await world.until(
            lambda: [m for m in world.messages.values() if "Better late" in m.content]
        )
        assert message not in used.messages
        pressed = world.press(ada, message, "Again")
        assert "Better late" in (await world.finished(pressed)).content


async def test_a_late_answer_replies_to_its_last_state(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada")
    goes_on = asyncio.Event()
    queue.writes("Better late than never.")
    queue.script[:0] = [
        Queued(3, 3, None),
        goes_on.wait,
        Queued(2, 3, None),
        partial(world.until, lambda: world.typing),
    ]
    async with tadim(settings, queue):
        used = world.slash(ada, "gpt", text="Hi")
        state = await world.answer(used)
        world.faults["edit_original"].append(refusal(401, 50027))  # the token has died
        goes_on.set()
        [late] = await world.until(lambda: said_in(world, world.channel, "Better late"))
    assert late.replies_to == state.id
    assert late.content.startswith(f"<@{ada.id}>\n")
    assert "number 3" in state.content
    assert world.typing == [world.channel]


async def test_a_late_picture_that_may_not_reply_comes_whole(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    ada = world.person("Ada")
    goes_on = asyncio.Event()
    queue.detects()
    queue.script[1:1] = [goes_on.wait]
    async with tadim(settings, queue):
        used = world.slash(ada, "detect", picture=PHOTO)
        await world.answer(used)
        for _ in range(3):
            world.faults["edit_original"].append(refusal(401, 50027))
        world.faults["post"].append(refusal(403, 160002))  # the channel's history is hidden
        goes_on.set()
        [late] = await world.until(lambda: said_in(world, world.channel, "one dog"))
    assert late.replies_to is None
    assert Image.open(io.BytesIO(late.uploads[0].data)).format == "JPEG"


async def test_the_connection_is_lost_and_resumed(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    queue.writes("Still here.")
    ada = world.person("Ada")
    gateway = world.gateway
    async with tadim(settings, queue):
        await gateway.disconnect()
        used = world.slash(ada, "gpt", text="Hi")  # while nobody listens
        assert "Still here." in (await world.finished(used)).content
    assert (gateway.identified, gateway.resumed) == (1, 1)


async def test_the_connection_breaks_and_the_session_is_gone(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    queue.writes("Still here.")
    ada = world.person("Ada")
    gateway = world.gateway
    async with tadim(settings, queue):
        gateway.forget()
        gateway.drop()
        await world.until(lambda: gateway.identified == 2)
        used = world.slash(ada, "gpt", text="Hi")
        assert "Still here." in (await world.finished(used)).content
    assert gateway.resumed == 0


async def test_a_picture_over_the_limit_is_made_smaller(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    world.file_limit = 12_000
    queue.detects()
    async with tadim(settings, queue):
        used = world.slash(world.person("Ada"), "detect", picture=("p.jpg", jpeg(1600, 1200)))
        answer = await world.finished(used)
    assert len(answer.uploads[0].data) <= 12_000


async def test_a_picture_is_larger_than_discord_takes_after_all(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    """Uploads are refused with 413 until they are below what was announced."""
    world.file_limit, world.accepted = 20_000, 12_000
    queue.detects()
    async with tadim(settings, queue):
        used = world.slash(world.person("Ada"), "detect", picture=("p.jpg", jpeg(1600, 1200)))
        answer = await world.answer(used, lambda message: message.uploads)
    assert "one dog" in answer.content
    assert len(used.visible) == 1


async def test_discord_fails_for_a_while(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    """5xx: before it did what was asked, and after."""
    world.faults["respond"].append(Fault(502, done=True))
    world.faults["edit_original"].extend([Fault(500), Fault(503, done=True)])
    queue.detects()
    async with tadim(settings, queue):
        used = world.slash(world.person("Ada"), "detect", picture=PHOTO)
        answer = await world.answer(used, lambda message: message.uploads)
        await world.until(lambda: not world.faults["edit_original"])
    assert "one dog" in answer.content
    assert len(used.visible) == 1


async def test_an_interaction_that_comes_twice_is_answered_once(
    world: World, queue: ScriptedQueue, settings: Settings
) -> None:
    queue.writes("Once.")
    ada = world.person("Ada")
    async with tadim(settings, queue):
        first = world.slash(ada, "gpt", text="Hi")
        world.repeat()
        answer = await world.finished(first)
        world.repeat()
        pressed = world.press(ada, answer, "Again")
        world.repeat()
        await world.finished(pressed)
    assert [message.content for message in first.visible] == [answer.content]
    assert len(pressed.visible) == 1
    assert len(queue.jobs) == 2


# --- the server itself ---------------------------------------------------------------------------


async def test_an_unknown_route_fails_loudly(queue: ScriptedQueue, settings: Settings) -> None:
    import discord

    world = World()
    async with serving(world) as base:
        with library_at(base):
            async with tadim(settings, queue) as frontend:
                with pytest.raises(discord.NotFound):
                    await frontend.client.fetch_user(1)
    with pytest.raises(AssertionError, match="unknown route: GET /api/v10/users/1"):
        world.check()
