"""Where the messages of an answer are posted: as a response to an interaction, or in a channel."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import discord

TOKEN_SECONDS = 15 * 60 - 20.0  # that an interaction's token is relied on; Discord says 15 minutes

UNKNOWN_MESSAGE = 10008


class Outlet(ABC):
    """A place where the messages of one answer are posted. `limit` is in bytes a file."""

    limit: int
    head: str = ""  # markup that the answer begins with
    whispers: bool = True  # can show a message to the asker alone, in the place of the question

    @property
    def dead(self) -> bool:
        """Whether nothing can be posted or edited here any more."""
        return False

    @abstractmethod
    async def post(self, private: bool, **content: Any) -> discord.Message:
        """Send a message, to the asker alone if `private`."""

    async def withdraw(self) -> None:
        """Take back the sign that an answer is coming, if there is one."""


class InteractionOutlet(Outlet):
    """Answers an interaction that has been acknowledged.

    `thinking`: the acknowledgement shows as "Tadım is thinking…", and the first message takes its
    place, to be seen by whom the acknowledgement was.
    """

    def __init__(self, interaction: discord.Interaction[Any], *, thinking: bool) -> None:
        self._interaction = interaction
        self._thinking = thinking
        # Counted from here: the interaction's own time is Discord's, and clocks differ.
        self._dies_at = asyncio.get_running_loop().time() + TOKEN_SECONDS
        self.limit = interaction.filesize_limit

    @property
    def dead(self) -> bool:
        return asyncio.get_running_loop().time() > self._dies_at

    async def post(self, private: bool, **content: Any) -> discord.Message:
        if self._thinking:
            files = content.pop("files", [])
            try:
                message = await self._interaction.edit_original_response(
                    attachments=files, **content
                )
            except discord.NotFound as error:
                if error.code != UNKNOWN_MESSAGE:
                    raise
                # Somebody deleted the message already: the answer comes as a new one.
                self._thinking = False
                content["files"] = files
            else:
                self._thinking = False
                return message
        return await self._interaction.followup.send(ephemeral=private, wait=True, **content)

    async def withdraw(self) -> None:
        if not self._thinking:
            return
        with contextlib.suppress(discord.NotFound):
            # As long as it "thinks", Discord takes the next message for the awaited one, and shows
            # it to whom the acknowledgement was shown. So it says something first.
            await self._interaction.edit_original_response(content="…")
            self._thinking = False
            await self._interaction.delete_original_response()
        self._thinking = False


class ChannelOutlet(Outlet):
    """Posts ordinary messages, by the ids of a `ReplyAddress`; private ones directly to the user.

    `names_user`: the message begins with the asker's name, since nothing else ties it to the
    question. It is shown as a mention, but pings nobody.
    """

    def __init__(
        self, client: discord.Client, place: Mapping[str, Any], *, names_user: bool = False
    ) -> None:
        self.whispers = False
        self._client = client
        self._place = place
        guild = client.get_guild(int(place.get("guild") or 0))
        self.limit = guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        if names_user and guild and place.get("user"):
            self.head = f"<@{place['user']}>"

    async def post(self, private: bool, **content: Any) -> discord.Message:
        target: discord.abc.Messageable
        if private:
            target = await self._client.create_dm(discord.Object(int(self._place["user"])))
        else:
            target = self._client.get_partial_messageable(int(self._place["channel"]))
        return await target.send(**content)
