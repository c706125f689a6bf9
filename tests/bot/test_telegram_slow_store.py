"""A store that is slow holds nothing back that has been paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.settings import Settings
from handlers.kit.request import Call, Request
from tests.bot.telegram_doubles import on_stage, photo
from tests.e2e.telegram_server import Person
from tests.fakes import FakeMemory

ADA = Person(42, "Ada", "en")


async def test_what_is_paid_for_leaves_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first state with a button comes while first words wait for the budget of all chats."""
    begins, stores = asyncio.Event(), asyncio.Event()
    begin, save = FakeMemory.begin, FakeMemory.save_buttons

    async def slow_begin(self: FakeMemory, request: Request) -> int:
        await begins.wait()
        return await begin(self, request)

    async def slow_save(self: FakeMemory, calls: Sequence[Call], user: str, chat: str) -> list[str]:
        await stores.wait()
        return await save(self, calls, user, chat)

    monkeypatch.setattr(FakeMemory, "begin", slow_begin)
    monkeypatch.setattr(FakeMemory, "save_buttons", slow_save)
    async with on_stage(
        Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    ) as stage:
        stage.queue.hold.clear()
        stage.frontend._conversation._outbox.pace.common.pause(3)
        await stage.world.shows(ADA, photo(), "/detect")
        await stage.goes_on(1)
        begins.set()
        await stage.goes_on(3)
        (status,) = stage.world.visible(ADA.id)
        assert (status.text, status.buttons) == ("I am on it.", [])
        stores.set()
        await stage.goes_on(3)
        assert [button["text"] for button in status.buttons] == ["Cancel"]
        stage.queue.hold.set()
        await stage.goes_on(3)
        (answer,) = stage.world.visible(ADA.id)
        assert answer.kind == "photo"
