"""Runs a handler and keeps its newest state.

A handler yields as fast as it likes; a `Run` keeps only the newest reply, and presenters read it at
the pace of their platform. So a slow platform never slows a job, and streamed text is coalesced by
itself. The final state is never lost.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from handlers.kit.album import together
from handlers.kit.errors import Stopping, UserError, explain
from handlers.kit.parameters import DRAW, MissingParameter, Parameter, bind
from handlers.kit.registry import Command, commands
from handlers.kit.reply import Button, Note, Question, Reply, Say, State
from handlers.kit.request import Album, Call, Picture, PictureGone, Request
from locales import Message

if TYPE_CHECKING:
    from handlers.kit.services import Services
    from inference.queue import Ticket

log = logging.getLogger(__name__)


class Run:
    """One command on its way to its final reply. Iterate it for states, newest only."""

    def __init__(self, request: Request, command: Command, whole: Run | None = None) -> None:
        self.id = secrets.token_hex(4)
        self.request = request
        self.command = command
        self.whole = whole  # the album's run, where this one sees to one of its pictures
        self.started = time.monotonic()
        self.tickets: list[Ticket] = []
        self.final: Reply | None = None
        self._newest: Reply | None = None
        self._version = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._why: UserError | None = None  # it was cancelled, if nobody wished it

    async def __aiter__(self) -> AsyncIterator[Reply]:
        """Every state that nobody overtook; ends after the final one."""
        seen = 0
        while True:
            while self._version == seen:
                self._changed.clear()
                await self._changed.wait()
            seen = self._version
            newest = self._newest
            assert newest is not None
            yield newest
            if newest.state is not State.PARTIAL:
                return

    @property
    def newest(self) -> Reply | None:
        """The newest state, if there is one yet."""
        return self._newest

    async def result(self) -> Reply:
        """The final reply."""
        async for reply in self:
            last = reply
        return last

    def cancel(self, why: UserError | None = None) -> None:
        """Stop it; the final reply says `why`, or that it was cancelled. The first word counts."""
        if self._task and self.final is None:
            if not self._task.cancelling():
                self._why = why
            self._task.cancel()

    @property
    def farewell(self) -> Reply:
        """What is said of a run that was cancelled."""
        return explain(self._why, self.command.name) if self._why else Reply.say("cancelled")

    def publish(self, reply: Reply) -> None:
        if self.final is not None:
            return
        self._newest = reply
        self._version += 1
        if reply.state is not State.PARTIAL:
            self.final = reply
        self._changed.set()


@dataclass
class Runs:
    """The runs under way, for /queue, /cancel and the drain at shutdown.

    A run leaves `by_id` when its final reply is out *and* its usage is noted.
    """

    by_id: dict[str, Run] = field(default_factory=dict)
    closing: bool = False  # set by the drain: newcomers are told to come back

    def of(self, user: str) -> list[Run]:
        """A user's runs that have no final reply yet, oldest first; not the one that asks."""
        mine = _current.get(None)
        return [
            run
            for run in self.by_id.values()
            if run.request.user == user and run.final is None and run is not mine
        ]

    def tell(self, state: Reply) -> None:
        """Show a state of the run that is executing, on behalf of its handler."""
        run = _current.get(None)
        if run is not None:
            run.publish(_on_the_way(state, run))

    @contextmanager
    def watching(self, ticket: Ticket) -> Iterator[None]:
        """Let /queue see the ticket of the run that is executing."""
        run = _current.get(None)
        if run is None:
            yield
            return
        watched = [each for each in (run, run.whole) if each is not None]
        for each in watched:
            each.tickets.append(ticket)
        try:
            yield
        finally:
            for each in watched:
                each.tickets.remove(ticket)


_current: contextvars.ContextVar[Run] = contextvars.ContextVar("run")


def start(request: Request, services: Services) -> Run:
    """Begin a command in a task of its own and return at once.

    Raises:
        KeyError: no such command (frontends ask `registry.find` first).
    """
    run = Run(request, commands()[request.command])
    services.runs.by_id[run.id] = run
    _begin(run, services)
    return run


def _start_part(whole: Run, request: Request, services: Services) -> Run:
    """Begin the work on one picture of an album. /queue and the memory know the whole only."""
    run = Run(request, whole.command, whole)
    _begin(run, services)
    return run


def _begin(run: Run, services: Services) -> None:
    run._task = asyncio.create_task(_execute(run, services), name=f"/{run.command.name} {run.id}")
    run._task.add_done_callback(partial(_settle, run, services))


def _settle(run: Run, services: Services, task: asyncio.Task[None]) -> None:
    """See to a final reply even where `_execute` could not: cancelled before its first step."""
    services.runs.by_id.pop(run.id, None)  # a part of an album was never there
    if run.final is None:
        error = None if task.cancelled() else task.exception()
        reply = explain(error, run.command.name) if error else run.farewell
        run.publish(_finished(reply, run))


