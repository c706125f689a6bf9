"""The way out: sends, edits and deletes messages, and meets what Telegram says against it.

What may happen, and what is done:

1. Too fast (`RetryAfter`): the chat is left alone for as long as Telegram says, then tried again.
2. The group became a supergroup (`ChatMigrated`): sent to its new id, from now on.
3. The network fails: tried again a few times.
4. Blocked, kicked out, muted, chat gone (`Forbidden`, "chat not found"): `Unreachable`, quietly.
   Only the topic is gone: sent to the group's general one.
5. "Message is not modified": it already says so.
6. A picture that Telegram cannot use as a photo: sent as a file. Too many bytes (413): photos are
   made smaller once. Where that is not enough, or pictures are forbidden in the group: the text
   alone, saying so.
7. Markup that Telegram cannot read (a mistake of ours, logged): sent as plain text.
8. No drafts: an older Bot API server knows no such method (404) and is not asked again; nor is a
   chat that takes none (400). `draft` says so, and the answer goes on by edits.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from telegram import (
    Bot,
    ForceReply,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaPhoto,
    LinkPreviewOptions,
    ReplyParameters,
)
from telegram import Message as Sent
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.pace import Pace, Turn
from bot.telegram.intake import Place
from bot.telegram.media import SMALL_BYTES, Media, shrink
from bot.telegram.presenter import AlbumPost, MediaPost, Post, TextPost
from handlers.kit.studio import Studio, StudioLost
from locales import Message, words

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSES = (1.0, 3.0, 9.0)  # seconds before each further try over a failing network
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_CLOSED = (  # what Telegram says where we may not write
    "chat not found",
    "chat_write_forbidden",
    "not enough rights to send text messages",
    "no rights to send a message",
    "topic_closed",
)
_REMEMBERED = 1000  # chats whose migration, or refusal of drafts, is kept in mind


class Unreachable(Exception):
    """Nothing can be sent there: the bot was blocked or removed, or the chat is no more."""


class TooLarge(BadRequest):
    """More bytes than Telegram, or something on the way to it, takes in one message."""


class Lost(Exception):
    """The message that was to be edited is no longer there."""


class Outbox:
    """Sends to Telegram within its limits. All of it happens in a `Turn` of the chat."""

    def __init__(self, bot: Bot, pace: Pace, studio: Studio) -> None:
        self.pace = pace
        self._bot = bot
        self._studio = studio
        self._moved: OrderedDict[int, int] = OrderedDict()
        self._draftless: OrderedDict[int, None] = OrderedDict()
        self._has_drafts = True
        self._drafts = itertools.count(1)

    @property
    def own_link(self) -> str:
        """The address of a private chat with us."""
        return f"https://t.me/{self._bot.username}"

    async def send(
        self, turn: Turn, place: Place, post: Post, language: str, *, ask: bool = False
    ) -> list[int]:
        """Send a post; gives the ids of its messages.

        `ask` opens the reader's reply field (in a group, where an answer must be a reply to
        us). `language` chooses the words of our own remarks.

        Raises:
            Unreachable: see there.
            TelegramError: Telegram did not take it, whatever was tried.
        """
        match post:
            case TextPost():
                return await self._with_markup(
                    post, lambda text: self._text(turn, place, post, text, ask)
                )
            case _:
                return await self._as_allowed(turn, place, post, language)

    async def edit(
        self, turn: Turn, place: Place, message: int, post: TextPost, *, final: bool
    ) -> bool:
        """Replace a message's text; says whether it is shown now.

        An edit that is not `final` is tried once, and failures of the network are passed over:
        a newer state is on its way.

        Raises:
            Lost: the reader deleted it.
            Unreachable: see there.
        """

        async def attempt(text: str, mode: str | None) -> None:
            await self._insist(
                turn,
                place,
                lambda at: self._bot.edit_message_text(
                    text,
                    at.chat,
                    message,
                    parse_mode=mode,
                    reply_markup=post.keyboard,
                    link_preview_options=_NO_PREVIEW,
                ),
                once=not final,
            )

        try:
            await self._with_markup(post, lambda text: attempt(*text))
        except BadRequest as error:
            reason = error.message.lower()
            if "not modified" in reason:
                return True
            if "to edit" in reason or "can't be edited" in reason or "not found" in reason:
                raise Lost from error
            raise
        except (RetryAfter, NetworkError) as error:
            if final:
                raise
            log.debug("a state was not shown: %s", error)
            return False
        return True

    async def delete(self, place: Place, message: int) -> None:
        """Remove one of our messages, if it is still there. Costs nothing of the budget."""
        try:
            await self._bot.delete_message(self._now(place).chat, message)
        except (Forbidden, NetworkError, RetryAfter, ChatMigrated) as error:
            log.debug("a status message stays: %s", error)

    def moved(self, before: int, now: int) -> None:
        """Note that a group became a supergroup."""
        self._moved[before] = now
        if len(self._moved) > _REMEMBERED:
            self._moved.popitem(last=False)

    # --- what is shown for a while ----------------------------------------------------------------

    def takes_drafts(self, place: Place) -> bool:
        """Whether a growing text can be shown there as a draft, as far as we know."""
        return self._has_drafts and not place.group and place.chat not in self._draftless

    def new_draft(self) -> int:
        """A number for a draft, which tells it from others."""
        return next(self._drafts)

    async def draft(self, turn: Turn, place: Place, number: int, post: TextPost) -> bool:
        """Show a growing text as a draft; False where there are none. Failures are passed over.

        Raises:
            Unreachable: see there.
        """

        async def attempt(text: str, mode: str | None) -> None:
            await self._insist(
                turn,
                place,
                lambda at: self._bot.send_message_draft(
                    at.chat, number, text, parse_mode=mode, message_thread_id=at.thread
                ),
                once=True,
            )

        try:
            await self._with_markup(post, lambda text: attempt(*text))
        except InvalidToken as error:  # the client's name for any 404
            log.info("this Bot API has no drafts, so texts grow by edits: %s", error)
            self._has_drafts = False
        except BadRequest as error:
            log.info("a chat takes no drafts, so its texts grow by edits: %s", error)
            self._draftless[place.chat] = None
            if len(self._draftless) > _REMEMBERED:
                self._draftless.popitem(last=False)
        except (RetryAfter, NetworkError) as error:
            log.debug("a draft was not shown: %s", error)
        return self.takes_drafts(place)

    async def act(self, place: Place, action: str) -> None:
        """Let the chat show for five seconds that we are at it. Paid by the caller, by `spare`."""
        try:
            await self._bot.send_chat_action(self._now(place).chat, action, place.thread)
        except RetryAfter as error:
            self.pace.freeze(place.chat, seconds(error))
        except TelegramError as error:
            log.debug("a chat does not show that we are at it: %s", error)

    # --- one kind of message each ---------------------------------------------------------------

    async def _text(
        self, turn: Turn, place: Place, post: TextPost, text: tuple[str, str | None], ask: bool
    ) -> list[int]:
        markup: ForceReply | InlineKeyboardMarkup | None = post.keyboard
        if ask:
            markup = ForceReply(selective=True)
        sent = await self._insist(
            turn,
            place,
            lambda at: self._bot.send_message(
                at.chat,
                text[0],
                parse_mode=text[1],
                reply_markup=markup,
                link_preview_options=_NO_PREVIEW,
                message_thread_id=at.thread,
                reply_parameters=_reply(at),
            ),
        )
        return [sent.message_id]

    async def _media(self, turn: Turn, place: Place, post: MediaPost) -> list[int]:
        file = InputFile(post.media.data, post.media.name)
        senders: dict[str, Callable[..., Awaitable[Sent]]] = {
            "photo": self._bot.send_photo,
            "animation": self._bot.send_animation,
            "document": self._bot.send_document,
        }

        async def attempt(text: tuple[str | None, str | None]) -> list[int]:
            sent = await self._insist(
                turn,
                place,
                lambda at: senders[post.media.kind](
                    at.chat,
                    file,
                    caption=text[0],
                    parse_mode=text[1],
                    reply_markup=post.keyboard,
                    message_thread_id=at.thread,
                    reply_parameters=_reply(at),
                ),
            )
            return [sent.message_id]

        if post.caption is None:
            return await attempt((None, None))
        return await self._with_markup(post.caption, attempt)

    async def _album(self, turn: Turn, place: Place, post: AlbumPost) -> list[int]:
        media = [
            InputMediaPhoto(
                photo.media.data,
                caption=photo.caption.html if photo.caption else None,
                parse_mode=ParseMode.HTML,
                filename=photo.media.name,
            )
            for photo in post.photos
        ]
        sent = await self._insist(
            turn,
            place,
            lambda at: self._bot.send_media_group(
                at.chat, media, message_thread_id=at.thread, reply_parameters=_reply(at)
            ),
            sends=len(media),  # every photo counts as a message
        )
        return [message.message_id for message in sent]

    # --- what to do when it is not taken ---------------------------------------------------------

    async def _with_markup(
        self, post: TextPost, attempt: Callable[[tuple[str, str | None]], Awaitable[T]]
    ) -> T:
        """Try with markup, and plain where Telegram cannot read it."""
        try:
            return await attempt((post.html, ParseMode.HTML))
        except BadRequest as error:
            if "parse entities" not in error.message.lower():
                raise
            log.error("Telegram could not read our markup: %s", error)
            return await attempt((post.plain, None))

    async def _as_allowed(
        self, turn: Turn, place: Place, post: MediaPost | AlbumPost, language: str
    ) -> list[int]:
        """Send pictures and files, in another form where Telegram does not take them as they are.

        Each other form is one that is tried once, and the words alone come last.
        """
        try:
            if isinstance(post, AlbumPost):
                return await self._album(turn, place, post)
            return await self._media(turn, place, post)
        except TooLarge as error:
            log.info("Telegram finds a %s too large: %s", type(post).__name__, error)
            smaller = await self._smaller(post)
            if smaller is None:
                remark = "telegram-file-too-large"
                return await self._words_only(turn, place, post, remark, language)
            return await self._as_allowed(turn, place, smaller, language)
        except BadRequest as error:
            if "not enough rights" in error.message.lower():
                remark = "telegram-pictures-forbidden"
                return await self._words_only(turn, place, post, remark, language)
            log.info("Telegram refused a picture: %s", error)
            photos = post.photos if isinstance(post, AlbumPost) else (post,)
            if all(photo.media.kind == "document" for photo in photos):
                raise
            sent = []
            for photo in photos:
                plain = replace(photo, media=replace(photo.media, kind="document"))
                sent += await self._as_allowed(turn, place, plain, language)
            return sent

    async def _smaller(self, post: MediaPost | AlbumPost) -> MediaPost | AlbumPost | None:
        """The post with photos of fewer bytes; None where they are as small as that already."""
        photos = post.photos if isinstance(post, AlbumPost) else (post,)
        most = SMALL_BYTES // len(photos)
        if all(photo.media.kind != "photo" or len(photo.media.data) <= most for photo in photos):
            return None
        try:
            media = [await self._studio.run(shrink, photo.media, most) for photo in photos]
        except (StudioLost, OSError) as error:
            log.warning("a photo was not made smaller: %s", error)
            return None
        smaller = tuple(map(_with_media, photos, media))
        return AlbumPost(smaller) if isinstance(post, AlbumPost) else smaller[0]

    async def _words_only(
        self, turn: Turn, place: Place, post: MediaPost | AlbumPost, why: str, language: str
    ) -> list[int]:
        remark = words(language)(Message(why))
        caption = post.caption if isinstance(post, MediaPost) else None
        html, plain = (caption.html, caption.plain) if caption else ("", "")
        text = TextPost(
            f"{html}\n\n{remark}".strip(),
            f"{plain}\n\n{remark}".strip(),
            post.keyboard if isinstance(post, MediaPost) else None,
        )
        return await self.send(turn, place, text, language)

    async def _insist(
        self,
        turn: Turn,
        place: Place,
        call: Callable[[Place], Awaitable[T]],
        *,
        once: bool = False,
        sends: int = 1,
    ) -> T:
        """Call until Telegram answers, each time within the budget.

        Raises:
            Unreachable: nothing can be sent to this chat.
            BadRequest: Telegram will not have this message; `TooLarge`: for its size.
            NetworkError, RetryAfter: with `once`, or after the last try.
        """
        pauses = iter(() if once else PAUSES)
        while True:
            await turn.pay(sends)
            try:
                return await call(self._now(place))
            except RetryAfter as error:
                self.pace.freeze(place.chat, seconds(error))
                log.info("Telegram asks for a pause in a chat: %s", error)
                if once:
                    raise
            except ChatMigrated as error:
                self.moved(place.chat, error.new_chat_id)
            except Forbidden as error:
                raise Unreachable(error.message) from error
            except BadRequest as error:
                reason = error.message.lower()
                if "thread not found" in reason and place.thread is not None:
                    place = replace(place, thread=None)
                elif any(sign in reason for sign in _CLOSED):
                    raise Unreachable(error.message) from error
                else:
                    raise
            except (TimedOut, NetworkError) as error:
                if "too large" in error.message.lower():  # the client has no name for a 413
                    raise TooLarge(error.message) from error
                pause = next(pauses, None)
                if pause is None:
                    raise
                log.info("trying again in %g s: %s", pause, error)
                await asyncio.sleep(pause)

    def _now(self, place: Place) -> Place:
        """The place where its chat is by now."""
        return replace(place, chat=self._moved.get(place.chat, place.chat))


def seconds(error: RetryAfter) -> float:
    """How long Telegram asks us to wait; python-telegram-bot gives it in one of two types."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _with_media(post: MediaPost, media: Media) -> MediaPost:
    return replace(post, media=media)


def _reply(place: Place) -> ReplyParameters | None:
    if place.reply_to is None:
        return None
    return ReplyParameters(place.reply_to, allow_sending_without_reply=True)
