"""Albums: Telegram sends their pictures one by one, in messages that share an id. Here they wait
for each other.

A client sends them all in one go, so an album is complete when none has come for a second. They
may come in any order.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from telegram import Message

from handlers.kit.request import ALBUM_LIMIT

QUIET = 1.0  # seconds without a further picture after which an album is complete
LONGEST = 5.0  # seconds that an album is waited for in all


class Album:
    """Messages that belong together. A message that stands alone is complete from the start."""

    def __init__(self, first: Message) -> None:
        self.key = _key(first)
        self._loop = asyncio.get_running_loop()
        self._messages = [first]
        self._begun = self._newest = self._loop.time()
        self._closed = first.media_group_id is None
        self._news = asyncio.Event()

    def add(self, message: Message) -> None:
        self._messages.append(message)
        self._newest = self._loop.time()
        self._news.set()

    def close(self) -> None:
        """Wait for no more pictures."""
        self._closed = True
        self._news.set()

    async def complete(self) -> tuple[Message, ...]:
        """All messages, in the album's order, as soon as they are there."""
        while (left := self._left()) > 0:
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
        return tuple(sorted(self._messages, key=lambda message: message.message_id))

    def _left(self) -> float:
        """Seconds to wait if nothing comes."""
        if self._closed or len(self._messages) >= ALBUM_LIMIT:
            return 0.0
        until = min(self._newest + QUIET, self._begun + LONGEST)
        return until - self._loop.time()


class Albums:
    """The albums that are being gathered."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, str | None], Album] = {}

    def add(self, message: Message) -> bool:
        """Add a message to its album; False where that has not begun, or is complete."""
        album = self._open.get(_key(message))
        if album is not None:
            album.add(message)
        return album is not None

    def begin(self, message: Message) -> Album:
        """Begin an album, to be completed in its turn."""
        album = Album(message)
        if message.media_group_id is not None:
            self._open[album.key] = album
        return album

    async def complete(self, album: Album) -> tuple[Message, ...]:
        """Wait for an album's messages; what comes later is no longer part of it."""
        try:
            return await album.complete()
        finally:
            self._open.pop(album.key, None)

    def close(self) -> None:
        """Wait for no more pictures of any album: the program ends."""
        for album in self._open.values():
            album.close()


def _key(message: Message) -> tuple[int, str | None]:
    return message.chat.id, message.media_group_id
