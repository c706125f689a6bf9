"""The library's client, set up with the fewest rights that do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import discord
from discord import app_commands

from handlers.kit.registry import Command

log = logging.getLogger(__name__)

#: What the bot asks for when it is invited. Answers to commands need none of it; notices, answers
#: that took over a quarter of an hour, and conversations in threads are ordinary messages and do.
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    create_public_threads=True,
    send_messages_in_threads=True,
    attach_files=True,
    read_message_history=True,
)


def invitation(application: int) -> str:
    """The address under which somebody adds the bot to a server."""
    return discord.utils.oauth_url(
        application, permissions=PERMISSIONS, scopes=("bot", "applications.commands")
    )


class Doors(Protocol):
    """Where what people do is taken in; `bot.discord.desk.Desk` does it."""

    async def slash(
        self, interaction: discord.Interaction[Any], command: Command, options: Mapping[str, Any]
    ) -> None: ...
    async def menu(
        self, interaction: discord.Interaction[Any], command: Command, message: discord.Message
    ) -> None: ...
    async def press(
        self, interaction: discord.Interaction[Any], token: str, *, private: bool
    ) -> None: ...
    async def delete(
        self, interaction: discord.Interaction[Any], owner: int, others: Sequence[int]
    ) -> None: ...
    async def ask(
        self,
        interaction: discord.Interaction[Any],
        token: str,
        command: str,
        names: Sequence[str],
    ) -> None: ...
    async def outdated(self, interaction: discord.Interaction[Any]) -> None: ...
    async def vanished(self, guild: int, channel: int) -> None: ...
    async def renamed(self, guild: int, channel: int, name: str) -> None: ...


class Tree(app_commands.CommandTree["Client"]):
    """The commands that Discord was told of."""

    async def on_error(
        self, interaction: discord.Interaction[Client], error: app_commands.AppCommandError, /
    ) -> None:
        """Somebody's Discord shows a command as it was before an update."""
        log.warning("a command that we no longer know: %r", error)
        await self.client.doors.outdated(interaction)


class Client(discord.AutoShardedClient):
    """Knows guilds and channels, caches no members and no messages, pings nobody.

    It needs no privileged intent: pictures come with commands, forms, and the messages that a menu
    is used on.
    """

    tree: Tree
    doors: Doors

    def __init__(self, prepare: Callable[[], Awaitable[None]]) -> None:
        # We never speak aloud: no word about missing voice libraries.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        intents = discord.Intents.none()
        intents.guilds = True
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.5,  # seconds without a further guild; we wait for none of them
            max_messages=None,
        )
        self._prepare = prepare
        self.tree = Tree(
            self,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=False
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )

    async def setup_hook(self) -> None:
        """Called by the library once logged in, before it connects."""
        await self._prepare()

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Called by the library when somebody deletes a channel."""
        await self.doors.vanished(channel.guild.id, channel.id)

    async def on_guild_channel_update(
        self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel
    ) -> None:
        """Called by the library when anything about a channel changes."""
        if before.name != after.name:
            await self.doors.renamed(after.guild.id, after.id, after.name)
