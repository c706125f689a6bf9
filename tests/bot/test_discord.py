"""Discord as people use it, played through simcord: the library is real, Discord is simulated."""

from __future__ import annotations

import asyncio
import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
from PIL import Image

from bot.discord.frontend import DiscordFrontend
from bot.hub import Hub
from bot.settings import Settings
from handlers.kit.reply import Reply
from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge, ReplyAddress
from handlers.kit.runner import Runs
from handlers.kit.services import Services
from inference.jobs import Queued, QueueFull
from tests.bot.discord_doubles import PHOTO, InlineStudio, ScriptedQueue
from tests.fakes import FakeMemory

pytestmark = pytest.mark.simcord(shard_count=1)

# --- the world -----------------------------------------------------------------------------------


class World:
    """A Discord with one guild and one channel, and Tadım in it."""

    def __init__(self, env: simcord.Env, frontend: DiscordFrontend) -> None:
        self.env, self.frontend = env, frontend
        self.guild = env.create_guild()
        self.channel = self.guild.create_text_channel("derslik")
        self.ada = self.guild.add_member(env.create_user("ada"))
        self.alan = self.guild.add_member(env.create_user("alan"))

    async def first_message(self) -> Any:
        """The channel's message, as soon as it says something."""
        for _ in range(1000):
            for message in self.env.backend.messages.get(self.channel.id, {}).values():
                if message.content:
                    return message
            await asyncio.sleep(0)
        raise AssertionError("nothing was said")

    async def restart(self) -> None:
        """The program ends and starts anew; only the store (the memory) lives on."""
        hub = self.frontend._hub
        services = hub.services
        again = Services(services.queue, services.memory, services.studio, Runs())
        self.frontend = build(Hub(again, hub.settings))
        await self.env.restart_bot(self.frontend.client)


def build(hub: Hub) -> DiscordFrontend:
    frontend = DiscordFrontend(hub, "not-a-token")
    hub.frontends["discord"] = frontend
    return frontend


@pytest.fixture
def queue() -> ScriptedQueue:
    return ScriptedQueue()


@pytest.fixture
def memory() -> FakeMemory:
    return FakeMemory()


@pytest.fixture
def frontend(queue: ScriptedQueue, memory: FakeMemory, tmp_path: Path) -> DiscordFrontend:
    services = Services(queue, memory, InlineStudio(), Runs())  # type: ignore[arg-type]
    return build(Hub(services, Settings(data_folder=str(tmp_path))))


@pytest.fixture
def simcord_bot(frontend: DiscordFrontend) -> discord.Client:
    return frontend.client


@pytest.fixture
def world(simcord_env: simcord.Env, frontend: DiscordFrontend) -> World:
    return World(simcord_env, frontend)


@pytest.fixture
def turkish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody's client is set to Turkish (simcord knows English ones only)."""
    import simcord.interactions

    original = simcord.interactions.base_payload

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, data = original(*args, **kwargs)
        return record, {**data, "locale": "tr"}

    monkeypatch.setattr(simcord.interactions, "base_payload", payload)


