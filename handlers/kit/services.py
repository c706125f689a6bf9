"""What a handler may use: the queue, the memory, the studio. Nothing of a platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from handlers.kit.request import Call, Picture, ReplyAddress, Request
from handlers.kit.safety import SafetyRules
from handlers.kit.studio import Studio
from inference.jobs import Job, Owner
from inference.pictures import PictureFacts, inspect

if TYPE_CHECKING:
    from handlers.kit.runner import Runs
    from inference.queue import InferenceQueue, Ticket


#: days after which a `Memory` forgets buttons and usage; /privacy tells people so
KEPT_DAYS = 90


@dataclass(frozen=True, slots=True)
class StoredButton:
    """A button as it stands in the store."""

    call: Call
    user: str
    chat: str


class Memory(Protocol):
    """What Tadım remembers of people and rooms (`bot.store` implements it).

    `user`, `chat`, `room` and `channel` are "platform:id". `chat_language` is that of the first
    chat that has one. Setting a language to None forgets it. `channels` are those in which Tadım
    answers in a room, and their names by id; a room without any has no list, and is answered
    everywhere. `save_buttons` gives a token for each call.
    """

    async def language(self, user: str) -> str | None: ...
    async def set_language(self, user: str, language: str | None) -> None: ...
    async def chat_language(self, *chats: str) -> str | None: ...
    async def set_chat_language(self, chat: str, language: str | None) -> None: ...
    async def channels(self, room: str) -> Mapping[str, str]: ...
    async def allow_channel(self, room: str, channel: str, name: str) -> None: ...
    async def remove_channel(self, room: str, channel: str) -> None: ...
    async def allow_everywhere(self, room: str) -> None: ...
    async def save_buttons(self, calls: Sequence[Call], user: str, chat: str) -> list[str]: ...
    async def button(self, token: str) -> StoredButton | None: ...
    async def begin(self, request: Request) -> int: ...
    async def finish(self, usage: int, outcome: str, seconds: float) -> None: ...
    async def export(self, user: str) -> dict[str, Any]: ...
    async def forget(self, user: str) -> None: ...


@dataclass(frozen=True, slots=True)
class OpenPicture:
    """A checked picture: its encoded bytes and what the check found."""

    data: bytes
    facts: PictureFacts


@dataclass(slots=True)
class Services:
    """Handed to every handler.

    `about` holds facts that replies mention (source link, limits, profile), by name. `on_forget`
    are told of a user who wants to be forgotten, beside the memory: whoever else holds something.
    `safety` is what `handlers.kit.safety` goes by.
    """

    queue: InferenceQueue
    memory: Memory
    studio: Studio
    runs: Runs
    about: Mapping[str, Any] = field(default_factory=dict)
    on_forget: list[Callable[[str], None]] = field(default_factory=list)
    safety: SafetyRules = field(default_factory=SafetyRules)

    async def open_picture(self, picture: Picture) -> OpenPicture:
        """Fetch and check a picture.

        Raises:
            PictureGone, PictureTooLarge: from the platform.
            PictureError: it is not a picture that can be used.
        """
        data = await picture.fetch()
        return OpenPicture(data, await self.studio.run(inspect, data))

    async def forget(self, user: str) -> None:
        """Delete everything that is held of a user, in the memory and elsewhere."""
        await self.memory.forget(user)
        for tell in self.on_forget:
            tell(user)

    @asynccontextmanager
    async def submit(self, request: Request, task: str, payload: Any) -> AsyncIterator[Ticket]:
        """A ticket for a job in the requester's name; leaving the block cancels it."""
        owner = Owner(request.user, request.share or request.chat)
        job = Job(task=task, payload=payload, owner=owner)
        async with self.queue.submit(job) as ticket:
            with self.runs.watching(ticket):
                yield ticket


__all__ = ["Memory", "OpenPicture", "ReplyAddress", "Services", "StoredButton"]
