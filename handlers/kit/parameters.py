"""A handler's signature is the one declaration of its parameters; this module reads it.

Every frontend derives its own form from the `Parameter`s found here (Discord options, Telegram
arguments, the web form), and `bind` checks what comes back, so all platforms refuse alike.
"""

from __future__ import annotations

import inspect
import math
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from fluent.runtime.types import FluentNumber, fluent_number

from handlers.kit.errors import UserError
from handlers.kit.request import Picture
from locales import LANGUAGES, Listing, Message, fold, words


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both inclusive."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Seed:
    """What chance depends on: 0 … `high`, or a word for "draw one". It makes results repeatable."""

    high: int = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Text:
    """Length limits of a text, in characters. `long` asks for a text box rather than a line."""

    longest: int = 2000
    shortest: int = 1
    long: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The values to choose from; each has a word `COMMAND-PARAMETER-VALUE` in the locales."""

    values: tuple[str, ...]


REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command. `name` is canonical (English); people see `title(language)`."""

    command: str
    name: str
    kind: Literal["text", "integer", "number", "boolean", "choice", "picture"]
    default: Any = REQUIRED
    range: Range | None = None
    text: Text | None = None
    choices: tuple[str, ...] = ()
    seed: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def title(self, language: str) -> str:
        """The parameter's name as people type it: lower case, no spaces."""
        return words(language)(Message(f"{self.command}.{self.name}"))

    def description(self, language: str) -> str:
        return words(language)(Message(f"{self.command}.{self.name}-description"))

    def choice_title(self, value: str, language: str) -> str:
        return words(language)(Message(f"{self.command}-{self.name}-{value}"))

    def convert(self, raw: Any, language: str) -> Any:
        """A checked value from raw input.

        Raises:
            UserError: with the sentence that says what would be right.
        """
        converter: Callable[[Any, str], Any] = getattr(self, f"_to_{self.kind}")
        return converter(raw, language)

    def _named(self) -> Message:
        return Message(f"{self.command}.{self.name}")

    def _to_picture(self, raw: Any, language: str) -> Picture:
        if not isinstance(raw, Picture):
            raise UserError("error-picture-expected", parameter=self._named())
        return raw

    def _to_text(self, raw: Any, language: str) -> str:
        if not isinstance(raw, str | int | float):
            raise UserError("error-text-expected", parameter=self._named())
        limits = self.text or Text()
        # Composing shortens a text to a third at most; longer ones need not be composed to tell.
        text = str(raw)
        if len(text) <= 3 * limits.longest + 1000:
            text = _compose(text).replace("\r\n", "\n").strip()
        if len(text) < limits.shortest or (limits.shortest and _is_blank(text)):
            raise UserError("error-text-empty", parameter=self._named())
        if len(text) > limits.longest:
            raise UserError(
                "error-text-too-long",
                parameter=self._named(),
                length=len(text),
                longest=limits.longest,
            )
        if _INVISIBLE.search(text):
            raise UserError("error-text-invisible", parameter=self._named())
        return text

    def _to_integer(self, raw: Any, language: str) -> int:
        if self.seed and self.range and fold(_short(raw)) in DRAW:
            return secrets.randbelow(int(self.range.high) + 1)
        if isinstance(raw, str):
            typed = raw.strip().translate(_MINUS)
            if _GROUPED.fullmatch(typed):  # 1.000 and 1,000 are a thousand, not one
                typed = re.sub(r"[.,]", "", typed)
            # Through int, not float: a seed of 17 digits keeps all of them.
            raw = int(typed) if _WHOLE.fullmatch(typed) else raw
        try:
            number = self._number(raw)
        except UserError as error:
            if error.message.key == "error-number-expected":
                raise UserError("error-number-whole", parameter=self._named()) from None
            raise
        if not float(number).is_integer():
            raise UserError("error-number-whole", parameter=self._named())
        return int(number)

    def _to_number(self, raw: Any, language: str) -> float:
        return float(self._number(raw))

    def _number(self, raw: Any) -> int | float:
        """The finite number that was typed or sent, within the parameter's range."""
        number: int | float = math.nan
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            number = raw
        elif isinstance(raw, str) and len(raw) <= 40:
            with suppress(ValueError):
                number = float(raw.strip().translate(_NUMBER_SIGNS))
        if not -_LARGEST <= number <= _LARGEST:
            raise UserError("error-number-expected", parameter=self._named())
        limits = self.range
        if limits and not limits.low <= number <= limits.high:
            raise UserError(
                "error-number-range",
                parameter=self._named(),
                low=exact(limits.low),
                high=exact(limits.high),
            )
        return number

    def _to_boolean(self, raw: Any, language: str) -> bool:
        if isinstance(raw, bool):
            return raw
        typed = fold(_short(raw))
        for value, names in _BOOLEANS.items():
            if typed in names:
                return value
        raise UserError("error-boolean-expected", parameter=self._named())

    def _to_choice(self, raw: Any, language: str) -> str:
        typed = fold(_short(raw))
        for value in self.choices:
            names = {fold(value), *(fold(self.choice_title(value, lang)) for lang in LANGUAGES)}
            if typed in names:
                return value
        titles = [Message(f"{self.command}-{self.name}-{value}") for value in self.choices]
        options = Listing(titles, "or")
        raise UserError("error-choice-expected", parameter=self._named(), options=options)


