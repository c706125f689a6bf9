"""From a `Reply` to what the page draws.

Entries hold message keys, not sentences, so that a change of language repaints the whole history;
and they hold addresses of pictures, not pixels, so that the shelf alone decides what stays.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.presenting import Presentation
from bot.web.uploads import Shelf
from handlers.kit.errors import explain
from handlers.kit.parameters import Parameter
from handlers.kit.registry import Command, commands
from handlers.kit.reply import Block, Button, Image, Reply, Say, State
from handlers.kit.request import Call, PictureTooLarge
from handlers.kit.runner import Run
from locales import Message, words

PACE = 0.06  # seconds between two states of an answer; the final one never waits for it
SHOWN = 4000  # characters of what was asked that the history repeats
_RETIRED = 4  # pictures of overtaken states that stay fetchable for tabs that are behind


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of an answer. `key` finds it on the shelf; None: it was too large to hold."""

    image: Image
    key: str | None
    moves: bool


@dataclass
class Said:
    """What the visitor asked: a typed line, a call from a form, or a pressed button's label."""

    id: str
    text: str = ""
    call: Call | None = None
    label: Message | None = None
    picture: str | None = None  # upload id
    running: Literal[False] = False
    version: Literal[1] = 1

    async def to_json(self, language: str) -> dict[str, Any]:
        text = self.text
        if self.call:
            text = line_of(self.call, language)[:SHOWN]
        elif self.label:
            text = words(language)(self.label)
        picture = f"/picture/{self.picture}" if self.picture else None
        return {"id": self.id, "author": "visitor", "text": text, "picture": picture}


class Answer:
    """An answer on its way or finished: the newest state of a `Run`, told to the page."""

    def __init__(
        self, entry_id: str, session: str, shelf: Shelf, presentation: Presentation
    ) -> None:
        self.id = entry_id
        self.run: Run | None = None
        self.reply = Reply(state=State.PARTIAL)
        self.version = 0  # counts the states shown
        self.answered = False  # a question whose missing value has come
        self._session = session
        self._shelf = shelf
        self._presentation = presentation
        self._images: tuple[Shown, ...] = ()
        self._files: tuple[tuple[str, str], ...] = ()
        self._retired: deque[str] = deque()
        self._buttons: dict[str, Button] = {}

    @property
    def running(self) -> bool:
        return self.reply.state is State.PARTIAL

    def cancel(self) -> None:
        if self.run is not None and self.running:
            self.run.cancel()

    def button(self, token: str) -> Button | None:
        """The button with this token, if this answer shows it."""
        return self._buttons.get(token)

    def settle(self) -> None:
        """The question has been answered; do not ask on."""
        self.answered = True
        self.version += 1

    def show(self, reply: Reply) -> None:
        """Make `reply` the newest state: its pictures and files go to the shelf."""
        self.version += 1
        former = {id(shown.image.data): shown for shown in self._images}
        self._images = tuple(
            former.get(id(image.data)) or self._hold(image) for image in reply.pictures
        )
        kept = {shown.key for shown in self._images}
        self._retired.extend(s.key for s in former.values() if s.key and s.key not in kept)
        if reply.state is State.PARTIAL:
            surplus = max(0, len(self._retired) - _RETIRED)
        else:
            surplus = len(self._retired)
        self._shelf.discard([self._retired.popleft() for _ in range(surplus)])
        self._files = tuple(
            (file.name, self._shelf.put(self._session, file.data, file.name))
            for file in reply.files
        )
        # "Cancel" is the page's own stop control: it needs no stored button and no extra answer.
        buttons = tuple(b for b in reply.buttons if not _cancels(b, self.run))
        blocks = tuple(_asked_here(block) for block in reply.blocks)
        self.reply = replace(reply, blocks=blocks, pictures=(), files=(), buttons=buttons)
        if not self.running:
            # Compare by identity only while states still arrive; then let the pixels go.
            self._images = tuple(
                replace(shown, image=replace(shown.image, data=b"")) for shown in self._images
            )

    def _hold(self, image: Image) -> Shown:
        key = None
        with suppress(PictureTooLarge):
            key = self._shelf.put(self._session, image.data, image.name)
        return Shown(image, key, _moves(image))

    async def to_json(self, language: str) -> dict[str, Any]:
        """The newest state in a language."""
        self._presentation.language = language
        reply = self.reply
        rendered = await self._presentation.render(reply)
        self._buttons = {
            shown.token: button
            for shown, button in zip(rendered.buttons, reply.buttons, strict=True)
            if shown.token
        }
        say = words(language)
        return {
            "id": self.id,
            "author": "tadim",
            "command": self.run.command.title(language) if self.run else None,
            "state": str(reply.state),
            "error": reply.error,
            "fraction": reply.fraction,
            "blocks": [
                {"kind": block.kind, "text": block.text, "language": block.code_language}
                for block in rendered.blocks
            ],
            "images": [
                {
                    "url": f"/picture/{shown.key}" if shown.key else None,
                    "name": shown.image.name,
                    "alt": say(shown.image.alt),
                    "animated": shown.moves,
                    "video": shown.image.name.endswith(".mp4"),
                }
                for shown in self._images
            ],
            "files": [{"url": f"/file/{key}", "name": name} for name, key in self._files],
            "buttons": [
                {"label": button.label, "token": button.token, "url": button.url}
                for button in rendered.buttons
                if button.token or _is_web_link(button.url)
            ],
            "data": reply.data,
            "question": self._question(language),
        }

    def _question(self, language: str) -> dict[str, Any] | None:
        question = self.reply.question
        if question is None or self.answered:
            return None
        parameter = _parameter(question.call.command, question.parameter)
        if parameter is None:
            return None
        return {
            "command": commands()[question.call.command].title(language),
            "kind": parameter.kind,
            "title": parameter.title(language),
        }


