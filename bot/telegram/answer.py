"""One answer on its way: posted early, edited as it grows, finished with its pictures.

At first a status message says that something is on its way; it is edited with newer states as the
chat's budget allows. A final answer of words takes its place; pictures are sent anew (an edit would
tell nobody) and the status message is removed.
"""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

from telegram.error import TelegramError

from bot.presenting import Presentation, Rendered, RenderedButton
from bot.telegram.intake import Place
from bot.telegram.media import Media, prepare
from bot.telegram.outbox import Lost, Outbox, Unreachable
from bot.telegram.pace import Permit, Urgency
from bot.telegram.presenter import Post, TextPost, compose, keyboard, status
from handlers.kit.reply import Reply, State
from handlers.kit.studio import Studio, StudioLost
from locales import Message, words

log = logging.getLogger(__name__)

GRACE = 0.4  # seconds to wait for a first state before saying that work has begun


class Answer:
    """Shows the states of one reply in one place."""

    def __init__(
        self, outbox: Outbox, studio: Studio, presentation: Presentation, place: Place
    ) -> None:
        self._outbox = outbox
        self._studio = studio
        self._presentation = presentation
        self._place = place
        self._newest: Reply | None = None
        self._news = asyncio.Event()
        self._permit: Permit | None = None
        self._status: int | None = None  # the message that is being edited
        self._shown: TextPost | None = None  # what it says

    async def follow(self, states: AsyncIterator[Reply]) -> None:
        """Show states until the final one is out.

        Raises:
            Unreachable: nobody can be told.
        """
        collecting = asyncio.create_task(self._collect(states))
        # In a group, where sends are few, the final answer may overtake the first word.
        urgency = Urgency.FIRST
        try:
            while True:
                await self._may_send(urgency)
                async with self._outbox.turn(self._place.chat):
                    if await self._show(await self._state()):
                        return
                urgency = Urgency.EDIT
                await self._news.wait()
        finally:
            collecting.cancel()

    # --- reading states --------------------------------------------------------------------------

    async def _collect(self, states: AsyncIterator[Reply]) -> None:
        async for reply in states:
            self._newest = reply
            self._news.set()
            if self._finished and self._permit is not None and self._may_overtake:
                self._permit.hurry()

    @property
    def _finished(self) -> bool:
        return self._newest is not None and self._newest.state is not State.PARTIAL

    @property
    def _may_overtake(self) -> bool:
        """In private, first words go out in the order of asking, even where an answer is ready."""
        return self._place.group or self._status is not None

    async def _may_send(self, urgency: Urgency) -> None:
        if self._finished and self._may_overtake:
            urgency = Urgency.FINAL
        self._permit = self._outbox.pace.ask(self._place.chat, urgency)
        try:
            await self._permit
        finally:
            self._permit = None

    async def _state(self) -> Reply:
        """The newest state; where there is none yet, the word that work has begun."""
        if self._newest is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), GRACE)
        self._news.clear()
        return self._newest or Reply.say("telegram-begun").partial()

    # --- showing them ----------------------------------------------------------------------------

    async def _show(self, reply: Reply) -> bool:
        """Show a state; says whether it was the last one."""
        rendered = await self._presentation.render(reply)
        if reply.state is State.PARTIAL:
            await self._show_status(status(rendered, self._presentation.language))
            return False
        await self._finish(rendered)
        return True

    async def _show_status(self, post: TextPost) -> None:
        if post == self._shown:
            return
        language = self._presentation.language
        try:
            if self._status is None:
                self._status = await self._outbox.send(self._place, post, language, paid=True)
            else:
                await self._outbox.edit(self._place, self._status, post, final=False)
            self._shown = post
        except Lost:
            self._status = self._shown = None  # the next state gets a message of its own
        except TelegramError as error:
            log.warning("a state could not be shown: %s", error)

    async def _finish(self, rendered: Rendered) -> None:
        reply, language = rendered.reply, self._presentation.language
        posts = compose(rendered, await self._prepared(rendered), language)
        if self._place.group and reply.private and reply.files:
            posts = [await self._in_private(posts)]
        ask = reply.state is State.QUESTION and self._place.group
        paid = True
        if self._status is not None and isinstance(posts[0], TextPost) and not ask:
            try:
                await self._outbox.edit(self._place, self._status, posts[0], final=True)
                self._status, paid = None, False
                del posts[0]
            except (Lost, TelegramError) as error:
                log.info("the status message could not become the answer: %s", error)
        taken = await self._deliver(self._place, posts, ask=ask, paid=paid)
        if not taken:
            remark = _words("telegram-undelivered", language)
            await self._deliver(replace(self._place, reply_to=None), [remark])
        if self._status is not None:
            await self._outbox.delete(self._place, self._status)

    async def _deliver(
        self, place: Place, posts: Sequence[Post], *, ask: bool = False, paid: bool = False
    ) -> bool:
        """Send posts, the first one as a reply; says whether Telegram took them all."""
        taken = True
        for post in posts:
            try:
                language = self._presentation.language
                await self._outbox.send(place, post, language, ask=ask, paid=paid)
            except TelegramError as error:
                # The rest of the answer may still go through.
                log.error("Telegram did not take a %s: %s", type(post).__name__, error)
                taken = False
            place, paid = replace(place, reply_to=None), False
        return taken

    async def _in_private(self, posts: Sequence[Post]) -> Post:
        """Files meant for the asker alone go to their private chat; gives the word for the group.

        A bot may not write to people who never wrote to it.
        """
        language = self._presentation.language
        alone = Place(chat=self._place.user, user=self._place.user)
        try:
            if alone.group:
                raise Unreachable("an anonymous administrator has no private chat")
            await self._deliver(alone, posts)
        except Unreachable:
            link = RenderedButton(
                words(language)(Message("telegram-open-private")), url=self._outbox.own_link
            )
            return replace(_words("telegram-write-first", language), keyboard=keyboard([link]))
        return _words("telegram-sent-privately", language)

    async def _prepared(self, rendered: Rendered) -> list[Media]:
        """The reply's pictures as Telegram takes them."""
        prepared = []
        for image in rendered.images:
            try:
                prepared.append(await self._studio.run(prepare, image.data, image.name))
            except StudioLost as error:
                log.warning("a picture goes out as a file: %s", error)
                prepared.append(Media("document", image.data, image.name))
        return prepared


def _words(key: str, language: str) -> TextPost:
    text = words(language)(Message(key))
    return TextPost(html.escape(text, quote=False), text)


__all__ = ["Answer", "Unreachable"]
