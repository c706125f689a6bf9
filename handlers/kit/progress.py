"""What a reader sees while a job is on its way."""

from __future__ import annotations

from handlers.kit.reply import Reply, Say, State
from inference.jobs import Event, Loading, Progress, Queued, Started
from locales import Message


def waiting(event: Event) -> Reply | None:
    """The state of the answer for an event that brings no result yet; None: nothing to say."""
    match event:
        case Queued(eta=None):
            message = Message("queued", position=event.position)
        case Queued():
            message = Message(
                "queued-eta", position=event.position, seconds=max(1, round(event.eta or 0))
            )
        case Loading(stage="download"):
            megabytes = (event.total_bytes or 0) / 1e6
            message = Message("downloading", model=event.model, megabytes=round(megabytes))
        case Loading():
            message = Message("loading", model=event.model)
        case Started():
            message = Message("working", model=event.model)
        case Progress():
            message = Message("working-on")
        case _:
            return None
    fraction = event.fraction if isinstance(event, Loading | Progress) else None
    return Reply(blocks=(Say(message),), state=State.PARTIAL, fraction=fraction)
