"""A handler's signature is the one declaration of its parameters; this module reads it.

Every frontend derives its own form from the `Parameter`s found here (Discord options, Telegram
arguments, the web form), and `bind` checks what comes back, so all platforms refuse alike.
"""

from __future__ import annotations

import inspect
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from handlers.kit.errors import UserError
from handlers.kit.request import Picture
from locales import LANGUAGES, Listing, Message, fold, words


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both inclusive."""

    low: float
    high: float


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
        value = unicodedata.normalize("NFC", str(raw)).replace("\r\n", "\n").strip()
        limits = self.text or Text()
        if len(value) < limits.shortest:
            raise UserError("error-text-empty", parameter=self._named())
        if len(value) > limits.longest:
            raise UserError(
                "error-text-too-long",
                parameter=self._named(),
                length=len(value),
                longest=limits.longest,
            )
        if _INVISIBLE.search(value):
            raise UserError("error-text-invisible", parameter=self._named())
        return value

    def _to_integer(self, raw: Any, language: str) -> int:
        number = self._number(raw)
        if not number.is_integer():
            raise UserError("error-number-whole", parameter=self._named())
        return int(number)

    def _to_number(self, raw: Any, language: str) -> float:
        return self._number(raw)

    def _number(self, raw: Any) -> float:
        try:
            number = float(str(raw).strip().translate(_NUMBER_SIGNS))
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or len(str(raw)) > 40:
            raise UserError("error-number-expected", parameter=self._named())
        limits = self.range
        if limits and not limits.low <= number <= limits.high:
            raise UserError(
                "error-number-range", parameter=self._named(), low=limits.low, high=limits.high
            )
        return number

    def _to_boolean(self, raw: Any, language: str) -> bool:
        if isinstance(raw, bool):
            return raw
        typed = fold(str(raw))
        for value, names in _BOOLEANS.items():
            if typed in names:
                return value
        raise UserError("error-boolean-expected", parameter=self._named())

    def _to_choice(self, raw: Any, language: str) -> str:
        typed = fold(str(raw).strip())
        for value in self.choices:
            names = {fold(value), *(fold(self.choice_title(value, lang)) for lang in LANGUAGES)}
            if typed in names:
                return value
        options = Listing(
            [Message(f"{self.command}-{self.name}-{value}") for value in self.choices]
        )
        raise UserError("error-choice-expected", parameter=self._named(), options=options)


# Control characters (but tab and newline) and the bidi overrides that can turn a line around.
# Left-to-right marks and joiners stay: emoji and Persian need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]"
)
_NUMBER_SIGNS = str.maketrans({",": ".", "−": "-", "_": "x"})
_BOOLEANS = {
    True: {"true", "yes", "on", "1", "evet", "acik", "dogru"},
    False: {"false", "no", "off", "0", "hayir", "kapali", "yanlis"},
}


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
    extras: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        extras = tuple(rest)
    # `X | None` is an optional X.
    options = [option for option in get_args(hint) if option is not type(None)]
    if type(None) in get_args(hint) and len(options) == 1:
        hint = options[0]
    limits = next((extra for extra in extras if isinstance(extra, Range)), None)
    text = next((extra for extra in extras if isinstance(extra, Text)), None)
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
            raise UserError("error-parameter-unknown", name=name[:40])
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
