"""`/privacy`: what Tadım remembers about you; take it with you, or have it deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
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
            yield _show(request.user, await services.memory.export(request.user))


def _private(*sentences: Message, **data: Any) -> Reply:
    return Reply(blocks=tuple(Say(sentence) for sentence in sentences), data=data, private=True)


def _call(action: str, **arguments: Any) -> Call:
    return Call("privacy", {"action": action, **arguments})


def _show(user: str, held: dict[str, Any]) -> Reply:
    language = held.get("language")
    usage, buttons = (len(held.get(table, ())) for table in ("usage", "buttons"))
    facts = [
        Message("privacy-identity", user=user),
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
        Message("privacy-kept", days=KEPT_DAYS),
        language=language,
        usage=usage,
        buttons=buttons,
    )
    return reply.with_buttons(
        Button(Message("privacy-export-button"), _call("export")),
        Button(Message("privacy-delete-button"), _call("delete")),
    )


async def _export(request: Request, services: Services) -> Reply:
    held = await services.memory.export(request.user)
    # Months of buttons make a long text: in a thread, for the event loop has others to serve.
    text = await asyncio.to_thread(json.dumps, held, ensure_ascii=False, indent=2)
    file = File(text.encode("utf-8", "backslashreplace"), "tadim-data.json")
    return Reply(blocks=(Say(Message("privacy-exported")),), files=(file,), private=True)
