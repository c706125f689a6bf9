"""The real Telegram client with a webhook: updates come through the web server, over loopback.

The test's Telegram is also the operator's reverse proxy: it ends TLS for `bot.example.org`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from bot.hub import Hub
from bot.settings import Settings
from bot.store import Store
from bot.telegram import frontend
from bot.telegram.frontend import TelegramFrontend
from bot.web.frontend import WebFrontend
from handlers.kit.runner import Runs
from handlers.kit.services import Services
from handlers.kit.studio import Studio
from tests.bot.telegram_doubles import ScriptedQueue, photo
from tests.e2e.telegram_server import TOKEN, Person, World, serve

ADA, EFE = Person(42, "Ada", "en"), Person(43, "Efe", "tr")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.check()


@pytest.fixture
async def base(world: World) -> AsyncIterator[str]:
    async with serve(world) as base:
        yield base


def settings(folder: Path, webhook: str = "https://bot.example.org") -> Settings:
    telegram = {"webhook": webhook}
    return Settings(data_folder=str(folder), telegram=telegram, web={"port": 0}, _env_file=None)


@asynccontextmanager
async def tadim(chosen: Settings, world: World, base: str) -> AsyncIterator[TelegramFrontend]:
    """The program from store to frontends, with a scripted queue in the place of the models."""
    queue = ScriptedQueue()
    queue.hold.set()
    async with AsyncExitStack() as stack:
        store = await Store.open(chosen.database_url)
        stack.push_async_callback(store.close)
        studio = Studio()
        stack.callback(studio.close)
        hub = Hub(Services(queue, store, studio, Runs()), chosen)  # type: ignore[arg-type]
        page, telegram = WebFrontend(hub, chosen), TelegramFrontend(hub, TOKEN, base)
        hub.frontends |= {"web": page, "telegram": telegram}
        for each in (page, telegram):
            await each.start()
            stack.push_async_callback(each.stop)
        world.proxy = page.address.rstrip("/")
        yield telegram


async def test_a_photo_goes_in_and_comes_out_and_a_button_is_pressed(
    world: World, base: str, tmp_path: Path
) -> None:
    async with tadim(settings(tmp_path), world, base):
        await world.shows(EFE, photo(), "/algıla")
        answer = await world.reads(EFE.id, "köpek", "photo")
        await world.shows(ADA, photo(), "/detect")
        await world.reads(ADA.id, "dog", "photo")
        query = await world.presses_button(EFE, answer, "Nasıl çalışıyor?")
        await world.until(lambda: query in world.answered_presses, "the acknowledgement")
        await world.until(lambda: len(world.visible(EFE.id)) == 2, "the explanation")
    assert set(world.deliveries) == {200}
    assert "getUpdates" not in [call.method for call in world.calls]


async def test_an_update_that_comes_twice_is_answered_once(
    world: World, base: str, tmp_path: Path
) -> None:
    async with tadim(settings(tmp_path), world, base):
        await world.says(ADA, "/start")
        await world.reads(ADA.id, "Welcome")
        await world.repeat_last_update()
        await world.says(ADA, "/language")
        await world.reads(ADA.id, "language")
    assert world.deliveries == [200, 200, 200]
    assert len(world.messages) == 2


async def test_telegram_keeps_what_is_too_much(
    world: World, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tadim(settings(tmp_path), world, base):
        with monkeypatch.context() as busy:
            busy.setattr(frontend, "IN_HAND", 0)
            await world.says(ADA, "/start")
            await world.until(lambda: 503 in world.deliveries, "a refusal")
            assert world.messages == []
        await world.reads(ADA.id, "Welcome")
    assert len(world.messages) == 1


async def test_what_comes_while_the_program_is_down_is_answered_afterwards(
    world: World, base: str, tmp_path: Path
) -> None:
    async with tadim(settings(tmp_path), world, base):
        before = world.webhook
    await world.says(ADA, "/start")
    await world.until(lambda: 0 in world.deliveries, "nobody at home")
    assert world.webhook == before
    async with tadim(settings(tmp_path), world, base):
        await world.reads(ADA.id, "Welcome")
        assert world.webhook["url"] != before["url"]
        assert world.webhook["secret_token"] != before["secret_token"]
    assert len(world.messages) == 1


async def test_from_the_webhook_back_to_polling_nothing_is_lost(
    world: World, base: str, tmp_path: Path
) -> None:
    async with tadim(settings(tmp_path), world, base):
        pass
    await world.says(ADA, "/start")
    async with tadim(settings(tmp_path, webhook=""), world, base):
        await world.reads(ADA.id, "Welcome")
    assert world.webhook == {}
    assert len(world.messages) == 1