Entry = Said | Answer


async def follow(answer: Answer, run: Run, changed: Callable[[], Awaitable[None]]) -> None:
    """Show a run's states at a modest pace until its final one; `changed()` after each."""
    answer.run = run
    async for reply in run:
        try:
            answer.show(reply)
        except PictureTooLarge as error:
            answer.show(explain(error, run.command.name))
        await changed()
        if not answer.running:
            return
        await asyncio.sleep(PACE)


def _moves(image: Image) -> bool:
    """Whether it is an animation: a WebP says so by a bit in its header (VP8X, flag 2)."""
    if image.name.endswith(".webp"):
        return image.data[12:16] == b"VP8X" and bool(image.data[20] & 2)
    return image.animated


def _asked_here(block: Block) -> Block:
    """On the page the message box takes the bare value: a question says so."""
    if isinstance(block, Say) and block.message.key == "ask-value":
        return Say(Message("web-ask-value", **block.message.arguments))
    return block


def _cancels(button: Button, run: Run | None) -> bool:
    call = button.call
    return (
        call is not None
        and run is not None
        and call.command == "cancel"
        and call.arguments.get("run") == run.id
    )


def _is_web_link(url: str | None) -> bool:
    """A `javascript:` address is no link."""
    return url is not None and url.startswith(("https://", "http://"))


def _parameter(command: str, name: str) -> Parameter | None:
    entry = commands().get(command)
    return next((p for p in entry.parameters if p.name == name), None) if entry else None


# --- a call as one would have typed it -----------------------------------------------------------


def line_of(call: Call, language: str) -> str:
    """`/algıla güven:0,4`: what the visitor could have typed instead of filling the form."""
    command = commands()[call.command]
    named, free = [], ""
    for parameter in command.parameters:
        value = call.arguments.get(parameter.name)
        if value is None or parameter.kind == "picture":
            continue
        text = _typed(parameter, value, language)
        if parameter == command.first_text and parameter.kind == "text":
            free = text
        else:
            quoted = f'"{text}"' if any(letter.isspace() for letter in text) else text
            named.append(f"{parameter.title(language)}:{quoted}")
    return " ".join(part for part in (f"/{command.title(language)}", *named, free) if part)


def _typed(parameter: Parameter, value: object, language: str) -> str:
    say = words(language)
    if isinstance(value, bool):
        return say(Message("web-yes" if value else "web-no"))
    if parameter.kind == "choice" and value in parameter.choices:
        return parameter.choice_title(str(value), language)
    text = str(value)
    if parameter.kind in ("number", "integer") and language == "tr":
        return text.replace(".", ",")
    return text


# --- what the page must know of a command --------------------------------------------------------


def describe(command: Command, language: str) -> dict[str, Any]:
    """A command with its parameters, as the palette and the form need it."""
    return {
        "name": command.name,
        "title": command.title(language),
        "description": command.description(language),
        "names": sorted({command.name, *(command.title(lang) for lang in ("tr", "en"))}),
        "hall": command.stop,
        "picture": command.picture.name if command.picture else None,
        "text": command.parameters[0].name if _takes_text(command) else None,
        "parameters": [_describe(parameter, language) for parameter in command.parameters],
    }


def _takes_text(command: Command) -> bool:
    return bool(command.parameters) and command.parameters[0].kind == "text"


def _describe(parameter: Parameter, language: str) -> Mapping[str, Any]:
    return {
        "name": parameter.name,
        "title": parameter.title(language),
        "description": parameter.description(language),
        "kind": parameter.kind,
        "required": parameter.required,
        "default": None if parameter.required else parameter.default,
        "low": parameter.range.low if parameter.range else None,
        "high": parameter.range.high if parameter.range else None,
        "longest": parameter.text.longest if parameter.text else None,
        "long": bool(parameter.text and parameter.text.long),
        "choices": [
            {"value": value, "title": parameter.choice_title(value, language)}
            for value in parameter.choices
        ],
    }
