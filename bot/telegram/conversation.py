"""What is done about a message or a pressed button: run a command, ask, offer, or keep still.

An edited message counts as a new one where it holds a command that has changed, or mends an answer
to a question of ours that came to nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from telegram import Bot, CallbackQuery, Message, User
from telegram.error import TelegramError

from bot.hub import Hub, NotYours, Visitor, raw_pictures
from bot.presenting import Presentation, render_blocks
from bot.telegram import hints
from bot.telegram.answer import Answer, Unreachable
from bot.telegram.crowd import LINK, Crowd
from bot.telegram.deletion import PREFIX as DELETES
from bot.telegram.deletion import delete, deletion_of
from bot.telegram.documents import parameter_for, words_of
from bot.telegram.history import Deed, History
from bot.telegram.intake import (
    PLATFORM,
    Command,
    File,
    Handed,
    Heard,
    Place,
    Said,
    Shown,
    Unreadable,
    gist,
    read,
    spoken,
    visitor,
)
from bot.telegram.moderators import Moderators
from bot.telegram.outbox import Outbox
from bot.telegram.presenter import token_of
from bot.telegram.questions import Questions, answered, wanted
from bot.telegram.text import units
from handlers.kit.errors import UserError, explain
from handlers.kit.parsing import parse
from handlers.kit.registry import find
from handlers.kit.reply import Question, Reply, Say
from handlers.kit.runner import Run
from locales import Message as Words
from locales import words

log = logging.getLogger(__name__)

START = "start"  # sent by Telegram's clients when somebody opens the chat
TOAST_UNITS = 200  # of the small notice that answers a pressed button
TOAST_GRACE = 0.3  # seconds that a press may wait for such a notice
ANSWERS = 50  # on their way to one person, beyond which no more are begun


class Conversation:
    """All chats of one bot. `spawn(function, *arguments)` runs an answer in a task of its own."""

    def __init__(self, hub: Hub, bot: Bot, outbox: Outbox, spawn: Callable[..., Any]) -> None:
        self._hub = hub
        self._bot = bot
        self._outbox = outbox
        self._spawn = spawn
        self._questions = Questions()
        self._history = History()
        self._moderators = Moderators(bot)
        self._crowd = Crowd(outbox.pace)
        self._answers: Counter[int] = Counter()  # on their way, by the one they are for

    def busy(self, user: int) -> bool:
        """Whether so many answers are on their way to somebody that there should not be more."""
        return self._answers[user] >= ANSWERS

    # --- messages --------------------------------------------------------------------------------

    async def message(self, messages: Sequence[Message], me: User) -> None:
        """Begin whatever a message or an album asks for; answers go out in tasks of their own."""
        heard = read(messages, me)
        earlier = self._history.begun(messages[0])
        if isinstance(heard, Shown) and earlier and isinstance(earlier.heard, Command):
            # The rest of an album, far too late; what was asked for the others holds for it too.
            heard = replace(earlier.heard, pictures=heard.pictures)
        if heard is not None:
            await self._take(Deed(tuple(messages), heard))

    async def edited(self, message: Message, me: User) -> None:
        """Begin anew what an edited message asks for, and stop what it asked for before."""
        deed = self._history.of(message)
        messages = deed.edited(message) if deed else (message,)
        # Telegram calls a message edited also when a link's preview came, or a reaction.
        if gist(messages) == gist(deed.messages) if deed else message.edit_date is None:
            return
        question = self._put_off(deed) if deed else None
        heard = read(messages, me)
        if isinstance(heard, Command):
            await self._take(Deed(messages, heard))
        elif heard is not None and question is not None:
            who = self._author(spoken(messages))
            self._questions.ask(who.user, who.chat, question)
            await self._take(Deed(messages, heard))
        elif deed is not None:
            deed.messages = messages

    async def moved(self, before: int, now: int) -> None:
        """Take a group's language along where the group became a supergroup, with a new id."""
        self._outbox.moved(before, now)
        memory = self._hub.services.memory
        if language := await memory.chat_language(f"{PLATFORM}:{before}"):
            await memory.set_chat_language(f"{PLATFORM}:{now}", language)

    def _put_off(self, deed: Deed) -> Question | None:
        """Stop the run of a message that was edited; gives the question that is open again."""
        run = self._hub.services.runs.by_id.get(deed.run)
        if run is not None and run.final is None:
            run.cancel(UserError("telegram-edited"))
            return deed.question
        return deed.question if deed.failed else None

    async def _take(self, deed: Deed) -> None:
        who = self._author(spoken(deed.messages))
        try:
            await self._heard(who, deed.heard, deed)
        except Exception as error:  # noqa: BLE001
            # The boundary: the hub failed before there was a run that could have said so.
            deed.failed = True
            place = Place.of(who.address)
            reply = explain(error, getattr(deed.heard, "name", "-"))
            self._spawn(self.show, place, _once(reply), self._hub.settings.language)
        if deed.run or not isinstance(deed.heard, Said | Unreadable):
            self._history.note(deed)

    def _author(self, message: Message) -> Visitor:
        assert message.from_user is not None  # `read` gives nothing otherwise
        return self._visitor(message.from_user, message)

    def _visitor(self, user: User, message: Any, *, quote: bool = True) -> Visitor:
        who = visitor(user, message.chat, message, quote=quote)
        return replace(who, moderator=self._moderators.question(Place.of(who.address)))

    async def _heard(self, who: Visitor, heard: Heard, deed: Deed) -> None:
        match heard:
            case Command():
                await self._command(who, heard, deed)
            case Shown():
                await self._pictures(who, heard, deed)
            case Handed():
                await self._text_file(who, heard, deed)
            case Said():
                await self._words(who, heard, deed)
            case Unreadable():
                if not who.public or (heard.to_us and self._asked(who) is not None):
                    await self.tell(who, Reply.say("telegram-unreadable"))

    async def _command(self, who: Visitor, heard: Command, deed: Deed) -> None:
        for_us = heard.named or not who.public
        known = find(heard.name) is not None
        if not known and not for_us:
            return  # another bot's
        self._questions.drop(who.user, who.chat)
        if not known and heard.name.lower() == START:
            await self._start(who, heard.line)
            return
        try:
            name, files = _to_read(heard)
            if not files:
                self._follow(who, await self._hub.line(who, heard.line, heard.pictures), deed)
        except UserError as error:
            await self.tell(who, explain(error, heard.name))
            return
        if files:
            await self._read_first(
                who,
                files,
                lambda text: self._hub.line(who, heard.line, heard.pictures, {name: text}),
                deed,
            )

    async def _start(self, who: Visitor, line: str) -> None:
        """Welcome somebody; or bring them the answers that they come for, from a crowded group."""
        moved = later = 0
        if not who.public and line.split()[1:] == [LINK]:
            place = Place.of(who.address)
            moved, later = self._crowd.fetch(place.user, replace(place, reply_to=None))
        if not moved:
            await self.tell(who, Reply.say("telegram-crowd-later") if later else hints.welcome())

    async def _pictures(self, who: Visitor, heard: Shown, deed: Deed) -> None:
        if (question := self._asked(who, "picture")) is not None:
            deed.question = question
            self._follow(who, await self._answer(who, question, raw_pictures(heard.pictures)), deed)
        elif heard.to_us:
            await self.tell(who, hints.picture_offer(heard.pictures))

    async def _text_file(self, who: Visitor, heard: Handed, deed: Deed) -> None:
        question = self._asked(who) if heard.to_us else None
        if question is not None and wanted(question).kind == "text":
            deed.question = question
            await self._read_first(
                who, heard.files, lambda text: self._answer(who, question, text), deed
            )
        elif question is not None:
            await self.tell(who, explain(_unexpected(question.call.command), "-"))
        elif not who.public:
            try:
                text = await self._words_of(heard.files)
            except UserError as error:
                await self.tell(who, explain(error, "-"))
            else:
                await self.tell(who, hints.plain_words(text))

    async def _words(self, who: Visitor, heard: Said, deed: Deed) -> None:
        question = self._asked(who) if heard.to_us else None
        if question is not None and wanted(question).kind != "picture":
            deed.question = question
            self._follow(who, await self._answer(who, question, heard.text), deed)
        elif not who.public:
            await self.tell(who, hints.plain_words(heard.text))

    def _asked(self, who: Visitor, kind: str | None = None) -> Question | None:
        """The question that is open, if it is for a value of this kind."""
        question = self._questions.open(who.user, who.chat)
        if question is None or kind not in (None, wanted(question).kind):
            return None
        return question

    async def _answer(self, who: Visitor, question: Question, value: object) -> Run:
        """Go on with what the question interrupted."""
        self._questions.drop(who.user, who.chat)
        return await self._hub.call(who, answered(question, value))

    # --- text files ------------------------------------------------------------------------------

    async def _read_first(
        self,
        who: Visitor,
        files: Sequence[File],
        begin: Callable[[str], Awaitable[Run]],
        deed: Deed,
    ) -> None:
        """Begin a run with the words of a file.

        Its sender's next message waits until they are read; the answer does not, and says so far
        that it has begun.
        """

        async def beginning() -> Run:
            run = await begin(await self._words_of(files))
            deed.run = run.id
            return run

        begun = asyncio.create_task(beginning())
        self._spawn(self._show_begun, who, begun, deed)
        try:
            await asyncio.wait({begun})
        finally:
            begun.cancel()

    async def _words_of(self, files: Sequence[File]) -> str:
        return await words_of(files, self._hub.frontends[PLATFORM].fetch)

    async def _show_begun(self, who: Visitor, begun: asyncio.Task[Run], deed: Deed) -> None:
        language = await self._hub.language(who)
        if not await self.show(Place.of(who.address), self._begun(who, begun, deed), language):
            with suppress(Exception):  # that there was none is what could not be told
                (await begun).cancel()

    async def _begun(
        self, who: Visitor, begun: asyncio.Task[Run], deed: Deed
    ) -> AsyncIterator[Reply]:
        """The states of a run that is about to begin; if it cannot, why."""
        try:
            run = await asyncio.shield(begun)
        except Exception as error:  # noqa: BLE001
            # The same boundary, in the task that answers.
            deed.failed = True
            yield explain(error, getattr(deed.heard, "name", "-"))
            return
        async for reply in self._noting(who, run, deed):
            yield reply

    # --- pressed buttons -------------------------------------------------------------------------

    async def press(self, query: CallbackQuery) -> None:
        """Acknowledge a pressed button and run what is behind it."""
        token = token_of(query.data)
        if query.message is not None and (query.data or "").startswith(DELETES):
            await self._delete(query, query.message)
            return
        if query.message is None or token is None:
            await self._acknowledge(query)
            return
        # In private the answer stands right below; in a group it says what it answers.
        who = self._visitor(query.from_user, query.message, quote=query.message.chat.id < 0)
        try:
            who, run = await self._pressed(who, token, query.message)
        except (UserError, KeyError) as error:  # KeyError: a command that is no more
            known = error if isinstance(error, UserError) else UserError("error-button-gone")
            say = words(await self._own_language(who))
            await self._acknowledge(query, say(known.message), alert=True)
            return
        except Exception as error:  # noqa: BLE001
            # The same boundary; without this the button would keep spinning.
            reply = explain(error, "-")
            await self._acknowledge(query, _text(reply, self._hub.settings.language), alert=True)
            return
        # What runs a model is acknowledged at once; what only looks something up may answer there.
        house = run.command.stop == "house"
        if not house and self.busy(Place.of(who.address).user):
            run.cancel()
            say = words(await self._own_language(who))
            await self._acknowledge(query, say(Words("telegram-too-many")), alert=True)
            return
        toast = await self._toast(who, run) if house else None
        if not await self._acknowledge(query, toast) or toast is None:
            self._follow(who, run)

    async def _pressed(self, who: Visitor, token: str, message: Any) -> tuple[Visitor, Run]:
        """Run what is behind a button; gives also in whose name that was. Raises as the hub does.

        Anonymous administrators ask in their group's name, but press in their own.
        """
        try:
            return who, await self._hub.press(who, token, names=_asker(message))
        except NotYours as error:
            if error.owner != who.chat or not await who.moderator():
                raise
            place = replace(Place.of(who.address), user=message.chat.id)
            name = message.chat.effective_name or ""
            group = replace(who, user=who.chat, user_name=name, address=place.address())
            return group, await self._hub.press(group, token)

    async def _own_language(self, who: Visitor) -> str:
        """The language of a notice that nobody else sees. It is said even where the store fails."""
        try:
            return await self._hub.language(replace(who, public=False))
        except Exception:
            log.exception("a notice is in the language of the configuration")
            return self._hub.settings.language

    async def _delete(self, query: CallbackQuery, message: Any) -> None:
        """Take an answer away for its owner, or for who looks after the group; else say why not."""
        who = self._visitor(query.from_user, message)
        say = words(await self._own_language(who))
        deletion = deletion_of(query)
        if deletion is None:  # Telegram no longer shows it to us
            await self._acknowledge(query, say(Words("telegram-not-deleted")), alert=True)
            return
        owner = f"{PLATFORM}:{deletion.owner}"
        operator = who.user in self._hub.settings.admins
        if not (who.user == owner or operator or await who.moderator()):
            refusal = NotYours(_asker(message).get(owner, ""))
            await self._acknowledge(query, say(refusal.message), alert=True)
            return
        deleting = asyncio.create_task(delete(self._bot, message.chat.id, deletion.messages))
        await asyncio.wait({deleting}, timeout=TOAST_GRACE)
        key = deleting.result() if deleting.done() else None
        await self._acknowledge(query, say(Words(key)) if key else None, alert=key is not None)
        await deleting

    async def _toast(self, who: Visitor, run: Run) -> str | None:
        """The words of an answer that fits into a notice only the presser sees, if there is one."""
        try:
            reply = await asyncio.wait_for(run.result(), TOAST_GRACE)
        except TimeoutError:
            return None
        more = reply.pictures or reply.files or reply.buttons or reply.question
        if more or not reply.private or not all(isinstance(block, Say) for block in reply.blocks):
            return None
        text = _text(reply, await self._own_language(who))
        return text if 0 < units(text) <= TOAST_UNITS else None

    async def _acknowledge(
        self, query: CallbackQuery, text: str | None = None, *, alert: bool = False
    ) -> bool:
        """Answer a press; says whether Telegram took that."""
        try:
            text = text[:TOAST_UNITS] if text else None
            await self._bot.answer_callback_query(query.id, text, show_alert=alert)
        except TelegramError as error:
            log.debug("a press was not acknowledged: %s", error)  # too old, mostly
            return False
        return True

    # --- answers ---------------------------------------------------------------------------------

    async def tell(self, who: Visitor, reply: Reply) -> None:
        """Answer with a reply that is ready."""
        language = await self._hub.language(who)
        self._spawn(self.show, Place.of(who.address), _once(reply), language)

    def _follow(self, who: Visitor, run: Run, deed: Deed | None = None) -> None:
        if deed is not None:
            deed.run = run.id
        self._spawn(self._show_run, who, run, deed)

    async def _show_run(self, who: Visitor, run: Run, deed: Deed | None) -> None:
        place = Place.of(who.address)
        if not await self.show(place, self._noting(who, run, deed), run.request.language):
            run.cancel()

    async def show(self, place: Place, states: AsyncIterator[Reply], language: str) -> bool:
        """Show an answer to its end; False where nobody is there to be told."""
        user, chat = f"{PLATFORM}:{place.user}", f"{PLATFORM}:{place.chat}"
        presentation = Presentation(self._hub.services.memory, language, user, chat)
        studio = self._hub.services.studio
        answer = Answer(self._outbox, studio, presentation, place, self._crowd)
        self._answers[place.user] += 1
        try:
            await answer.follow(states)
        except Unreachable as error:
            log.info("an answer reaches nobody: %s", error)
            return False
        finally:
            self._answers[place.user] -= 1
            if not self._answers[place.user]:
                del self._answers[place.user]
        return True

    async def _noting(self, who: Visitor, run: Run, deed: Deed | None) -> AsyncIterator[Reply]:
        """The run's states; what it asks for is noted before the reader can see the question."""
        async for reply in run:
            if reply.question is not None:
                self._questions.ask(who.user, who.chat, reply.question)
            if deed is not None:
                deed.failed = reply.error
            yield reply


