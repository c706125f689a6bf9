"""*Delete* under an answer on Discord: who may, what goes, and what is said where it may not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord
import pytest

from bot.discord.presenter import CUSTOM_ID_LIMIT, PAGE_LIMIT, delete_id, deleted_ids
from handlers.kit.reply import Button, Reply
from handlers.kit.request import ReplyAddress
from locales import Message
from tests.bot.discord_doubles import ScriptedQueue
from tests.bot.simcord_world import World, labels

pytestmark = pytest.mark.simcord(shard_count=1)

STORY = " ".join(f"This is sentence number {n} of a long story." for n in range(120))


def visible(world: World) -> list[Any]:
    """What everybody in the channel sees."""
    return [m for m in world.channel.history(viewer=world.ada) if not m.flags.ephemeral]


async def told(world: World, queue: ScriptedQueue) -> Any:
    """Ada has a story of three messages; gives the one with the buttons."""
    queue.writes(STORY)
    result = await world.ada.slash(world.channel, "gpt", text="Tell me a story.")
    assert len(visible(world)) == 3
    return result.followups[-1]


async def test_the_owner_takes_all_messages_of_an_answer_away(
    world: World, queue: ScriptedQueue
) -> None:
    last = await told(world, queue)
    assert labels(last)[-1] == "Delete"
    pressed = await world.ada.click(last, label="Delete")
    assert visible(world) == []
    requests = [entry for entry in world.env.http_requests if "callback" in entry.path]
    deferred = discord.InteractionResponseType.deferred_message_update
    assert requests[-1].json["type"] == deferred.value
    assert pressed.followups == []


async def test_it_works_after_a_restart_without_the_store(
    world: World, queue: ScriptedQueue
) -> None:
    last = await told(world, queue)
    await world.restart()
    world.frontend._hub.services.memory.buttons.clear()  # type: ignore[attr-defined]
    await world.ada.click(last, label="Delete")
    assert visible(world) == []


async def test_others_hear_whose_it_is(world: World, queue: ScriptedQueue) -> None:
    last = await told(world, queue)
    pressed = await world.alan.click(last, label="Delete")
    assert pressed.response.ephemeral
    assert pressed.response.content.startswith("This button belongs to ada.")
    assert len(visible(world)) == 3


async def test_a_moderator_of_the_server_may(world: World, queue: ScriptedQueue) -> None:
    last = await told(world, queue)
    role = world.guild.create_role("mods", permissions=discord.Permissions(manage_guild=True))
    grace = world.guild.add_member(world.env.create_user("grace"), roles=[role])
    await grace.click(last, label="Delete")
    assert visible(world) == []


async def test_an_admin_of_the_configuration_may(world: World, queue: ScriptedQueue) -> None:
    last = await told(world, queue)
    hub = world.frontend._hub
    hub.settings = hub.settings.model_copy(update={"admins": [f"discord:{world.alan.id}"]})
    await world.alan.click(last, label="Delete")
    assert visible(world) == []


async def test_what_is_gone_already_is_no_trouble(world: World, queue: ScriptedQueue) -> None:
    last = await told(world, queue)
    first = visible(world)[0]
    world.env.backend.delete_message(world.channel.id, first.id)
    pressed = await world.ada.click(last, label="Delete")
    assert visible(world) == []
    assert pressed.followups == []


async def test_where_discord_refuses_the_button_stays_and_a_sentence_says_so(
    world: World, queue: ScriptedQueue
) -> None:
    last = await told(world, queue)
    world.env.inject_error("DELETE", "/channels/*/messages/*", status=403, code=50001, times=1)
    pressed = await world.ada.click(last, label="Delete")
    [answer] = pressed.followups
    assert answer.ephemeral
    assert "did not let me delete" in answer.content
    assert len(visible(world)) == 3
    await world.ada.click(last, label="Delete")
    assert visible(world) == []


async def test_an_acknowledgement_too_late_deletes_all_the_same(
    world: World, queue: ScriptedQueue
) -> None:
    last = await told(world, queue)
    world.env.inject_error("POST", "/interactions/*/*/callback", status=404, code=10062)
    await world.ada.click(last, label="Delete")
    assert visible(world) == []


async def test_answers_for_one_person_have_no_delete(world: World, queue: ScriptedQueue) -> None:
    private = await world.ada.slash(world.channel, "privacy")
    assert private.response.ephemeral
    assert "Delete" not in labels(private.response)
    # Nor have those which are private only because of the message that their button stands on.
    helped = await world.ada.slash(world.channel, "help", command="gpt")
    queue.writes("Once upon a time.")
    how = await world.ada.click(helped.response, label="How does it work?")
    assert how.response.ephemeral
    assert "Delete" not in labels(how.response)


async def test_in_a_late_answer_the_owner_is_known_too(world: World, queue: ScriptedQueue) -> None:
    async def quarter_of_an_hour() -> None:
        world.env.backend.clock.advance(15 * 60 + 1)

    queue.writes("Better late than never.")
    queue.script.insert(0, quarter_of_an_hour)
    await world.ada.slash(world.channel, "gpt", text="Hello")
    late = world.channel.last_message
    refused = await world.alan.click(late, label="Delete")
    assert refused.response.content.startswith("This button belongs to somebody else.")
    await world.ada.click(late, label="Delete")
    assert late.id not in {message.id for message in visible(world)}


async def test_a_notice_to_nobody_has_no_delete(world: World) -> None:
    place = {"channel": world.channel.id, "guild": world.guild.id}
    button = Button(Message("button-delete"), deletes=True)
    reply = replace(Reply.say("cancelled"), buttons=(button,))
    await world.frontend.send(ReplyAddress("discord", place), reply, "en")
    assert labels(world.channel.last_message) == []


def test_the_longest_answer_fits_into_a_custom_id() -> None:
    ids = [2**64 - 1 - number for number in range(PAGE_LIMIT)]
    packed = delete_id(ids[0], ids[1:])
    assert len(packed) <= CUSTOM_ID_LIMIT
    assert deleted_ids(packed.removeprefix("d1:")) == tuple(ids)
