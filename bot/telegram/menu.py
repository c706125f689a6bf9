"""The command menu of Telegram's clients, in each language; sent only when it has changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from telegram import Bot, BotCommand

from bot.telegram.text import command_name
from handlers.kit.registry import commands
from locales import LANGUAGES, Message, words

log = logging.getLogger(__name__)

FILE = "telegram-commands.json"
COMMANDS = 100  # in one menu
DESCRIPTION = 256  # letters of one command's description
_NAME = re.compile(r"[a-z0-9_]{1,32}")


@dataclass(frozen=True, slots=True)
class Menu:
    """Everything that Telegram shows of us in one language; `language_code` "" is the default."""

    language_code: str
    entries: tuple[tuple[str, str], ...]  # name, description
    about: str  # shown in an empty chat, at most 512 letters
    short_about: str  # shown in our profile, at most 120 letters


def menus(default_language: str) -> tuple[Menu, ...]:
    """The menus to send: the default one, then one for each language."""
    return tuple(
        _menu(code, language)
        for code, language in (("", default_language), *((lang, lang) for lang in LANGUAGES))
    )


def _menu(code: str, language: str) -> Menu:
    say = words(language)
    entries = []
    for command in commands().values():
        name = command_name(command.title(language))
        if _NAME.fullmatch(name):
            entries.append((name, command.description(language)[:DESCRIPTION]))
        else:
            log.error("/%s cannot be a Telegram command: %s", command.name, name)
    return Menu(
        code,
        tuple(entries[:COMMANDS]),
        say(Message("telegram-about")),
        say(Message("telegram-about-short")),
    )


async def publish(bot: Bot, default_language: str, folder: Path) -> bool:
    """Send the menus if they, or the bot, differ from what was sent last; says whether it did.

    Raises:
        TelegramError: Telegram did not take them; they will be sent at the next start.
    """
    wanted = menus(default_language)
    digest = hashlib.sha256(
        json.dumps([bot.id, [asdict(menu) for menu in wanted]]).encode()
    ).hexdigest()
    path = folder / FILE
    if await asyncio.to_thread(_read, path) == digest:
        return False
    for menu in wanted:
        code = menu.language_code or None
        entries = [BotCommand(name, description) for name, description in menu.entries]
        await bot.set_my_commands(entries, language_code=code)
        await bot.set_my_description(menu.about, language_code=code)
        await bot.set_my_short_description(menu.short_about, language_code=code)
    await asyncio.to_thread(_write, path, digest)
    return True


def _read(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["sent"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never written, or not by us: send again


def _write(path: Path, digest: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps({"sent": digest}), encoding="utf-8")
    unfinished.replace(path)
