"""An in-process world for handler tests: a memory in a dict, a platform in a list, no network."""

from __future__ import annotations

import asyncio
import io
import pickle
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from handlers.kit import runner
from handlers.kit.reply import Reply
from handlers.kit.request import Call, Picture, PictureGone, PictureRef, ReplyAddress, Request
from handlers.kit.runner import Runs
from handlers.kit.services import Services, StoredButton
from handlers.kit.studio import Studio
from inference.jobs import Done, Event, InferenceError, Job, QueueFull
from inference.queue import Overview, RoomOverview
from inference.tasks import Variant, all_tasks
from inference.tasks.safety import TASK as SAFETY
from inference.tasks.safety import SafetyInput, Verdict
from inference.ticket import Ticket
from locales import words


@dataclass
class FakeMemory:
    """`handlers.kit.services.Memory` without a database."""

    languages: dict[str, str] = field(default_factory=dict)
    chats: dict[str, str] = field(default_factory=dict)
    lists: dict[str, dict[str, str]] = field(default_factory=dict)
    buttons: dict[str, StoredButton] = field(default_factory=dict)
    usage: list[dict[str, Any]] = field(default_factory=list)

    async def language(self, user: str) -> str | None:
        return self.languages.get(user)

    async def set_language(self, user: str, language: str | None) -> None:
        if language is None:
            self.languages.pop(user, None)
        else:
            self.languages[user] = language

    async def chat_language(self, *chats: str) -> str | None:
        return next((self.chats[chat] for chat in chats if chat in self.chats), None)

    async def set_chat_language(self, chat: str, language: str | None) -> None:
        if language is None:
            self.chats.pop(chat, None)
        else:
            self.chats[chat] = language

    async def channels(self, room: str) -> Mapping[str, str]:
        return dict(sorted(self.lists.get(room, {}).items(), key=lambda entry: entry[1]))

    async def allow_channel(self, room: str, channel: str, name: str) -> None:
        self.lists.setdefault(room, {})[channel] = name

    async def remove_channel(self, room: str, channel: str) -> None:
        self.lists.get(room, {}).pop(channel, None)

    async def allow_everywhere(self, room: str) -> None:
        self.lists.pop(room, None)

    async def save_buttons(self, calls: Sequence[Call], user: str, chat: str) -> list[str]:
        tokens = [secrets.token_urlsafe(9) for _ in calls]
        self.buttons |= {
            token: StoredButton(call, user, chat) for token, call in zip(tokens, calls, strict=True)
        }
        return tokens

    async def button(self, token: str) -> StoredButton | None:
        return self.buttons.get(token)

    async def begin(self, request: Request) -> int:
        self.usage.append({"user": request.user, "command": request.command, "outcome": None})
        return len(self.usage) - 1

    async def finish(self, usage: int, outcome: str, seconds: float) -> None:
        self.usage[usage] |= {"outcome": outcome, "seconds": seconds}

    async def export(self, user: str) -> dict[str, Any]:
        return {
            "language": self.languages.get(user),
            "usage": [entry for entry in self.usage if entry["user"] == user],
        }

    async def forget(self, user: str) -> None:
        self.languages.pop(user, None)
        self.usage = [entry for entry in self.usage if entry["user"] != user]
        self.buttons = {t: b for t, b in self.buttons.items() if b.user != user}


