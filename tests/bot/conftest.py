"""What the tests that play Discord through simcord share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord
import pytest
import simcord

from bot.discord.frontend import DiscordFrontend
from bot.hub import Hub
from bot.settings import Settings
from handlers.kit.runner import Runs
from handlers.kit.services import Services
from tests.bot.discord_doubles import InlineStudio, ScriptedQueue
from tests.bot.simcord_world import World, build
from tests.fakes import FakeMemory


@pytest.fixture
def queue() -> ScriptedQueue:
    return ScriptedQueue()


@pytest.fixture
def memory() -> FakeMemory:
    return FakeMemory()


@pytest.fixture
def frontend(queue: ScriptedQueue, memory: FakeMemory, tmp_path: Path) -> DiscordFrontend:
    services = Services(queue, memory, InlineStudio(), Runs())  # type: ignore[arg-type]
    return build(Hub(services, Settings(data_folder=str(tmp_path))))


@pytest.fixture
def simcord_bot(frontend: DiscordFrontend) -> discord.Client:
    return frontend.client


@pytest.fixture
def world(simcord_env: simcord.Env, frontend: DiscordFrontend) -> World:
    return World(simcord_env, frontend)


@pytest.fixture
def turkish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody's client is set to Turkish (simcord knows English ones only)."""
    import simcord.interactions

    original = simcord.interactions.base_payload

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, data = original(*args, **kwargs)
        return record, {**data, "locale": "tr"}

    monkeypatch.setattr(simcord.interactions, "base_payload", payload)


@pytest.fixture
def filesize_limit(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What Discord says it takes, in bytes: set `filesize_limit["bytes"]`."""
    import simcord.interactions

    original, limit = simcord.interactions.base_payload, {"bytes": 26_214_400}

    def payload(*args: Any, **kwargs: Any) -> Any:
        record, data = original(*args, **kwargs)
        return record, {**data, "attachment_size_limit": limit["bytes"]}

    monkeypatch.setattr(simcord.interactions, "base_payload", payload)
    return limit
