"""Discord as people use it, played through simcord: the library is real, Discord is simulated."""

from __future__ import annotations

import asyncio
import io
import random
from dataclasses import replace
from typing import Any

import discord
import pytest
from PIL import Image

from handlers.kit.reply import Reply
from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge, ReplyAddress
from inference.jobs import Queued, QueueFull
from tests.bot.discord_doubles import PHOTO, ScriptedQueue, jpeg
from tests.bot.simcord_world import World, labels
from tests.fakes import FakeMemory

pytestmark = pytest.mark.simcord(shard_count=1)

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


async def test_a_menu_works_on_all_pictures_and_answers_once(
    world: World, queue: ScriptedQueue
) -> None:
    queue.detects()
    files = [(f"{number}.jpg", jpeg(64 + number)) for number in range(10)]
    notes = ("notes.txt", b"not a picture")
    message = await world.alan.send(world.channel, "look!", attachments=[*files[:9], notes])
    result = await world.ada.context_menu(world.channel, "Detect objects", message)
    response = result.response
    assert len(queue.jobs) == 9
    assert result.followups == []
    assert len(response.attachments) == 9
    assert [drawn.description.partition(" ")[0] for drawn in response.attachments] == [
        f"{number}." for number in range(1, 10)
    ]
    sentences = response.content.replace("\\", "").splitlines()
    assert sentences[0] == "1. I see one dog."
    assert sentences[8] == "9. I see one dog."
    assert sentences[9:] == ["-# Model: YOLO26n"]
    assert labels(response).count("Again") == 1
    again = await world.ada.click(response, label="Again")
    assert len(again.response.attachments) == 9


