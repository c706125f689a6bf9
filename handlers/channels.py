"""`/channels`: in which of a server's channels Tadım answers; its moderators choose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated

from handlers.kit import (
    Button,
    Call,
    Choice,
    Lines,
    Listing,
    Message,
    Note,
    Reply,
    Request,
    Say,
    Services,
    UserError,
    command,
)
from handlers.kit.parameters import echo
from handlers.kit.registry import commands
from handlers.kit.services import Memory

ACTIONS = ("show", "allow", "remove", "everywhere")
LONGEST_LIST = 100  # channels on it
SHOWN = 20  # of them in an answer


@command("channels", stop="house", order=60, private=True, moderators=True)
async def channels(
    request: Request,
    services: Services,
    action: Annotated[str, Choice(ACTIONS)] = "show",
) -> AsyncIterator[Reply]:
    """Show the list of channels or change it by the one that this is asked in."""
    if not request.channel:
        raise UserError("channels-none-here")
    if not await request.may_manage(request.room):
        raise UserError("channels-not-yours")
    change = await _change(request, services.memory, action)
    listed = await services.memory.channels(request.room)
    yield Reply(
        blocks=(*change, Say(_where(listed)), Note(_always())),
        buttons=tuple(_buttons(request, listed)),
        data={"channels": dict(listed), "here": not listed or request.ground in listed},
        private=True,
    )


async def _change(request: Request, memory: Memory, action: str) -> list[Say]:
    """What was done, in words; where the list that follows says it all, nothing.

    Raises:
        UserError: there is nothing to remove, or no room for more.
    """
    room, channel, name = request.room, request.ground, echo(request.channel, 100)
    shown = Message("channels-name", name=name)
    listed = await memory.channels(room)
    match action:
        case "allow":
            if channel not in listed and len(listed) >= LONGEST_LIST:
                raise UserError("channels-too-many", most=LONGEST_LIST)
            await memory.allow_channel(room, channel, name)
            return [Say(Message("channels-allowed", channel=shown))]
        case "remove":
            if not listed:
                raise UserError("channels-no-list")
            if channel not in listed:
                raise UserError("channels-not-listed", channel=shown)
            await memory.remove_channel(room, channel)
            key = "channels-removed" if len(listed) > 1 else "channels-removed-last"
            return [Say(Message(key, channel=shown))]
        case "everywhere":
            await memory.allow_everywhere(room)
    return []


def _where(listed: Mapping[str, str]) -> Message:
    if not listed:
        return Message("channels-everywhere")
    lines = [
        Message("channels-line", channel=Message("channels-name", name=name))
        for name in list(listed.values())[:SHOWN]
    ]
    if len(listed) > SHOWN:
        more = Message("channels-more", count=len(listed) - SHOWN)
        lines.append(Message("channels-line", channel=more))
    return Message("channels-list", channels=Lines(lines))


def _always() -> Message:
    names = [entry.name for entry in commands().values() if entry.everywhere]
    items = [Message("channels-command", command=Message(name)) for name in names]
    return Message("channels-always", commands=Listing(items))


def _buttons(request: Request, listed: Mapping[str, str]) -> Iterator[Button]:
    """What may be done next, said as what will come of it."""
    name = Message("channels-name", name=echo(request.channel, 30))
    if not listed:
        yield Button(Message("channels-button-only", channel=name), _call("allow"))
    elif request.ground not in listed:
        yield Button(Message("channels-button-also", channel=name), _call("allow"))
    elif len(listed) > 1:
        yield Button(Message("channels-button-remove", channel=name), _call("remove"))
    if listed:
        yield Button(Message("channels-button-everywhere"), _call("everywhere"))


def _call(action: str) -> Call:
    return Call("channels", {"action": action})
