"""Discord's documented limits of commands (developers/interactions/application-commands).

`problems(payload)` names everything that Discord would refuse, in every language: "default" is the
name without a translation. `discord.py` allows five commands of a menu, fewer than Discord does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

CHAT_INPUT, MESSAGE = 1, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 1, 2, 3, 4, 5, 10, 11
KINDS = range(1, 12)

COMMANDS, MENUS = 100, 5
NAME, DESCRIPTION = 32, 100
OPTIONS, CHOICES = 25, 25
CHOICE_NAME, CHOICE_VALUE = 100, 100
TEXT_OPTION = 6000
CHARACTERS = 8000  # of a command, all in all
LARGEST = 2**53  # of numbers


def problems(payload: list[Json]) -> list[str]:
    """What Discord would refuse, a line each; nothing if all is well."""
    return [*_all(payload), *(line for command in payload for line in _command(command))]


def size(thing: Json) -> int:
    """As Discord counts: of each field only the longest localisation, and the choices' values."""
    total = max(len(text) for _, text in _texts(thing, "name"))
    total += max((len(text) for _, text in _texts(thing, "description")), default=0)
    total += len(str(thing.get("value", "")))
    return total + sum(size(x) for x in (*thing.get("options", ()), *thing.get("choices", ())))


def _all(payload: list[Json]) -> Iterator[str]:
    kinds = [command["type"] for command in payload]
    if kinds.count(CHAT_INPUT) > COMMANDS:
        yield f"{kinds.count(CHAT_INPUT)} slash commands"
    if kinds.count(MESSAGE) > MENUS:
        yield f"{kinds.count(MESSAGE)} menus on messages"
    for locale in _locales(payload):
        names = [(c["type"], _shown(c, locale)) for c in payload]
        for kind, name in names:
            if names.count((kind, name)) > 1:
                yield f"{locale}: two commands are called {name}"


def _command(command: Json) -> Iterator[str]:
    where = f"/{command['name']}"
    if size(command) > CHARACTERS:
        yield f"{where}: {size(command)} characters in all"
    if command["type"] == MESSAGE:
        for locale, name in _texts(command, "name"):
            if not 1 <= len(name) <= NAME:
                yield f"{where}: {locale} name of {len(name)} characters"
        if command.get("description") or command.get("options"):
            yield f"{where}: a menu has no description and no options"
        return
    yield from _named(command, where)
    options = command.get("options", [])
    if len(options) > OPTIONS:
        yield f"{where}: {len(options)} options"
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        yield f"{where}: a required option after one that is not"
    for locale in _locales(options):
        names = [_shown(option, locale) for option in options]
        if len(set(names)) < len(names):
            yield f"{where}: {locale}: two options of the same name: {names}"
    for option in options:
        yield from _option(option, f"{where} {option['name']}")


def _option(option: Json, where: str) -> Iterator[str]:
    yield from _named(option, where)
    kind, choices = option["type"], option.get("choices", [])
    if kind not in KINDS:
        yield f"{where}: no such type: {kind}"
    if len(choices) > CHOICES:
        yield f"{where}: {len(choices)} choices"
    if choices and option.get("autocomplete"):
        yield f"{where}: choices, and completed"
    for choice in choices:
        for locale, name in _texts(choice, "name"):
            if not 1 <= len(name) <= CHOICE_NAME:
                yield f"{where}: {locale} choice of {len(name)} characters"
        if isinstance(choice["value"], str) and not 1 <= len(choice["value"]) <= CHOICE_VALUE:
            yield f"{where}: a choice's value of {len(choice['value'])} characters"
    shortest, longest = option.get("min_length", 0), option.get("max_length", TEXT_OPTION)
    if not (0 <= shortest <= longest <= TEXT_OPTION and longest >= 1):
        yield f"{where}: {shortest} to {longest} characters"
    low, high = option.get("min_value", -LARGEST), option.get("max_value", LARGEST)
    if not -LARGEST <= low <= high <= LARGEST:
        yield f"{where}: {low} to {high}"
    if kind != STRING and {"min_length", "max_length"} & set(option):
        yield f"{where}: a length, but no text"
    if kind not in (INTEGER, NUMBER) and {"min_value", "max_value"} & set(option):
        yield f"{where}: a range, but no number"


def _named(thing: Json, where: str) -> Iterator[str]:
    """Names: letters, digits, - _ ' of any script; lower case wherever a letter has one."""
    for locale, name in _texts(thing, "name"):
        letters = all(sign in "-_'" or unicodedata.category(sign)[0] in "LN" for sign in name)
        composed = unicodedata.normalize("NFC", name) == name
        if not (1 <= len(name) <= NAME and letters and composed and name == name.lower()):
            yield f"{where}: {locale} name {name!r}"
    texts = list(_texts(thing, "description"))
    if not texts:
        yield f"{where}: no description"
    for locale, text in texts:
        if not 1 <= len(text) <= DESCRIPTION:
            yield f"{where}: {locale} description of {len(text)} characters"


def _texts(thing: Json, field: str) -> Iterator[tuple[str, str]]:
    """A field's text without a translation, and all translations, each with its locale."""
    if field in thing:
        yield "default", thing[field]
        yield from (thing.get(f"{field}_localizations") or {}).items()


def _shown(thing: Json, locale: str) -> str:
    return str((thing.get("name_localizations") or {}).get(locale, thing["name"]))


def _locales(things: list[Json]) -> list[str]:
    found = {locale for thing in things for locale, _ in _texts(thing, "name")}
    return sorted(found)