def _to_read(heard: Command) -> tuple[str, Sequence[File]]:
    """The files to read for a command, if any, and the parameter that they are the value of.

    Raises:
        UserError: the line is no command, or it has no use for the text that it came under.
    """
    if not heard.files and heard.answered is None:
        return "", ()
    parsed = parse(heard.line)
    parameter = parameter_for(parsed.command, parsed.arguments)
    if heard.files and parameter is not None:
        return parameter.name, heard.files
    if any(file.text for file in heard.files):
        raise _unexpected(parsed.command.name)
    # Whoever answers a file may mean something else: it is used where a text is indispensable.
    if heard.answered is not None and parameter is not None and parameter.required:
        return parameter.name, (heard.answered,)
    return "", ()


def _unexpected(command: str) -> UserError:
    return UserError("telegram-document-unexpected", command=Words(command))


def _asker(message: Any) -> dict[str, str]:
    """What the chat calls the one whose message is answered; a platform's id to a name."""
    asked = getattr(message, "reply_to_message", None)  # of a message that is still shown to us
    if asked is None or asked.from_user is None:
        return {}
    who = visitor(asked.from_user, asked.chat, asked)
    return {who.user: who.user_name}


def _text(reply: Reply, language: str) -> str:
    return "\n".join(block.text for block in render_blocks(reply, language))


async def _once(reply: Reply) -> AsyncIterator[Reply]:
    yield reply
