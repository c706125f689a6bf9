"""`/language`: which language Tadım speaks with you."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
        yield Reply.say("language-current").with_buttons(
            *(
                Button(
                    Message(f"language-button-{offered}"), Call("language", {"language": offered})
                )
                for offered in LANGUAGES
            )
        )
        return
    await services.memory.set_language(request.user, language)
    # This reply is rendered in the language of before; the sentence itself speaks the new one.
    yield Reply.say(f"language-set-{language}")
