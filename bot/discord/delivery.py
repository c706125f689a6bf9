"""Bringing the states of an answer to the chat.

An answer stands in one or more messages. Each state is compared with what stands there, and only
what differs is sent. While the answer grows, that is at most once a second and within the channel's
budget, so that the newest state is shown whenever one may be; the final state always comes, and
waits for nobody's states. The token of an interaction dies after 15 minutes; what comes later is
posted as an ordinary message.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import discord

from bot.discord.buttons import button
from bot.discord.fitting import Fitted, fit
from bot.discord.outlets import UNKNOWN_MESSAGE, Outlet
from bot.discord.presenter import Attachment, Key, Page, delete_id, pages, with_question
from bot.pace import Urgency
from bot.presenting import Presentation, Rendered
from handlers.kit.errors import explain
from handlers.kit.reply import Reply, State
from handlers.kit.studio import Studio

log = logging.getLogger(__name__)

PACE = 1.0  # seconds between two edits of one answer
RETRIES = (1.0, 3.0, 9.0)  # seconds to wait before the final state is tried again

UNKNOWN_WEBHOOK = 10015
OLD_EDITED_OFTEN = 30046  # a message of more than an hour
THREAD_ARCHIVED = 50083  # a new message brings the thread back
TOO_LARGE = 40005
INVALID_TOKEN = 50027

# Troubles of the network and of Discord that pass.
_PASSING = (discord.DiscordServerError, aiohttp.ClientError, OSError, TimeoutError)
_NO_PINGS = {"allowed_mentions": discord.AllowedMentions.none()}


class TokenDead(Exception):
    """The interaction's token is too old for anything."""


@dataclass
class _Posted:
    message: discord.Message
    page: Page


