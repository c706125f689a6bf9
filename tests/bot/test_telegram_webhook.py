"""Telegram's updates by webhook: who may post, what is taken, and what the page keeps shut."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from bot.hub import FrontendError, Hub
from bot.settings import Settings
from bot.telegram import arrivals, frontend
from bot.telegram.arrivals import SECRET_HEADER
from bot.telegram.frontend import TelegramFrontend
from bot.web.frontend import INBOX_BYTES, WebFrontend
from tests.bot.telegram_doubles import ScriptedQueue
from tests.e2e.telegram_server import TOKEN, Person, World, WorldRequest, bad, too_many
from tests.fakes import services

ADDRESS = "https://bot.example.org/tadim"
ADA = Person(42, "Ada", "en")


def start_message(update: int = 7) -> bytes:
    """An update in which Ada opens the chat."""
    message = {
        "message_id": 1,
        "date": 1_790_000_000,
        "from": ADA.json(),
        "chat": ADA.chat_json(ADA.id),
        "text": "/start",
    }
    return json.dumps({"update_id": update, "message": message}).encode()


@dataclass
class Post:
    """The inbox as Telegram knows it."""

    world: World
    hub: Hub
    telegram: TelegramFrontend

    @property
    def path(self) -> str:
        (path,) = self.hub.inboxes
        return path

    @property
    def secret(self) -> str:
        secret: str = self.world.webhook["secret_token"]
        return secret

    def brings(self, body: bytes, secret: str | None = None) -> int:
        headers = {SECRET_HEADER: self.secret if secret is None else secret}
        return self.hub.inboxes[self.path](headers, body)

    async def welcomes(self, times: int = 1) -> None:
        """Wait until `/start` was answered so often."""
        await self.world.until(lambda: len(self.world.visible(ADA.id)) == times, "a welcome")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    telegram = {"webhook": ADDRESS}
    return Settings(
        data_folder=str(tmp_path), language="en", telegram=telegram, web={"port": 0}, _env_file=None
    )


def made(settings: Settings, world: World | None = None) -> Post:
    world = world or World()
    world.known_chats.add(ADA.id)
    hub = Hub(replace(services(ScriptedQueue()), studio=SimpleNamespace()), settings)  # type: ignore[arg-type]
    return Post(world, hub, TelegramFrontend(hub, TOKEN, request=WorldRequest(world)))


@asynccontextmanager
async def started(settings: Settings, world: World | None = None) -> AsyncIterator[Post]:
    post = made(settings, world)
    await post.telegram.start()
    try:
        yield post
    finally:
        await post.telegram.stop()
    post.world.check()


@pytest.fixture
async def post(settings: Settings) -> AsyncIterator[Post]:
    async with started(settings) as post:
        yield post


# --- what Telegram is told -----------------------------------------------------------------------


async def test_telegram_is_told_an_unguessable_address_and_a_secret(
    settings: Settings, post: Post
) -> None:
    asked = post.world.webhook
    assert asked["url"] == ADDRESS + post.path
    assert len(post.path.removeprefix("/telegram/")) == 32
    assert len(post.secret) == 43
    assert asked["allowed_updates"] == ["message", "edited_message", "callback_query"]
    assert 1 <= asked["max_connections"] <= 40
    assert "getUpdates" not in [call.method for call in post.world.calls]
    async with started(settings) as other:
        assert other.path != post.path
        assert other.secret != post.secret


async def test_the_address_may_end_in_a_slash(tmp_path: Path) -> None:
    given = Settings(data_folder=str(tmp_path), telegram={"webhook": ADDRESS + "/"}, _env_file=None)
    async with started(given) as post:
        assert post.world.webhook["url"] == ADDRESS + post.path


async def test_an_address_that_telegram_refuses_is_one_clear_sentence(settings: Settings) -> None:
    post = made(settings)
    post.world.faults["setWebhook"].append(bad("bad webhook: failed to resolve host"))
    with pytest.raises(FrontendError, match=r"telegram\.webhook \(.*resolve host") as refused:
        await post.telegram.start()
    assert "\n" not in str(refused.value)
    assert post.path not in str(refused.value)


async def test_a_flood_at_the_start_is_waited_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.connection.PATIENCE", 0)
    post = made(settings)
    post.world.faults["setWebhook"].append(too_many(1))
    await post.telegram.start()
    await post.world.until(lambda: post.world.webhook, "the webhook")
    assert post.brings(start_message()) == 200
    await post.welcomes()
    await post.telegram.stop()


# --- what is taken -------------------------------------------------------------------------------


async def test_an_update_is_answered_at_once_and_handled_once(post: Post) -> None:
    assert [post.brings(start_message()), post.brings(start_message())] == [200, 200]
    await post.welcomes()
    assert post.brings(start_message(8)) == 200
    await post.welcomes(2)


@pytest.mark.parametrize("secret", ["", "wrong", "ğ", "\udcff", "x" * 43])
async def test_nobody_speaks_for_telegram_without_its_secret(post: Post, secret: str) -> None:
    assert post.brings(start_message(), secret) == 403
    assert post.brings(b"{", secret) == 403, "a stranger learns nothing more"
    assert post.hub.inboxes[post.path]({}, start_message()) == 403
    assert post.telegram._arrivals.updates.empty()


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b"{}", b"[" * 100_000),
        *(b'{"update_id": "7"}', b'{"update_id": true}'),
        b'{"update_id": ' + b"9" * 5000 + b"}",
    ],
)
async def test_what_is_no_update_is_refused(
    post: Post, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert post.brings(body) == 400
    assert post.telegram._arrivals.updates.empty()
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.parametrize("held", ['"message": 5', '"message": {}', '"callback_query": [[]]'])
async def test_an_update_that_cannot_be_read_is_left_out(post: Post, held: str) -> None:
    """Were it refused, Telegram would bring it for ever, and nothing after it."""
    assert post.brings(f'{{"update_id": 7, {held}}}'.encode()) == 200
    assert post.brings(start_message(8)) == 200
    await post.welcomes()


async def test_kinds_of_updates_that_are_yet_to_be_invented_do_no_harm(post: Post) -> None:
    assert post.brings(b'{"update_id": 7, "telepathy": {"from": 1}}') == 200
    assert post.brings(start_message(8)) == 200
    await post.welcomes()


async def test_what_is_too_much_telegram_keeps(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "IN_HAND", 2)
    await post.world.until(lambda: not post.telegram._tasks, "the menu")
    assert [post.brings(start_message(update)) for update in (7, 8, 9)] == [200, 200, 503]
    await post.welcomes(2)
    await post.world.until(lambda: not post.telegram._tasks, "the answers")
    assert post.brings(start_message(9)) == 200
    await post.welcomes(3)


async def test_at_the_end_the_webhook_stays_and_telegram_keeps_what_comes(
    settings: Settings,
) -> None:
    async with started(settings) as post:
        kept = post.world.webhook
    assert post.brings(start_message()) == 503
    assert post.world.webhook == kept
    assert "deleteWebhook" not in post.world.methods()


async def test_polling_takes_the_webhook_off(settings: Settings) -> None:
    async with started(settings) as post:
        pass
    polling = settings.model_copy(update={"telegram": type(settings.telegram)()})
    async with started(polling, post.world) as again:
        assert again.hub.inboxes == {}
        assert post.world.webhook == {}
        await post.world.says(ADA, "/start")
        await post.welcomes()


async def test_neither_secret_nor_address_is_logged(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with started(settings) as post:
        secret, path = post.secret, post.path
        post.brings(start_message())
        post.brings(b'{"update_id": 7, "message": 5}')
        post.brings(start_message(), "wrong")
        await post.welcomes()
    said = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "cannot be read" in said
    assert secret not in said
    assert path not in said


async def test_what_telegram_cannot_bring_is_said_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arrivals, "LOOK", 0.001)
    world = World()
    world.deliveries.append(502)  # before our time
    looks = lambda: world.methods().count("getWebhookInfo")  # noqa: E731

    async def look() -> list[str]:
        seen = looks() + 2
        await world.until(lambda: looks() >= seen, "a look")
        return [record.message for record in caplog.records if record.levelname == "WARNING"]

    async with started(settings, world) as post:
        assert await look() == []
        world.faults["getWebhookInfo"].append(too_many(1))
        assert await look() == []
        world.deliveries.append(504)
        assert [text for text in await look() if "Wrong response from the webhook: 504" in text]
        world.deliveries.append(504)
        assert len(await look()) == 1, "the same trouble"
        post.brings(start_message())
        await post.welcomes()
        world.deliveries.append(504)
        assert len(await look()) == 2, "the same, after it had been over"
        world.webhook["url"] = "https://elsewhere.example.org/"
        assert "Another program" in (await look())[-1]


# --- through the web server ----------------------------------------------------------------------


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Post, ClientSession]]:
    """Both frontends; and somebody who comes through the operator's reverse proxy."""
    post = made(settings)
    page = WebFrontend(post.hub, settings)
    await page.start()
    await post.telegram.start()
    headers = {"Host": "bot.example.org", "X-Forwarded-For": "149.154.167.220"}
    try:
        async with ClientSession(page.address, headers=headers) as http:
            yield post, http
    finally:
        await asyncio.gather(post.telegram.stop(), page.stop())


