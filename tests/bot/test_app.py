"""The wiring: which frontends, which text model, what a restart tells."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bot import app
from bot.hub import Frontend
from bot.settings import Settings, SettingsError
from handlers.kit import Button, Call, Command, Message, Reply, Say, Services, runner
from handlers.kit.request import PictureGone, PictureRef, ReplyAddress, Request
from handlers.kit.safety import SafetyRules
from inference.queue import InferenceQueue, QueueOptions
from inference.weights import Manifest, WeightsStore
from locales import words
from tests.fakes import FakePlatform, services
from tests.inference.fake_models import NoWeights
from tests.inference.simulation import Ask, SimulatedEngine, run, task


class Ear(Frontend):
    """A platform that notes what it is sent."""

    platform = "fake"

    def __init__(self) -> None:
        self.heard: list[tuple[ReplyAddress, Reply, str]] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def fetch(self, ref: PictureRef) -> bytes:
        raise PictureGone

    async def send(self, address: ReplyAddress, reply: Reply, language: str) -> None:
        if address.place.get("broken"):
            raise ConnectionError
        self.heard.append((address, reply, language))


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(data_folder=str(folder), **changes)


def request(language: str, **place: Any) -> Request:
    return Request(
        command="xor",
        arguments={},
        user="fake:ada",
        chat="fake:room",
        language=language,
        address=ReplyAddress("fake", place),
    )


async def test_pictures_are_checked_as_configured(tmp_path: Path) -> None:
    async with app.opened(settings(tmp_path, safety={"threshold": 0.3})) as hub:
        assert hub.services.safety == SafetyRules(enabled=True, threshold=0.3)
    async with app.opened(settings(tmp_path, safety={"enabled": False})) as hub:
        assert not hub.services.safety.enabled


async def test_readers_of_interrupted_runs_are_told_once_in_their_language(tmp_path: Path) -> None:
    async with app.opened(settings(tmp_path)) as hub:
        await hub.services.memory.begin(request("tr", message=1))
        await hub.services.memory.begin(request("en", broken=True))
        await hub.services.memory.begin(request("en", message=2))
    ear = Ear()
    async with app.opened(settings(tmp_path)) as hub:
        hub.frontends["fake"] = ear
        await app._tell_interrupted(hub)
        await app._tell_interrupted(hub)
    assert [address.place["message"] for address, _, _ in ear.heard] == [1, 2]
    told = [words(language)(reply.blocks[0].message) for _, reply, language in ear.heard]
    assert "yeniden başlatıldım" in told[0]
    assert "restarted" in told[1]
    assert all(reply.buttons[0].call.command == "xor" for _, reply, _ in ear.heard)


async def test_of_what_was_private_the_asker_alone_is_told(tmp_path: Path) -> None:
    ear = Ear()
    async with app.opened(settings(tmp_path)) as hub:
        for command in ("xor", "privacy"):
            await hub.services.memory.begin(replace(request("en"), command=command))
    async with app.opened(settings(tmp_path)) as hub:
        hub.frontends["fake"] = ear
        await app._tell_interrupted(hub)
    assert [reply.private for _, reply, _ in ear.heard] == [False, True]


@pytest.mark.parametrize(
    ("inference", "pulled", "variant"),
    [
        ({}, False, "embedded"),
        ({}, True, "embedded-large"),
        ({"text_model": "embedded"}, True, "embedded"),
        ({"profile": "full"}, True, "full"),
        ({"profile": "full", "text_model": "embedded-large"}, False, "embedded-large"),
    ],
)
def test_the_text_model_is_the_largest_that_was_pulled(
    tmp_path: Path, inference: dict[str, str], pulled: bool, variant: str
) -> None:
    class Weights:
        def path(self, name: str) -> Path | None:
            return tmp_path if pulled else None

    options = app.queue_options(settings(tmp_path, inference=inference), Weights())  # type: ignore[arg-type]
    assert options.variants["text-generation"] == variant


def test_the_limits_reach_the_queue_in_its_units(tmp_path: Path) -> None:
    chosen = {
        "device": "cuda:0,cuda:1",
        "workers": 4,
        "waiting_limit": 5,
        "waiting_limit_chat": 4,
        "waiting_limit_user": 3,
        "held_megabytes": 2,
        "memory_megabytes": 8000,
    }
    configured = settings(tmp_path, inference=chosen)
    options = app.queue_options(configured, WeightsStore(tmp_path, Manifest.shipped()))
    assert options.devices == ("cuda:0", "cuda:1")
    assert options.workers == 4
    assert (options.waiting_limit, options.waiting_limit_chat, options.waiting_limit_user) == (
        *(5, 4, 3),
    )
    assert (options.held_bytes, options.memory_budget) == (2_000_000, 8_000_000_000)
    usual = app.queue_options(settings(tmp_path), WeightsStore(tmp_path, Manifest.shipped()))
    assert (usual.devices, usual.workers, usual.memory_budget) == ((), 0, 0)


def test_workers_live_in_processes_unless_ray_is_asked_for(tmp_path: Path) -> None:
    assert app.engine_of(settings(tmp_path)) is None


def test_ray_is_told_the_cluster_and_the_users_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Engine:
        def __init__(self, address: str, workers: int, manifest: Manifest) -> None:
            self.told = (address, workers, manifest)

    module = ModuleType("inference.engines.ray")
    module.RayEngine = Engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(app, "find_spec", lambda name: object())
    configured = settings(
        tmp_path,
        inference={"engine": "ray", "ray_address": "10.0.0.5:6379", "workers": 3},
        weights={"mirror": str(tmp_path)},
    )
    address, workers, manifest = app.engine_of(configured).told  # type: ignore[union-attr]
    assert (address, workers) == ("10.0.0.5:6379", 3)
    assert manifest.entries == Manifest.shipped().mirrored(tmp_path).entries


def test_without_ray_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(
        SettingsError, match=r"^inference\.engine: .*uv sync --extra ray"
    ) as refused:
        app.engine_of(settings(tmp_path, inference={"engine": "ray"}))
    assert "\n" not in str(refused.value)


def test_a_frontend_for_each_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def platforms(**tokens: str) -> list[str]:
        for name in ("DISCORD_TOKEN", "TELEGRAM_TOKEN"):
            monkeypatch.setenv(name, tokens.get(name, ""))
        hub: Any = SimpleNamespace(settings=settings(tmp_path), services=services(None))
        return [frontend.platform for frontend in app.frontends(hub)]

    assert platforms() == ["web"]
    token = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"
    assert platforms(TELEGRAM_TOKEN=token) == ["web", "telegram"]


@pytest.mark.parametrize("place", ["file", "file/below"])
async def test_a_data_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match=r"^data_folder: cannot make the folder .*file.*: ."):
        async with app.opened(settings(tmp_path / place)):
            pass


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "last"),
    [(app.DRAIN_SECONDS / 2, "working-on"), (app.DRAIN_SECONDS * 2, "error-stopped")],
    ids=["finished", "cut off"],
)
def test_at_the_end_those_who_wait_are_told_at_once_and_what_is_at_work_has_time(
    monkeypatch: pytest.MonkeyPatch, seconds: float, last: str
) -> None:
    async def work(request: Request, services: Services) -> AsyncIterator[Reply]:
        async with services.submit(request, "work", Ask(1)) as ticket:
            await ticket.result()
        yield Reply.say("working-on")

    command = Command("test", work, "house", again=True)
    monkeypatch.setattr(runner, "commands", lambda: {"test": command})
    told: list[tuple[int, str, tuple[Button, ...]]] = []

    async def main() -> None:
        options = QueueOptions(tasks={"work": task("work", base=seconds)})
        queue = InferenceQueue(NoWeights(), options, SimulatedEngine(1))
        world = services(queue)
        hub: Any = SimpleNamespace(services=world)
        platform = FakePlatform(world)

        async def ask(number: int) -> None:
            reply = await runner.start(platform.request("test"), world).result()
            (block,) = reply.blocks
            assert isinstance(block, Say)
            told.append((number, block.message.key, reply.buttons))

        await queue.start()
        asks = []
        for number in range(3):
            asks.append(asyncio.create_task(ask(number)))
            await asyncio.sleep(2)  # the first is at its worker
        await app._drain(hub)
        await ask(3)
        await asyncio.gather(*asks)
        await queue.close()
        world.studio.close()

    run(main)
    again = (Button(Message("button-again"), Call("test")),)
    delete = (Button(Message("button-delete"), deletes=True),)
    assert told == [
        *((number, "error-stopping", again) for number in (1, 2)),
        (0, last, again if last.startswith("error") else again + delete),
        (3, "error-stopping", again),
    ]


def test_with_nothing_under_way_the_end_comes_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        options = QueueOptions(tasks={"work": task("work")})
        queue = InferenceQueue(NoWeights(), options, SimulatedEngine(1))
        world = services(queue)
        hub: Any = SimpleNamespace(services=world)
        came = loop.time()
        await app._drain(hub)
        assert loop.time() == came  # on a virtual clock
        await queue.close()
        world.studio.close()

    run(main)
