"""From a `Reply` to words in one language: what every presenter begins with.

`Presentation` renders the states of one answer and keeps its buttons' tokens, so that a button that
stays the same from state to state is stored once. Escaping, splitting and limits are the platform's
presenter's own work.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from handlers.kit.reply import Code, Generated, Note, Reply, Say
from handlers.kit.request import Call
from handlers.kit.services import Memory
from locales import words


@dataclass(frozen=True, slots=True)
class RenderedBlock:
    """`kind` says how it may be dressed; `text` is plain and unescaped."""

    kind: Literal["say", "note", "generated", "code"]
    text: str
    code_language: str = ""


@dataclass(frozen=True, slots=True)
class RenderedButton:
    """`token` finds the stored call (12 characters of A–Z a–z 0–9 _ -); a link has `url`.

    `deletes`: takes the answer's messages away, which is the frontend's own business.
    """

    label: str
    token: str | None = None
    url: str | None = None
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class RenderedImage:
    data: bytes
    name: str
    alt: str
    animated: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """A reply in one language. `reply` is the original, for state, data and fraction."""

    reply: Reply
    blocks: tuple[RenderedBlock, ...]
    images: tuple[RenderedImage, ...]
    buttons: tuple[RenderedButton, ...]

    @property
    def text(self) -> str:
        """All blocks as plain text, one empty line between them."""
        return "\n\n".join(block.text for block in self.blocks)


class Presentation:
    """Renders one answer's states for one reader. `user` and `chat` own its buttons."""

    def __init__(self, memory: Memory, language: str, user: str, chat: str) -> None:
        self.language = language
        self._memory = memory
        self._user = user
        self._chat = chat
        self._tokens: dict[str, str] = {}

    async def render(self, reply: Reply) -> Rendered:
        say = words(self.language)
        await self._store([button.call for button in reply.buttons if button.call])
        buttons = []
        for button in reply.buttons:
            token = self._tokens[_key(button.call)] if button.call else None
            buttons.append(RenderedButton(say(button.label), token, button.url, button.deletes))
        return Rendered(
            reply=reply,
            blocks=render_blocks(reply, self.language),
            images=tuple(
                RenderedImage(image.data, image.name, say(image.alt), image.animated)
                for image in reply.pictures
            ),
            buttons=tuple(buttons),
        )

    async def _store(self, calls: Sequence[Call]) -> None:
        """Learn the tokens that are not known yet, all at once."""
        new = {key: call for call in calls if (key := _key(call)) not in self._tokens}
        if new:
            tokens = await self._memory.save_buttons(list(new.values()), self._user, self._chat)
            self._tokens.update(zip(new, tokens, strict=True))


def _key(call: Call) -> str:
    return json.dumps([call.command, dict(call.arguments)], sort_keys=True)


def render_blocks(reply: Reply, language: str) -> tuple[RenderedBlock, ...]:
    """The words of a reply, without touching the store."""
    say = words(language)
    rendered = []
    for block in reply.blocks:
        match block:
            case Say(message):
                rendered.append(RenderedBlock("say", say(message)))
            case Note(message):
                rendered.append(RenderedBlock("note", say(message)))
            case Generated(text):
                rendered.append(RenderedBlock("generated", text))
            case Code(text, language_hint):
                rendered.append(RenderedBlock("code", text, language_hint))
    return tuple(rendered)
