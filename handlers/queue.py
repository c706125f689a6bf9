"""`/queue`: what you have under way, your place in line, and how long the line is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from handlers.kit import (
    Button,
    Call,
    Lines,
    Message,
    Reply,
    Request,
    Say,
    Services,
    command,
)
from handlers.kit.runner import Run
from inference.jobs import Event, Loading, Progress, Queued

MINUTE = 60.0
BUTTONS = 5  # at most; a row holds no more on any platform


@command("queue", stop="house", order=30, again=True, private=True)
async def queue(request: Request, services: Services) -> AsyncIterator[Reply]:
    """Tell where each of the asker's runs stands; a button cancels it."""
    runs = services.runs.of(request.user)
    waiting = services.queue.waiting
    total = Say(Message("queue-total", waiting=waiting))
    if not runs:
        own = Say(Message("queue-nothing"))
    else:
        own = Say(Message("queue-own", runs=Lines([_line(run) for run in runs])))
    yield Reply(
        blocks=(own, total),
        buttons=tuple(_cancel(run) for run in runs[:BUTTONS]),
        data={"waiting": waiting, "runs": [_facts(run) for run in runs]},
        private=True,
    )


def _cancel(run: Run) -> Button:
    label = Message("queue-cancel", command=Message(run.command.name))
    return Button(label, Call("cancel", {"run": run.id}))


def _latest(run: Run) -> Event | None:
    """The newest word on the run's jobs; a run may have none, or several after one another."""
    return next((t.latest for t in reversed(run.tickets) if t.latest is not None), None)


def _line(run: Run) -> Message:
    command = Message(run.command.name)
    match _latest(run):
        case Queued(eta=None) as event:
            return Message("queue-run-waiting", command=command, position=event.position)
        case Queued(eta=float() | int() as eta) as event:
            return Message(
                "queue-run-waiting-eta",
                command=command,
                position=event.position,
                duration=duration(eta),
            )
        case Loading() as event:
            return Message("queue-run-loading", command=command, model=event.model)
        case Progress() as event:
            return Message("queue-run-progress", command=command, fraction=event.fraction)
        case _:
            return Message("queue-run-working", command=command)


def duration(seconds: float) -> Message:
    """About how long, in words: seconds below a minute, minutes above."""
    if seconds < MINUTE:
        return Message("queue-seconds", seconds=max(1, round(seconds)))
    return Message("queue-minutes", minutes=round(seconds / MINUTE))


def _facts(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {"run": run.id, "command": run.command.name}
    match _latest(run):
        case Queued() as event:
            facts |= {"position": event.position, "eta": event.eta}
        case Loading() | Progress() as event:
            facts["fraction"] = event.fraction
    return facts