def photo(width: int = 64, height: int = 48) -> bytes:
    """A small real JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "seagreen").save(buffer, "JPEG")
    return buffer.getvalue()


def picture(data: bytes | None, name: str = "photo") -> Picture:
    """A picture with these bytes; None: it is gone."""

    async def fetch() -> bytes:
        if data is None:
            raise PictureGone
        return data

    return Picture(PictureRef("fake", {"name": name}), fetch)


@dataclass
class FakePlatform:
    """A person in a chat. `await platform.ask("detect", picture=…)` gives the final reply.

    `moderates`: the person looks after the chat's room. `about` are further facts of the requests.
    """

    services: Services
    language: str = "en"
    user: str = "fake:ada"
    chat: str = "fake:room"
    moderates: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    states: list[Reply] = field(default_factory=list)

    def request(self, command: str, /, **arguments: Any) -> Request:
        return Request(
            command=command,
            arguments=arguments,
            user=self.user,
            chat=self.chat,
            language=self.language,
            address=ReplyAddress("fake", {"chat": self.chat}),
            moderator=self._moderator,
            **self.about,
        )

    async def _moderator(self) -> bool:
        return self.moderates

    async def ask(self, command: str, /, **arguments: Any) -> Reply:
        self.states = []
        async for reply in runner.start(self.request(command, **arguments), self.services):
            self.states.append(reply)
        return self.states[-1]

    def read(self, reply: Reply, language: str | None = None) -> str:
        """The words of a reply as the reader sees them."""
        from bot.presenting import render_blocks

        blocks = render_blocks(reply, language or self.language)
        return "\n".join(block.text for block in blocks)

    def labels(self, reply: Reply) -> list[str]:
        say = words(self.language)
        return [say(button.label) for button in reply.buttons]


def services(queue: Any, **about: Any) -> Services:
    """Services around a queue, real or fake. Close `services.studio` afterwards."""
    return Services(
        queue=queue, memory=FakeMemory(), studio=Studio(), runs=Runs(), about=dict(about)
    )


def standing(*rooms: RoomOverview, eta: float | None = None, users: int = 0) -> Overview:
    """What the queue says of itself; its sums are those of the rooms."""
    waiting, running = sum(r.waiting for r in rooms), sum(r.running for r in rooms)
    return Overview(waiting=waiting, running=running, users=users, eta=eta, rooms=rooms)


def room(name: str = "compute", **facts: Any) -> RoomOverview:
    """A room with one device, ready and idle, unless told otherwise."""
    usual = {"devices": 1, "devices_ready": 1, "waiting": 0, "running": 0, "loading": ()}
    return RoomOverview(name=name, **{**usual, **facts})


#: what may happen to a job: events, a result or an error at the end, and moments to wait for
Script = Sequence[Event | InferenceError | asyncio.Event]


@dataclass
class ScriptedQueue:
    """The queue as handlers see it, without workers: what becomes of a job stands in a script.

    `scripts[task](payload)` gives it; one that ends with neither `Done` nor an error goes on until
    it is cancelled. `jobs` are those that came, `cancelled` those that were given back early.
    """

    scripts: dict[str, Callable[[Any], Script]]
    profile: str = "embedded"
    jobs: list[Job] = field(default_factory=list)
    cancelled: list[Job] = field(default_factory=list)

    def variant(self, task: str) -> Variant:
        return all_tasks()[task].variant(self.profile)

    def offers(self, task: str) -> bool:
        return all_tasks()[task].offered(self.profile)

    def overview(self) -> Overview:
        return standing()

    @asynccontextmanager
    async def submit(self, job: Job) -> AsyncIterator[Ticket]:
        self.jobs.append(pickle.loads(pickle.dumps(job)))  # it must travel to a worker
        script = self.scripts[job.task](job.payload)
        if script and isinstance(script[0], QueueFull):
            raise script[0]
        ticket = Ticket(job)
        player = asyncio.create_task(_play(script, ticket))
        try:
            yield ticket
        finally:
            if not ticket.over:
                self.cancelled.append(job)
            player.cancel()


async def _play(script: Script, ticket: Ticket) -> None:
    for item in script:
        match item:
            case asyncio.Event():
                await item.wait()
            case InferenceError():
                ticket.fail(item)
            case _:
                ticket.deliver(item)
        while ticket.unread:  # until the reader has it
            await asyncio.sleep(0)
        await asyncio.sleep(0)


def done(result: Any, model: str = "A model", seconds: float = 0.1) -> Done:
    return Done(result, model, seconds)


class InlineStudio(Studio):
    """The studio without its process; what goes in and out must travel all the same."""

    async def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        function, args, kwargs = pickle.loads(pickle.dumps((function, args, kwargs)))
        return pickle.loads(pickle.dumps(function(*args, **kwargs)))


def _harmless(payload: SafetyInput) -> Script:
    return [done(Verdict((0.01,) * len(payload.pictures), 0.02), "OpenNSFW")]


def scripted(
    profile: str = "embedded", /, **scripts: Callable[[Any], Script]
) -> tuple[Services, ScriptedQueue]:
    """Services that answer in milliseconds. A task's name is written with `_` for `-`.

    Pictures are found harmless unless the script of `picture_safety` says otherwise.
    """
    named = {name.replace("_", "-"): script for name, script in scripts.items()}
    queue = ScriptedQueue({SAFETY.name: _harmless, **named}, profile)
    return replace(services(queue), studio=InlineStudio()), queue
