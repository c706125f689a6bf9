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
from dataclasses import dataclass, replace

from telegram.error import TelegramError

from bot.pace import Turn, Urgency
from bot.presenting import Presentation, RenderedButton, RenderedImage
from bot.telegram.intake import Place
from bot.telegram.media import Media, as_it_is, prepare
from bot.telegram.outbox import Lost, Outbox, Unreachable
from bot.telegram.presenter import Post, TextPost, compose, keyboard, status
from handlers.kit.errors import explain
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
        self._finished: _Finished | None = None
        self._news = asyncio.Event()
        self._turn: Turn | None = None  # while it is waited for
        self._status: int | None = None  # the message that is being edited
        self._shown: TextPost | None = None  # what it says

    async def follow(self, states: AsyncIterator[Reply]) -> None:
        """Show states until the final one is out.

        Raises:
            Unreachable: nobody can be told.
        """
        collecting = asyncio.create_task(self._collect(states))
        urgency = Urgency.FIRST
        try:
            while True:
                if self._finished and self._may_overtake:
                    urgency = Urgency.FINAL
                self._turn = self._outbox.pace.turn(self._place.chat, urgency)
                async with self._turn as turn:
                    self._turn = None
                    if await self._speak(turn):
                        return
                urgency = Urgency.EDIT
                await self._news.wait()
        finally:
            collecting.cancel()

    # --- reading states --------------------------------------------------------------------------

    async def _collect(self, states: AsyncIterator[Reply]) -> None:
        """Keep the newest state; make the final one ready to be sent."""
        async for reply in states:
            if reply.state is State.PARTIAL:
                self._newest = reply
            else:
                self._finished = await self._made_ready(reply)
                if self._turn is not None and self._may_overtake:
                    self._turn.hurry()
            self._news.set()

    @property
    def _may_overtake(self) -> bool:
        """Whether the final answer may go before the first words of other answers.

        In private, first words go out in the order of asking. In a group, where sends are few,
        answers go first.
        """
        return self._place.group or self._status is not None

    async def _made_ready(self, reply: Reply) -> _Finished:
        try:
            return await self._compose(reply)
        except Exception as error:  # noqa: BLE001
            # The store may fail us while buttons are saved; an answer must come all the same.
            return await self._compose(explain(error, "-"))

    async def _compose(self, reply: Reply) -> _Finished:
        rendered = await self._presentation.render(reply)
        pictures = [await self._prepared(image) for image in rendered.images]
        return _Finished(reply, compose(rendered, pictures, self._presentation.language))

    async def _prepared(self, image: RenderedImage) -> Media:
        """A picture of ours as Telegram takes it."""
        if ready := as_it_is(image.data, image.name):
            return ready
        try:
            return await self._studio.run(prepare, image.data, image.name)
        except StudioLost as error:
            log.warning("a picture goes out as a file: %s", error)
            return Media("document", image.data, image.name)

    # --- showing them ----------------------------------------------------------------------------

    async def _speak(self, turn: Turn) -> bool:
        """Show the newest state; says whether it was the last one."""
        if self._newest is None and self._finished is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), GRACE)
        self._news.clear()
        if self._finished is not None:
            await self._finish(turn, self._finished)
            return True
        reply = self._newest or Reply.say("telegram-begun").partial()
        try:
            rendered = await self._presentation.render(reply)
        except Exception:  # the store that keeps the buttons, or the words; the final state tells
            log.exception("a state could not be rendered")
            return False
        await self._show_status(turn, status(rendered, self._presentation.language))
        return False

    async def _show_status(self, turn: Turn, post: TextPost) -> None:
        if post == self._shown:
            return
        language = self._presentation.language
        try:
            if self._status is None:
                self._status = await self._outbox.send(turn, self._place, post, language)
            else:
                await self._outbox.edit(turn, self._place, self._status, post, final=False)
            self._shown = post
        except Lost:
            self._status = self._shown = None  # the next state gets a message of its own
        except TelegramError as error:
            log.warning("a state could not be shown: %s", error)

    async def _finish(self, turn: Turn, finished: _Finished) -> None:
        reply, posts = finished.reply, finished.posts
        if self._place.group and reply.private and reply.files:
            posts = [await self._in_private(posts)]
        ask = reply.state is State.QUESTION and self._place.group
        if self._status is not None and isinstance(posts[0], TextPost) and not ask:
            try:
                await self._outbox.edit(turn, self._place, self._status, posts[0], final=True)
                self._status = None
                posts = posts[1:]
            except (Lost, TelegramError) as error:
                log.info("the status message could not become the answer: %s", error)
        if not await self._deliver(turn, self._place, posts, ask=ask):
            remark = _words("telegram-undelivered", self._presentation.language)
            await self._deliver(turn, replace(self._place, reply_to=None), [remark])
        if self._status is not None:
            await self._outbox.delete(self._place, self._status)

    async def _deliver(
        self, turn: Turn, place: Place, posts: Sequence[Post], *, ask: bool = False
    ) -> bool:
        """Send posts, the first one as a reply; says whether Telegram took them all."""
        taken = True
        for post in posts:
            try:
                await self._outbox.send(turn, place, post, self._presentation.language, ask=ask)
            except TelegramError as error:
                # The rest of the answer may still go through.
                log.error("Telegram did not take a %s: %s", type(post).__name__, error)
                taken = False
            place = replace(place, reply_to=None)
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
            async with self._outbox.pace.turn(alone.chat, Urgency.FINAL) as turn:
                await self._deliver(turn, alone, posts)
        except Unreachable:
            link = RenderedButton(
                words(language)(Message("telegram-open-private")), url=self._outbox.own_link
            )
            return replace(_words("telegram-write-first", language), keyboard=keyboard([link]))
        return _words("telegram-sent-privately", language)


@dataclass(frozen=True, slots=True)
class _Finished:
    """The final state, ready to be sent."""

    reply: Reply
    posts: list[Post]


def _words(key: str, language: str) -> TextPost:
    text = words(language)(Message(key))
    return TextPost(html.escape(text, quote=False), text)


__all__ = ["Answer", "Unreachable"]
