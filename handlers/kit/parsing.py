"""Typed commands: `/algıla güven:0,4` → canonical name and raw arguments.

Used where a platform gives a line of text (`tadim ask`, Telegram, the web page's input).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.kit.errors import UserError
from handlers.kit.registry import Command, find, nearest, parameter_named
from locales import Message

_COMMAND = re.compile(r"\s*/(?P<name>[^\s@:]+)(?:@\w+)?\s*(?P<rest>.*)", re.DOTALL)
_NAMED = re.compile(
    r'(?<!\S)(?P<name>[^\W\d][\w-]*):(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))', re.UNICODE
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command and its raw arguments by canonical parameter name."""

    command: Command
    arguments: dict[str, str]


def parse(line: str) -> Parsed:
    """Read one typed command.

    `name:value` or `name:"two words"` sets a parameter, in either language's names; everything
    else is free text for the first text parameter. A colon after a word that is no parameter
    belongs to the text.

    Raises:
        UserError: no slash command, or an unknown one (the sentence suggests the nearest).
    """
    match = _COMMAND.match(line)
    if not match:
        raise UserError("error-not-a-command")
    typed, rest = match["name"], match["rest"]
    command = find(typed)
    if command is None:
        meant = nearest(typed)
        if meant:
            raise UserError("error-command-meant", typed=typed[:32], command=Message(meant.name))
        raise UserError("error-command-unknown", typed=typed[:32])
    return Parsed(command, _arguments(command, rest))


def _arguments(command: Command, rest: str) -> dict[str, str]:
    arguments: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        parameter = parameter_named(command, match["name"])
        if parameter is None or parameter.kind == "picture":
            return match[0]
        quoted = match["quoted"]
        arguments[parameter.name] = match["plain"] if quoted is None else quoted
        return ""

    free = _NAMED.sub(take, rest).strip()
    if free:
        target = command.first_text
        if target is None:
            raise UserError("error-text-unexpected", text=free[:40])
        arguments.setdefault(target.name, free)
    return arguments
