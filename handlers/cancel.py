"""`/cancel`: stop what you have under way, waiting or running."""

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
from handlers.kit.runner import Run


@command("cancel", stop="house", order=40, private=True, open=True)
async def cancel(
    request: Request,
    services: Services,
    run: Annotated[str | None, Text(longest=32)] = None,
) -> AsyncIterator[Reply]:
    """Cancel one's own run by its id (buttons give it), or all of them."""
    doomed = _own(request, services, run)
    for entry in doomed:
        entry.cancel()
    names = list(dict.fromkeys(entry.command.name for entry in doomed))
    commands = [Message("cancel-command", command=Message(name)) for name in names]
    yield replace(
        Reply.say("cancel-done", count=len(doomed), commands=Listing(commands)),
        data={"cancelled": [entry.id for entry in doomed]},
        private=True,
    )


def _own(request: Request, services: Services, wanted: str | None) -> list[Run]:
    """The runs to cancel. `of` leaves out this very run.

    Raises:
        UserError: there is nothing to cancel, or it is not the asker's.
    """
    own = services.runs.of(request.user)
    if wanted is None:
        if not own:
            raise UserError("cancel-nothing")
        return own
    chosen = [run for run in own if run.id == wanted]
    if chosen:
        return chosen
    other = services.runs.by_id.get(wanted)
    if other is not None and other.request.user != request.user:
        raise UserError("cancel-not-yours")
    raise UserError("cancel-over")
