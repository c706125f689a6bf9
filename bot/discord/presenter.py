"""From a rendered reply to pages, each of which fits into one Discord message. Pure functions."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from babel.numbers import format_percent

from bot.discord import markup
from bot.presenting import Rendered, RenderedBlock, RenderedButton, RenderedImage
from handlers.kit.registry import commands
from handlers.kit.reply import Button, Question, Reply
from handlers.kit.request import Call
from locales import Message, words

CONTENT_LIMIT = 2000  # characters of a message
BUTTON_LIMIT = 25  # 5 rows of 5
LABEL_LIMIT = 80  # characters on a button
CUSTOM_ID_LIMIT = 100  # characters
ALT_LIMIT = 1024  # characters of an attachment's description
ATTACHMENT_LIMIT = 10  # files of a message
PAGE_LIMIT = 8  # messages of an answer; longer text goes into a file

_LEAST_ROOM = 400  # characters; a block is not begun in less room than this
_BAR = 10  # cells of the progress bar


@dataclass(frozen=True, slots=True)
class Key:
    """A button. `custom_id` comes back when it is pressed; a link has `url` instead.

    One that `deletes` gets its `custom_id` when the ids of the answer's messages are known.
    """

    label: str
    custom_id: str | None = None
    url: str | None = None
    asks: bool = False  # opens a form
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to send; `alt` describes a picture to those who cannot see it."""

    data: bytes
    name: str
    alt: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One message."""

    content: str
    attachments: tuple[Attachment, ...] = ()
    keys: tuple[Key, ...] = ()


def pages(
    rendered: Rendered, language: str, attachments: Iterable[Attachment] = (), head: str = ""
) -> list[Page]:
    """The messages of a reply, in order: its text, its attachments from the last text on.

    The buttons hang on the last one. `head` is markup that the first message begins with.
    """
    files = list(attachments)
    contents = _fill(rendered.blocks, head)
    room = PAGE_LIMIT - len(_bundles(files)) + 1  # for text; attachments may go on after it
    if len(contents) > room:
        files.insert(0, Attachment(rendered.text.encode(), "tadim.txt"))
        room = PAGE_LIMIT - len(_bundles(files)) + 1
        notice = words(language)(Message("discord-long-text"))
        contents = [*contents[: room - 1], markup.note(notice)]
    if rendered.reply.fraction is not None:
        bar = _progress(rendered.reply.fraction, language)
        if markup.length(contents[-1]) + len(bar) + 1 <= CONTENT_LIMIT:
            contents[-1] = f"{contents[-1]}\n{bar}".lstrip()
    first, *more = _bundles(files)
    if not contents[-1] and not first:
        contents[-1] = "…"  # Discord refuses an empty message
    written = [Page(content) for content in contents[:-1]]
    written += [Page(contents[-1], first), *(Page("", bundle) for bundle in more)]
    keys = [_key(*pair) for pair in zip(rendered.reply.buttons, rendered.buttons, strict=True)]
    written[-1] = replace(written[-1], keys=tuple(keys[:BUTTON_LIMIT]))
    return written


def _bundles(files: Sequence[Attachment]) -> list[tuple[Attachment, ...]]:
    """The files by message; at least one bundle, at most as many as an answer has messages."""
    starts = range(0, max(1, len(files)), ATTACHMENT_LIMIT)
    return [tuple(files[start : start + ATTACHMENT_LIMIT]) for start in starts][:PAGE_LIMIT]


def attachments_of(rendered: Rendered) -> list[Attachment]:
    """What the reply brings along: its pictures, then its files."""
    return [
        *(_picture(image) for image in rendered.images),
        *(Attachment(file.data, file.name) for file in rendered.reply.files),
    ]


def _picture(image: RenderedImage) -> Attachment:
    return Attachment(image.data, image.name, image.alt[:ALT_LIMIT])


# --- text ----------------------------------------------------------------------------------------


def _fill(blocks: Iterable[RenderedBlock], head: str) -> list[str]:
    """The blocks' dressed text in contents of at most `CONTENT_LIMIT`; never an empty list."""
    contents = [head]
    for block in blocks:
        dress = _dress(block)
        room = CONTENT_LIMIT - markup.length(contents[-1]) - 1
        if room < _LEAST_ROOM and markup.length(dress(block.text)) > room:
            contents.append("")
            room = CONTENT_LIMIT
        for number, piece in enumerate(markup.pieces(block.text, dress, room, CONTENT_LIMIT)):
            if number:
                contents.append(piece)
            else:
                contents[-1] = f"{contents[-1]}\n{piece}" if contents[-1] else piece
    return contents


