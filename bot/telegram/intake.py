"""What an update means to us: a command, a picture, plain words, or nothing of our business.

In a group we speak only when spoken to: commands (also under a picture), replies to us, and the
picture that we asked somebody for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from telegram import Chat, Document, Message, PhotoSize, User
from telegram.constants import ChatType

from bot.hub import Visitor
from handlers.kit.request import PictureRef, ReplyAddress

PLATFORM = "telegram"
DOWNLOAD_LIMIT = 20_000_000  # bytes; Telegram hands bots no larger file

_COMMAND = re.compile(r"\s*/(?P<name>[^\s@/:]+)(?:@(?P<bot>\w+))?(?=[\s:]|$)")
_ANONYMOUS_ADMIN = 1087968824  # the account that stands for a group's anonymous administrators


# --- who and where -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer goes: what a `ReplyAddress` of ours holds.

    `chat` is negative for a group. `thread` is a topic's id. `reply_to` is the message that is
    answered. `user` owns the buttons of the answer.
    """

    chat: int
    user: int
    thread: int | None = None
    reply_to: int | None = None

    @property
    def group(self) -> bool:
        return self.chat < 0

    def address(self) -> ReplyAddress:
        place = {
            "chat": self.chat,
            "user": self.user,
            "thread": self.thread,
            "reply_to": self.reply_to,
        }
        return ReplyAddress(PLATFORM, place)

    @classmethod
    def of(cls, address: ReplyAddress) -> Place:
        place = address.place
        return cls(place["chat"], place["user"], place.get("thread"), place.get("reply_to"))


def visitor(user: User, chat: Chat, message: Any, *, quote: bool = True) -> Visitor:
    """Who wrote in which chat. `message` may be one that Telegram no longer shows us.

    All anonymous administrators of all groups write as one account; each group's are told apart
    from the others' by the group's own id, which is negative.
    """
    speaker = getattr(message, "sender_chat", None)
    author = speaker.id if speaker and user.id == _ANONYMOUS_ADMIN else user.id
    in_topic = getattr(message, "is_topic_message", None)
    place = Place(
        chat=chat.id,
        user=author,
        thread=message.message_thread_id if in_topic else None,
        reply_to=message.message_id if quote else None,
    )
    return Visitor(
        user=f"{PLATFORM}:{author}",
        chat=f"{PLATFORM}:{chat.id}",
        address=place.address(),
        user_name=user.full_name,
        client_language=user.language_code,
        public=chat.type != ChatType.PRIVATE,
    )


# --- what ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """A typed command, with the picture it came under or replied to.

    `named`: said to us by name. `album`: the id of the album whose first picture it came under.
    """

    line: str
    name: str
    picture: PictureRef | None
    named: bool
    album: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture without a command. `to_us`: in private, or in reply to us."""

    picture: PictureRef
    to_us: bool
    album: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """Words without a command."""

    text: str
    to_us: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sticker, a voice message, a file that is no picture."""

    to_us: bool


Heard = Command | Shown | Said | Unreadable


def read(message: Message, me: User) -> Heard | None:
    """What a message says; None where it is not for us."""
    author = message.from_user
    if author is None or (author.is_bot and author.id != _ANONYMOUS_ADMIN):
        return None
    private = message.chat.type == ChatType.PRIVATE
    answered = message.reply_to_message
    to_us = private or bool(
        answered and answered.from_user is not None and answered.from_user.id == me.id
    )
    text = message.text or message.caption or ""
    picture = picture_of(message)
    if match := _COMMAND.match(text):
        bot = match["bot"]
        if bot and bot.lower() != (me.username or "").lower() and not private:
            return None
        picture = picture or _answered_picture(message)
        return Command(text, match["name"], picture, bool(bot), message.media_group_id)
    if picture is not None:
        return Shown(picture, to_us, message.media_group_id)
    if message.text is not None:
        return Said(text, to_us)
    return Unreadable(to_us) if message.effective_attachment is not None else None


def picture_of(message: Any) -> PictureRef | None:
    """The picture in a message, or in one that is answered: by file id, never by address.

    An address from Telegram (`File.file_path`) would contain our token.
    """
    if message.photo:
        return _reference(_largest(message.photo))
    document: Document | None = message.document
    if document is not None and (document.mime_type or "").startswith("image/"):
        return _reference(document)
    return None


def _answered_picture(message: Message) -> PictureRef | None:
    for answered in (message.reply_to_message, message.external_reply):
        if answered is not None and (picture := picture_of(answered)) is not None:
            return picture
    return None


def _largest(sizes: tuple[PhotoSize, ...]) -> PhotoSize:
    """The largest size that may be downloaded."""
    allowed = [size for size in sizes if (size.file_size or 0) <= DOWNLOAD_LIMIT]
    return max(allowed or sizes[:1], key=lambda size: size.width * size.height)


def _reference(file: PhotoSize | Document) -> PictureRef:
    return PictureRef(PLATFORM, {"file_id": file.file_id, "size": file.file_size})
