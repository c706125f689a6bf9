"""The command menus of Telegram's clients, by kind of chat and language; sent only when changed.

Of all menus a client takes the first that there is for its reader: in the reader's language, then
without one; for administrators, then for groups. The menu for all chats, which BotFather's
`/setcommands` writes and we once did, comes last of all; it is taken away, so that nobody is shown
what it still holds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from telegram import Bot, BotCommand, BotCommandScope, BotCommandScopeDefault

from bot.telegram.text import command_name
from handlers.kit.registry import Command, commands
from locales import LANGUAGES, Message, words

log = logging.getLogger(__name__)

FILE = "telegram-commands.json"
COMMANDS = 100  # in one menu
DESCRIPTION = 256  # letters of one command's description
PAYLOAD = 3500  # bytes of all names and descriptions; Telegram does not say how much it takes
_NAME = re.compile(r"[a-z0-9_]{1,32}")

PRIVATE, GROUP, ADMINISTRATORS = (
    BotCommandScope.ALL_PRIVATE_CHATS,
    BotCommandScope.ALL_GROUP_CHATS,
    BotCommandScope.ALL_CHAT_ADMINISTRATORS,
)
#: about nobody but the asker; a group's menu does not invite to it
PERSONAL = frozenset({"privacy"})
#: of no use here; a group on Telegram has no channels to choose from
ELSEWHERE = frozenset({"channels"})


@dataclass(frozen=True, slots=True)
class Menu:
    """What Telegram offers in one kind of chat; `language_code` "" is for all other languages."""

    scope: str
    language_code: str
    entries: tuple[tuple[str, str], ...]  # name, description


@dataclass(frozen=True, slots=True)
class About:
    """What Telegram says of us in one language."""

    language_code: str
    text: str  # shown in an empty chat, at most 512 letters
    short: str  # shown in our profile, at most 120 letters


def menus(default_language: str) -> tuple[Menu, ...]:
    """The menus to send: for each kind of chat the one without a language, then each language's."""
    return tuple(
        Menu(scope, code, _entries(scope, language))
        for scope in (PRIVATE, GROUP, ADMINISTRATORS)
        for code, language in _languages(default_language)
    )


def abouts(default_language: str) -> tuple[About, ...]:
    """The texts about us, in the order of `menus`."""
    return tuple(
        About(
            code,
            words(language)(Message("telegram-about")),
            words(language)(Message("telegram-about-short")),
        )
        for code, language in _languages(default_language)
    )


def _languages(default: str) -> tuple[tuple[str, str], ...]:
    """Telegram's codes with the language that each is served in."""
    return (("", default), *((language, language) for language in LANGUAGES))


def _entries(scope: str, language: str) -> tuple[tuple[str, str], ...]:
    entries = []
    for command in _offered(scope):
        name = command_name(command.title(language))
        if _NAME.fullmatch(name):
            entries.append((name, command.description(language)))
        else:
            log.error("/%s cannot be a Telegram command: %s", command.name, name)
    return _shortened(entries[:COMMANDS])


def _offered(scope: str) -> Iterator[Command]:
    left_out = ELSEWHERE if scope == PRIVATE else ELSEWHERE | PERSONAL
    for command in commands().values():
        if command.name not in left_out and (not command.moderators or scope == ADMINISTRATORS):
            yield command


def _shortened(entries: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The entries with descriptions as long as Telegram takes them, each and all together."""
    for letters in range(DESCRIPTION, 0, -1):
        cut = tuple((name, description[:letters]) for name, description in entries)
        if sum(len(name) + len(description.encode()) for name, description in cut) <= PAYLOAD:
            break
    return cut


async def publish(bot: Bot, default_language: str, folder: Path) -> bool:
    """Send the menus if they, or the bot, differ from what was sent last; says whether it did.

    Raises:
        TelegramError: Telegram did not take them; they will be sent at the next start.
    """
    wanted, about = menus(default_language), abouts(default_language)
    digest = hashlib.sha256(
        json.dumps([bot.id, [asdict(m) for m in wanted], [asdict(a) for a in about]]).encode()
    ).hexdigest()
    path = folder / FILE
    if await asyncio.to_thread(_read, path) == digest:
        return False
    for menu in wanted:
        entries = [BotCommand(name, description) for name, description in menu.entries]
        scope, code = BotCommandScope(menu.scope), menu.language_code or None
        await bot.set_my_commands(entries, scope=scope, language_code=code)
    for each in about:
        code = each.language_code or None
        await bot.delete_my_commands(BotCommandScopeDefault(), language_code=code)
        await bot.set_my_description(each.text, language_code=code)
        await bot.set_my_short_description(each.short, language_code=code)
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
