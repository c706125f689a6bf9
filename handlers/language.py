"""`/language`: which language Tadım speaks with you, or with everybody in a chat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from handlers.kit import Button, Call, Choice, Message, Reply, Request, Services, UserError, command
from locales import LANGUAGES

AUTOMATIC = "automatic"  # what was chosen is forgotten
OFFERED = (*LANGUAGES, AUTOMATIC)
SCOPES = ("me", "chat", "channel")


@command("language", stop="house", order=20)
async def language(
    request: Request,
    services: Services,
    language: Annotated[str | None, Choice(OFFERED)] = None,
    scope: Annotated[str, Choice(SCOPES)] = "me",
) -> AsyncIterator[Reply]:
    """Remember the language, or forget it; without one, say which it is and offer all.

    It is the asker's own, or that of public answers: in the whole room, where the room has channels
    in one of them. Who is alone with Tadım speaks for the chat, too.
    """
    shared = scope != "me" and (request.public or bool(request.channel))
    if shared and not await request.may_manage(request.room):
        raise UserError("language-not-yours")
    if language is None:
        more = {"scope": scope} if shared else {}
        yield replace(
            Reply.say("language-which" if shared else "language-current"),
            buttons=tuple(_choice(offered, more) for offered in OFFERED),
            data={"language": request.language},
        )
    elif shared:
        yield await _share(request, services, language, scope)
    else:
        chosen = _remembered(language)
        await services.memory.set_language(request.user, chosen)
        # This reply is rendered in the language of before; the sentence itself speaks the new one.
        yield replace(Reply.say(f"language-set-{language}"), data={"language": chosen})


async def _share(request: Request, services: Services, language: str, scope: str) -> Reply:
    """Remember the language of public answers; again the sentence speaks it."""
    place = request.ground if scope == "channel" else request.room
    chosen = _remembered(language)
    await services.memory.set_chat_language(place, chosen)
    where = ("channel" if scope == "channel" else "server") if request.channel else "chat"
    said = f"{where}-{language}"
    return replace(Reply.say(f"language-set-{said}"), data={"language": chosen, "chat": place})


def _remembered(language: str) -> str | None:
    return None if language == AUTOMATIC else language


def _choice(language: str, more: dict[str, str]) -> Button:
    call = Call("language", {"language": language, **more})
    return Button(Message(f"language-button-{language}"), call)
