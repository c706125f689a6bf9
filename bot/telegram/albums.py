"""Albums: Telegram sends their pictures one by one; here they wait for each other.

Their messages share an id and may come in any order. A client sends them all in one go, so an album
is complete when none has come for a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telegram import Message

from bot.pace import Timer
from handlers.kit.request import ALBUM_LIMIT

QUIET = 1.0  # seconds without a further picture after which an album is complete
LONGEST = 5.0  # seconds that an album is waited for in all

CallLater = Callable[[float, Callable[[], None]], Timer]


class Album:
    """Messages that belong together; one that stands alone is complete from the start."""

    def __init__(self, first: Message, call_later: CallLater) -> None:
        self.key = _key(first)
        self._messages = [first]
        self._complete = asyncio.Event()
        self._call_later = call_later
        self._timers: list[Timer] = []
        if first.media_group_id is None:
            self.close()
        else:
            self._timers = [call_later(LONGEST, self.close), call_later(QUIET, self.close)]

    def add(self, message: Message) -> None:
        self._messages.append(message)
        if len(self._messages) >= ALBUM_LIMIT:
            self.close()
        elif self._timers:
            self._timers.pop().cancel()
            self._timers.append(self._call_later(QUIET, self.close))

    def close(self) -> None:
        """Wait for no more pictures; those that come before its turn are welcome still."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._complete.set()

    async def complete(self) -> tuple[Message, ...]:
        """All messages, in the album's order, as soon as they are there."""
        await self._complete.wait()
        return tuple(sorted(self._messages, key=lambda message: message.message_id))


class Albums:
    """The albums that are being gathered. `call_later` is the event loop's, or a test's."""

    def __init__(self, call_later: CallLater) -> None:
        self._call_later = call_later
        self._open: dict[tuple[int, str | None], Album] = {}

    def add(self, message: Message) -> bool:
        """Add a message to its album; False where that has not begun, or is complete."""
        album = self._open.get(_key(message))
        if album is not None:
            album.add(message)
        return album is not None

    def begin(self, message: Message) -> Album:
        """Begin an album, to be completed in its turn."""
        album = Album(message, self._call_later)
        if message.media_group_id is not None:
            self._open[album.key] = album
        return album

    async def complete(self, album: Album) -> tuple[Message, ...]:
        """Wait for an album's messages; what comes later is no longer part of it."""
        try:
            return await album.complete()
        finally:
            album.close()
            self._open.pop(album.key, None)

    def close(self) -> None:
        """Wait for no more pictures of any album: the program ends."""
        for album in self._open.values():
            album.close()


def _key(message: Message) -> tuple[int, str | None]:
    return message.chat.id, message.media_group_id
