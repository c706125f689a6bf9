"""The words: Project Fluent files for every reply, command and option, in Turkish and English.

Handlers name messages (`Message("detect-found", count=3)`) and never hold a finished sentence;
`Words` turns them into one language at the last moment, when the reader is known.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from babel.lists import format_list
from fluent.runtime import FluentBundle, FluentResource

LANGUAGES = ("tr", "en")
FALLBACK = "en"
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """A message key with its arguments; rendered per reader.

    Arguments are text, numbers, other `Message`s, `Label`s, `Listing`s or `Lines`.
    """

    key: str
    arguments: Mapping[str, Any]

    def __init__(self, key: str, /, **arguments: Any) -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "arguments", MappingProxyType(arguments))

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        return _message, (self.key, dict(self.arguments))


def _message(key: str, arguments: dict[str, Any]) -> Message:
    return Message(key, **arguments)


@dataclass(frozen=True, slots=True)
class Label:
    """A class name from a data table, e.g. `Label("coco", "person", 4)`: *people*, *kişi*."""

    table: str
    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """Items joined as the language does it: *a, b and c*, *a, b ve c*; or with *or*."""

    items: Sequence[Any]
    joined: Literal["and", "or"] = "and"


@dataclass(frozen=True, slots=True)
class Lines:
    """Items one below the other."""

    items: Sequence[Any]


class UnknownMessage(KeyError):
    """No such message key: a mistake of ours, found by the tests before a reader finds it."""


class Words:
    """Everything Tadım can say in one language. Obtain it by `words(language)`."""

    def __init__(self, language: str, folder: Path = FOLDER) -> None:
        self.language = language
        self._bundle = FluentBundle([language], use_isolating=False)
        for path in sorted((folder / language).glob("*.ftl")):
            self._bundle.add_resource(FluentResource(path.read_text(encoding="utf-8")))
        self._tables = {
            path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
            for path in sorted((folder / language).glob("*.toml"))
        }

    def has(self, key: str) -> bool:
        """Whether the message, or `message.attribute`, exists."""
        name, _, attribute = key.partition(".")
        if not self._bundle.has_message(name):
            return False
        message = self._bundle.get_message(name)
        return attribute in message.attributes if attribute else message.value is not None

    def __call__(self, thing: Any) -> str:
        """Render a `Message`, `Label`, `Listing`, `Lines` or plain text.

        Raises:
            UnknownMessage: no such key in this language.
            ValueError: an argument that the message asks for is missing.
        """
        match thing:
            case Message():
                return self._format(thing.key, thing.arguments)
            case Label():
                return self.label(thing.table, thing.name, thing.count)
            case Listing():
                style = "or" if thing.joined == "or" else "standard"
                items = [self(item) for item in thing.items]
                return str(format_list(items, style, locale=self.language))
            case Lines():
                return "\n".join(self(item) for item in thing.items)
            case _:
                return str(thing)

    def label(self, table: str, name: str, count: int = 1) -> str:
        """A class name; the table gives one word, or [singular, plural]. Unknown names stay."""
        entry = self._tables.get(table, {}).get(name, name)
        if isinstance(entry, str):
            return entry
        return str(entry[0] if count == 1 else entry[1])

    def _format(self, key: str, arguments: Mapping[str, Any]) -> str:
        if not self.has(key):
            raise UnknownMessage(f"{self.language}: {key}")
        name, _, attribute = key.partition(".")
        message = self._bundle.get_message(name)
        pattern = message.attributes[attribute] if attribute else message.value
        rendered = {
            argument: self(value) if isinstance(value, Message | Label | Listing | Lines) else value
            for argument, value in arguments.items()
        }
        text, errors = self._bundle.format_pattern(pattern, rendered)
        if errors:
            raise ValueError(f"{self.language}: {key}: {errors}")
        return str(text)


@cache
def words(language: str) -> Words:
    """The words of a language; an unknown one falls back on English."""
    return Words(language if language in LANGUAGES else FALLBACK)


def language_of(tag: str | None) -> str | None:
    """The first of our languages that an IETF tag (`tr-TR`, `en_GB`) names, or None."""
    if not tag:
        return None
    primary = tag.replace("_", "-").split("-")[0].lower()
    return primary if primary in LANGUAGES else None


# --- Turkish letters ---------------------------------------------------------------------------
# Python's case functions know no language: "I".lower() is "i" and "İ".lower() is two code points.
# Use these for words that people read or type; never for identifiers.

_TO_LOWER = str.maketrans({"I": "ı", "İ": "i"})
_TO_UPPER = str.maketrans({"ı": "I", "i": "İ"})
_WITHOUT_DOT = str.maketrans({"ı": "i"})


def tr_lower(text: str) -> str:
    """Lower case as Turkish does it: `Iİ` → `ıi`."""
    return unicodedata.normalize("NFC", text).translate(_TO_LOWER).lower()


def tr_upper(text: str) -> str:
    """Upper case as Turkish does it: `ıi` → `Iİ`."""
    return unicodedata.normalize("NFC", text).translate(_TO_UPPER).upper()


def capitalise(text: str, language: str) -> str:
    """The text with its first letter upper case, by the language's own rule."""
    first = tr_upper(text[:1]) if language == "tr" else text[:1].upper()
    return first + text[1:]


def fold(text: str) -> str:
    """A spelling for comparisons: no case, no dots, no accents, so `Algıla` equals `algila`."""
    lowered = tr_lower(text).translate(_WITHOUT_DOT)
    decomposed = unicodedata.normalize("NFKD", lowered)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def all_keys(language: str, folder: Path = FOLDER) -> Iterable[str]:
    """Every message id of a language, in the order of its files (for the tests)."""
    for path in sorted((folder / language).glob("*.ftl")):
        for entry in FluentResource(path.read_text(encoding="utf-8")).body:
            if type(entry).__name__ == "Message":
                yield entry.id.name
