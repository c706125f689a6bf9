"""Who used a command or a button, where, and what they may: all of it as Discord tells it."""

from __future__ import annotations

from functools import partial
from typing import Any

import discord

from bot.hub import Visitor
from handlers.kit.request import ReplyAddress

Interaction = discord.Interaction[Any]


def visitor_of(interaction: Interaction, private: bool) -> Visitor:
    """Who did something; `private`: the answer is for them alone."""
    guild, user = interaction.guild, interaction.user
    channel_id = interaction.channel_id or 0
    place = {
        "guild": interaction.guild_id,
        "channel": channel_id,
        "message": interaction.message.id if interaction.message else None,
        "user": user.id,
    }
    # Guilds that never chose a language say en-US; only Community guilds choose one.
    chooses = guild is not None and "COMMUNITY" in guild.features
    chat_locale = interaction.guild_locale if chooses else None
    # A server has one share of the device, however many channels it opens.
    share = room_of(interaction.guild_id) if interaction.guild_id else ""
    channel, parent = _channel(interaction)
    return Visitor(
        user=f"discord:{user.id}",
        chat=f"discord:{channel_id}",
        address=ReplyAddress("discord", place),
        user_name=user.display_name,
        client_language=interaction.locale.value,
        chat_tag=chat_locale.value if chat_locale else None,
        public=interaction.guild_id is not None and not private,
        share=share,
        channel=channel,
        parent=parent,
        moderator=partial(_moderator, interaction),
        sees=partial(_sees, interaction),
    )


def room_of(guild: int) -> str:
    """How a server is called wherever rooms are told apart."""
    return f"discord:guild:{guild}"


def _channel(interaction: Interaction) -> tuple[str, str]:
    """The channel's name (a thread has its parent's) and a thread's parent as "discord:id".

    Both are empty outside of servers.
    """
    channel = interaction.channel
    if interaction.guild_id is None:
        return "", ""
    if isinstance(channel, discord.Thread):
        return (channel.parent or channel).name, f"discord:{channel.parent_id}"
    return getattr(channel, "name", "") or "?", ""


def moderates(interaction: Interaction) -> bool:
    """Whether somebody looks after the server. Outside of servers Discord tells no permissions."""
    held = interaction.permissions
    return held.manage_guild or held.administrator


async def _moderator(interaction: Interaction) -> bool:
    return moderates(interaction)


def _sees(interaction: Interaction, channel: str) -> bool:
    """Whether the server has a channel and shows it to somebody: its name may be a secret."""
    guild, person = interaction.guild, interaction.user
    found = guild.get_channel(int(channel.removeprefix("discord:"))) if guild else None
    if found is None or not isinstance(person, discord.Member):
        return False
    return found.permissions_for(person).view_channel


def _asker(interaction: Interaction) -> discord.User | None:
    """Who asked for the message that a button stands on; late answers and notices do not tell."""
    message = interaction.message
    metadata = message.interaction_metadata if message else None
    return metadata.user if metadata else None


def names_around(interaction: Interaction) -> dict[str, str]:
    """What the chat shows as the name of whoever a button belongs to."""
    asker = _asker(interaction)
    return {f"discord:{asker.id}": asker.display_name} if asker else {}


def is_foreign(interaction: Interaction) -> bool:
    """Whether a button on an answer to somebody else was pressed."""
    asker = _asker(interaction)
    return asker is not None and asker.id != interaction.user.id


def is_aside(interaction: Interaction) -> bool:
    """Whether what comes of a button is for the eyes of one person: so is the message that it
    stands on, or the button will turn out to be somebody else's.
    """
    message = interaction.message
    return (message is not None and message.flags.ephemeral) or is_foreign(interaction)