def with_page_token(settings: Settings, token: str | None) -> Settings:
    return settings.model_copy(update={"web_token": SecretStr(token) if token else None})


async def status(http: ClientSession, method: str, path: str, **options: Any) -> int:
    async with http.request(method, path, **options) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        return response.status


@pytest.mark.parametrize("token", [None, "a-long-secret-of-the-operator"])
async def test_updates_come_in_without_the_page_s_token_and_nothing_else_does(
    settings: Settings, token: str | None
) -> None:
    shut = (401, 403) if token else (421,)
    async with served(with_page_token(settings, token)) as (post, http):
        headers = {SECRET_HEADER: post.secret}
        body = start_message()
        assert await status(http, "POST", post.path, data=body, headers=headers) == 200
        await post.welcomes()
        assert await status(http, "POST", post.path, data=body) == 403
        for path in ("/upload", "/sign-in", "/telegram", "/telegram/", f"{post.path}/", "/ws"):
            assert await status(http, "POST", path, data=body, headers=headers) in shut, path
        assert await status(http, "GET", "/", headers=headers) in shut
        assert await status(http, "GET", post.path, headers=headers) == 405
        assert await status(http, "GET", "/metrics", headers=headers) == 403


async def test_a_body_has_bounds_in_bytes_and_in_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65536

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    async with served(settings) as (post, http):
        headers = {SECRET_HEADER: post.secret}
        large = start_message() + b" " * INBOX_BYTES
        assert await status(http, "POST", post.path, data=large, headers=headers) == 413
        assert await status(http, "POST", post.path, data=endless(), headers=headers) == 413
        monkeypatch.setattr("bot.web.frontend.INBOX_SECONDS", 0.05)
        assert await status(http, "POST", post.path, data=stuck(), headers=headers) == 408
        assert post.telegram._arrivals.updates.empty()
