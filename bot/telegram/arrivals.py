"""How updates arrive: we ask for them (polling), or Telegram brings them (webhook).

With a webhook Telegram posts each update to an address of ours. Whoever knew it could speak in
anybody's name, so the address is unguessable and a secret comes with every update; both are drawn
anew at each start. What we do not answer with 200, Telegram keeps and brings again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from telegram import Bot, Update
from telegram.error import BadRequest, Conflict, TelegramError
from telegram.ext import Updater

from bot.hub import FrontendError

log = logging.getLogger(__name__)

UPDATES = ("message", "edited_message", "callback_query")
CONNECTIONS = 20  # that Telegram may hold at once; each update is answered at once
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (its name)
LOOK = 60.0  # seconds between two looks at what Telegram says of its deliveries


class Arrivals(ABC):
    """Puts updates into `updates`."""

    def __init__(self, bot: Bot) -> None:
        self.updates: asyncio.Queue[Update] = asyncio.Queue()
        self._bot = bot
        self._trouble = ""

    @abstractmethod
    async def begin(self) -> None:
        """Log in and let updates come; after a failure it may be called again.

        Raises:
            FrontendError: it cannot work; the configuration must be mended.
            TelegramError: it does not work now.
        """

    @abstractmethod
    async def end(self) -> None:
        """Take no further updates."""

    def noted(self) -> None:
        """Note that updates arrive (again)."""
        self._trouble = ""

    def _warn(self, kind: str, text: str) -> None:
        """Say it once for each kind of trouble, not every time."""
        if kind != self._trouble:
            self._trouble = kind
            log.warning("%s", text)


class Polling(Arrivals):
    """We ask, and Telegram answers as soon as there is something. A webhook is taken off first."""

    def __init__(self, bot: Bot) -> None:
        super().__init__(bot)
        self._updater = Updater(bot, self.updates)  # type: ignore[arg-type]

    async def begin(self) -> None:
        await self._updater.initialize()
        await self._updater.start_polling(allowed_updates=UPDATES, error_callback=self._failed)

    async def end(self) -> None:
        """Take no further updates; what was taken is confirmed to Telegram."""
        if self._updater.running:
            try:
                await self._updater.stop()
            except TelegramError as error:
                log.info("polling had ended before: %s", error)

    def _failed(self, error: TelegramError) -> None:
        if isinstance(error, Conflict):
            text = "Another program polls Telegram with the same token: stop one of them."
        else:
            text = f"Telegram cannot be polled at the moment: {error}"
        self._warn(type(error).__name__, text)


class Webhook(Arrivals):
    """Telegram posts to `path`, below the public address `base`, and `take` takes it in.

    `full` says that more than enough is waiting to be worked on.
    """

    def __init__(self, bot: Bot, base: str, full: Callable[[], bool]) -> None:
        super().__init__(bot)
        self.path = f"/telegram/{secrets.token_urlsafe(24)}"
        self._url = base + self.path
        self._secret = secrets.token_urlsafe(32)
        self._full = full
        self._ended = False
        self._failed: datetime | None = None  # when Telegram's last failure to deliver was
        self._looking: asyncio.Task[None] | None = None

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Put an update into the queue; gives the HTTP status to answer with."""
        secret = headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(secret, self._secret.encode()):
            return HTTPStatus.FORBIDDEN
        if self._ended or self._full():
            return HTTPStatus.SERVICE_UNAVAILABLE  # Telegram keeps it
        data = _read(body)
        if data is None:
            return HTTPStatus.BAD_REQUEST
        try:
            update = Update.de_json(data, self._bot)
        except Exception as error:  # noqa: BLE001 (the library checks nothing that it is given)
            # Not refused: Telegram would bring it again and again, and nothing after it.
            log.warning("an update that cannot be read is left out: %s", type(error).__name__)
        else:
            self.updates.put_nowait(update)
        return HTTPStatus.OK

    async def begin(self) -> None:
        await self._bot.initialize()
        self._failed = (await self._bot.get_webhook_info()).last_error_date
        try:
            await self._bot.set_webhook(
                self._url,
                allowed_updates=UPDATES,
                max_connections=CONNECTIONS,
                secret_token=self._secret,
            )
        except BadRequest as error:
            raise FrontendError(
                f"Telegram does not take the address in telegram.webhook ({error.message}); "
                "docs/telegram.md says what it must look like."
            ) from error
        self._looking = asyncio.create_task(self._look(), name="telegram webhook")

    async def end(self) -> None:
        """Take no further updates. The webhook stays: Telegram keeps them until we are back."""
        self._ended = True
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        """Warn when Telegram says that it cannot bring us anything; nobody else would tell us."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                info = await self._bot.get_webhook_info()
            except TelegramError as error:
                log.info("Telegram does not say how its deliveries go: %s", error)
                continue
            if info.url != self._url:
                text = "Another program uses the same token and took the webhook: stop one of them."
                self._warn("taken", text)
            elif info.last_error_date != self._failed:
                self._failed, reason = info.last_error_date, info.last_error_message or ""
                self._warn(reason, f"Telegram cannot bring updates to telegram.webhook: {reason}")


def _read(body: bytes) -> dict[str, Any] | None:
    """The update that a body holds, None where it holds none."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and type(data.get("update_id")) is int else None
