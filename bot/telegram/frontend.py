"""Telegram: connects, hands updates on, fetches pictures, sends notices.

Updates of different people are handled side by side, those of one person in order. What a message
means is decided in `intake`, what is done about it in `conversation`, how fast we may speak in
`pace`, what an answer looks like in `presenter`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from telegram import Message, Update
from telegram.error import BadRequest, InvalidToken, RetryAfter, TelegramError
from telegram.request import BaseRequest

from bot.hub import Frontend, Hub
from bot.pace import Pace
from bot.telegram import menu
from bot.telegram.albums import Album, Albums
from bot.telegram.arrivals import Arrivals, Polling, Webhook
from bot.telegram.connection import FETCHES, Connection
from bot.telegram.conversation import Conversation
from bot.telegram.intake import DOWNLOAD_LIMIT, PLATFORM, Place, author_of, visitor
from bot.telegram.lanes import Lanes
from bot.telegram.limits import telegram_pace
from bot.telegram.outbox import Outbox, seconds
from handlers.kit.reply import Reply
from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge, ReplyAddress

log = logging.getLogger(__name__)

REMEMBERED = 4096  # updates that are recognised when they come again
IN_HAND = 5000  # updates being worked on, after which a webhook lets Telegram keep the others
STOP_SECONDS = 5.0  # how long answers may still go out when the program ends
DOWNLOADS = 3  # tries to fetch a picture
PAUSE = 0.5  # seconds between two of them, where Telegram does not say how many
LONGEST_PAUSE = 5.0  # of those that it says, waited for with a reader waiting


class TelegramFrontend(Frontend):
    """The Telegram bot.

    `base_url` is for tests and for Bot API servers of one's own; `request` and `pace` for tests.
    """

    platform = PLATFORM

    def __init__(
        self,
        hub: Hub,
        token: str,
        base_url: str | None = None,
        *,
        request: BaseRequest | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._hub = hub
        self._connection = Connection(token, base_url, request)
        self._bot = self._connection.bot
        self._arrivals = self._arriving()
        pace = pace or telegram_pace()
        outbox = Outbox(self._bot, pace, hub.services.studio)
        self._conversation = Conversation(hub, self._bot, outbox, self._spawn)
        self._lanes = Lanes()
        self._albums = Albums(pace.call_later)
        self._fetching = asyncio.Semaphore(FETCHES)
        self._hurried: set[int] = set()  # people who were told that they are too fast
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._consuming: asyncio.Task[None] | None = None

    # --- the contract with the app and the hub ---------------------------------------------------

    @property
    def address(self) -> str:
        return self._connection.address

    async def start(self) -> None:
        await self._connection.start(self._arrivals, self._connected)
        self._consuming = asyncio.create_task(self._consume(), name="telegram updates")

    async def stop(self) -> None:
        await self._connection.stop_trying()
        await self._arrivals.end()
        if self._consuming is not None:
            self._consuming.cancel()
        while not self._arrivals.updates.empty():  # taken, so Telegram does not bring it again
            self._note(self._arrivals.updates.get_nowait())
        self._albums.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._tasks:  # what is heard now begins answers, which are tasks too
                    await asyncio.wait(self._tasks)
        if self._tasks:
            log.warning("Telegram: %d answers were not out in time", len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.close()

    async def fetch(self, ref: PictureRef) -> bytes:
        if (ref.place.get("size") or 0) > DOWNLOAD_LIMIT:
            raise PictureTooLarge(DOWNLOAD_LIMIT)
        for further in reversed(range(DOWNLOADS)):
            pause = PAUSE
            try:
                async with self._fetching:
                    file = await self._bot.get_file(str(ref.place["file_id"]))
                    if (file.file_size or 0) > DOWNLOAD_LIMIT:
                        raise PictureTooLarge(DOWNLOAD_LIMIT)
                    return bytes(await file.download_as_bytearray())
            except BadRequest as error:
                if "too big" in error.message.lower():
                    raise PictureTooLarge(DOWNLOAD_LIMIT) from error
                raise PictureGone from error
            except InvalidToken as error:
                raise PictureGone from error  # the client's name for any 404
            except TelegramError as error:
                log.info("a picture could not be fetched: %s", error)
                if isinstance(error, RetryAfter):
                    pause = min(seconds(error), LONGEST_PAUSE)
            if further:
                await asyncio.sleep(pause)
        raise PictureGone

    async def send(self, address: ReplyAddress, reply: Reply, language: str) -> None:
        await self._conversation.show(Place.of(address), _once(reply), language)

    # --- updates ---------------------------------------------------------------------------------

    def _arriving(self) -> Arrivals:
        """Polling, or a webhook with its inbox, as configured."""
        address = self._hub.settings.telegram.webhook
        if not address:
            return Polling(self._bot)
        webhook = Webhook(self._bot, address, self._full)
        self._hub.inboxes[webhook.path] = webhook.take
        return webhook

    def _full(self) -> bool:
        return len(self._tasks) + self._arrivals.updates.qsize() >= IN_HAND

    def _connected(self) -> None:
        log.info("Telegram: %s", self.address)
        self._spawn(self._publish_menu)

    async def _publish_menu(self) -> None:
        settings = self._hub.settings
        try:
            if await menu.publish(self._bot, settings.language, settings.data_folder):
                log.info("Telegram: the command menu was brought up to date")
        except (TelegramError, OSError) as error:
            log.warning("Telegram has no new command menu; next try at next start: %s", error)

    async def _consume(self) -> None:
        while True:
            self._note(await self._arrivals.updates.get())

    def _note(self, update: Update) -> None:
        self._arrivals.noted()
        if self._is_new(update):
            self._accept(update)

    def _is_new(self, update: Update) -> bool:
        """Whether it came for the first time; a lost confirmation makes Telegram repeat itself."""
        if update.update_id in self._seen:
            return False
        self._seen[update.update_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _accept(self, update: Update) -> None:
        if update.callback_query is not None:
            # A press is acknowledged at once, whatever its owner has typed before.
            self._spawn(self._conversation.press, update.callback_query)
        elif (message := update.message) is not None:
            if message.migrate_to_chat_id is not None:
                self._spawn(self._conversation.moved, message.chat.id, message.migrate_to_chat_id)
                return
            # The other pictures of an album have the turn of the first.
            if not self._albums.add(message) and self._has_room(message):
                self._line_up(message, self._hear, self._albums.begin(message))
        elif (message := update.edited_message) is not None and self._has_room(message):
            self._line_up(message, self._conversation.edited, message, self._connection.me)

    def _has_room(self, message: Message) -> bool:
        """Whether one more message of its sender may wait; they are told once if not."""
        if message.from_user is None:
            return False
        user = author_of(message.from_user, message)
        if not (self._lanes.full(user) or self._conversation.busy(user)):
            self._hurried.discard(user)
            return True
        if user not in self._hurried:
            if len(self._hurried) >= REMEMBERED:
                self._hurried.clear()  # whoever still is too fast is told once more
            self._hurried.add(user)
            self._spawn(self._too_fast, message)
        return False

    def _line_up(
        self, message: Message, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any
    ) -> None:
        """Have a message handled after those that its sender sent before."""
        assert message.from_user is not None
        handling = partial(self._guarded, work, *arguments)
        self._keep(self._lanes.submit(author_of(message.from_user, message), handling))

    async def _hear(self, album: Album) -> None:
        messages = await self._albums.complete(album)
        await self._conversation.message(messages, self._connection.me)

    async def _too_fast(self, message: Message) -> None:
        assert message.from_user is not None
        who = visitor(message.from_user, message.chat, message)
        await self._conversation.tell(who, Reply.say("telegram-too-fast"))

    # --- tasks -----------------------------------------------------------------------------------

    def _spawn(self, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
        self._keep(asyncio.create_task(self._guarded(work, *arguments)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task; the event loop alone would let it be collected."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(
        self, work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any
    ) -> None:
        """The boundary: an update that we cannot handle must not end the program."""
        try:
            await work(*arguments)
        except Exception:  # any handler's or the client's; the reader was told further in
            log.exception("an update could not be handled")


async def _once(reply: Reply) -> AsyncIterator[Reply]:
    yield reply
