"""`/cancel`: stop what you have under way, waiting or running; moderators stop others' too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from handlers.kit import (
    Listing,
    Message,
    Reply,
    Request,
    Services,
    Text,
    UserError,
    command,
)
from handlers.kit.errors import Overruled
from handlers.kit.parameters import echo
from handlers.kit.runner import Run


@command("cancel", stop="house", order=40, private=True, open=True)
async def cancel(
    request: Request,
    services: Services,
    run: Annotated[str | None, Text(longest=32)] = None,
) -> AsyncIterator[Reply]:
    """Cancel a run by its id (buttons give it), or all of one's own."""
    doomed = _own(request, services) if run is None else [await _one(request, services, run)]
    for entry in doomed:
        entry.cancel(None if entry.request.user == request.user else Overruled())
    names = list(dict.fromkeys(entry.command.name for entry in doomed))
    commands = [Message("cancel-command", command=Message(name)) for name in names]
    yield replace(
        Reply.say("cancel-done", count=len(doomed), commands=Listing(commands)),
        data={"cancelled": [entry.id for entry in doomed]},
        private=True,
    )


def _own(request: Request, services: Services) -> list[Run]:
    """All that the asker has under way; `of` leaves out this very run.

    Raises:
        UserError: it is nothing.
    """
    own = services.runs.of(request.user)
    if not own:
        raise UserError("cancel-nothing")
    return own


async def _one(request: Request, services: Services, wanted: str) -> Run:
    """The run of this id, if the asker may cancel it.

    Raises:
        UserError: it is somebody else's and the asker does not look after its room, or it is over.
    """
    run = services.runs.by_id.get(wanted)
    if run is None:
        raise UserError("cancel-over")
    whose = run.request
    if whose.user != request.user and not await request.may_manage(whose.room):
        raise _not_yours(request, whose)
    if run.final is not None:
        raise UserError("cancel-over")
    return run


def _not_yours(request: Request, whose: Request) -> UserError:
    # Ids can be guessed: what people of other rooms are called is no business of this one.
    name = echo(whose.user_name)
    if name and whose.room == request.room:
        return UserError("cancel-not-yours-but", name=name)
    return UserError("cancel-not-yours")
