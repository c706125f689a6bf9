"""What a handler answers: `Reply`, a state of the answer. Each yield replaces the one before.

A reply holds message keys, not sentences, and says what a thing *is* (a note, generated text, a
picture with its alternative text); each platform's presenter decides how it looks and escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from handlers.kit.request import Call
from locales import Message

# --- blocks of text ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """A sentence of ours."""

    message: Message


@dataclass(frozen=True, slots=True)
class Note:
    """Small print: which model answered, that the picture was turned."""

    message: Message


@dataclass(frozen=True, slots=True)
class Generated:
    """Text that a model wrote: shown as it is, never interpreted, pings nobody."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Preformatted text; `language` is a highlighting hint."""

    text: str
    language: str = ""


Block = Say | Note | Generated | Code


# --- attachments ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded picture or animation, with the words for those who cannot see it.

    `alt` may be a Message, or a Listing of them. `name` ends in the format's suffix.
    """

    data: bytes
    name: str
    alt: Message

    @property
    def animated(self) -> bool:
        return self.name.endswith((".gif", ".webp", ".mp4"))


@dataclass(frozen=True, slots=True)
class File:
    """A file to download."""

    data: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Button:
    """A stored call. A link has `url` instead; one that takes the answer away, `deletes`."""

    label: Message
    call: Call | None = None
    url: str | None = None
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class Credit:
    """Which model answered; `stand_in_for` is the talk's system where this is not it."""

    model: str
    stand_in_for: str | None = None


class State(StrEnum):
    PARTIAL = "partial"  # more will come
    FINAL = "final"
    QUESTION = "question"  # waits for the reader: see `Reply.asks_for`


@dataclass(frozen=True, slots=True)
class Question:
    """The answer goes on when the reader sends what is missing: `parameter` of `call`."""

    call: Call
    parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One state of an answer.

    `fraction` (0…1) is how far long work has come. `private` asks the platform to show it to the
    asker alone. `data` is the model's raw result, JSON-serialisable. `error` marks a failure, with
    the id under which the log tells more; `retry` says that the same call may succeed later.
    """

    blocks: tuple[Block, ...] = ()
    pictures: tuple[Image, ...] = ()
    files: tuple[File, ...] = ()
    buttons: tuple[Button, ...] = ()
    data: Mapping[str, Any] | None = None
    credit: Credit | None = None
    state: State = State.FINAL
    fraction: float | None = None
    question: Question | None = None
    private: bool = False
    error: bool = False
    retry: bool = False
    error_id: str | None = None

    @classmethod
    def say(cls, key: str, /, **arguments: Any) -> Reply:
        """A final reply of one sentence."""
        return cls(blocks=(Say(Message(key, **arguments)),))

    def partial(self, fraction: float | None = None) -> Reply:
        """The same, but more will come."""
        return replace(self, state=State.PARTIAL, fraction=fraction)

    def plus(self, *blocks: Block) -> Reply:
        """The same with more text at its end."""
        return replace(self, blocks=(*self.blocks, *blocks))

    def with_buttons(self, *buttons: Button) -> Reply:
        return replace(self, buttons=(*self.buttons, *buttons))


__all__ = [
    "Block",
    "Button",
    "Code",
    "Credit",
    "File",
    "Generated",
    "Image",
    "Note",
    "Question",
    "Reply",
    "Say",
    "State",
]