# Control characters (but tab and newline) and the bidi overrides that can turn a line around.
# Left-to-right marks and joiners stay: emoji and Persian need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]"
)
_MINUS = str.maketrans({"−": "-"})
_NUMBER_SIGNS = str.maketrans({",": ".", "−": "-", "_": "x"})
_WHOLE = re.compile(r"[+-]?\d{1,40}")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+|[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_LARGEST = 10.0**40  # beyond it nothing is meant; keeps infinity and endless digits out
#: what stands for a seed that is to be drawn; buttons use the first
DRAW = ("random", "rastgele")
_BOOLEANS = {
    True: {"true", "yes", "on", "1", "evet", "acik", "dogru"},
    False: {"false", "no", "off", "0", "hayir", "kapali", "yanlis"},
}

_BLANK = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # categories that leave nothing to see
_MARKS_IN_A_ROW = 30  # as in Unicode's stream-safe text format
_HIDDEN_MARKS = "\u0f73\u0f75\u0f81"  # these say they are letters but decompose into marks


def _compose(text: str) -> str:
    """The text in normal form C, with at most 30 combining marks in a row.

    Normalising takes time quadratic in the number of marks in a row: without the limit 100,000 of
    them would hold the event loop for seconds.
    """
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) or letter in _HIDDEN_MARKS else 0
        if marks <= _MARKS_IN_A_ROW:
            kept.append(letter)
    return unicodedata.normalize("NFC", "".join(kept))


def _is_blank(text: str) -> bool:
    return all(unicodedata.category(letter) in _BLANK for letter in text)


def _short(raw: Any) -> str:
    """A word somebody typed, cut before anything is computed on it."""
    return raw[:200].strip() if isinstance(raw, str) else str(raw)[:200]


def echo(typed: str, longest: int = 40) -> str:
    """What somebody typed, fit to be shown in a sentence of ours: one short line, all visible."""
    line = " ".join(typed[: 4 * longest].split())
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", line[:longest])


def exact(number: float) -> FluentNumber:
    """A number for a message that shows all its digits; by default Fluent shows three decimals."""
    return fluent_number(number, maximumFractionDigits=12)


def parameters_of(command: str, function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The declared parameters of a handler: all but `request` and `services`.

    Raises:
        TypeError: an annotation this module has no form for (noticed at import, by us).
    """
    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function).parameters
    return tuple(
        _parameter(command, name, hints[name], signature[name].default)
        for name in list(signature)[2:]
    )


def _parameter(command: str, name: str, hint: Any, default: Any) -> Parameter:
    extras: list[Any] = []
    # `X | None` is an optional X; either may stand inside the other.
    while True:
        options = [option for option in get_args(hint) if option is not type(None)]
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            extras += more
        elif type(None) in get_args(hint) and len(options) == 1:
            hint = options[0]
        else:
            break
    limits = next((extra for extra in extras if isinstance(extra, Range)), None)
    text = next((extra for extra in extras if isinstance(extra, Text)), None)
    seed = next((extra for extra in extras if isinstance(extra, Seed)), None)
    choice = next((extra for extra in extras if isinstance(extra, Choice)), None)
    if choice:
        return Parameter(command, name, "choice", default, choices=choice.values)
    kinds: dict[Any, Any] = {
        Picture: "picture",
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "text",
    }
    if hint not in kinds:
        raise TypeError(f"/{command}: no form for parameter {name}: {hint}")
    kind = kinds[hint]
    if seed:
        return Parameter(command, name, kind, default, Range(0, seed.high), seed=True)
    return Parameter(
        command, name, kind, default, limits, (text or Text()) if kind == "text" else None
    )


class MissingParameter(UserError):
    """A required parameter is not there; the frontend asks for it, or says so."""

    def __init__(self, parameter: Parameter) -> None:
        kind = "picture" if parameter.kind == "picture" else "value"
        super().__init__(
            f"ask-{kind}",
            parameter=Message(f"{parameter.command}.{parameter.name}"),
            command=Message(parameter.command),
        )
        self.parameter = parameter


def bind(
    parameters: tuple[Parameter, ...], raw: Mapping[str, Any], language: str
) -> dict[str, Any]:
    """Checked arguments for a handler from raw ones.

    Raises:
        MissingParameter: the first required parameter that is missing.
        UserError: a value that is not right, or a name that no parameter has.
    """
    known = {parameter.name for parameter in parameters}
    for name in raw:
        if name not in known:
            raise UserError("error-parameter-unknown", name=echo(name))
    arguments = {
        parameter.name: parameter.convert(raw[parameter.name], language)
        for parameter in parameters
        if raw.get(parameter.name) is not None
    }
    for parameter in parameters:
        if parameter.name not in arguments:
            if parameter.required:
                raise MissingParameter(parameter)
            arguments[parameter.name] = parameter.default
    return arguments
