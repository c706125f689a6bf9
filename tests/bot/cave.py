"""A command of the tests: a conversation that wants a thread of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fluent.runtime import FluentResource

from handlers.kit import registry
from handlers.kit.registry import command
from handlers.kit.reply import Button, Reply
from handlers.kit.request import Call, Request
from handlers.kit.services import Services
from locales import LANGUAGES, Message, words

WORDS = """
cave = cave
    .description = Goes into a cave
    .step = step
    .step-description = Where to
cave-look = It is dark. { $step }
cave-on = On
"""


class Cave:
    """What the test's command was asked, and what it fails with."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.error: Exception | None = None


@contextmanager
def cave_command() -> Iterator[Cave]:
    """/cave is in the register, with its words; gone again afterwards."""
    known, seen = dict(registry.commands()), Cave()

    def forget() -> None:
        registry.commands.cache_clear()
        registry._names.cache_clear()
        words.cache_clear()

    @command("cave", stop="generative", order=99, thread=True)
    async def cave(request: Request, services: Services, step: str = "") -> AsyncIterator[Reply]:
        seen.requests.append(request)
        if seen.error is not None:
            raise seen.error
        yield Reply.say("cave-look", step=step).partial()
        further = Button(Message("cave-on"), Call("cave", {"step": "on"}))
        yield Reply.say("cave-look", step=step or "start").with_buttons(further)

    try:
        forget()
        for language in LANGUAGES:
            words(language)._bundle.add_resource(FluentResource(WORDS))
        yield seen
    finally:
        registry._registered.clear()
        registry._registered.update(known)
        forget()
