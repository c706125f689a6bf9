"""The pictures that people sent: named by their ids, found again when a command wants the bytes.

Discord's attachment addresses are signed and expire, so a reference holds ids. What a message holds
can be asked for again, as far as Discord shows it to us; what came with a command or a form belongs
to no message, so its address is kept for as long as the program runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import aiohttp
import discord

from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge

log = logging.getLogger(__name__)

SIZE_LIMIT = 25_000_000  # bytes
KEPT = 5000  # attachments whose address is remembered
SECONDS = 60.0  # that a download may take

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic")
# What a download may end with when the address is dead or the network is.
_FAILURES = (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError)


class Shelf:
    """Remembers attachments by id and fetches their bytes."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._kept: OrderedDict[int, discord.Attachment] = OrderedDict()

    def keep(
        self, attachment: discord.Attachment, message: discord.Message | None = None
    ) -> PictureRef:
        """A reference to an attachment, of a message if it belongs to one."""
        self._kept[attachment.id] = attachment
        self._kept.move_to_end(attachment.id)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        place: dict[str, Any] = {"attachment": attachment.id}
        if message is not None:
            place |= {"channel": message.channel.id, "message": message.id}
        return PictureRef("discord", place)

    async def fetch(self, ref: PictureRef) -> bytes:
        """The bytes of a referenced picture.

        Raises:
            PictureGone: neither the kept address nor the message has it any more.
            PictureTooLarge: over `SIZE_LIMIT`; noticed before downloading.
        """
        attachment_id = int(ref.place["attachment"])
        kept = self._kept.get(attachment_id)
        if kept is not None:
            try:
                return await _read(kept)
            except _FAILURES as error:
                log.info("attachment %d: kept address failed: %r", attachment_id, error)
                self._kept.pop(attachment_id, None)
        try:
            return await _read(await self._ask_again(ref, attachment_id))
        except _FAILURES as error:
            log.info("attachment %d: gone: %r", attachment_id, error)
            raise PictureGone from error

    async def _ask_again(self, ref: PictureRef, attachment_id: int) -> discord.Attachment:
        """The attachment with a fresh address, from the message it belongs to.

        Without the privileged message content intent, Discord shows attachments of our own
        messages and of direct messages only; of others it sends none.
        """
        if "message" not in ref.place:
            raise PictureGone
        channel = self._client.get_partial_messageable(int(ref.place["channel"]))
        message = await channel.fetch_message(int(ref.place["message"]))
        for attachment in attachments_of(message):
            if attachment.id == attachment_id:
                self.keep(attachment, message)
                return attachment
        raise PictureGone


def attachments_of(message: discord.Message) -> Iterable[discord.Attachment]:
    """The attachments of a message and of those it forwards."""
    yield from message.attachments
    for snapshot in message.message_snapshots:
        yield from snapshot.attachments


def pictures_of(message: discord.Message) -> list[discord.Attachment]:
    """The attachments of a message that say they are pictures."""
    return [found for found in attachments_of(message) if _claims_picture(found)]


def _claims_picture(attachment: discord.Attachment) -> bool:
    kind = attachment.content_type or ""
    return kind.startswith("image/") or attachment.filename.lower().endswith(_SUFFIXES)


async def _read(attachment: discord.Attachment) -> bytes:
    if attachment.size > SIZE_LIMIT:
        raise PictureTooLarge(SIZE_LIMIT)
    async with asyncio.timeout(SECONDS):
        return await attachment.read()
