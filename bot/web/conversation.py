"""What a message from the page does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from prometheus_client import Counter

from bot.hub import Hub, Visitor
from bot.presenting import Presentation
from bot.web.presenter import SHOWN, Answer, Entry, Said, describe, follow
from bot.web.protocol import Garbled, Incoming, Upload, Value, page_words, read
from bot.web.sessions import RUNNING, Session, Tab
from bot.web.uploads import Shelf
from handlers.kit.errors import UserError, explain
from handlers.kit.registry import STOPS, commands, find
from handlers.kit.reply import Button, Reply
from handlers.kit.request import Call, PictureGone, PictureRef, ReplyAddress
from handlers.kit.runner import Run
from locales import LANGUAGES, Message, words

log = logging.getLogger(__name__)

MESSAGES = Counter(
    "tadim_web_messages", "Messages from web pages, by what became of them.", ["outcome"]
)


def visitor(session: str, client_language: str | None, share: str = "") -> Visitor:
    """The person behind a session id; on the web a person's chat is theirs alone.

    A new chat costs a cookie, that is nothing: so the device is shared between network addresses.
    """
    user = f"web:{session}"
    return Visitor(
        user=user,
        chat=user,
        address=ReplyAddress("web", {"session": session}),
        client_language=client_language,
        share=share,
    )


def visitor_of(session: Session) -> Visitor:
    return visitor(session.id, session.client_language, session.share)


class Conversation:
    """Acts on messages and keeps every tab of the session up to date.

    `limits` and `links` are facts for the page's `hello`.
    """

    def __init__(
        self, hub: Hub, shelf: Shelf, limits: dict[str, Any], links: dict[str, Any]
    ) -> None:
        self._hub = hub
        self._shelf = shelf
        self._limits = limits
        self._links = links
        self._actions: dict[str, Callable[[Session, Incoming], Coroutine[Any, Any, None]]] = {
            "line": self._line,
            "call": self._call,
            "answer": self._answer,
            "press": self._press,
            "cancel": self._cancel,
            "language": self._language,
            "clear": self._clear,
        }

    async def receive(self, session: Session, tab: Tab, raw: str) -> None:
        """Act on one message; one that we cannot use costs its sender a sentence, never the tab."""
        try:
            if not session.messages.take():
                raise Garbled("web-error-too-fast")
            message = read(raw)
            if message.type == "ping":
                tab.post({"type": "pong"}, "pong")
                return
            if message.key:
                # A page whose connection broke sends again what was not acknowledged.
                tab.post({"type": "got", "key": message.key})
                if session.has_seen(message.key):
                    return
            await self._actions[message.type](session, message)
            MESSAGES.labels("taken").inc()
        except Garbled as error:
            MESSAGES.labels("refused").inc()
            text = words(session.language)(error.message)
            tab.post({"type": "error", "text": text}, "error")
        except Exception as error:  # noqa: BLE001
            # The border to the browser: whatever we did not foresee, the tab lives on.
            MESSAGES.labels("failed").inc()
            await self.notice(session, explain(error, "web"))

    async def greet(self, session: Session, *tabs: Tab) -> None:
        """Send these tabs everything they need to draw themselves, history included."""
        session.language = await self._hub.language(visitor_of(session))
        versions = {entry.id: entry.version for entry in session.entries.values()}
        hello = await self._hello(session)
        for tab in tabs:
            tab.post(hello, "hello")
        # Rendering waits for the store; what moved on in the meantime is older in this hello than
        # in what the tabs have already been sent.
        for entry in list(session.entries.values()):
            if versions.get(entry.id) != entry.version:
                await self._publish(session, entry)

    async def _hello(self, session: Session) -> dict[str, Any]:
        language = session.language
        return {
            "type": "hello",
            "language": language,
            "languages": [
                {"code": code, "name": words(code)(Message("web-language-name"))}
                for code in LANGUAGES
            ],
            "words": page_words(language),
            "halls": [
                {"name": stop, "title": words(language)(Message(f"help-stop-{stop}"))}
                for stop in STOPS
            ],
            "commands": [
                describe(command, language)
                for command in commands().values()
                if not command.moderators  # the page has none
            ],
            "limits": self._limits,
            "links": self._links,
            "epoch": session.epoch,
            "entries": [await entry.to_json(language) for entry in list(session.entries.values())],
        }

    async def notice(self, session: Session, reply: Reply) -> None:
        """Add a reply that answers nothing the visitor said."""
        answer = self._new_answer(session)
        answer.show(reply)
        await self._add(session, answer)

    # --- one method for each kind of message

    async def _line(self, session: Session, message: Incoming) -> None:
        upload = message.upload
        ref = self._ref(session, upload) if upload else None
        picture = upload.id if upload else None
        said = Said(session.next_id(), text=message.text[:SHOWN], picture=picture)
        refs = [ref] if ref else []
        await self._run(
            session, said, lambda: self._hub.line(visitor_of(session), message.text, refs)
        )

    async def _call(self, session: Session, message: Incoming) -> None:
        command = find(message.name)
        if command is None:
            raise UserError("error-command-unknown", typed=message.name[:32])
        given = message.arguments or {}
        arguments = {name: self._argument(session, value) for name, value in given.items()}
        picture = next((v.id for v in given.values() if isinstance(v, Upload)), None)
        call = Call(command.name, arguments)
        said = Said(session.next_id(), call=call, picture=picture)
        await self._run(session, said, lambda: self._hub.call(visitor_of(session), call))

    async def _answer(self, session: Session, message: Incoming) -> None:
        entry = session.entries.get(message.name)
        question = entry.reply.question if isinstance(entry, Answer) else None
        if not isinstance(entry, Answer) or question is None or entry.answered:
            raise UserError("web-error-question-gone")
        value = message.value
        assert value is not None
        arguments = {**question.call.arguments, question.parameter: self._argument(session, value)}
        entry.settle()
        await self._publish(session, entry)
        if isinstance(value, Upload):
            said = Said(session.next_id(), picture=value.id)
        else:
            said = Said(session.next_id(), text=str(value)[:SHOWN])
        call = Call(question.call.command, arguments)
        await self._run(session, said, lambda: self._hub.call(visitor_of(session), call))

    async def _press(self, session: Session, message: Incoming) -> None:
        shown = (answer.button(message.name) for answer in session.answers)
        button: Button | None = next((b for b in shown if b), None)
        said = Said(session.next_id(), label=button.label) if button else None
        await self._run(session, said, lambda: self._hub.press(visitor_of(session), message.name))

    async def _cancel(self, session: Session, message: Incoming) -> None:
        entry = session.entries.get(message.name)
        if isinstance(entry, Answer):
            entry.cancel()

    async def _language(self, session: Session, message: Incoming) -> None:
        await self._hub.services.memory.set_language(session.user, message.name)
        await self.greet(session, *session.tabs)

    async def _clear(self, session: Session, message: Incoming) -> None:
        session.cancel_all()
        for follower in session.followers:
            follower.cancel()
        session.entries.clear()
        self._shelf.forget(session.id)
        session.post({"type": "cleared"})

    def forget(self, session: Session) -> None:
        """Drop what was said and shown, and the pictures; the answer that says so is to come."""
        for answer in list(session.answers):
            if not answer.running:
                del session.entries[answer.id]
        for key in [key for key, entry in session.entries.items() if not isinstance(entry, Answer)]:
            del session.entries[key]
        self._shelf.forget(session.id)
        session.post({"type": "cleared"})

    # --- shared steps

    def _ref(self, session: Session, upload: Upload) -> PictureRef:
        """The picture's reference; somebody else's is treated like one that is gone.

        A picture that cannot be fetched is asked for again, as the answer.
        """
        try:
            self._shelf.get(upload.id, session.id)
        except PictureGone:
            return PictureRef("web", {})
        return PictureRef("web", {"upload": upload.id})

    def _argument(self, session: Session, value: Value) -> Any:
        if isinstance(value, Upload):
            return {"picture": self._ref(session, value).to_json()}
        return value

    async def _run(
        self, session: Session, said: Said | None, start: Callable[[], Awaitable[Run]]
    ) -> None:
        """Show what was asked, start it, and follow the answer."""
        if said is not None:
            await self._add(session, said)
        answer = self._new_answer(session)
        if session.running >= RUNNING:
            answer.show(explain(UserError("web-error-busy", running=RUNNING), "web"))
            await self._add(session, answer)
            return
        try:
            run = await start()
        except Exception as error:  # noqa: BLE001
            # The border to the handlers: a refusal or a failure becomes the answer.
            answer.show(explain(error, "web"))
            await self._add(session, answer)
            return
        # In the history before the first state: the limit above counts it from now on.
        answer.run = run
        session.add(answer)
        task = asyncio.create_task(self._follow(session, answer, run), name=f"web {run.id}")
        session.followers.add(task)
        task.add_done_callback(session.followers.discard)

    async def _follow(self, session: Session, answer: Answer, run: Run) -> None:
        async def changed() -> None:
            await self._publish(session, answer)

        try:
            await follow(answer, run, changed)
        except Exception as error:  # noqa: BLE001
            # A reply that cannot be rendered is our mistake; the visitor must not wait for ever.
            run.cancel()
            answer.show(explain(error, run.command.name))
            await self._publish(session, answer)
        # /language, or forgetting everything, changes what the page itself should speak.
        if await self._hub.language(visitor_of(session)) != session.language:
            await self.greet(session, *session.tabs)

    def _new_answer(self, session: Session) -> Answer:
        presentation = Presentation(
            self._hub.services.memory, session.language, session.user, session.user
        )
        return Answer(session.next_id(), session.id, self._shelf, presentation)

    async def _add(self, session: Session, entry: Entry) -> None:
        session.add(entry)
        await self._publish(session, entry)

    async def _publish(self, session: Session, entry: Entry) -> None:
        language = None
        while language != session.language:  # it may change while rendering waits for the store
            language = session.language
            state = await entry.to_json(language)
        if entry.id in session.entries:  # "clear" may have overtaken it
            session.post({"type": "entry", "entry": state}, entry.id)
