"""Typed commands: `/algıla güven:0,4` → canonical name and raw arguments.

Used where a platform gives a line of text (`tadim ask`, Telegram, the web page's input).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.kit.errors import UserError
from handlers.kit.parameters import echo
from handlers.kit.registry import Command, parameter_named, require

#: how many `name:value` of a line are looked at; what follows is text (no command has so many
#: parameters, and a long text full of colons must not hold up the event loop)
MOST_NAMED = 64

_COMMAND = re.compile(r"\s*/(?P<name>[^\s@:]+)(?:@\w+)?\s*(?P<rest>.*)", re.DOTALL)
# A name may be typed with combining marks (macOS does), and phones make quotation marks curly.
_NAMED = re.compile(
    r"(?<!\S)(?P<name>[^\W\d][\w\u0300-\u036f-]{0,63}):"
    r'(?:"(?P<straight>[^"]*)"|“(?P<curly>[^“”]*)”|(?P<plain>[^\s"“]\S*))[^\S\n]?'
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command and its raw arguments by canonical parameter name."""

    command: Command
    arguments: dict[str, str]


def parse(line: str) -> Parsed:
    """Read one typed command.

    `name:value` or `name:"two words"` sets a parameter, in either language's names; everything
    else is free text for the first text parameter (whose own name may stand before it). A colon
    after a word that is no parameter belongs to the text.

    Raises:
        UserError: no slash command, an unknown one (the sentence suggests the nearest), or text
            that no parameter takes.
    """
    if line.strip() and not line.strip().strip("/"):
        raise UserError("error-command-empty")
    match = _COMMAND.match(line)
    if not match:
        raise UserError("error-not-a-command")
    command = require(match["name"])
    return Parsed(command, _arguments(command, match["rest"]))


def _arguments(command: Command, rest: str) -> dict[str, str]:
    arguments: dict[str, str] = {}
    target = command.first_text

    def take(match: re.Match[str]) -> str:
        parameter = parameter_named(command, match["name"])
        if parameter is None or parameter.kind == "picture":
            return match[0]
        if parameter == target and match["plain"]:
            # `text:two words` without quotation marks: the second word belongs to it too.
            return match[0].partition(":")[2]
        quoted = match["straight"] if match["curly"] is None else match["curly"]
        arguments[parameter.name] = match["plain"] or quoted or ""
        return ""

    free = _NAMED.sub(take, rest, count=MOST_NAMED).strip()
    if free:
        if target is None or target.name in arguments:
            raise UserError("error-text-unexpected", text=echo(free))
        arguments[target.name] = free
    return arguments
