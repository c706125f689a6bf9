"""What the page and the server say to each other over the WebSocket, as JSON objects.

From the page, each with `type`:

    line      text, picture?       a typed line, with an uploaded picture
    call      command, arguments   a filled form; a picture is {"upload": id}
    answer    entry, value         what a question asked for; a picture is {"upload": id}
    press     token                a button
    cancel    entry                stop an answer
    language  language             speak this language from now on
    clear                          forget what was said, and the pictures
    ping                           answered by `pong`: the page notices a dead connection

Every one but `ping` may carry a `key`: it is answered by `got`, and a second message with the same
key is ignored, so that a page may send again what the connection swallowed.

To the page: `hello` (first of all, and after a change of language: words, commands, limits,
history), `entry` (one entry in its newest state),
`error` (a sentence about a message that was refused), `cleared`, `overrun` (the tab was too slow:
reconnect), `got`, `pong`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from handlers.kit.errors import UserError
from locales import LANGUAGES, Message, all_keys, words

LONGEST = 200_000  # characters of a message; a line that long is refused with a kind sentence
HARD_LIMIT = 4 * 1024 * 1024  # bytes; a longer frame closes the socket (1009) before it is read
_SURROGATES = re.compile("[\ud800-\udfff]")


class Garbled(UserError):
    """A message that no page of ours would send, or one that is too long."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that the visitor sent before, by its id on the shelf."""

    id: str


Value = str | int | float | bool | Upload


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message whose shape has been checked; what it names need not exist."""

    type: str
    text: str = ""
    name: str = ""  # command, entry, token or language
    upload: Upload | None = None
    value: Value | None = None
    arguments: Mapping[str, Value] | None = None
    key: str = ""


def read(raw: str) -> Incoming:
    """Check one message from a page.

    Raises:
        Garbled: with a sentence for the visitor.
    """
    if len(raw) > LONGEST * 6:  # a letter can be six characters of JSON
        raise Garbled("web-error-message-too-long", longest=LONGEST)
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        raise Garbled("web-error-garbled") from None
    if not isinstance(message, dict):
        raise Garbled("web-error-garbled")
    return replace(_typed(message), key=_short(message.get("key", "")))


def _typed(message: Mapping[str, Any]) -> Incoming:
    match message:
        case {"type": "clear" | "ping" as kind}:
            return Incoming(kind)
        case {"type": "line", "text": str(text)}:
            picture = message.get("picture")
            upload = Upload(_short(picture)) if picture is not None else None
            return Incoming("line", text=_text(text), upload=upload)
        case {"type": "call", "command": str(command), "arguments": dict(arguments)}:
            values = {_short(name): _value(value) for name, value in arguments.items()}
            return Incoming("call", name=_short(command), arguments=values)
        case {"type": "answer", "entry": str(entry), "value": value}:
            return Incoming("answer", name=_short(entry), value=_value(value))
        case {"type": "press", "token": str(token)}:
            return Incoming("press", name=_short(token))
        case {"type": "cancel", "entry": str(entry)}:
            return Incoming("cancel", name=_short(entry))
        case {"type": "language", "language": str(language)} if language in LANGUAGES:
            return Incoming("language", name=language)
    raise Garbled("web-error-garbled")


def _value(value: object) -> Value:
    """A raw argument. Never a mapping of the visitor's own making: it might name any picture."""
    match value:
        case str():
            return _text(value)
        case bool() | int() | float():
            return value
        case {"upload": str(upload)}:
            return Upload(_short(upload))
    raise Garbled("web-error-garbled")


def _text(text: str) -> str:
    if len(text) > LONGEST:
        raise Garbled("web-error-message-too-long", longest=LONGEST)
    # Half a surrogate pair is valid JSON but no text: it cannot be stored or logged.
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _short(text: object) -> str:
    """An identifier: whatever is longer names nothing that we know."""
    if not isinstance(text, str) or len(text) > 100:
        raise Garbled("web-error-garbled")
    return _text(text)


# --- words ---------------------------------------------------------------------------------------

#: arguments that the page fills in itself; it is sent `{name}` in their place
_FILLED_BY_PAGE = {
    name: "{" + name + "}"
    for name in ("count", "high", "low", "megabytes", "minutes", "name", "value")
}


@cache
def page_words(language: str) -> Mapping[str, str]:
    """All words that the page says by itself, by message key."""
    say = words(language)
    return {
        key: say(Message(key, **_FILLED_BY_PAGE))
        for key in all_keys(language)
        if key.startswith("web-") and not key.startswith(("web-ask-", "web-error-", "web-sign-in"))
    }
