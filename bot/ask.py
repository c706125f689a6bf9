"""`tadim ask`: one command through the same handlers and queue as everybody's, in a terminal."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bot.app import opened
from bot.hub import Frontend, Visitor
from bot.presenting import Presentation, Rendered, render_blocks
from bot.settings import Settings
from handlers.kit.errors import UserError, explain
from handlers.kit.reply import Reply, State
from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge, ReplyAddress
from handlers.kit.runner import Run

MAX_BYTES = 50_000_000  # of a picture file
ADDRESS = ReplyAddress("ask", {})
OK, FAILED, NEEDS_MORE = 0, 1, 2


class Terminal(Frontend):
    """The frontend behind `tadim ask`; its pictures are files."""

    platform = "ask"

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    async def fetch(self, ref: PictureRef) -> bytes:
        return await asyncio.to_thread(_read, Path(ref.place["path"]))

    async def send(self, address: ReplyAddress, reply: Reply, language: str) -> None:
        """A terminal that has gone gets no notices."""


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PictureTooLarge(MAX_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise PictureGone from error


async def ask(
    settings: Settings, line: str, image: Path | None, chosen: str | None, out: Path, as_json: bool
) -> int:
    """Run one command, print its reply, save its pictures.

    `chosen` is the language asked for; it is remembered as `/language` would.

    Returns:
        The exit code: 0 answered, 1 failed, 2 the command asks for something more.
    """
    logging.getLogger().setLevel(logging.WARNING)
    visitor = Visitor(user="ask:me", chat="ask:me", address=ADDRESS)
    async with opened(settings) as hub:
        hub.frontends["ask"] = Terminal()
        if chosen:
            await hub.services.memory.set_language(visitor.user, chosen)
        language = await hub.language(visitor)
        picture = PictureRef("ask", {"path": str(image)}) if image else None
        try:
            run = await hub.line(visitor, line, picture)
        except UserError as error:
            reply = explain(error, line)
        else:
            reply = await _watch(run, language, quiet=as_json)
        presentation = Presentation(hub.services.memory, language, visitor.user, visitor.chat)
        rendered = await presentation.render(reply)
    files = await asyncio.to_thread(_save, rendered, out)
    _print(rendered, files, as_json)
    if reply.error:
        return FAILED
    return NEEDS_MORE if reply.state is State.QUESTION else OK


async def _watch(run: Run, language: str, quiet: bool) -> Reply:
    """Show the states on standard error while they come, if anybody looks at it."""
    console = Console(stderr=True)
    reply: Reply | None = None
    with Live(console=console, transient=True, auto_refresh=False) as live:
        async for reply in run:
            if not quiet and console.is_terminal and reply.state is State.PARTIAL:
                live.update(Text(_words(reply, language)), refresh=True)
    assert reply is not None
    return reply


def _words(reply: Reply, language: str) -> str:
    text = "\n".join(block.text for block in render_blocks(reply, language))
    return text if reply.fraction is None else f"{text} {reply.fraction:.0%}"


def _save(rendered: Rendered, out: Path) -> list[Path]:
    """Pictures and files into `out`; a name that is taken gets a number."""
    wanted = [(image.name, image.data) for image in rendered.images]
    wanted += [(file.name, file.data) for file in rendered.reply.files]
    if wanted:
        out.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, data in wanted:
        path = out / Path(name).name
        number = 1
        while path.exists():
            number += 1
            path = out / f"{Path(name).stem}-{number}{Path(name).suffix}"
        path.write_bytes(data)
        saved.append(path)
    return saved


def _print(rendered: Rendered, files: list[Path], as_json: bool) -> None:
    write = sys.stdout.write
    if as_json:
        answer: dict[str, Any] = {
            "text": rendered.text,
            "files": [str(path) for path in files],
            "buttons": [
                {"label": b.label, "token": b.token, "url": b.url} for b in rendered.buttons
            ],
            "data": rendered.reply.data,
            "state": rendered.reply.state,
            "error": rendered.reply.error,
        }
        write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
        return
    write(rendered.text + "\n")
    for path, alt in zip(files, [image.alt for image in rendered.images], strict=False):
        write(f"\n→ {path}\n  {alt}\n")
    for path in files[len(rendered.images) :]:
        write(f"\n→ {path}\n")
