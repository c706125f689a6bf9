"""Where the messages of an answer are posted: as a response to an interaction, or in a channel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import discord

from bot.discord.limits import Budgets
from bot.pace import Pace, Urgency

log = logging.getLogger(__name__)

TOKEN_SECONDS = 15 * 60 - 20.0  # that an interaction's token is relied on; Discord says 15 minutes
TYPING_SECONDS = 9.0  # after which typing is shown again; Discord shows it for ten

UNKNOWN_MESSAGE = 10008
CANNOT_REPLY = 160002  # without permission to read the channel's history


class Outlet(ABC):
    """A place where the messages of one answer are posted. `limit` is in bytes a file."""

    limit: int
    head: str = ""  # markup that the answer begins with
    whispers: bool = True  # can show a message to the asker alone, in the place of the question

    @property
    def dead(self) -> bool:
        """Whether nothing can be posted or edited here any more."""
        return False

    async def may_whisper(self) -> bool:
        """Whether what spares the others can be told to the asker alone, and soon."""
        return self.whispers

    async def permit(self, urgency: Urgency) -> None:
        """Wait until a state on the way may be shown here."""

    @abstractmethod
    async def post(self, private: bool, **content: Any) -> discord.Message:
        """Send a message, to the asker alone if `private`."""

    async def edit(self, message: discord.Message, **changes: Any) -> None:
        """Change a message that was posted here."""
        await message.edit(**changes)

    async def withdraw(self) -> None:
        """Take back the sign that an answer is coming, if there is one."""

    async def show_typing(self) -> None:
        """Show that an answer is coming, where that costs nobody anything."""


class InteractionOutlet(Outlet):
    """Answers an interaction that has been acknowledged.

    The acknowledgement shows as "Tadım is thinking…"; the first message takes its place, to be seen
    by whom the acknowledgement was.
    """

    def __init__(self, interaction: discord.Interaction[Any], budgets: Budgets) -> None:
        self._interaction = interaction
        self._budgets = budgets
        self._channel = interaction.channel_id or 0
        self._thinking = True
        self._paid = False  # whether the next further message is
        # Counted from here: the interaction's own time is Discord's, and clocks differ.
        self._dies_at = asyncio.get_running_loop().time() + TOKEN_SECONDS
        self.limit = interaction.filesize_limit

    @property
    def dead(self) -> bool:
        return asyncio.get_running_loop().time() > self._dies_at

    async def may_whisper(self) -> bool:
        # A whisper is a further message. Where a whole class is told that the queue is full, most
        # would wait for minutes; they are told in the place of the answer, at once.
        if not self._paid and self._budgets.further.delay(self._channel, 1) <= 0:
            await self._pay()
            self._paid = True
        return self._paid

    async def permit(self, urgency: Urgency) -> None:
        if not self.dead:
            await _pay(self._budgets.states, self._channel, urgency)

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
                content["files"] = _again(files)
            else:
                self._thinking = False
                return message
        if not self._paid:
            await self._pay()
        self._paid = False
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

    async def _pay(self) -> None:
        await _pay(self._budgets.further, self._channel, Urgency.FINAL)


class ChannelOutlet(Outlet):
    """Posts ordinary messages, by the ids of a `ReplyAddress`; private ones directly to the user.

    `names_user`: the message begins with the asker's name, since nothing else ties it to the
    question. It is shown as a mention, but pings nobody. `replies_to` is the message that the first
    one hangs on, if it is still there.
    """

    def __init__(
        self,
        client: discord.Client,
        place: Mapping[str, Any],
        budgets: Budgets,
        *,
        names_user: bool = False,
        replies_to: discord.Message | None = None,
    ) -> None:
        self.whispers = False
        self._client = client
        self._place = place
        self._channel = int(place["channel"])
        self._budgets = budgets
        self._paid = False  # whether the next message is
        self._typing_until = 0.0
        self._reference = replies_to and replies_to.to_reference(fail_if_not_exists=False)
        guild = client.get_guild(int(place.get("guild") or 0))
        self.limit = guild.filesize_limit if guild else discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
        if names_user and guild and place.get("user"):
            self.head = f"<@{place['user']}>"

    async def permit(self, urgency: Urgency) -> None:
        if not self._paid:
            await _pay(self._budgets.messages, self._channel, urgency)
            self._paid = True

    async def post(self, private: bool, **content: Any) -> discord.Message:
        if private:
            direct = await self._client.create_dm(discord.Object(int(self._place["user"])))
            await _pay(self._budgets.messages, direct.id, Urgency.FINAL)
            return await direct.send(**content)
        await self._pay()
        channel = self._client.get_partial_messageable(self._channel)
        if self._reference is not None:
            try:
                message = await channel.send(reference=self._reference, **content)
            except discord.HTTPException as error:
                if error.code != CANNOT_REPLY:
                    raise
                self._reference = None
                _again(content.get("files", ()))
            else:
                self._reference = None
                return message
        return await channel.send(**content)

    async def edit(self, message: discord.Message, **changes: Any) -> None:
        await self._pay()
        await message.edit(**changes)

    async def show_typing(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._typing_until or not self._budgets.messages.spare(self._channel):
            return
        self._typing_until = now + TYPING_SECONDS
        try:
            await self._client.get_partial_messageable(self._channel).typing()
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.info("typing was not shown: %r", error)

    async def _pay(self) -> None:
        if not self._paid:
            await _pay(self._budgets.messages, self._channel, Urgency.FINAL)
        self._paid = False


def _again(files: Sequence[discord.File]) -> Sequence[discord.File]:
    """The files wound back, for a second request."""
    for file in files:
        file.reset()
    return files


async def _pay(pace: Pace, channel: int, urgency: Urgency) -> None:
    """Wait for the right to send one message, and take it."""
    async with pace.turn(channel, urgency) as turn:
        await turn.pay()