def _dress(block: RenderedBlock) -> markup.Dress:
    match block.kind:
        case "say":
            return markup.say
        case "note":
            return markup.note
        case "generated":
            return markup.quote
        case "code":
            return markup.code(block.code_language)


def _progress(fraction: float, language: str) -> str:
    share = min(1.0, max(0.0, fraction))
    done = round(share * _BAR)
    return f"-# {'▰' * done}{'▱' * (_BAR - done)} {format_percent(share, locale=language)}"


# --- buttons -------------------------------------------------------------------------------------


def press_id(token: str, *, private: bool) -> str:
    """What a button brings back: the token under which its call is stored.

    `private`: whatever comes of it is for the eyes of whoever pressed it, which Discord wants to
    know before the store can be asked.
    """
    return f"{'p' if private else 't'}1:{token}"


def delete_id(owner: int, others: Iterable[int]) -> str:
    """What *Delete* brings back: whose answer it is, and its messages but the button's own.

    Eight messages are the most: 3 characters, and 86 for eight ids of eight bytes in base64.
    """
    ids = [owner, *others]
    packed = base64.urlsafe_b64encode(struct.pack(f">{len(ids)}Q", *ids))
    return f"d1:{packed.decode().rstrip('=')}"


def deleted_ids(packed: str) -> tuple[int, ...]:
    """The ids that `delete_id` packed, the owner's first."""
    data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    return struct.unpack(f">{len(data) // 8}Q", data)


def ask_id(token: str, command: str, parameters: Iterable[str]) -> str:
    """What a button that opens a form brings back; the form needs no look into the store."""
    head = f"a1:{token}:{command}:"
    names = ""
    for name in parameters:
        longer = f"{names},{name}" if names else name
        if len(head) + len(longer) > CUSTOM_ID_LIMIT:
            break
        names = longer
    return head + names


def missing(call: Call) -> list[str]:
    """The required parameters that a call has no value for."""
    command = commands().get(call.command)
    parameters = command.parameters if command else ()
    given: Mapping[str, Any] = call.arguments
    return [p.name for p in parameters if p.required and given.get(p.name) is None]


def with_question(reply: Reply) -> Reply:
    """A reply that asks for something gets the button that opens the form."""
    question: Question | None = reply.question
    if question is None:
        return reply
    command = commands()[question.call.command]
    picture = any(p.kind == "picture" for p in command.parameters if p.name == question.parameter)
    label = Message("discord-form-picture" if picture else "discord-form-value")
    return replace(reply, buttons=(Button(label, question.call), *reply.buttons))


def _key(button: Button, shown: RenderedButton) -> Key:
    label = shown.label if len(shown.label) <= LABEL_LIMIT else shown.label[: LABEL_LIMIT - 1] + "…"
    if shown.deletes:
        return Key(label, deletes=True)
    if shown.url is not None:
        return Key(label, url=shown.url)
    assert button.call is not None
    assert shown.token is not None
    names = missing(button.call)
    if names:
        return Key(label, ask_id(shown.token, button.call.command, names), asks=True)
    command = commands().get(button.call.command)
    return Key(label, press_id(shown.token, private=command is not None and command.private))
