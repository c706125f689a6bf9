"""The line to Telegram: the client, connecting and trying again, and the token's secrecy.

The token is part of every URL of the Bot API. It is kept from the logs in three places: loggers
that print URLs are silenced, an error page that repeats the URL is not passed on, and
python-telegram-bot's exception about a wrong token, which quotes it, is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from http.client import responses
from typing import Any

from telegram import Bot, User
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from bot.hub import FrontendError
from bot.telegram.arrivals import Arrivals
from bot.telegram.outbox import seconds

log = logging.getLogger(__name__)

OFFICIAL = "https://api.telegram.org"
PATIENCE = 8.0  # seconds that start() waits before it leaves connecting to the background
LONGEST_PAUSE = 60.0  # seconds between two attempts to connect
CONNECTIONS = 64  # at once, but for the long poll
FETCHES = 24  # pictures at once; what is sent does not wait for a crowd's pictures
_TOKEN = re.compile(r"\d{1,20}:[\w-]{1,100}", re.ASCII)

# python-telegram-bot warns at every RetryAfter that its type will change; this is the new type.
os.environ.setdefault("PTB_TIMEDELTA", "1")


class DiscreetRequest(HTTPXRequest):
    """The usual transport, which lets no answer and no error carry the token further."""

    def __init__(self, token: str, **options: Any) -> None:
        super().__init__(**options)
        self._secret = token.partition(":")[2] or token

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kw: Any
    ) -> tuple[int, bytes]:
        try:
            code, payload = await super().do_request(url, method, request_data, *args, **kw)
        except TelegramError as error:
            if self._secret in str(error):
                raise type(error)(str(error).replace(self._secret, "…")) from None
            raise
        if code < 300 and method == "GET":
            return code, payload  # a file
        if not payload.lstrip().startswith(b"{"):
            # Not the Bot API but something on the way. The client would take its 404 for a wrong
            # token and give up polling, and log its 200.
            phrase = responses.get(code, "unknown")
            raise NetworkError(f"HTTP {code} ({phrase}) and no answer of the Bot API")
        if code >= 300:
            payload = payload.replace(self._secret.encode(), "…".encode())
        return code, payload


def quieten_loggers() -> None:
    """Silence the loggers that would print URLs, whatever level the program runs at."""
    for name in ("httpx", "httpcore", "telegram"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.level))


class Connection:
    """Connects, and tries again where that fails."""

    def __init__(self, token: str, base_url: str | None, request: BaseRequest | None) -> None:
        if not _TOKEN.fullmatch(token):
            raise FrontendError(_bad_token())
        quieten_loggers()
        base = (base_url or OFFICIAL).rstrip("/")
        # A proxy of the environment leads to Telegram, not to a server of one's own.
        environment = {"trust_env": base_url is None}
        self.bot = Bot(
            token,
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=request
            or DiscreetRequest(
                token,
                connection_pool_size=CONNECTIONS,
                connect_timeout=10,
                read_timeout=20,
                write_timeout=20,
                pool_timeout=30,
                media_write_timeout=60,
                httpx_kwargs=environment,
            ),
            get_updates_request=request
            or DiscreetRequest(
                token,
                connection_pool_size=2,
                connect_timeout=10,
                read_timeout=10,
                pool_timeout=30,
                httpx_kwargs=environment,
            ),
        )
        self._connecting: asyncio.Task[None] | None = None
        self._connected = False
        self._tried = asyncio.Event()

    @property
    def me(self) -> User:
        """Our own account. Raises RuntimeError before the first connection."""
        return self.bot.bot

    @property
    def address(self) -> str:
        """Where people find the bot; empty before the first connection."""
        return f"https://t.me/{self.me.username}" if self._connected else ""

    async def start(self, arrivals: Arrivals, connected: Callable[[], None]) -> None:
        """Connect; where Telegram cannot be reached, keep trying in the background.

        `connected` is called once, when updates begin to arrive.

        Raises:
            FrontendError: Telegram knows no such token, or takes no such webhook.
        """
        self._connecting = asyncio.create_task(
            self._connect(arrivals, connected), name="telegram connect"
        )
        tried = asyncio.create_task(self._tried.wait())
        try:
            await asyncio.wait(
                {self._connecting, tried}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            tried.cancel()
        if self._connecting.done():
            try:
                self._connecting.result()
            except FrontendError:
                await self.bot.shutdown()
                raise
        else:
            log.warning("Telegram cannot be reached; trying on in the background")
            self._connecting.add_done_callback(_report)

    async def _connect(self, arrivals: Arrivals, connected: Callable[[], None]) -> None:
        pause = 1.0
        while True:
            try:
                await arrivals.begin()
            except InvalidToken:
                # Without its cause: that one quotes the token.
                raise FrontendError(_bad_token()) from None
            except RetryAfter as error:
                pause = max(1.0, seconds(error))
            except TelegramError as error:
                log.info("no connection to Telegram, next try in %g s: %s", pause, error)
            else:
                self._connected = True
                connected()
                return
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def stop_trying(self) -> None:
        """Connect no more, if we still try to."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError, FrontendError):
                await self._connecting

    async def close(self) -> None:
        """Disconnect."""
        await self.bot.shutdown()


def _bad_token() -> str:
    return (
        "Telegram does not accept the token in TELEGRAM_TOKEN. Copy it again from @BotFather; "
        "it looks like 123456789:AAE… (docs/telegram.md)."
    )


def _report(connecting: asyncio.Task[None]) -> None:
    if not connecting.cancelled() and (error := connecting.exception()) is not None:
        log.error("%s", error)
