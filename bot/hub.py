"""What all frontends share: the way from a platform event to a `Run`.

A frontend turns an event into a `Visitor` and either a typed line, a command with raw arguments, or
a pressed button; the hub does the rest, alike for every platform.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bot.settings import Settings
from handlers.kit import runner
from handlers.kit.errors import UserError
from handlers.kit.parameters import echo
from handlers.kit.parsing import parse
from handlers.kit.registry import commands
from handlers.kit.reply import Reply
from handlers.kit.request import (
    ALBUM_LIMIT,
    Album,
    Call,
    Picture,
    PictureGone,
    PictureRef,
    ReplyAddress,
    Request,
    nobody,
)
from handlers.kit.runner import Run
from handlers.kit.services import Services
from locales import Listing, Message, language_of

CHANNELS_NAMED = 5  # to somebody who asks in the wrong one


def everything(channel: str) -> bool:
    """The answer where a room hides no channel from anybody."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is there, where, and where the answer goes.

    `user` and `chat` are "platform:id". `client_language` is the IETF tag that the person's client
    sent, if any; `chat_tag` that of the chat (a guild's locale). `public`: others read along.
    `share`, `channel`, `parent`, `moderator`: see `Request`. `settle` has the last word on where a
    command is answered once it is admitted: a platform may open a thread for it. `sees` tells
    whether the person is shown a channel of the room, by "platform:id".
    """

    user: str
    chat: str
    address: ReplyAddress
    user_name: str = ""
    client_language: str | None = None
    chat_tag: str | None = None
    public: bool = False
    share: str = ""
    channel: str = ""
    parent: str = ""
    moderator: Callable[[], Awaitable[bool]] = nobody
    settle: Callable[[Request], Awaitable[Request]] | None = None
    sees: Callable[[str], bool] = everything


class Frontend(ABC):
    """One platform. The app starts it, stops it, and asks it for pictures and to send notices."""

    platform: str

    @property
    def address(self) -> str:
        """Where people find it (a URL, a bot's name), once started; empty if it cannot tell."""
        return ""

    @abstractmethod
    async def start(self) -> None:
        """Connect; return once events arrive. Raises `FrontendError` with one clear sentence."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop taking commands, then disconnect. Runs under way are not this method's business."""

    @abstractmethod
    async def fetch(self, ref: PictureRef) -> bytes:
        """The bytes of a picture that this frontend once named.

        Raises:
            PictureGone: the platform has it no more.
            PictureTooLarge: it is over the limit; noticed before all of it is read.
        """

    @abstractmethod
    async def send(self, address: ReplyAddress, reply: Reply, language: str) -> None:
        """Post a reply that answers no event (a notice, an answer after a deadline)."""


#: Takes what a platform's own servers post to us, its headers and its body; gives an HTTP status.
Inbox = Callable[[Mapping[str, str], bytes], int]


class FrontendError(Exception):
    """The frontend cannot start; the text is one clear sentence for the operator."""


class NotYours(UserError):
    """A button that belongs to somebody else; `name` is how the chat calls them, if known.

    `owner` is who they are, as "platform:id"; nobody is told.
    """

    def __init__(self, name: str = "", owner: str = "") -> None:
        if shown := echo(name):
            super().__init__("error-button-not-yours-but", name=shown)
        else:
            super().__init__("error-button-not-yours")
        self.owner = owner


class Elsewhere(UserError):
    """A channel that its room's list leaves out; `names` are those on it that the asker can see."""

    def __init__(self, names: Sequence[str]) -> None:
        if not names:
            super().__init__("error-elsewhere-unseen")
            return
        items = [Message("channels-name", name=name) for name in names[:CHANNELS_NAMED]]
        if len(names) > CHANNELS_NAMED:
            items.append(Message("channels-more", count=len(names) - CHANNELS_NAMED))
        super().__init__("error-elsewhere", channels=Listing(items))


@dataclass
class Hub:
    """The meeting point of frontends, handlers and memory.

    `inboxes` are served, each at its path, by the frontend that has an HTTP server. It starts
    first, so a frontend puts its inbox here when it is made.
    """

    services: Services
    settings: Settings
    frontends: dict[str, Frontend] = field(default_factory=dict)
    inboxes: dict[str, Inbox] = field(default_factory=dict)

    def ready(self) -> list[str]:
        """What keeps Tadım from answering at once, a line each (for /readyz)."""
        return self.services.queue.unready

    def missing(self) -> list[str]:
        """Workers that are not there although others do their work meanwhile, a line each."""
        return self.services.queue.missing

    async def language(self, visitor: Visitor) -> str:
        """Explicit /language > the person's client > the chat > the configuration.

        In public, the chat's own language goes before the client's: others read along. The chat's
        is what was chosen for the channel (a thread's is the one that it hangs on) > for the whole
        room > what the platform says of it.
        """
        memory = self.services.memory
        chosen = await memory.language(visitor.user)
        told = await memory.chat_language(visitor.parent or visitor.chat, visitor.share)
        chat = told or language_of(visitor.chat_tag)
        client = language_of(visitor.client_language)
        candidates = (chosen, chat, client) if visitor.public else (chosen, client, chat)
        return next((language for language in candidates if language), self.settings.language)

    def picture(self, ref: PictureRef) -> Picture:
        """A picture whose bytes come from the frontend that named it."""
        return Picture(ref, partial(self._fetch, ref))

    async def _fetch(self, ref: PictureRef) -> bytes:
        frontend = self.frontends.get(ref.platform)
        if frontend is None:
            raise PictureGone
        return await frontend.fetch(ref)

    async def call(self, visitor: Visitor, call: Call) -> Run:
        """Run a command with raw arguments (a form, an option list, a stored call).

        Raises:
            Elsewhere: the room's list of channels leaves this one out.
        """
        request = await self.request(visitor, call)
        if visitor.settle is not None:
            request = await visitor.settle(request)
        return runner.start(request, self.services)

    async def request(self, visitor: Visitor, call: Call) -> Request:
        """What `call` runs. A frontend asks for it by itself before it shows a form: nobody should
        fill one in only to be refused.

        Raises:
            Elsewhere: the room's list of channels leaves this one out.
        """
        request = Request(
            command=call.command,
            arguments=self._revive(call.arguments),
            user=visitor.user,
            chat=visitor.chat,
            language=await self.language(visitor),
            address=visitor.address,
            user_name=visitor.user_name,
            public=visitor.public,
            share=visitor.share,
            channel=visitor.channel,
            parent=visitor.parent,
            operator=visitor.user in self.settings.admins,
            moderator=visitor.moderator,
        )
        await self._admit(request, visitor.sees)
        return request

    async def _admit(self, request: Request, sees: Callable[[str], bool]) -> None:
        """Refuse what a room's moderators do not want in this channel (see /channels)."""
        if not request.channel or commands()[request.command].everywhere:
            return
        listed = await self.services.memory.channels(request.room)
        if listed and request.ground not in listed:
            raise Elsewhere([name for channel, name in listed.items() if sees(channel)])

    async def line(
        self,
        visitor: Visitor,
        line: str,
        pictures: Sequence[PictureRef] = (),
        more: Mapping[str, Any] | None = None,
    ) -> Run:
        """Run a typed line such as `/algıla güven:0,4`, with the pictures that came along.

        `more` are raw arguments that were not typed (the words of a file).

        Raises:
            UserError: not a command, an unknown one, or not in this channel.
        """
        parsed = parse(line)
        arguments: dict[str, Any] = {**parsed.arguments, **(more or {})}
        if pictures and parsed.command.picture is not None:
            arguments[parsed.command.picture.name] = raw_pictures(pictures)
        return await self.call(visitor, Call(parsed.command.name, arguments))

    async def press(
        self,
        visitor: Visitor,
        token: str,
        more: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the call behind a button. A button that starts work answers to its owner only.

        `more` are raw arguments that the reader was asked for after pressing. `names` are those
        that the chat shows of people ("platform:id"), as far as the frontend knows them.

        Raises:
            NotYours: somebody else's button.
            UserError: the store knows no such button (any more), or not in this channel.
        """
        stored = await self.services.memory.button(token)
        if stored is None or stored.call.command not in commands():
            raise UserError("error-button-gone")
        if stored.user != visitor.user and not commands()[stored.call.command].open:
            raise NotYours((names or {}).get(stored.user, ""), stored.user)
        arguments = {**stored.call.arguments, **(more or {})}
        return await self.call(visitor, Call(stored.call.command, arguments))

    def _revive(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Raw arguments with stored picture references made into pictures again."""
        return {name: self._revived(value) for name, value in arguments.items()}

    def _revived(self, value: Any) -> Any:
        match value:
            case {"picture": reference}:
                return self.picture(PictureRef.from_json(reference))
            case {"album": references}:
                return Album(tuple(self.picture(PictureRef.from_json(r)) for r in references))
            case _:
                return value


def raw_pictures(pictures: Sequence[PictureRef]) -> dict[str, Any]:
    """The raw value of a picture parameter: one picture, or an album of at most ten."""
    references = [picture.to_json() for picture in pictures[:ALBUM_LIMIT]]
    return {"album": references} if len(references) > 1 else {"picture": references[0]}
