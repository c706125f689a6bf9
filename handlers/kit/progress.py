"""What a reader sees while a job is on its way, and how long things take in words."""

from __future__ import annotations

from handlers.kit.reply import Reply, Say, State
from inference.jobs import Event, Loading, Progress, Queued, Started
from locales import Message

MINUTE, HOUR = 60.0, 3600.0


def duration(seconds: float) -> Message:
    """About how long, in words: seconds below a minute, minutes below two hours, then hours."""
    if round(seconds) < MINUTE:
        return Message("duration-seconds", seconds=max(1, round(seconds)))
    if seconds < 2 * HOUR:
        return Message("duration-minutes", minutes=round(seconds / MINUTE))
    return Message("duration-hours", hours=round(seconds / HOUR))


def waiting(event: Event) -> Reply | None:
    """The state of the answer for an event that brings no result yet; None: nothing to say."""
    match event:
        case Queued(eta=None):
            message = Message("queued", position=event.position)
        case Queued(eta=float() | int() as eta):
            message = Message("queued-eta", position=event.position, duration=duration(eta))
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
