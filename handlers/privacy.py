"""`/privacy`: what Tadım remembers about you; take it with you, or have it deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated, Any

from handlers.kit import (
    Button,
    Call,
    Choice,
    Lines,
    Message,
    Reply,
    Request,
    Say,
    Services,
    command,
)
from handlers.kit.faces import KEPT
from handlers.kit.reply import File
from handlers.kit.services import KEPT_DAYS

ACTIONS = ("show", "export", "delete")


@command("privacy", stop="house", order=50, private=True)
async def privacy(
    request: Request,
    services: Services,
    action: Annotated[str, Choice(ACTIONS)] = "show",
    sure: bool = False,
) -> AsyncIterator[Reply]:
    """Show, export or delete what is held about the asker; deleting asks first."""
    match action, sure:
        case "export", _:
            yield await _export(request, services)
        case "delete", True:
            await services.forget(request.user)
            yield _private(Message("privacy-deleted"), deleted=True)
        case "delete", False:
            yield _private(Message("privacy-sure"), deleted=False).with_buttons(
                Button(Message("privacy-delete-now"), _call("delete", sure=True)),
                Button(Message("privacy-keep"), _call("show")),
            )
        case _:
            held = await services.memory.export(request.user)
            yield _show(request, services, held)


def _private(*sentences: Message, **data: Any) -> Reply:
    return Reply(blocks=tuple(Say(sentence) for sentence in sentences), data=data, private=True)


def _call(action: str, **arguments: Any) -> Call:
    return Call("privacy", {"action": action, **arguments})


def _show(request: Request, services: Services, held: dict[str, Any]) -> Reply:
    language = held.get("language")
    usage, buttons = (len(held.get(table, ())) for table in ("usage", "buttons"))
    facts = [
        Message("privacy-identity", user=request.user),
        Message("privacy-language", language=Message(f"language-language-{language}"))
        if language
        else Message("privacy-no-language"),
        Message("privacy-usage", count=usage),
        Message("privacy-buttons", count=buttons),
    ]
    if held.get("first_seen") and held.get("last_seen"):
        first, last = (datetime.fromisoformat(held[key]) for key in ("first_seen", "last_seen"))
        facts.insert(1, Message("privacy-seen", first=first, last=last))
    reply = _private(
        Message("privacy-held", facts=Lines(facts)),
        Message("privacy-not-held"),
        *_pictures(request, services),
        Message("privacy-kept", days=KEPT_DAYS),
        language=language,
        usage=usage,
        buttons=buttons,
    )
    return reply.with_buttons(
        Button(Message("privacy-export-button"), _call("export")),
        Button(Message("privacy-delete-button"), _call("delete")),
    )


def _pictures(request: Request, services: Services) -> Iterator[Message]:
    """What becomes of the pictures that people send."""
    minutes = services.about.get("picture_minutes")
    if request.platform == "web" and minutes is not None:
        yield Message("privacy-pictures-web", minutes=minutes)
    else:  # chats keep them, and give them out again
        yield Message("privacy-pictures")
    yield Message("privacy-style", minutes=round(KEPT / 60))
    yield Message("privacy-faces")
    if services.safety.enabled:
        yield Message("privacy-safety")


async def _export(request: Request, services: Services) -> Reply:
    held = await services.memory.export(request.user)
    # Months of buttons make a long text: in a thread, for the event loop has others to serve.
    text = await asyncio.to_thread(json.dumps, held, ensure_ascii=False, indent=2)
    file = File(text.encode("utf-8", "backslashreplace"), "tadim-data.json")
    return Reply(blocks=(Say(Message("privacy-exported")),), files=(file,), private=True)
