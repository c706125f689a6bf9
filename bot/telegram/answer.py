"""One answer on its way: posted early, edited as it grows, finished with its pictures.

At first a status message says that something is on its way; it is edited with newer states as the
chat's budget allows. A final answer of words takes its place; pictures are sent anew (an edit would
tell nobody) and the status message is removed.

In private, text that a model writes grows in a draft; the status message stays for its Cancel
button, and the answer is then a message of its own. In a group where more is asked than may be
sent there are no first words, and an answer that waits there may be fetched to the private chat;
see `crowd`.
"""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from telegram.error import TelegramError

from bot.pace import Timer, Turn, Urgency, Withdrawn
from bot.presenting import Presentation, Rendered, RenderedButton, RenderedImage
from bot.telegram.activity import Activity, action_for, large
from bot.telegram.crowd import LINK, LONG, Crowd
from bot.telegram.deletion import deletion_data
from bot.telegram.intake import Place
from bot.telegram.media import Media, as_it_is, prepare
from bot.telegram.outbox import Lost, Outbox, Unreachable
from bot.telegram.presenter import (
    AlbumPost,
    Post,
    TextPost,
    compose,
    keyboard,
    sends,
    status,
    streams,
    writing,
)
from handlers.kit.errors import explain
from handlers.kit.reply import Reply, State
from handlers.kit.studio import Studio, StudioLost
from locales import Message, words

log = logging.getLogger(__name__)

GRACE = 0.4  # seconds to wait for a first state before saying that work has begun


