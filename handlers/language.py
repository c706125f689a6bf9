"""`/language`: which language Tadım speaks with you."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from handlers.kit import Button, Call, Choice, Message, Reply, Request, Services, command
from locales import LANGUAGES


@command("language", stop="house", order=20)
async def language(
    request: Request,
    services: Services,
    language: Annotated[str | None, Choice(LANGUAGES)] = None,
) -> AsyncIterator[Reply]:
    """Remember the language; without one, say which it is and offer all."""
    if language is None:
        yield replace(
            Reply.say("language-current"),
            buttons=tuple(_choice(offered) for offered in LANGUAGES),
            data={"language": request.language},
        )
        return
    await services.memory.set_language(request.user, language)
    # This reply is rendered in the language of before; the sentence itself speaks the new one.
    yield replace(Reply.say(f"language-set-{language}"), data={"language": language})


def _choice(language: str) -> Button:
    return Button(Message(f"language-button-{language}"), Call("language", {"language": language}))
