"""What a message means to us: a command, a picture, a text file, plain words, or nothing.

An album is one message: Telegram sends it in several. In a group we speak only when spoken to:
commands (also under a picture), replies to us, and the picture that we asked somebody for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from telegram import Chat, Document, Message, PhotoSize, User
from telegram.constants import ChatID, ChatType

from bot.hub import Visitor
from handlers.kit.request import ALBUM_LIMIT, PictureRef, ReplyAddress

PLATFORM = "telegram"
DOWNLOAD_LIMIT = 20_000_000  # bytes; Telegram hands bots no larger file
TEXT_NAMES = (".txt", ".md")
TEXT_TYPES = ("text/plain", "text/markdown")

T = TypeVar("T")

_COMMAND = re.compile(r"\s*/(?P<name>[^\s@/:]+)(?:@(?P<bot>\w+))?(?=[\s:]|$)")
# Accounts that stand for a group's anonymous administrators, and for who writes as a channel.
_STAND_INS = (ChatID.ANONYMOUS_ADMIN, ChatID.FAKE_CHANNEL)


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


def speaker_of(user: User, message: Any) -> Chat | None:
    """The chat in whose name somebody writes, if so.

    All anonymous administrators of all groups write as one account; each group's are told apart
    from the others' by the group's own id, which is negative. So are those who write as a channel.
    """
    return getattr(message, "sender_chat", None) if user.id in _STAND_INS else None


def author_of(user: User, message: Any) -> int:
    """Who is answered: the writer, or the chat in whose name it was written."""
    speaker = speaker_of(user, message)
    return speaker.id if speaker else user.id


def visitor(user: User, chat: Chat, message: Any, *, quote: bool = True) -> Visitor:
    """Who wrote in which chat. `message` may be one that Telegram no longer shows us."""
    speaker, author = speaker_of(user, message), author_of(user, message)
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
        user_name=(speaker.effective_name or "") if speaker else user.full_name,
        client_language=user.language_code,
        public=chat.type != ChatType.PRIVATE,
    )


# --- what ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """A file that is no picture, named as pictures are. `text`: it says that it is a text."""

    ref: PictureRef
    text: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A typed command, with the pictures it came under or replied to.

    `named`: said to us by name. `files` are those it came under, `answered` a text that it
    replied to.
    """

    line: str
    name: str
    pictures: tuple[PictureRef, ...]
    named: bool
    files: tuple[File, ...] = ()
    answered: File | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Pictures without a command. `to_us`: in private, or in reply to us."""

    pictures: tuple[PictureRef, ...]
    to_us: bool


@dataclass(frozen=True, slots=True)
class Handed:
    """Text files without a command."""

    files: tuple[File, ...]
    to_us: bool


@dataclass(frozen=True, slots=True)
class Said:
    """Words without a command."""

    text: str
    to_us: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sticker, a voice message, a file that is neither picture nor text."""

    to_us: bool


Heard = Command | Shown | Handed | Said | Unreadable


def read(messages: Sequence[Message], me: User) -> Heard | None:
    """What a message says, or an album; None where it is not for us."""
    message = spoken(messages)
    author = message.from_user
    if author is None or (author.is_bot and author.id not in _STAND_INS):
        return None
    if message.is_automatic_forward:
        return None  # a channel's post, in the group where it is discussed
    private = message.chat.type == ChatType.PRIVATE
    answered = message.reply_to_message
    to_us = private or bool(
        answered and answered.from_user is not None and answered.from_user.id == me.id
    )
    pictures = _present(map(picture_of, messages))[:ALBUM_LIMIT]
    files = _present(map(file_of, messages))
    if match := _COMMAND.match(_text(message)):
        bot = match["bot"]
        if bot and bot.lower() != (me.username or "").lower() and not private:
            return None
        named, others = bool(bot), _answered(message)
        pictures = pictures or _present(map(picture_of, others))[:1]
        texts = [file for file in _present(map(file_of, others)) if file.text]
        answer = texts[0] if texts else None
        return Command(_text(message), match["name"], pictures, named, files, answer)
    if pictures:
        return Shown(pictures, to_us)
    if files and all(file.text for file in files):
        return Handed(files, to_us)
    if message.text is not None:
        return Said(message.text, to_us)
    return Unreadable(to_us) if message.effective_attachment is not None else None


def spoken(messages: Sequence[Message]) -> Message:
    """The message of an album that has the command under it; the first where none has."""
    return next((m for m in messages if _COMMAND.match(_text(m))), messages[0])


def gist(messages: Sequence[Message]) -> tuple[tuple[str, str | None], ...]:
    """Words and files: what must differ for an edited message to mean something else."""
    return tuple((_text(message), _unique(message)) for message in messages)


def picture_of(message: Any) -> PictureRef | None:
    """The picture in a message, or in one that is answered: by file id, never by address.

    An address from Telegram (`File.file_path`) would contain our token.
    """
    if message.photo:
        return _reference(_largest(message.photo))
    document: Document | None = message.document
    return _reference(document) if document is not None and _is_picture(document) else None


def file_of(message: Any) -> File | None:
    """The file in a message, or in one that is answered, where that is no picture."""
    document: Document | None = message.document
    if document is None or _is_picture(document):
        return None
    name, kind = (document.file_name or "").lower(), (document.mime_type or "").lower()
    return File(_reference(document), name.endswith(TEXT_NAMES) or kind.startswith(TEXT_TYPES))


def _is_picture(document: Document) -> bool:
    return (document.mime_type or "").startswith("image/")


def _text(message: Message) -> str:
    return message.text or message.caption or ""


def _answered(message: Message) -> list[Any]:
    """What a message replies to, here or in another chat."""
    return [m for m in (message.reply_to_message, message.external_reply) if m is not None]


def _unique(message: Message) -> str | None:
    """What tells a message's file from others; it stays the same when other things are edited."""
    file = _largest(message.photo) if message.photo else message.document
    return file.file_unique_id if file is not None else None


def _present(found: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(each for each in found if each is not None)


def _largest(sizes: tuple[PhotoSize, ...]) -> PhotoSize:
    """The largest size that may be downloaded."""
    allowed = [size for size in sizes if (size.file_size or 0) <= DOWNLOAD_LIMIT]
    return max(allowed or sizes[:1], key=lambda size: size.width * size.height)


def _reference(file: PhotoSize | Document) -> PictureRef:
    return PictureRef(PLATFORM, {"file_id": file.file_id, "size": file.file_size})
