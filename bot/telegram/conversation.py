"""What is done about a message or a pressed button: run a command, ask, offer, or keep still."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any

from telegram import Bot, CallbackQuery, Message, User
from telegram.error import TelegramError

from bot.hub import Hub, Visitor
from bot.presenting import Presentation, render_blocks
from bot.telegram import hints
from bot.telegram.answer import Answer, Unreachable
from bot.telegram.intake import (
    PLATFORM,
    Command,
    Heard,
    Place,
    Said,
    Shown,
    Unreadable,
    read,
    visitor,
)
from bot.telegram.outbox import Outbox
from bot.telegram.presenter import token_of
from bot.telegram.questions import Questions
from bot.telegram.text import units
from handlers.kit.errors import UserError, explain
from handlers.kit.registry import find
from handlers.kit.reply import Reply, Say
from handlers.kit.runner import Run
from locales import words

log = logging.getLogger(__name__)

START = "start"  # sent by Telegram's clients when somebody opens the chat
TOAST_UNITS = 200  # of the small notice that answers a pressed button
TOAST_GRACE = 0.3  # seconds that a press may wait for such a notice
ALBUMS = 1000  # albums that are recognised when their next picture comes


class Conversation:
    """All chats of one bot. `spawn(function, *arguments)` runs an answer in a task of its own."""

    def __init__(self, hub: Hub, bot: Bot, outbox: Outbox, spawn: Callable[..., Any]) -> None:
        self._hub = hub
        self._bot = bot
        self._outbox = outbox
        self._spawn = spawn
        self._questions = Questions()
        self._albums: OrderedDict[str, bool] = OrderedDict()

    # --- messages --------------------------------------------------------------------------------

    async def message(self, message: Message, me: User) -> None:
        """Begin whatever the message asks for; answers go out in tasks of their own."""
        heard = read(message, me)
        if heard is None or message.from_user is None:
            return
        who = visitor(message.from_user, message.chat, message)
        try:
            await self._heard(who, heard)
        except Exception as error:  # noqa: BLE001
            # The boundary: the hub failed before there was a run that could have said so.
            place = Place.of(who.address)
            reply = explain(error, getattr(heard, "name", "-"))
            self._spawn(self.show, place, _once(reply), self._hub.settings.language)

    async def _heard(self, who: Visitor, heard: Heard) -> None:
        match heard:
            case Command():
                await self._command(who, heard)
            case Shown():
                await self._picture(who, heard)
            case Said():
                await self._words(who, heard)
            case Unreadable():
                if not who.public or (heard.to_us and self._asked(who) is not None):
                    await self.tell(who, Reply.say("telegram-unreadable"))

    async def _command(self, who: Visitor, heard: Command) -> None:
        for_us = heard.named or not who.public
        known = find(heard.name) is not None
        if not known and not for_us:
            return  # another bot's
        self._questions.drop(who.user, who.chat)
        if heard.album is not None:
            self._first_of(heard.album)
        if not known and heard.name.lower() == START:
            await self.tell(who, hints.welcome())
            return
        try:
            run = await self._hub.line(who, heard.line, [heard.picture] if heard.picture else ())
        except UserError as error:
            await self.tell(who, explain(error, heard.name))
            return
        self._follow(who, run)

    async def _picture(self, who: Visitor, heard: Shown) -> None:
        first = heard.album is None or self._first_of(heard.album)
        if first and self._asked(who) is True:
            call = self._questions.answer(who.user, who.chat, {"picture": heard.picture.to_json()})
            self._follow(who, await self._hub.call(who, call))
        elif first and heard.to_us:
            await self.tell(who, hints.picture_offer(heard.picture))
        elif heard.album is not None and heard.to_us and not self._albums[heard.album]:
            self._albums[heard.album] = True
            await self.tell(who, Reply.say("telegram-album"))

    async def _words(self, who: Visitor, heard: Said) -> None:
        if heard.to_us and self._asked(who) is False:
            call = self._questions.answer(who.user, who.chat, heard.text)
            self._follow(who, await self._hub.call(who, call))
        elif not who.public:
            await self.tell(who, hints.plain_words(heard.text))

    def _asked(self, who: Visitor) -> bool | None:
        return self._questions.awaits_picture(who.user, who.chat)

    def _first_of(self, album: str) -> bool:
        """Whether this is the first picture of its album; the others only get a remark."""
        if album in self._albums:
            return False
        self._albums[album] = False
        if len(self._albums) > ALBUMS:
            self._albums.popitem(last=False)
        return True

    # --- pressed buttons -------------------------------------------------------------------------

    async def press(self, query: CallbackQuery) -> None:
        """Acknowledge a pressed button and run what is behind it."""
        token = token_of(query.data)
        if query.message is None or token is None:
            await self._acknowledge(query)
            return
        chat = query.message.chat
        # In private the answer stands right below; in a group it says what it answers.
        who = visitor(query.from_user, chat, query.message, quote=chat.id < 0)
        try:
            run = await self._hub.press(who, token)
        except (UserError, KeyError) as error:  # KeyError: a command that is no more
            known = error if isinstance(error, UserError) else UserError("error-button-gone")
            say = words(await self._hub.language(who))
            await self._acknowledge(query, say(known.message), alert=True)
            return
        except Exception as error:  # noqa: BLE001
            # The same boundary; without this the button would keep spinning.
            reply = explain(error, "-")
            await self._acknowledge(query, _text(reply, self._hub.settings.language), alert=True)
            return
        # What runs a model is acknowledged at once; what only looks something up may answer there.
        toast = await self._toast(run) if run.command.stop == "house" else None
        await self._acknowledge(query, toast)
        if toast is None:
            self._follow(who, run)

    async def _toast(self, run: Run) -> str | None:
        """The words of an answer that fits into a notice only the presser sees, if there is one."""
        try:
            reply = await asyncio.wait_for(run.result(), TOAST_GRACE)
        except TimeoutError:
            return None
        more = reply.pictures or reply.files or reply.buttons or reply.question
        if more or not reply.private or not all(isinstance(block, Say) for block in reply.blocks):
            return None
        text = _text(reply, run.request.language)
        return text if 0 < units(text) <= TOAST_UNITS else None

    async def _acknowledge(
        self, query: CallbackQuery, text: str | None = None, *, alert: bool = False
    ) -> None:
        try:
            text = text[:TOAST_UNITS] if text else None
            await self._bot.answer_callback_query(query.id, text, show_alert=alert)
        except TelegramError as error:
            log.debug("a press was not acknowledged: %s", error)  # too old, mostly

    # --- answers ---------------------------------------------------------------------------------

    async def tell(self, who: Visitor, reply: Reply) -> None:
        """Answer with a reply that is ready."""
        language = await self._hub.language(who)
        self._spawn(self.show, Place.of(who.address), _once(reply), language)

    def _follow(self, who: Visitor, run: Run) -> None:
        self._spawn(self._show_run, who, run)

    async def _show_run(self, who: Visitor, run: Run) -> None:
        place = Place.of(who.address)
        if not await self.show(place, self._noting_questions(who, run), run.request.language):
            run.cancel()

    async def show(self, place: Place, states: AsyncIterator[Reply], language: str) -> bool:
        """Show an answer to its end; False where nobody is there to be told."""
        user, chat = f"{PLATFORM}:{place.user}", f"{PLATFORM}:{place.chat}"
        presentation = Presentation(self._hub.services.memory, language, user, chat)
        answer = Answer(self._outbox, self._hub.services.studio, presentation, place)
        try:
            await answer.follow(states)
        except Unreachable as error:
            log.info("an answer reaches nobody: %s", error)
            return False
        return True

    async def _noting_questions(self, who: Visitor, run: Run) -> AsyncIterator[Reply]:
        """The run's states; what it asks for is noted before the reader can see the question."""
        async for reply in run:
            if reply.question is not None:
                self._questions.ask(who.user, who.chat, reply.question)
            yield reply


def _text(reply: Reply, language: str) -> str:
    return "\n".join(block.text for block in render_blocks(reply, language))


async def _once(reply: Reply) -> AsyncIterator[Reply]:
    yield reply