async def test_a_form_takes_several_pictures(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    shown = await world.ada.slash(world.channel, "detect")
    [label] = shown.modal["components"]
    assert (label["component"]["min_values"], label["component"]["max_values"]) == (1, 10)
    result = await world.ada.submit_modal(shown, {"picture": [PHOTO, ("b.jpg", jpeg(80))]})
    assert len(result.response.attachments) == 2
    assert "2\\. I see one dog." in result.response.content


async def test_menu_on_a_message_without_a_picture(world: World, queue: ScriptedQueue) -> None:
    message = await world.alan.send(world.channel, "no picture here")
    result = await world.ada.context_menu(world.channel, "Detect objects", message)
    assert result.ephemeral
    assert "no picture" in result.response.content
    assert not queue.jobs


async def test_a_menu_that_finds_no_picture_speaks_the_askers_language(
    world: World, memory: FakeMemory
) -> None:
    memory.languages[f"discord:{world.ada.id}"] = "tr"
    message = await world.alan.send(world.channel, "no picture here")
    result = await world.ada.context_menu(world.channel, "Detect objects", message)
    assert result.ephemeral
    assert result.response.content == "Bu mesajda resim yok. Resim içeren bir mesaj seç."


async def test_a_form_speaks_the_language_that_was_chosen(world: World, memory: FakeMemory) -> None:
    memory.languages[f"discord:{world.ada.id}"] = "tr"
    shown = await world.ada.slash(world.channel, "detect")
    assert shown.modal["title"] == "/algıla"


async def test_a_store_that_fails_keeps_no_form_back(
    world: World, memory: FakeMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(memory, "language", broken)
    shown = await world.ada.slash(world.channel, "detect")
    assert shown.modal["title"] == "/detect"


async def test_a_store_that_is_slow_keeps_no_form_back(
    world: World, memory: FakeMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(*args: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(memory, "language", endless)
    monkeypatch.setattr("bot.discord.desk.FORM_SECONDS", 0.0)
    shown = await world.ada.slash(world.channel, "detect")
    assert shown.modal["title"] == "/detect"


async def test_where_it_would_be_refused_no_form_is_shown(
    world: World, memory: FakeMemory, queue: ScriptedQueue
) -> None:
    queue.writes("Once upon a time.")
    first = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    lab = world.guild.create_text_channel("lab")
    await memory.allow_channel(f"discord:guild:{world.guild.id}", f"discord:{lab.id}", lab.name)
    for refused in (
        await world.ada.slash(world.channel, "detect"),
        await world.ada.click(first.response, label="Next stop: /detect"),
    ):
        assert refused.modal is None
        assert refused.response.ephemeral
        assert refused.followups == []
        assert "You will find me in #lab." in refused.response.content.replace("\\", "")


async def test_a_long_text_is_asked_for_by_a_form(world: World, queue: ScriptedQueue) -> None:
    """An option takes no line breaks, so one may leave it out and gets a box to write in."""
    queue.writes("A poem indeed.")
    shown = await world.ada.slash(world.channel, "gpt", temperature=0.5)
    [label] = shown.modal["components"]
    assert label["component"]["style"] == discord.TextStyle.paragraph.value
    assert label["component"]["max_length"] == 4000
    result = await world.ada.submit_modal(shown, {"text": "Roses are red,\nviolets are blue."})
    assert "A poem indeed." in result.response.content
    assert queue.jobs[0].payload.messages == (("user", "Roses are red,\nviolets are blue."),)
    assert queue.jobs[0].payload.temperature == 0.5


async def test_commands_are_completed(world: World) -> None:
    [choice, *_] = await world.ada.autocomplete(world.channel, "help", "command", "algi")
    assert choice["value"] == "detect"
    assert choice["name"].startswith("/detect")


@pytest.mark.usefixtures("turkish")
async def test_commands_are_completed_in_turkish(world: World) -> None:
    [choice, *_] = await world.ada.autocomplete(world.channel, "help", "command", "algi")
    assert choice["value"] == "detect"
    assert choice["name"].startswith("/algıla")


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
    answer = pressed.response
    assert "one dog" in answer.content
    assert len(queue.jobs) == 2
    assert first.response.content == before


async def test_somebody_elses_button(world: World, queue: ScriptedQueue) -> None:
    queue.detects()
    first = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    pressed = await world.alan.click(first.response, label="Again")
    answer = pressed.response
    assert answer.ephemeral
    assert "This button belongs to ada." in answer.content
    assert len(queue.jobs) == 1


async def test_buttons_survive_a_restart(world: World, queue: ScriptedQueue) -> None:
    queue.writes("Once upon a time.")
    first = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    await world.restart()
    pressed = await world.ada.click(first.response, label="Again")
    answer = pressed.response
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
    assert pressed.response is None  # what everybody saw is gone
    assert len(queue.jobs) == 1


async def test_several_pictures_that_are_gone_are_asked_for_together(
    world: World, queue: ScriptedQueue
) -> None:
    queue.detects()
    shown = await world.ada.slash(world.channel, "detect", confidence=0.4)
    two = [PHOTO, ("b.jpg", jpeg(80))]
    first = await world.ada.submit_modal(shown, {"picture": two})
    await world.restart()
    pressed = await world.ada.click(first.response, label="Again")
    [answer] = pressed.followups
    assert answer.ephemeral
    assert answer.content == "I no longer have that picture. Send it again."
    shown = await world.ada.click(answer, label="Choose a picture")
    result = await world.ada.submit_modal(shown, {"picture": two})
    assert len(result.response.attachments) == 2
    assert [job.payload.confidence for job in queue.jobs] == [0.4] * 4


async def test_unknown_button(world: World, queue: ScriptedQueue, memory: FakeMemory) -> None:
    queue.detects()
    first = await world.ada.slash(world.channel, "detect", picture=PHOTO)
    memory.buttons.clear()
    pressed = await world.ada.click(first.response, label="Again")
    [answer] = pressed.followups
    assert "no longer know this button" in answer.content
    assert answer.ephemeral


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


async def test_somebody_elses_button_opens_no_form(world: World, queue: ScriptedQueue) -> None:
    queue.writes("Once upon a time.")
    first = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    pressed = await world.alan.click(first.response, label="Next stop: /detect")
    assert pressed.modal is None
    assert pressed.response.ephemeral
    assert "This button belongs to ada." in pressed.response.content
    assert len(queue.jobs) == 1


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

    for method in ("language", "save_buttons"):
        monkeypatch.setattr(memory, method, broken)
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    [answer] = result.followups
    assert "mention the number" in answer.content


async def test_store_fails_at_the_buttons_and_the_answer_comes_without(
    world: World, memory: FakeMemory, queue: ScriptedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(memory, "save_buttons", broken)
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
    assert message.reference is None  # nothing was said before


async def test_a_late_answer_replies_to_the_last_state(world: World, queue: ScriptedQueue) -> None:
    async def quarter_of_an_hour() -> None:
        waiting = await world.first_message()
        assert "number 3" in waiting.content
        world.env.backend.clock.advance(15 * 60 + 1)

    queue.writes("Better late than never.")
    queue.script[:0] = [Queued(3, 3, None), quarter_of_an_hour]
    result = await world.ada.slash(world.channel, "gpt", text="Hello")
    message = world.channel.last_message
    assert "Better late than never." in message.content
    assert message.reference.message_id == result._interaction.message_id
    [sent] = [e.json for e in world.env.http_requests if e.path.endswith("/messages")]
    assert sent["message_reference"]["fail_if_not_exists"] is False
    assert sent["allowed_mentions"] == {"parse": []}


async def test_a_late_answer_that_may_not_reply_comes_all_the_same(
    world: World, queue: ScriptedQueue
) -> None:
    async def quarter_of_an_hour() -> None:
        await world.first_message()
        world.env.backend.clock.advance(15 * 60 + 1)

    queue.detects()
    queue.script[1:1] = [quarter_of_an_hour]
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=160002, times=1)
    await world.ada.slash(world.channel, "detect", picture=PHOTO)
    message = world.channel.last_message
    assert message.reference is None
    assert "one dog" in message.content
    [drawn] = message.attachments
    assert Image.open(io.BytesIO(await drawn.read())).format == "JPEG"  # all of it, once more


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


async def test_a_question_that_comes_late_is_asked_in_the_channel(world: World) -> None:
    """Nothing about it is secret, and many take no direct messages."""
    late = {"status": 404, "code": 10062, "times": None}
    world.env.inject_error("POST", "/interactions/*/*/callback", **late)
    await world.ada.slash(world.channel, "detect")
    question = world.channel.last_message
    assert question.content.startswith(f"<@{world.ada.id}>\n/detect needs a picture.")
    assert world.env.backend.dm_channels == {}


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


async def test_a_notice_names_whom_it_is_for_and_pings_nobody(world: World) -> None:
    place = {"channel": world.channel.id, "guild": world.guild.id, "user": world.ada.id}
    await world.frontend.send(ReplyAddress("discord", place), Reply.say("cancelled"), "tr")
    assert world.channel.last_message.content == f"<@{world.ada.id}>\nİptal edildi."
    [sent] = [e.json for e in world.env.http_requests if e.path.endswith("/messages")]
    assert sent["allowed_mentions"] == {"parse": []}


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
