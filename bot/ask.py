"""`tadim ask`: one command through the same handlers and queue as everybody's, in a terminal."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from bot.app import opened
from bot.hub import Frontend, Visitor
from bot.presenting import Presentation, Rendered, render_blocks
from bot.settings import Settings
from bot.store import StoreError
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
    settings: Settings,
    line: str,
    images: Sequence[Path],
    chosen: str | None,
    out: Path,
    as_json: bool,
) -> int:
    """Run one command, print its reply, save its pictures.

    `chosen` is the language asked for; it is remembered as `/language` would.

    Returns:
        The exit code: 0 answered, 1 failed, 2 the command asks for something more.

    Raises:
        SettingsError, StoreError: one clear sentence; also where the database fails on the way.
    """
    logging.getLogger().setLevel(logging.WARNING)
    try:
        reply, rendered = await _answer(settings, line, images, chosen, quiet=as_json)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(".")
        raise StoreError(f"The database failed: {reason}.") from error
    files, problem = await asyncio.to_thread(_try_to_save, rendered, out)
    _print(rendered, files, as_json)
    if problem:
        sys.stderr.write(f"tadim: {problem}\n")
    if problem or reply.error:
        return FAILED
    return NEEDS_MORE if reply.state is State.QUESTION else OK


async def _answer(
    settings: Settings, line: str, images: Sequence[Path], chosen: str | None, quiet: bool
) -> tuple[Reply, Rendered]:
    """The command's last reply, and the same in the reader's language."""
    visitor = Visitor(user="ask:me", chat="ask:me", address=ADDRESS)
    async with opened(settings) as hub:
        hub.frontends["ask"] = Terminal()
        if chosen:
            await hub.services.memory.set_language(visitor.user, chosen)
        language = await hub.language(visitor)
        pictures = [PictureRef("ask", {"path": str(path)}) for path in images]
        try:
            run = await hub.line(visitor, line, pictures)
        except UserError as error:
            reply = explain(error, line)
        else:
            reply = await _watch(run, language, quiet=quiet)
        presentation = Presentation(hub.services.memory, language, visitor.user, visitor.chat)
        return reply, await presentation.render(reply)


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


def _try_to_save(rendered: Rendered, out: Path) -> tuple[list[Path], str]:
    """The files saved, or none and one sentence that says why."""
    try:
        return _save(rendered, out), ""
    except OSError as error:
        return [], f"Cannot save into {out}: {error.strerror}."


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
                {"label": b.label, "token": b.token, "url": b.url}
                for b in rendered.buttons
                if not b.deletes
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