async def _execute(run: Run, services: Services) -> None:
    _current.set(run)
    request, command = run.request, run.command
    usage: asyncio.Future[int] | None = None
    outcome = "failed"
    try:
        if services.runs.closing:
            raise Stopping
        states = _states(run, services)
        if run.whole is None:
            # Shielded, so that a run cancelled right here still learns the number to finish under.
            usage = asyncio.ensure_future(services.memory.begin(request))
            await asyncio.shield(usage)
        async with aclosing(states):
            held: Reply | None = None
            async for reply in states:
                if held is not None:
                    run.publish(_on_the_way(held, run))
                held = reply
                if reply.state is State.PARTIAL:
                    run.publish(_on_the_way(reply, run))
                    held = None
        if held is None:
            raise RuntimeError(f"/{command.name} ended without a final reply")
        run.publish(_finished(held, run))
        outcome = "done"
    except MissingParameter as error:
        run.publish(_question(error, error.parameter, run))
        outcome = "asked"
    except PictureGone as error:
        # Buttons outlive pictures: ask for it again and go on from there.
        assert command.picture is not None
        gone = UserError("error-picture-gone")
        gone.__cause__ = error
        run.publish(_question(gone, command.picture, run))
        outcome = "asked"
    except asyncio.CancelledError:
        # The task was cancelled by /cancel, a button, a vanished client or the drain.
        run.publish(_finished(run.farewell, run))
        outcome = "cancelled"
    except Exception as error:  # noqa: BLE001
        # The boundary: whatever a handler raises becomes one sentence; explain() logs the rest.
        run.publish(_finished(explain(error, command.name), run))
    finally:
        if usage is not None:
            await _note_usage(services, usage, outcome, time.monotonic() - run.started)


def _states(run: Run, services: Services) -> AsyncGenerator[Reply]:
    """The handler's states, or an album's. Raises UserError where the arguments are not right."""
    request, command = run.request, run.command
    picture = command.picture
    album = request.arguments.get(picture.name) if picture else None
    if picture is None or not isinstance(album, Album):
        arguments = bind(command.parameters, request.arguments, request.language)
        handled: Any = command.handler(request, services, **arguments)
        return cast(AsyncGenerator[Reply], handled)
    each = [
        replace(request, arguments={**request.arguments, picture.name: one})
        for one in album.pictures
    ]
    bind(command.parameters, each[0].arguments, request.language)  # what is wrong is said once
    return together([partial(_start_part, run, one, services) for one in each])


async def _note_usage(
    services: Services, usage: asyncio.Future[int], outcome: str, seconds: float
) -> None:
    try:
        number = await usage
    except Exception:  # noqa: BLE001
        return  # the run failed of this very error and has said so
    try:
        await services.memory.finish(number, outcome, seconds)
    except Exception:
        # The answer is out; a full disk must not turn it into a failure.
        log.exception("could not note the usage")


def _on_the_way(reply: Reply, run: Run) -> Reply:
    if run.whole is not None:
        return replace(reply, state=State.PARTIAL)
    cancel = Button(Message("button-cancel"), Call("cancel", {"run": run.id}))
    return replace(reply, state=State.PARTIAL, buttons=(*reply.buttons, cancel))


def _finished(reply: Reply, run: Run) -> Reply:
    """The final reply with the credit line and the buttons that every command gets."""
    command = run.command
    buttons = list(reply.buttons)
    if command.again and reply.state is State.FINAL and (reply.retry or not reply.error):
        buttons.extend(_repeating(reply, run))
    if command.explained and not reply.error:
        buttons.append(Button(Message("button-how"), Call("how", {"command": command.name})))
    if command.next and command.next in commands() and not reply.error:
        label = Message("button-next", command=Message(command.next))
        buttons.append(Button(label, Call(command.next)))
    if reply.state is State.FINAL and not (reply.private or command.private):
        buttons.append(Button(Message("button-delete"), deletes=True))
    blocks = reply.blocks
    if reply.credit:
        key = "credit-stand-in" if reply.credit.stand_in_for else "credit"
        note = Message(key, model=reply.credit.model, original=reply.credit.stand_in_for or "")
        blocks = (*blocks, Note(note))
    return replace(reply, blocks=blocks, buttons=tuple(buttons))


def _repeating(reply: Reply, run: Run) -> Iterator[Button]:
    """*Again* brings the same once more, chance included; *Variation* lets chance decide anew."""
    call = call_of(run.request)
    seed = run.command.seed
    drawn = (reply.data or {}).get(seed.name) if seed else None
    if seed is None or drawn is None:
        yield Button(Message("button-again"), call)
        return
    for label, value in (("button-again", drawn), ("button-variation", DRAW[0])):
        arguments = {**call.arguments, seed.name: value}
        yield Button(Message(label), Call(call.command, arguments))


def _question(error: UserError, parameter: Parameter, run: Run) -> Reply:
    call = call_of(run.request)
    known = {name: value for name, value in call.arguments.items() if name != parameter.name}
    return Reply(
        blocks=(Say(error.message),),
        state=State.QUESTION,
        question=Question(Call(call.command, known), parameter.name),
        private=True,
    )


def call_of(request: Request) -> Call:
    """The request as a stored call: pictures by reference."""
    return Call(request.command, {n: _storable(v) for n, v in request.arguments.items()})


def _storable(value: Any) -> Any:
    match value:
        case Picture():
            return {"picture": value.ref.to_json()}
        case Album():
            return {"album": [picture.ref.to_json() for picture in value.pictures]}
        case _:
            return value
