"""“typing…” in a chat's title, or that a file is coming: while work goes on and nothing is shown.

Telegram shows it for five seconds, or until a message comes. It is shown only where the budgets
have a message to spare, and never after the answer, which would look like another one to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from telegram.constants import ChatAction

from bot.telegram.intake import Place
from bot.telegram.outbox import Outbox
from bot.telegram.presenter import AlbumPost, MediaPost, Post
from handlers.kit.reply import Reply

BEGIN = 1.0  # seconds; what is answered sooner needs no such thing
REPEAT = 4.5  # seconds, since something was shown
LARGE = 1_000_000  # bytes of pictures and files, whose way to Telegram takes a moment


class Activity:
    """What one answer lets its chat show. The place may change on the way."""

    def __init__(self, outbox: Outbox, place: Callable[[], Place]) -> None:
        self.action = ChatAction.TYPING
        self._outbox = outbox
        self._place = place
        self._newest = outbox.pace.clock() - REPEAT + BEGIN  # when something was shown last

    def shown(self) -> None:
        """Note that the reader sees something new."""
        self._newest = self._outbox.pace.clock()

    async def keep_up(self) -> None:
        """Show it again and again, until cancelled."""
        pace = self._outbox.pace
        while True:
            wait = self._newest + REPEAT - pace.clock()
            if wait > 0:
                await pace.sleep(wait)
                continue
            self.shown()
            if pace.spare(self._place().chat):
                await self._outbox.act(self._place(), self.action)

    async def announce(self) -> None:
        """Show it once; somebody has paid."""
        await self._outbox.act(self._place(), self.action)


def action_for(reply: Reply) -> ChatAction:
    """What a reader is about to receive."""
    if reply.pictures:
        animated = reply.pictures[0].animated
        return ChatAction.UPLOAD_VIDEO if animated else ChatAction.UPLOAD_PHOTO
    return ChatAction.UPLOAD_DOCUMENT if reply.files else ChatAction.TYPING


def large(posts: Sequence[Post]) -> bool:
    """Whether their way to Telegram takes a moment."""
    return sum(map(_bytes, posts)) > LARGE


def _bytes(post: Post) -> int:
    match post:
        case AlbumPost(photos):
            return sum(map(_bytes, photos))
        case MediaPost(media):
            return len(media.data)
        case _:
            return 0
