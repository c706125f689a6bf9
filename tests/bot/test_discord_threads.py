"""Conversations in threads of their own, and what a thread is to the rest of Tadım."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import discord
import pytest

from inference.jobs import QueueFull
from tests.bot.cave import Cave, cave_command
from tests.bot.discord_doubles import PHOTO, ScriptedQueue
from tests.bot.simcord_world import World, labels
from tests.fakes import FakeMemory

pytestmark = pytest.mark.simcord(shard_count=1)


@pytest.fixture(autouse=True)
def cave() -> Iterator[Cave]:
    with cave_command() as cave:
        yield cave


async def test_the_answer_goes_into_a_thread_and_the_channel_says_where(
    world: World, cave: Cave
) -> None:
    result = await world.ada.slash(world.channel, "cave")
    [thread] = world.channel.threads
    assert thread.name == "/cave · ada"
    assert (
        result.response.content
        == f"I have opened a thread for this. It goes on there: <#{thread.id}>"
    )
    assert thread.last_message.content == "It is dark. start"
    stored = world.env.backend.messages[thread.id][thread.last_message.id]
    assert labels(stored) == ["On", "Delete"]
    [request] = cave.requests
    assert request.chat == f"discord:{thread.id}"
    assert request.parent == f"discord:{world.channel.id}"
    assert request.channel == "derslik"
    assert request.room == f"discord:guild:{world.guild.id}"
    assert request.address.place["channel"] == thread.id


async def test_in_the_thread_it_is_answered_right_there(world: World, cave: Cave) -> None:
    await world.ada.slash(world.channel, "cave")
    [thread] = world.channel.threads
    pressed = await world.ada.click(thread.last_message, label="On")
    assert pressed.response.content == "It is dark. on"
    assert len(world.channel.threads) == 1
    assert cave.requests[-1].chat == f"discord:{thread.id}"
    assert cave.requests[-1].parent == f"discord:{world.channel.id}"
    assert cave.requests[-1].channel == "derslik"


async def test_in_direct_messages_it_is_answered_right_there(world: World, cave: Cave) -> None:
    eve = world.env.create_user("eve")
    result = await eve.slash("cave")
    assert result.response.content == "It is dark. start"
    assert world.channel.threads == []
    assert (cave.requests[0].parent, cave.requests[0].channel) == ("", "")


@pytest.mark.parametrize("missing", ["create_public_threads", "send_messages_in_threads"])
async def test_without_the_permission_it_is_answered_in_place(
    world: World, cave: Cave, missing: str
) -> None:
    forbidden = {world.env.bot.user: discord.PermissionOverwrite(**{missing: False})}
    channel = world.guild.create_text_channel("strict", overwrites=forbidden)
    result = await world.ada.slash(channel, "cave")
    assert result.response.content == "It is dark. start"
    assert world.channel.threads == []
    assert cave.requests[0].chat == f"discord:{channel.id}"


async def test_where_discord_refuses_a_thread_it_is_answered_in_place(
    world: World, cave: Cave
) -> None:
    world.env.inject_error("POST", "/channels/*/messages/*/threads", status=400, code=160006)
    result = await world.ada.slash(world.channel, "cave")
    assert result.response.content == "It is dark. start"
    assert result.followups == []
    assert world.channel.threads == []


async def test_a_failure_in_the_thread_is_told_there(world: World, cave: Cave) -> None:
    cave.error = QueueFull(7, 120.0)
    await world.ada.slash(world.channel, "cave")
    [thread] = world.channel.threads
    assert "7 jobs are waiting" in thread.last_message.content


async def test_a_wrong_value_opens_no_thread(world: World, cave: Cave) -> None:
    result = await world.ada.slash(world.channel, "cave", step="   ")
    assert result.ephemeral
    assert world.channel.threads == []


async def test_a_channel_that_is_not_on_the_list_opens_no_thread(
    world: World, memory: FakeMemory, cave: Cave
) -> None:
    room = f"discord:guild:{world.guild.id}"
    lab = world.guild.create_text_channel("sanal-laboratuvar")
    await memory.allow_channel(room, f"discord:{lab.id}", lab.name)
    result = await world.ada.slash(world.channel, "cave")
    [answer] = result.followups
    assert answer.ephemeral
    assert "sanal-laboratuvar" in answer.content
    assert world.channel.threads == []
    assert cave.requests == []


async def test_channels_that_are_hidden_from_somebody_are_not_named_to_them(
    world: World, memory: FakeMemory
) -> None:
    """Nor those that are no more."""
    room, everybody = f"discord:guild:{world.guild.id}", world.guild.default_role
    hidden = {everybody: discord.PermissionOverwrite(view_channel=False)}
    office = world.guild.create_text_channel("office", overwrites=hidden)
    await memory.allow_channel(room, f"discord:{office.id}", office.name)
    await memory.allow_channel(room, "discord:1", "deleted")
    role = world.guild.create_role("mods", permissions=discord.Permissions(administrator=True))
    grace = world.guild.add_member(world.env.create_user("grace"), roles=[role])
    told = {}
    for person in (world.ada, grace):
        [answer] = (await person.slash(world.channel, "gpt", text="Hello")).followups
        told[person] = answer.content.replace("\\", "")
    assert told[world.ada].endswith("A moderator can tell you where I do.")
    assert told[grace].endswith("You will find me in #office.")


async def test_a_thread_counts_as_its_channel(
    world: World, memory: FakeMemory, queue: ScriptedQueue
) -> None:
    room = f"discord:guild:{world.guild.id}"
    await memory.allow_channel(room, f"discord:{world.channel.id}", "derslik")
    other = world.guild.create_text_channel("another")
    for channel in (world.channel, other):
        world.env.backend.create_thread(channel.id, "corner", world.ada.id)
    [inside], [outside] = world.channel.threads, other.threads
    queue.detects()
    answered = await world.ada.slash(inside, "detect", picture=PHOTO)
    assert "one dog" in answered.response.content
    refused = await world.ada.slash(outside, "detect", picture=PHOTO)
    [answer] = refused.followups
    assert answer.ephemeral
    assert "derslik" in answer.content


async def test_moderators_are_known_by_their_permissions(world: World, cave: Cave) -> None:
    await world.ada.slash(world.channel, "cave")
    for right in ("manage_guild", "administrator"):
        role = world.guild.create_role(right, permissions=discord.Permissions(**{right: True}))
        person = world.guild.add_member(world.env.create_user(right.replace("_", "")), roles=[role])
        await person.slash(world.channel, "cave")
    ada, *moderators = cave.requests
    assert not await ada.moderator()
    assert [await request.moderator() for request in moderators] == [True, True]


async def test_a_deleted_channel_leaves_the_list_unless_it_is_the_last(
    world: World, memory: FakeMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = memory.channels

    async def channels(room: str) -> Mapping[str, str]:
        listed = await at_once(room)
        await asyncio.sleep(0)  # as a database takes its time
        return listed

    monkeypatch.setattr(memory, "channels", channels)
    room = f"discord:guild:{world.guild.id}"
    bots, lab, other = (world.guild.create_text_channel(name) for name in ("bots", "lab", "other"))
    for channel in (bots, lab):
        await memory.allow_channel(room, f"discord:{channel.id}", channel.name)
    for channel in (other, bots, lab):  # all in one moment
        world.env.backend.delete_channel(channel.id)
    await world.env.settle()
    assert await memory.channels(room) == {f"discord:{lab.id}": "lab"}, "or it would be everywhere"


async def test_a_renamed_channel_has_its_new_name_on_the_list(
    world: World, memory: FakeMemory
) -> None:
    room = f"discord:guild:{world.guild.id}"
    other = world.guild.create_text_channel("other")
    await memory.allow_channel(room, f"discord:{world.channel.id}", "derslik")
    for channel in (world.channel, other):
        world.env.backend.edit_channel(channel.id, {"name": "atölye"})
    await world.env.settle()
    assert await memory.channels(room) == {f"discord:{world.channel.id}": "atölye"}


async def test_moderators_choose_the_channels(world: World, memory: FakeMemory) -> None:
    assert "channels" not in world.ada.available_commands(world.channel)
    role = world.guild.create_role("mods", permissions=discord.Permissions(manage_guild=True))
    grace = world.guild.add_member(world.env.create_user("grace"), roles=[role])
    result = await grace.slash(world.channel, "channels", action="allow")
    assert result.ephemeral
    room = f"discord:guild:{world.guild.id}"
    assert await memory.channels(room) == {f"discord:{world.channel.id}": "derslik"}
