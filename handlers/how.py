"""`/how`: the idea behind a command, in the talk's words, and the paper it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from handlers.kit import (
    Button,
    Message,
    Note,
    Reply,
    Request,
    Say,
    Services,
    Text,
    UserError,
    command,
)
from handlers.kit.registry import require
from handlers.kit.reply import Block
from locales import words


@command("how", stop="house", order=15)
async def how(
    request: Request,
    services: Services,
    command: Annotated[str, Text(longest=64)],
) -> AsyncIterator[Reply]:
    """Explain a command by the locales' `COMMAND-how`, `COMMAND-paper` and `COMMAND-paper-url`."""
    entry = require(command)
    say = words(request.language)
    if not say.has(f"{entry.name}-how"):
        raise UserError("how-nothing", command=Message(entry.name))
    blocks: list[Block] = [Say(Message(f"{entry.name}-how"))]
    buttons: tuple[Button, ...] = ()
    data = {"command": entry.name}
    if say.has(f"{entry.name}-paper"):
        paper = Message(f"{entry.name}-paper")
        blocks.append(Note(paper))
        data["paper"] = say(paper)
    if say.has(f"{entry.name}-paper-url"):
        data["url"] = say(Message(f"{entry.name}-paper-url"))
        buttons = (Button(Message("button-paper"), url=data["url"]),)
    yield Reply(blocks=tuple(blocks), buttons=buttons, data=data)
