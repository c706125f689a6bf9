"""The register of commands: `@command` puts a handler in, `commands()` gives them all."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType

import handlers
from handlers.kit.errors import UserError
from handlers.kit.parameters import Parameter, echo, parameters_of
from handlers.kit.reply import Reply
from locales import LANGUAGES, Message, fold, words

Handler = Callable[..., AsyncIterator[Reply]]

#: the halls of the tour, in the order in which the talk visits them
STOPS = ("what-is", "language", "vision", "generative", "house")

_registered: dict[str, Command] = {}


@dataclass(frozen=True)
class Command:
    """A command: its canonical (English) name, its handler, its parameters.

    `stop` is the hall of the tour it belongs to; `order` its place there. `again` says whether
    repeating it makes sense (a button offers it). `next` names the command the tour visits next.
    `private` says that its answers are for the asker alone: some platforms must know beforehand.
    `menu`: offered in Discord's menu on messages, which has room for five. `moderators`: for those
    who look after a room; others are not shown it. `open`: its buttons answer whoever presses them,
    since the handler itself sees to who may. `thread`: a conversation that wants a thread of its
    own where the platform has them.
    """

    name: str
    handler: Handler
    stop: str
    order: int = 0
    again: bool = False
    next: str | None = None
    private: bool = False
    menu: bool = False
    moderators: bool = False
    open: bool = False
    thread: bool = False

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        return parameters_of(self.name, self.handler)

    @property
    def picture(self) -> Parameter | None:
        """The first picture parameter."""
        return next((p for p in self.parameters if p.kind == "picture"), None)

    @property
    def seed(self) -> Parameter | None:
        """The parameter that decides what chance brings."""
        return next((p for p in self.parameters if p.seed), None)

    @property
    def first_text(self) -> Parameter | None:
        """The parameter that free text goes to: the first text, or the first choice."""
        texts = [p for p in self.parameters if p.kind == "text"]
        choices = [p for p in self.parameters if p.kind == "choice"]
        return next(iter(texts + choices), None)

    @property
    def everywhere(self) -> bool:
        """Whether it works also in channels that the room's list leaves out (see /channels).

        The house's private answers do: they disturb nobody, and what concerns oneself (one's data,
        one's runs) must be within reach wherever one is, as must the list itself.
        """
        return self.stop == "house" and self.private

    @property
    def explained(self) -> bool:
        """Whether the locales hold "How does it work?" for it."""
        return words("en").has(f"{self.name}-how")

    def title(self, language: str) -> str:
        """Its name as people type it, without the slash."""
        return words(language)(Message(self.name))

    def description(self, language: str) -> str:
        return words(language)(Message(f"{self.name}.description"))


def command(
    name: str,
    *,
    stop: str,
    order: int = 0,
    again: bool = False,
    next: str | None = None,
    private: bool = False,
    menu: bool = False,
    moderators: bool = False,
    open: bool = False,
    thread: bool = False,
) -> Callable[[Handler], Handler]:
    """Register the decorated async generator as the handler of `/name`.

    Its first two parameters are `request` and `services`; all others are the command's own, each
    annotated with `Picture`, `str`, `int`, `float` or `bool`, refined by `Annotated[…, Range]`,
    `Text` or `Choice`.
    """
    if stop not in STOPS:
        raise ValueError(f"/{name}: no such stop: {stop}")

    def register(handler: Handler) -> Handler:
        if name in _registered:
            raise RuntimeError(f"two handlers for /{name}")
        _registered[name] = Command(
            name, handler, stop, order, again, next, private, menu, moderators, open, thread
        )
        return handler

    return register


@cache
def commands() -> Mapping[str, Command]:
    """Every command by canonical name, in the order of the tour."""
    for module in pkgutil.iter_modules(handlers.__path__, "handlers."):
        if not module.ispkg:
            importlib.import_module(module.name)
    ordered = sorted(_registered.values(), key=lambda c: (STOPS.index(c.stop), c.order, c.name))
    return MappingProxyType({entry.name: entry for entry in ordered})


@cache
def _names() -> Mapping[str, str]:
    """Folded name, in any language, to canonical name."""
    names: dict[str, str] = {}
    for entry in commands().values():
        for title in (entry.name, *(entry.title(language) for language in LANGUAGES)):
            names[_plain(title)] = entry.name
    return MappingProxyType(names)


def _plain(typed: str) -> str:
    """A command's name for comparisons; Telegram has `az_ornek` where others have `az-örnek`."""
    return fold(typed.strip()[:64].lstrip("/")).replace("_", "-")


def find(typed: str) -> Command | None:
    """The command that somebody typed, in either language, with or without Turkish letters."""
    name = _names().get(_plain(typed))
    return commands()[name] if name else None


def require(typed: str) -> Command:
    """The command that somebody typed.

    Raises:
        UserError: there is none; the sentence suggests the nearest.
    """
    entry = find(typed)
    if entry is None:
        shown = echo(typed.strip().lstrip("/"), 32)
        meant = nearest(typed)
        if meant:
            raise UserError("error-command-meant", typed=shown, command=Message(meant.name))
        raise UserError("error-command-unknown", typed=shown)
    return entry


def nearest(typed: str) -> Command | None:
    """The command that was probably meant, or None where nothing is near."""
    near = difflib.get_close_matches(_plain(typed)[:32], list(_names()), n=1, cutoff=0.6)
    return commands()[_names()[near[0]]] if near else None


def complete(typed: str, language: str, limit: int = 25) -> list[Command]:
    """Commands whose name in any language, or description, holds what was typed so far."""
    needle = _plain(typed)

    def rank(entry: Command) -> tuple[int, str]:
        names = [_plain(entry.title(lang)) for lang in (language, *LANGUAGES)]
        if any(name.startswith(needle) for name in names):
            return (0, "")
        if any(needle in name for name in names):
            return (1, "")
        return (2 if needle in fold(entry.description(language)) else 3, "")

    ranked = [(rank(entry)[0], index, entry) for index, entry in enumerate(commands().values())]
    return [entry for place, _, entry in sorted(ranked, key=lambda r: r[:2]) if place < 3][:limit]


def parameter_named(entry: Command, typed: str) -> Parameter | None:
    """A command's parameter by its name in either language, or canonical."""
    return _parameter_names(entry).get(fold(typed[:64]))


@cache
def _parameter_names(entry: Command) -> Mapping[str, Parameter]:
    """Folded name, in any language, to parameter."""
    names: dict[str, Parameter] = {}
    for parameter in entry.parameters:
        for title in (parameter.name, *(parameter.title(lang) for lang in LANGUAGES)):
            names.setdefault(fold(title), parameter)
    return MappingProxyType(names)
