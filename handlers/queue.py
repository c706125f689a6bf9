"""`/queue`: what you have under way, your place in line, and what the machine is doing.

Those who look after a room are also shown what others have under way there, to cancel it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from handlers.kit import (
    Button,
    Call,
    Lines,
    Listing,
    Message,
    Reply,
    Request,
    Say,
    Services,
    command,
)
from handlers.kit.parameters import echo
from handlers.kit.progress import duration
from handlers.kit.runner import Run
from inference.jobs import Event, Loading, Progress, Queued, Started

if TYPE_CHECKING:
    from inference.queue import Overview, RoomOverview

BUTTONS = 5  # for one's own; a row holds no more on any platform
OTHERS = 10  # runs of others that are listed, each with a button


@command("queue", stop="house", order=30, again=True, private=True)
async def queue(request: Request, services: Services) -> AsyncIterator[Reply]:
    """Tell where each of the asker's runs stands, and how busy the machine is.

    Of others' runs only their number is told, by command; more to those who look after the room.
    """
    runs = services.runs.of(request.user)
    others = await _others(request, services)
    overview = services.queue.overview()
    working = _at_work(services)
    if not runs:
        own = Say(Message("queue-nothing"))
    else:
        lines = [_line(run, Message(run.command.name)) for run in runs]
        own = Say(Message("queue-own", runs=Lines(lines)))
    mine = [_cancel(run, Message(run.command.name)) for run in runs[:BUTTONS]]
    theirs = [_cancel(run, _whose(run)) for run in others[:OTHERS]]
    yield Reply(
        blocks=(own, *_listed(others), Say(_state(overview, working))),
        buttons=(*mine, *theirs),
        data={
            "waiting": overview.waiting,
            "running": overview.running,
            "people": overview.users,
            "eta": overview.eta,
            "at_work": dict(working),
            "rooms": [_room_facts(room) for room in overview.rooms],
            "runs": [_facts(run) for run in runs],
            "others": [_facts(run) for run in others[:OTHERS]],
        },
        private=True,
    )


# --- the machine ----------------------------------------------------------------------------------


def _at_work(services: Services) -> Counter[str]:
    """How many runs of each command a worker has in hand, everybody's."""
    return Counter(
        run.command.name
        for run in services.runs.by_id.values()
        if run.final is None and isinstance(_latest(run), Started | Progress)
    )


def _state(overview: Overview, working: Counter[str]) -> Message:
    """What the machine is doing: a line for each fact, or one sentence when there is none."""
    lines = list(_trouble(overview.rooms))
    if overview.waiting or working or lines:
        lines[:0] = _load(overview, working)
        return Message("queue-state", facts=Lines(lines))
    return Message("queue-idle")


def _load(overview: Overview, working: Counter[str]) -> Iterator[Message]:
    if working:
        counts = [
            Message("queue-count", count=count, command=Message(name))
            for name, count in working.most_common()
        ]
        yield Message("queue-working", commands=Listing(counts))
    yield Message("queue-waiting", waiting=overview.waiting, people=overview.users)
    if overview.eta is not None:
        yield Message("queue-new", duration=duration(overview.eta))


def _trouble(rooms: tuple[RoomOverview, ...]) -> Iterator[Message]:
    """Models that are on their way into memory, and workers that are not there."""
    loading = list(dict.fromkeys(model for room in rooms for model in room.loading))
    if loading:
        yield Message("queue-loading", models=Listing(loading))
    for room in rooms:
        name = Message(f"queue-room-{room.name}")
        if room.devices_ready == 0:
            yield Message("queue-room-starting", room=name)
        elif room.devices_ready < room.devices:
            ready, devices = room.devices_ready, room.devices
            yield Message("queue-room-partly", room=name, ready=ready, devices=devices)


def _room_facts(room: RoomOverview) -> dict[str, Any]:
    return {
        "name": room.name,
        "ready": room.devices_ready,
        "devices": room.devices,
        "waiting": room.waiting,
        "running": room.running,
        "loading": list(room.loading),
    }


# --- others' --------------------------------------------------------------------------------------


async def _others(request: Request, services: Services) -> list[Run]:
    """What others have under way in the room, oldest first, if the asker looks after it.

    An operator sees all rooms, but only where nobody of this one reads along.
    """
    all_rooms = request.operator and not request.public
    runs = [
        run
        for run in services.runs.by_id.values()
        if run.request.user != request.user
        and run.final is None
        and (all_rooms or run.request.room == request.room)
    ]
    return runs if runs and await request.may_manage(request.room) else []


def _listed(runs: list[Run]) -> Iterator[Say]:
    if runs:
        lines = [_line(run, _whose(run)) for run in runs[:OTHERS]]
        if len(runs) > OTHERS:
            lines.append(Message("queue-more", count=len(runs) - OTHERS))
        yield Say(Message("queue-others", runs=Lines(lines)))


def _whose(run: Run) -> Message:
    """The command, and who gave it if that is known."""
    command = Message(run.command.name)
    name = echo(run.request.user_name, 24)
    return Message("queue-whose", command=command, name=name) if name else command


# --- each run -------------------------------------------------------------------------------------


def _cancel(run: Run, command: Message) -> Button:
    label = Message("queue-cancel", command=command)
    return Button(label, Call("cancel", {"run": run.id}))


def _latest(run: Run) -> Event | None:
    """The newest word on the run's jobs; a run may have none, or several after one another."""
    return next((t.latest for t in reversed(run.tickets) if t.latest is not None), None)


def _line(run: Run, command: Message) -> Message:
    """Where the run stands; `command` is how it is called."""
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


def _facts(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {"run": run.id, "command": run.command.name}
    match _latest(run):
        case Queued() as event:
            facts |= {"position": event.position, "eta": event.eta}
        case Loading() | Progress() as event:
            facts["fraction"] = event.fraction
    return facts
