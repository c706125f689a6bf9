"""What a platform event becomes: a `Request` that no longer knows where it came from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where an answer goes, in a form that survives a restart.

    `place` is whatever the platform needs to find it (channel, thread, message), JSON-serialisable;
    only that platform's frontend reads it.
    """

    platform: str
    place: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PictureRef:
    """A picture by name, never by pixels: what buttons store. JSON-serialisable.

    `platform` says which frontend can fetch it; `place` is that frontend's own business.
    """

    platform: str
    place: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"platform": self.platform, "place": dict(self.place)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PictureRef:
        return cls(data["platform"], data["place"])


class PictureGone(Exception):
    """The platform no longer has the picture; the reader is asked for it again."""


class PictureTooLarge(Exception):
    """More bytes than the limit, noticed before or while fetching. `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"over {limit} bytes")
        self.limit = limit


Fetch = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture that somebody sent: a reference, and its bytes on demand.

    `fetch()` may raise `PictureGone` or `PictureTooLarge`. The bytes are unchecked: handlers go
    through `Services.open_picture`.
    """

    ref: PictureRef
    fetch: Fetch


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """Several pictures in the place of one: the command works on each, and answers once."""

    pictures: tuple[Picture, ...]


ALBUM_LIMIT = 10  # pictures of an album; no platform has larger ones


@dataclass(frozen=True, slots=True)
class Call:
    """A command with arguments, as JSON: what a button does when it is pressed.

    A `PictureRef` among the arguments stands as `{"picture": {...}}`, several of them in the place
    of one picture as `{"album": [{...}, …]}`.
    """

    command: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


async def nobody() -> bool:
    """The answer where nobody looks after a room."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command from one person.

    `arguments` are raw, by canonical (English) parameter name: text as typed, numbers, a `Picture`
    or an `Album`; they are checked by `handlers.kit.parameters.bind`. `user` and `chat` are
    "platform:id". `language` is the reader's, already decided. `public` is true where others read
    along (a group, a guild). `share` says whose share of the device the request uses, where that is
    not the chat's: a platform on which chats cost nothing names something that does. `channel` is
    the chat's own name where it is one of several in its room (a Discord server's channel), never
    empty there; a thread has that of its parent. `parent` is the channel that a thread hangs on,
    as "platform:id"; empty where the chat is no thread.

    `operator`: the configuration's `admins` name the asker. `moderator()` tells whether the asker
    looks after this room; some platforms must be asked, so it is asked only when it matters.
    """

    command: str
    arguments: Mapping[str, Any]
    user: str
    chat: str
    language: str
    address: ReplyAddress
    user_name: str = ""
    public: bool = False
    share: str = ""
    channel: str = ""
    parent: str = ""
    operator: bool = False
    moderator: Callable[[], Awaitable[bool]] = nobody

    @property
    def room(self) -> str:
        """The place that has moderators: a server, a group; elsewhere the chat itself."""
        return self.share or self.chat

    @property
    def ground(self) -> str:
        """The chat whose rules hold here: a thread's is the channel that it hangs on."""
        return self.parent or self.chat

    async def may_manage(self, room: str) -> bool:
        """Whether the asker has a say over what others do in `room`."""
        return self.operator or (room == self.room and await self.moderator())

    @property
    def platform(self) -> str:
        return self.address.platform