@pytest.fixture
def filesize_limit(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What Discord says it takes, in bytes: set `filesize_limit["bytes"]`."""
    import simcord.interactions

    original, limit = simcord.interactions.base_payload, {"bytes": 26_214_400}

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, data = original(*args, **kwargs)
        return record, {**data, "attachment_size_limit": limit["bytes"]}

    monkeypatch.setattr(simcord.interactions, "base_payload", payload)
    return limit


def labels(message: Any) -> list[str]:
    return [item["label"] for row in message.components for item in row["components"]]


def custom_ids(message: Any) -> dict[str, str]:
    return {
        item["label"]: item.get("custom_id", "")
        for row in message.components
        for item in row["components"]
    }


# --- a photo goes in, an annotated photo comes out -----------------------------------------------


async def test_slash_with_a_picture(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO, confidence=0.4)
    assert not result.ephemeral
    response = result.response
    assert response is not None
    assert "one dog" in response.content
    assert "-# Model: YOLO26n" in response.content
    [drawn] = response.attachments
    assert "dog" in (drawn.description or "")
    width, height = Image.open(io.BytesIO(await drawn.read())).size
    assert width / height == pytest.approx(64 / 48, rel=0.02)
    assert "Again" in labels(response)
    assert "Cancel" not in labels(response)
    assert queue.jobs[0].payload.confidence == 0.4
    assert queue.jobs[0].owner.user == f"discord:{world.ada.id}"


async def test_a_server_has_one_share_of_the_device_whatever_the_channel(
    world: World, queue: ScriptedQueue
) -> None:
    queue.detects()
    other = world.guild.create_text_channel("another")
    await world.ada.slash(world.channel, "detect", picture=PHOTO)
    await world.ada.slash(other, "detect", picture=PHOTO)
    shares = {job.owner.chat for job in queue.jobs}
    assert len(queue.jobs) == 2
    assert shares == {f"discord:guild:{world.guild.id}"}


@pytest.mark.usefixtures("turkish")
async def test_in_turkish(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    assert "köpek" in result.response.content
    assert "Tekrar dene" in labels(result.response)


async def test_acknowledged_before_anything_else(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    await world.ada.slash(world.channel, "detect", picture=PHOTO)
    requests = [entry for entry in world.env.http_requests if "interaction" in entry.path]
    assert requests[0].path.endswith("/callback")
    assert (
        requests[0].json["type"] == discord.InteractionResponseType.deferred_channel_message.value
    )


async def test_missing_picture_is_asked_for_by_a_form(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    shown = await world.ada.slash(world.channel, "detect", confidence=0.3)
    assert shown.modal is not None
    assert shown.modal["title"] == "/detect"
    [label] = shown.modal["components"]
    assert label["component"]["type"] == discord.ComponentType.file_upload.value
    result = await world.ada.submit_modal(shown, {"picture": PHOTO})
    assert "one dog" in result.response.content
    assert queue.jobs[0].payload.confidence == 0.3


async def test_menu_on_a_message_with_a_picture(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    message = await world.alan.send(world.channel, "look!", attachments=[PHOTO])
    result = await world.ada.context_menu(world.channel, "Detect objects", message)
    assert "one dog" in result.response.content


async def test_menu_on_a_message_without_a_picture(world: World, queue: ScriptedQueue) -> None:
    message = await world.alan.send(world.channel, "no picture here")
    result = await world.ada.context_menu(world.channel, "Detect objects", message)
    assert result.ephemeral
    assert "no picture" in result.response.content
    assert not queue.jobs


async def test_commands_are_completed(world: World) -> None:
    [choice, *_] = await world.ada.autocomplete(world.channel, "help", "command", "algi")
    assert choice["value"] == "detect"
    assert choice["name"].startswith("/detect")


@pytest.mark.parametrize("command", ["help", "queue", "cancel", "privacy"])
async def test_what_is_nobody_elses_business(world: World, command: str) -> None:
    result = await world.ada.slash(world.channel, command)
    shown = [*result.followups, *([result.response] if result.response else [])]
    assert shown
    assert all(message.ephemeral for message in shown)
    assert world.channel.history(viewer=world.alan) == []


# --- buttons -------------------------------------------------------------------------------------


async def test_button_answers_in_a_new_message(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    first = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    before = first.response.content
    pressed = await world.ada.click(first.response, label="Again")
    [answer] = pressed.followups
    assert "one dog" in answer.content
    assert len(queue.jobs) == 2
    assert first.response.content == before


async def test_somebody_elses_button(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    first = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    pressed = await world.alan.click(first.response, label="Again")
    [answer] = pressed.followups
    assert answer.ephemeral
    assert "somebody else" in answer.content
    assert len(queue.jobs) == 1


async def test_buttons_survive_a_restart(world: World, queue: ScriptedQueue) -> None:
    queue.writes("Once upon a time.")
    first = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    await world.restart()
    pressed = await world.ada.click(first.response, label="Again")
    [answer] = pressed.followups
    assert "> Once upon a time." in answer.content
    assert queue.jobs[1].payload.messages == queue.jobs[0].payload.messages


async def test_picture_of_a_slash_command_is_gone_after_a_restart(
    world: World, queue: ScriptedQueue
) -> None:
    queue.detects()
    first = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    await world.restart()
    pressed = await world.ada.click(first.response, label="Again")
    [answer] = pressed.followups
    assert answer.ephemeral
    assert "no longer have that picture" in answer.content
    assert len(queue.jobs) == 1


async def test_unknown_button(world: World, queue: ScriptedQueue, memory: FakeMemory) -> None:
    queue.detects()
    first = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    memory.buttons.clear()
    pressed = await world.ada.click(first.response, label="Again")
    assert "no longer know this button" in pressed.followups[0].content
    assert pressed.followups[0].ephemeral


async def test_button_that_lacks_a_picture_opens_the_form(
    world: World, queue: ScriptedQueue
) -> None:
    queue.writes("Once upon a time.")
    first = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    shown = await world.ada.click(first.response, label="Next stop: /detect")
    assert shown.modal is not None
    queue.detects()
    result = await world.ada.submit_modal(shown, {"picture": PHOTO})
    assert "one dog" in result.response.content


async def test_form_of_somebody_elses_button(world: World, queue: ScriptedQueue) -> None:
    queue.writes("Once upon a time.")
    first = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    shown = await world.alan.click(first.response, label="Next stop: /detect")
    submitted = await world.alan.submit_modal(shown, {"picture": PHOTO})
    [answer] = submitted.followups
    assert answer.ephemeral
    assert "somebody else" in answer.content
    assert len(queue.jobs) == 1
    assert submitted.response is None  # what everybody saw is gone


# --- errors and secrets --------------------------------------------------------------------------


async def test_wrong_value_is_told_to_the_asker_alone(world: World, queue: ScriptedQueue) -> None:
    result = await world.ada.slash(world.channel, "gpt", text="   ")
    assert result.ephemeral
    assert "is empty" in result.response.content
    assert not queue.jobs


async def test_failure_is_told_to_the_asker_alone(world: World, queue: ScriptedQueue) -> None:
    queue.script = [QueueFull(7, 120.0)]
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    [answer] = result.followups
    assert answer.ephemeral
    assert "7 jobs are waiting" in answer.content
    assert result.response is None  # nothing is left of what everybody could see


async def test_not_a_picture(world: World, queue: ScriptedQueue) -> None:
    result = await world.ada.slash(world.channel, "detect", picture=("a.jpg", b"%PDF-1.7 ..."))
    [answer] = result.followups
    assert "This is a PDF" in answer.content
    assert answer.ephemeral


async def test_unforeseen_failure_has_an_id_and_no_traceback(
    world: World, queue: ScriptedQueue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.script = [ZeroDivisionError("secret detail")]
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    [answer] = result.followups
    assert "mention the number" in answer.content
    assert "secret" not in answer.content
    assert "secret detail" in caplog.text


async def test_store_fails_and_the_asker_hears_of_it(
    world: World, memory: FakeMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any) -> Any:
        raise OSError("disk full")

    for method in ("language", "save_button"):
        monkeypatch.setattr(memory, method, broken)
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    [answer] = result.followups
    assert "mention the number" in answer.content


async def test_store_fails_at_the_buttons_and_the_answer_comes_without(
    world: World, memory: FakeMemory, queue: ScriptedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(memory, "save_button", broken)
    queue.writes("Once upon a time.")
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    assert "Once upon a time." in result.response.content
    assert result.response.components == []


async def test_output_pings_nobody(world: World, queue: ScriptedQueue) -> None:
    queue.writes(f"@everyone @here <@{world.alan.id}> **bold** https://example.com ```x```")
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    message = result.response.message
    assert not message.mention_everyone
    assert not message.mentions
    assert "@everyone" not in message.content
    assert r"\*\*bold\*\*" in message.content
    sent = [entry.json for entry in world.env.http_requests if "@original" in entry.path]
    assert all(payload["allowed_mentions"] == {"parse": []} for payload in sent)


async def test_language_of_an_answer(
    world: World, memory: FakeMemory, queue: ScriptedQueue
) -> None:
    memory.languages[f"discord:{world.ada.id}"] = "tr"
    queue.detects()
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    assert "köpek" in result.response.content


# --- states --------------------------------------------------------------------------------------


async def test_states_and_cancelling(world: World, queue: ScriptedQueue) -> None:
    seen: list[tuple[str, list[str]]] = []

    async def look_and_cancel() -> None:
        waiting = await world.first_message()
        seen.append((waiting.content, labels(waiting)))
        [run] = world.frontend._hub.services.runs.by_id.values()
        run.cancel()
        await asyncio.sleep(0)

    queue.script = [Queued(3, 3, None), look_and_cancel]
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    assert seen == [("You are number 3 in the queue.", ["Cancel"])]
    assert "Cancelled" in result.response.content
    assert "Cancel" not in labels(result.response)


async def test_answer_after_the_deadline_comes_as_an_ordinary_message(
    world: World, queue: ScriptedQueue
) -> None:
    async def quarter_of_an_hour() -> None:
        world.env.backend.clock.advance(15 * 60 + 1)

    queue.writes("Better late than never.")
    queue.script.insert(0, quarter_of_an_hour)
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    message = world.channel.last_message
    assert message.id != result._interaction.message_id
    assert message.content.startswith(f"<@{world.ada.id}>\n> Better late than never.")
    sent = [entry.json for entry in world.env.http_requests if entry.path.endswith("/messages")]
    assert sent[-1]["allowed_mentions"] == {"parse": []}


async def test_token_dies_earlier_than_promised(world: World, queue: ScriptedQueue) -> None:
    queue.writes("All the same.")
    world.env.inject_error(
        "PATCH", "/webhooks/*/*/messages/@original", status=401, code=50027, times=None
    )
    await world.ada.slash(world.channel, "gpt", text="Hello")
    assert "All the same." in world.channel.last_message.content


async def test_acknowledgement_too_late(world: World, queue: ScriptedQueue) -> None:
    queue.writes("Here I am.")
    world.env.inject_error("POST", "/interactions/*/*/callback", status=404, code=10062)
    await world.ada.slash(world.channel, "gpt", text="Hello")
    assert "Here I am." in world.channel.last_message.content


async def test_acknowledged_twice(world: World, queue: ScriptedQueue) -> None:
    """A repeated request finds that the first one has arrived after all: all is well."""
    queue.writes("Here I am.")
    original = discord.InteractionResponse.defer

    async def twice(self: Any, **kwargs: Any) -> Any:
        await original(self, **kwargs)
        self._response_type = None
        return await original(self, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discord.InteractionResponse, "defer", twice)
        result = await world.ada.slash(world.channel, "gpt", text="Hello")
    assert "Here I am." in result.response.content


async def test_deleted_answer_comes_again(world: World, queue: ScriptedQueue) -> None:
    async def delete() -> None:
        waiting = await world.first_message()
        world.env.backend.delete_message(world.channel.id, waiting.id)

    queue.writes("Still here.")
    queue.script[:0] = [Queued(1, 1, None), delete]
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    [answer] = result.followups
    assert "Still here." in answer.content


async def test_secret_after_the_deadline_goes_to_the_asker_directly(world: World) -> None:
    place = {"channel": world.channel.id, "guild": world.guild.id, "user": world.ada.id}
    reply = replace(Reply.say("cancelled"), private=True)
    await world.frontend.send(ReplyAddress("discord", place), reply, "tr")
    assert world.channel.last_message is None
    [message] = world.env.backend.messages[world.env.backend.dm_channels[world.ada.id]].values()
    assert message.content == "İptal edildi."


async def test_notice(world: World) -> None:
    place = {"channel": world.channel.id, "guild": world.guild.id, "user": world.ada.id}
    await world.frontend.send(ReplyAddress("discord", place), Reply.say("cancelled"), "tr")
    assert world.channel.last_message.content == "İptal edildi."


# --- what does not fit ---------------------------------------------------------------------------


async def test_long_text_goes_on_in_further_messages(world: World, queue: ScriptedQueue) -> None:
    story = " ".join(f"This is sentence number {n} of a long story." for n in range(120))
    queue.writes(story)
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    messages = [result.response, *result.followups]
    assert len(messages) == 3
    assert all(len(message.content) <= 2000 for message in messages)
    assert all(message.content.split("\n-#")[0].endswith("story.") for message in messages)
    assert [bool(message.components) for message in messages] == [False, False, True]
    said = " ".join(message.content.split("\n-#")[0].removeprefix("> ") for message in messages)
    assert said == story


async def test_picture_is_made_to_fit(
    world: World, queue: ScriptedQueue, filesize_limit: dict[str, int]
) -> None:
    filesize_limit["bytes"] = 20_000
    queue.detects()
    result = await world.ada.slash(world.channel, "detect", picture=("noise.jpg", noise(400)))
    [drawn] = result.response.attachments
    assert drawn.size <= 20_000
    assert "a little smaller" in result.response.content


async def test_discord_takes_less_than_it_said(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    world.env.inject_error(
        "PATCH", "/webhooks/*/*/messages/@original", status=413, code=40005, times=1
    )
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    assert len(result.response.attachments) == 1


async def test_discord_takes_no_file_at_all(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    world.env.inject_error(
        "PATCH", "/webhooks/*/*/messages/@original", status=413, code=40005, times=2
    )
    result = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    assert result.response.attachments == []
    assert "one dog" in result.response.content
    assert "left out" in result.response.content


def noise(side: int) -> bytes:
    """A picture that does not compress."""
    buffer = io.BytesIO()
    pixels = random.Random(1).randbytes(side * side * 3)
    Image.frombytes("RGB", (side, side), pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


# --- pictures by reference -----------------------------------------------------------------------


def place_of(message: discord.Message) -> dict[str, int]:
    attachment = message.attachments[0].id
    return {"attachment": attachment, "channel": message.channel.id, "message": message.id}


async def test_picture_of_a_message_is_asked_for_again(world: World) -> None:
    """As after a restart: only the ids are known."""
    message = await world.alan.send(world.channel, "look", attachments=[PHOTO])
    fetched = await world.frontend.fetch(PictureRef("discord", place_of(message)))
    assert fetched == PHOTO[1]


@pytest.mark.simcord(shard_count=1, approved_intents=discord.Intents(guilds=True))
async def test_picture_that_discord_hides_is_gone(world: World) -> None:
    """Without the message content intent, other people's attachments are not shown to us."""
    message = await world.alan.send(world.channel, "look", attachments=[PHOTO])
    with pytest.raises(PictureGone):
        await world.frontend.fetch(PictureRef("discord", place_of(message)))


async def test_picture_that_is_gone(world: World) -> None:
    for place in (
        {"attachment": 1},
        {"attachment": 1, "channel": world.channel.id, "message": 2},
    ):
        with pytest.raises(PictureGone):
            await world.frontend.fetch(PictureRef("discord", place))


async def test_picture_over_the_limit_is_not_downloaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.discord.pictures.SIZE_LIMIT", 100)
    message = await world.alan.send(world.channel, "look", attachments=[PHOTO])
    with pytest.raises(PictureTooLarge):
        await world.frontend.fetch(PictureRef("discord", place_of(message)))


# --- the end -------------------------------------------------------------------------------------


async def test_nothing_is_taken_in_while_stopping(world: World, queue: ScriptedQueue) -> None:
    await world.frontend._desk.close(0)
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    assert result.ephemeral
    assert "about to restart" in result.response.content
    assert not queue.jobs