class Answer:
    """Shows the states of one reply in one place; what `Crowd` needs to know of it is public."""

    def __init__(
        self,
        outbox: Outbox,
        studio: Studio,
        presentation: Presentation,
        place: Place,
        crowd: Crowd,
    ) -> None:
        self.place = place
        self._outbox = outbox
        self._pace = outbox.pace
        self._studio = studio
        self._presentation = presentation
        self._crowd = crowd
        self._began = self._pace.clock()
        self._newest: Reply | None = None
        self._finished: _Finished | None = None
        self._news = asyncio.Event()
        self._waking: Timer | None = None  # sets off news, so that first words are not forgotten
        self._turn: Turn | None = None  # while it is waited for, and while it lasts
        self._speaking = False  # in it, once it is settled what is said
        self._status: int | None = None  # the message that is being edited
        self._shown: TextPost | None = None  # what it says
        self._draft = outbox.new_draft()
        self._drafted: TextPost | None = None  # what the draft says
        self._obsolete: list[tuple[Place, int]] = []  # messages that go when the answer is out
        self._activity = Activity(outbox, lambda: self.place)
        self._indicating: asyncio.Task[None] | None = None

    async def follow(self, states: AsyncIterator[Reply]) -> None:
        """Show states until the final one is out.

        Raises:
            Unreachable: nobody can be told.
        """
        collecting = asyncio.create_task(self._collect(states))
        self._indicating = asyncio.create_task(self._activity.keep_up())
        try:
            with self._crowd.among(self):
                while not await self._take_turn():
                    await self._news.wait()
        finally:
            collecting.cancel()
            self._indicating.cancel()
            if self._waking is not None:
                self._waking.cancel()

    async def _take_turn(self) -> bool:
        """Wait for a turn and show the newest state; says whether it was the last one."""
        self._crowd.met(self)
        place = self.place
        self._turn = self._pace.turn(place.chat, self._urgency)
        try:
            async with self._turn as turn:
                return await self._speak(turn, place)
        except Withdrawn:
            return False  # the answer was moved, and its turn is waited for elsewhere
        finally:
            self._turn = None
            self._speaking = False

    @property
    def _urgency(self) -> Urgency:
        if self._finished and self._may_overtake:
            return Urgency.FINAL
        return Urgency.FIRST if self._status is None else Urgency.EDIT

    # --- what the crowd sees ---------------------------------------------------------------------

    @property
    def sends(self) -> int:
        return sum(map(sends, self._finished.posts)) if self._finished else 0

    @property
    def waits(self) -> bool:
        return self._finished is not None and not self._speaking

    def move(self, place: Place) -> bool:
        if self._finished is None or not self.waits:
            return False
        if self._finished.reply.state is State.QUESTION:
            return False  # it can be answered only where it was asked
        if self._status is not None:
            self._obsolete.append((self.place, self._status))
            self._status = None
        self.place = place
        if self._turn is not None:
            self._turn.withdraw()
        return True

    # --- reading states --------------------------------------------------------------------------

    async def _collect(self, states: AsyncIterator[Reply]) -> None:
        """Keep the newest state; make the final one ready to be sent."""
        async for reply in states:
            if reply.state is State.PARTIAL:
                self._newest = reply
            else:
                self._activity.action = action_for(reply)
                self._finished = await self._made_ready(reply)
                self._crowd.met(self)
                if self._turn is not None and (self._may_overtake or self._turn.begun):
                    self._turn.hurry()
            self._news.set()

    @property
    def _may_overtake(self) -> bool:
        """Whether the final answer may go before the first words of other answers.

        In private, first words go out in the order of asking. In a group, where sends are few,
        answers go first.
        """
        return self.place.group or self._status is not None

    async def _made_ready(self, reply: Reply) -> _Finished:
        try:
            return await self._compose(reply)
        except Exception as error:  # noqa: BLE001
            # The store may fail us while buttons are saved; an answer must come all the same.
            return await self._compose(explain(error, "-"))

    async def _compose(self, reply: Reply) -> _Finished:
        rendered = await self._presentation.render(reply)
        pictures = [await self._prepared(image) for image in rendered.images]
        posts = compose(rendered, pictures, self._presentation.language)
        return _Finished(reply, posts, rendered.buttons)

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

    async def _speak(self, turn: Turn, place: Place) -> bool:
        """Show the newest state in a turn of that place; says whether it was the last one."""
        if self._finished is None:
            if self._held_back():
                self._news.clear()
                return False
            if self._newest is None:
                await self._first_state()
        rendered = None
        if self._finished is None:
            rendered = await self._rendered_newest()
            await turn.reserve()  # what is newest by then is shown
        if self.place is not place:
            return False  # the answer was moved, and its turn is waited for elsewhere
        self._speaking = True
        self._news.clear()
        if self._finished is not None:
            turn.hurry()
            await self._finish(turn, self._finished)
            return True
        if rendered is None:
            return False
        newest = self._newest or rendered.reply
        if newest.buttons == rendered.reply.buttons:
            rendered = await self._rendered_newest() or rendered
        else:
            # They would have to be stored. What is paid for must leave at once, or a store that was
            # slow for a moment lets go of many messages together. The newest comes next.
            self._news.set()
        await self._show(turn, rendered)
        return False

    async def _rendered_newest(self) -> Rendered | None:
        reply = self._newest or Reply.say("telegram-begun").partial()
        try:
            return await self._presentation.render(reply)
        except Exception:  # the store that keeps the buttons, or the words; the final state tells
            log.exception("a state could not be rendered")
            return None

    async def _first_state(self) -> None:
        """Wait for something to say, but not long."""
        over = self._pace.call_later(GRACE, self._news.set)
        try:
            await self._news.wait()
        finally:
            over.cancel()

    def _held_back(self) -> bool:
        """Whether first words must wait, for a while, since answers fill their group."""
        left = self._began + LONG - self._pace.clock()
        if left <= 0 or self._status is not None or not self.place.group:
            return False
        if not self._crowd.full(self.place.chat):
            return False
        if self._waking is None:
            self._waking = self._pace.call_later(left, self._news.set)
        return True

    async def _show(self, turn: Turn, rendered: Rendered) -> None:
        """Show a state that is not the last one, by one message at most."""
        language = self._presentation.language
        post = status(rendered, language)
        if not (streams(rendered) and self._outbox.takes_drafts(self.place)):
            await self._show_status(turn, post)
            return
        beside = writing(rendered, language)
        if self._shown != beside:
            await self._show_status(turn, beside)
            if self._shown == beside:
                self._news.set()  # the text itself comes next
        elif post != self._drafted:
            if await self._outbox.draft(turn, self.place, self._draft, post):
                self._drafted = post
                self._activity.shown()
            else:
                self._news.set()  # the same by an edit

    async def _show_status(self, turn: Turn, post: TextPost) -> None:
        if post == self._shown:
            return
        language = self._presentation.language
        try:
            if self._status is None:
                (self._status,) = await self._outbox.send(turn, self.place, post, language)
            elif not await self._outbox.edit(turn, self.place, self._status, post, final=False):
                return
            self._shown = post
            self._activity.shown()
        except Lost:
            self._status = self._shown = None  # the next state gets a message of its own
        except TelegramError as error:
            log.warning("a state could not be shown: %s", error)

    # --- showing the last one --------------------------------------------------------------------

    async def _finish(self, turn: Turn, finished: _Finished) -> None:
        if self._indicating is not None:
            self._indicating.cancel()
        notice_due = self.place.group and self._crowd.notice_due(self.place.chat)
        if notice_due:
            link = f"{self._outbox.own_link}?start={LINK}"
            notice = self._linked("telegram-crowd", "telegram-crowd-button", link)
            await self._deliver(turn, replace(self.place, reply_to=None), [notice])
        if self.place.group and finished.reply.private and finished.reply.files:
            finished = replace(finished, posts=[await self._in_private(finished.posts)], buttons=())
        announcing = None
        if large(finished.posts) and turn.spare(sum(map(sends, finished.posts))):
            announcing = asyncio.create_task(self._activity.announce())
        try:
            await self._send(turn, finished)
        finally:
            if announcing is not None:
                announcing.cancel()
            if notice_due:
                self._crowd.noticed(self.place.chat)
        for place, message in self._obsolete:
            await self._outbox.delete(place, message)

    async def _send(self, turn: Turn, finished: _Finished) -> None:
        """Send the answer; the status message becomes its beginning, or is not needed any more."""
        posts, before = finished.posts, []
        ask = finished.reply.state is State.QUESTION and self.place.group
        if self._status is not None:
            first = self._deletable(posts[0], finished.buttons, ()) if posts[1:] == [] else posts[0]
            drafted = self._drafted is not None
            if not (ask or drafted) and await self._become(turn, self._status, first):
                posts, before = posts[1:], [self._status]
            else:
                self._obsolete.append((self.place, self._status))
        buttons = finished.buttons
        if not await self._deliver(turn, self.place, posts, buttons, before, ask=ask):
            remark = _words("telegram-undelivered", self._presentation.language)
            await self._deliver(turn, replace(self.place, reply_to=None), [remark])

    async def _become(self, turn: Turn, message: int, post: Post) -> bool:
        """Turn the status message into the answer's beginning; says whether it is that now."""
        if not isinstance(post, TextPost):
            return False
        try:
            return await self._outbox.edit(turn, self.place, message, post, final=True)
        except (Lost, TelegramError) as error:
            log.info("the status message could not become the answer: %s", error)
            return False

    async def _deliver(
        self,
        turn: Turn,
        place: Place,
        posts: Sequence[Post],
        buttons: Sequence[RenderedButton] = (),
        before: Sequence[int] = (),
        *,
        ask: bool = False,
    ) -> bool:
        """Send posts, the first one as a reply; says whether Telegram took them all.

        Among the `buttons` of the last one may be one that deletes all of them, and the messages
        that were there `before`.
        """
        taken, sent = True, list(before)
        for number, whole in enumerate(posts, 1):
            post = self._deletable(whole, buttons, sent) if number == len(posts) else whole
            try:
                language = self._presentation.language
                sent += await self._outbox.send(turn, place, post, language, ask=ask)
            except TelegramError as error:
                # The rest of the answer may still go through.
                log.error("Telegram did not take a %s: %s", type(post).__name__, error)
                taken = False
            place = replace(place, reply_to=None)
        return taken

    def _deletable(
        self, post: Post, buttons: Sequence[RenderedButton], others: Sequence[int]
    ) -> Post:
        """The last message of an answer with the button that deletes it and the others, if any."""
        if isinstance(post, AlbumPost) or not any(button.deletes for button in buttons):
            return post
        return replace(post, keyboard=keyboard(buttons, deletion_data(self.place.user, others)))

    async def _in_private(self, posts: Sequence[Post]) -> Post:
        """Files meant for the asker alone go to their private chat; gives the word for the group.

        A bot may not write to people who never wrote to it.
        """
        language = self._presentation.language
        alone = Place(chat=self.place.user, user=self.place.user)
        try:
            if alone.group:
                raise Unreachable("an anonymous administrator has no private chat")
            async with self._pace.turn(alone.chat, Urgency.FINAL) as turn:
                sent = await self._deliver(turn, alone, posts)
        except Unreachable:
            link = self._outbox.own_link
            return self._linked("telegram-write-first", "telegram-open-private", link)
        return _words("telegram-sent-privately" if sent else "telegram-undelivered", language)

    def _linked(self, key: str, button: str, url: str) -> TextPost:
        """A sentence with a link under it."""
        language = self._presentation.language
        link = RenderedButton(words(language)(Message(button)), url=url)
        return replace(_words(key, language), keyboard=keyboard([link]))


@dataclass(frozen=True, slots=True)
class _Finished:
    """The final state, ready to be sent."""

    reply: Reply
    posts: list[Post]
    buttons: Sequence[RenderedButton]


def _words(key: str, language: str) -> TextPost:
    text = words(language)(Message(key))
    return TextPost(html.escape(text, quote=False), text)


__all__ = ["Answer", "Unreachable"]