class Answer:
    """The messages of one answer. `show` makes them say what the newest state says.

    `owner` is the id of the user who may delete them.
    """

    def __init__(
        self, outlet: Outlet, studio: Studio, owner: int, *, private: bool = False
    ) -> None:
        self.outlet = outlet
        self.owner = owner
        self.private = private
        self._studio = studio
        self._posted: list[_Posted] = []

    @property
    def last(self) -> discord.Message | None:
        """The last message that everybody can see."""
        return self._posted[-1].message if self._posted and not self.private else None

    def adopt(self, message: discord.Message, page: Page) -> None:
        """Take a message that says `page` for the answer's first."""
        self._posted.append(_Posted(message, page))

    def move(self, outlet: Outlet) -> None:
        """Give the answer elsewhere; what was posted so far stays as it is."""
        self.outlet = outlet
        self._posted.clear()

    async def show(self, rendered: Rendered, language: str) -> None:
        """Post, edit and delete until the messages are those of this state.

        Raises:
            TokenDead: too late for this outlet.
            discord.HTTPException, aiohttp.ClientError, OSError: what was sent before stands, and
                the same state may be shown again.
        """
        if self.outlet.dead:
            raise TokenDead
        try:
            if not self.private and await self._wants_privacy(rendered.reply):
                await self._start_over_in_private()
            await self._show_what_fits(rendered, language)
        except discord.HTTPException as error:
            if error.code in (UNKNOWN_WEBHOOK, INVALID_TOKEN):
                raise TokenDead from error
            raise

    async def _wants_privacy(self, reply: Reply) -> bool:
        """Errors and questions are private to spare the others, not the asker: no reason for a
        direct message, which many do not accept.
        """
        spares = reply.error or reply.question is not None
        return reply.private and (not spares or await self.outlet.may_whisper())

    async def _start_over_in_private(self) -> None:
        """What was seen by all goes away: a message cannot become private later."""
        await self.outlet.withdraw()
        while self._posted:
            await _delete(self._posted[-1].message)
            self._posted.pop()
        self.private = True

    async def _show_what_fits(self, rendered: Rendered, language: str) -> None:
        """Discord's limit may be below what it said: then half of it, and at last no files."""
        for limit in (self.outlet.limit, self.outlet.limit // 2, 0):
            fitted = await fit(rendered, limit, language, self._studio)
            try:
                return await self._bring_about(fitted, language)
            except discord.HTTPException as error:
                too_large = error.status == 413 or error.code == TOO_LARGE
                if not too_large or limit == 0:
                    raise
                log.info("a message of at most %d bytes a file was too large", limit)
        return None

    async def _bring_about(self, fitted: Fitted, language: str) -> None:
        head = "" if self.private else self.outlet.head  # who is alone with us knows who is meant
        written = pages(fitted.rendered, language, fitted.attachments, head)
        for number, unsigned in enumerate(written):
            page = self._signed(unsigned, [posted.message.id for posted in self._posted[:number]])
            if number >= len(self._posted):
                self._posted.append(_Posted(await self._post(page), page))
            elif self._posted[number].page != page:
                await self._edit(self._posted[number], page)
        while len(self._posted) > len(written):
            await _delete(self._posted[-1].message)
            self._posted.pop()

    def _signed(self, page: Page, others: Sequence[int]) -> Page:
        """The page with what *Delete* must know. Messages for one person's eyes have no *Delete*:
        Discord lets that person dismiss them.
        """
        deletable = self.owner and not self.private
        return replace(
            page,
            keys=tuple(
                replace(key, custom_id=delete_id(self.owner, others)) if key.deletes else key
                for key in page.keys
                if deletable or not key.deletes
            ),
        )

    async def _post(self, page: Page) -> discord.Message:
        content: dict[str, Any] = {"content": page.content, **_NO_PINGS}
        if page.attachments:
            content["files"] = [_file(attachment) for attachment in page.attachments]
        if page.keys:
            content["view"] = _view(page.keys)
        return await self.outlet.post(self.private, **content)

    async def _edit(self, posted: _Posted, page: Page) -> None:
        changes: dict[str, Any] = {"content": page.content, **_NO_PINGS}
        if page.attachments != posted.page.attachments:
            changes["attachments"] = [_file(attachment) for attachment in page.attachments]
        if page.keys != posted.page.keys:
            changes["view"] = _view(page.keys) if page.keys else None
        try:
            await self.outlet.edit(posted.message, **changes)
        except discord.HTTPException as error:
            if error.code not in (UNKNOWN_MESSAGE, OLD_EDITED_OFTEN, THREAD_ARCHIVED):
                raise
            # The message is gone, or as good as carved in stone: the answer is given anyway.
            posted.message = await self._post(page)
        posted.page = page


async def _delete(message: discord.Message) -> None:
    try:
        await message.delete()
    except discord.NotFound as error:
        if error.code != UNKNOWN_MESSAGE:
            raise


def _file(attachment: Attachment) -> discord.File:
    return discord.File(
        io.BytesIO(attachment.data), filename=attachment.name, description=attachment.alt
    )


def _view(keys: Sequence[Key]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for key in keys:
        view.add_item(button(key))
    return view


# --- the states of a run -------------------------------------------------------------------------


@dataclass
class Delivery:
    """Brings the states of one run into an answer.

    `late` makes the outlet for after the deadline, from the last message that everybody sees.
    Nothing that Discord or the network does to a message is raised: it is logged, and the final
    state is tried again.
    """

    answer: Answer
    presentation: Presentation
    command: str
    studio: Studio
    late: Callable[[discord.Message | None], Outlet]
    _is_late: bool = False

    async def follow(self, states: AsyncIterator[Reply]) -> None:
        """Show every state as it comes, at the pace; return when the final one stands."""
        async for reply in paced(states, self._permit):
            if reply.state is State.PARTIAL:
                await self._glimpse(reply)
            else:
                await self.finish(reply)

    async def _permit(self, urgency: Urgency) -> None:
        if not self._is_late:
            await self.answer.outlet.permit(urgency)

    async def _glimpse(self, reply: Reply) -> None:
        """Show a state that another one follows: if it fails, the next will do.

        After the deadline there are no more states, only the sign that the answer is coming.
        """
        try:
            if not self._is_late:
                await self.answer.show(await self._rendered(reply), self.presentation.language)
        except TokenDead:
            self._turn_late()
        except (discord.HTTPException, *_PASSING) as error:
            log.info("/%s: a state was not shown: %r", self.command, error)
        if self._is_late:
            await self.answer.outlet.show_typing()

    def _turn_late(self) -> None:
        self.answer = Answer(self.late(self.answer.last), self.studio, self.answer.owner)
        self._is_late = True

    async def finish(self, reply: Reply) -> None:
        """Show the final state, whatever it takes; if Discord refuses it, a sentence instead."""
        rendered = await self._rendered(reply)
        try:
            await self._insist(rendered)
        except discord.HTTPException as error:
            apology = await self._rendered(explain(error, self.command))
            with contextlib.suppress(discord.HTTPException):
                await self._insist(apology)

    async def _insist(self, rendered: Rendered) -> None:
        """Show the final state; try again after troubles that pass."""
        for pause in RETRIES:
            try:
                return await self._show_even_late(rendered)
            except _PASSING as error:
                log.info("/%s: the answer is tried again in %g s: %r", self.command, pause, error)
                await asyncio.sleep(pause)
        try:
            return await self._show_even_late(rendered)
        except _PASSING as error:
            log.error("/%s: the answer was not shown: %r", self.command, error)

    async def _show_even_late(self, rendered: Rendered) -> None:
        try:
            await self.answer.show(rendered, self.presentation.language)
        except TokenDead:
            self._turn_late()
            await self.answer.show(rendered, self.presentation.language)

    async def _rendered(self, reply: Reply) -> Rendered:
        """The reply in words; without its buttons should the store fail, for anything is better
        than silence.
        """
        try:
            return await self.presentation.render(with_question(reply))
        except Exception:  # whatever the store's driver raises: the answer matters more
            log.exception("/%s: the buttons could not be stored", self.command)
        try:
            return await self.presentation.render(replace(reply, buttons=()))
        except Exception as error:  # noqa: BLE001 - the words themselves are at fault
            return await self.presentation.render(explain(error, self.command))


Permit = Callable[[Urgency], Awaitable[None]]


async def paced(
    states: AsyncIterator[Reply], permit: Permit, seconds: float = PACE
) -> AsyncIterator[Reply]:
    """The newest states, at most one in `seconds` and each with a `permit`; the final one at once.

    While a state waits for its permit, a newer one takes its place.
    """
    clock = asyncio.get_running_loop().time
    upcoming: asyncio.Task[Reply] = asyncio.create_task(_next(states))
    allowed: asyncio.Task[None] | None = None
    newest: Reply | None = None
    free_at, urgency = clock(), Urgency.FIRST
    try:
        while True:
            await asyncio.wait(
                {upcoming} if allowed is None else {upcoming, allowed},
                return_when=asyncio.FIRST_COMPLETED,
            )
            if upcoming.done():
                newest = upcoming.result()
                if newest.state is not State.PARTIAL:
                    yield newest
                    return
                upcoming = asyncio.create_task(_next(states))
            if newest is not None and allowed is None:
                allowed = asyncio.create_task(_allowed(permit, urgency, free_at - clock()))
            elif newest is not None and allowed is not None and allowed.done():
                allowed.result()
                yield newest
                newest, allowed = None, None
                free_at, urgency = clock() + seconds, Urgency.EDIT
    finally:
        upcoming.cancel()
        if allowed is not None:
            allowed.cancel()


async def _allowed(permit: Permit, urgency: Urgency, seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
    await permit(urgency)


async def _next(states: AsyncIterator[Reply]) -> Reply:
    return await anext(states)
