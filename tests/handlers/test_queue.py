"""/queue: one's own place in line, in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from handlers.kit import Call
from handlers.queue import duration
from inference.jobs import Event, Loading, Progress, Queued, Started
from locales import words
from tests.fakes import FakePlatform, services
from tests.handlers.under_way import begin, replace_commands


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePlatform]:
    """A chat where /gpt and /detect wait until the test is over."""
    world = services(SimpleNamespace(waiting=7))
    release = replace_commands(monkeypatch, "gpt", "detect")
    yield FakePlatform(world, language="en")
    release.set()
    await asyncio.gather(*(run.result() for run in world.runs.by_id.values()))
    world.studio.close()


async def test_nothing_under_way(platform: FakePlatform) -> None:
    reply = await platform.ask("queue")
    assert platform.read(reply) == (
        "You have nothing under way.\n7 jobs are waiting for a model in all."
    )
    assert platform.labels(reply) == ["Again"]
    assert reply.private


@pytest.mark.parametrize(
    ("waiting", "english", "turkish"),
    [
        (0, "Nobody is waiting for a model.", "Model bekleyen kimse yok."),
        (1, "One job is waiting for a model in all.", "Toplam 1 iş model bekliyor."),
        (1200, "1,200 jobs are waiting for a model in all.", "Toplam 1.200 iş model bekliyor."),
    ],
)
async def test_how_many_wait_in_all(
    platform: FakePlatform, waiting: int, english: str, turkish: str
) -> None:
    platform.services.queue.waiting = waiting  # type: ignore[misc]
    reply = await platform.ask("queue")
    assert platform.read(reply, "en").endswith(english)
    assert platform.read(reply, "tr").endswith(turkish)


@pytest.mark.parametrize(
    ("event", "english", "turkish"),
    [
        (None, "• /gpt: at work", "• /gpt: çalışıyor"),
        (Started("X"), "• /gpt: at work", "• /gpt: çalışıyor"),
        (Queued(3, 9, None), "• /gpt: number 3 in the queue", "• /gpt: kuyrukta 3. sırada"),
        (
            Queued(1, 9, 20.4),
            "• /gpt: number 1 in the queue, done in about 20 seconds",
            "• /gpt: kuyrukta 1. sırada, yaklaşık 20 saniye içinde biter",
        ),
        (
            Loading("SmolLM2", "download", 0.5, 10**8),
            "• /gpt: the model SmolLM2 is getting ready",
            "• /gpt: model hazırlanıyor: SmolLM2",
        ),
        (Progress(0.4), "• /gpt: at work, 40% done", "• /gpt: çalışıyor, %40 tamam"),
    ],
)
async def test_each_stage_in_words(
    platform: FakePlatform, event: Event | None, english: str, turkish: str
) -> None:
    await begin(platform, "gpt", event)
    reply = await platform.ask("queue")
    assert platform.read(reply, "en").splitlines()[:2] == ["You have under way:", english]
    assert platform.read(reply, "tr").splitlines()[:2] == ["Süren işlerin:", turkish]
    json.dumps(reply.data)


@pytest.mark.parametrize(
    ("seconds", "english", "turkish"),
    [
        (0.0, "a second", "1 saniye"),
        (1.4, "a second", "1 saniye"),
        (59.4, "59 seconds", "59 saniye"),
        (60, "a minute", "1 dakika"),
        (200, "3 minutes", "3 dakika"),
        (6000, "100 minutes", "100 dakika"),
    ],
)
def test_durations_in_words(seconds: float, english: str, turkish: str) -> None:
    assert words("en")(duration(seconds)) == english
    assert words("tr")(duration(seconds)) == turkish


async def test_only_ones_own_runs_each_with_its_cancel_button(platform: FakePlatform) -> None:
    first = await begin(platform, "gpt", Queued(2, 9, 30.0))
    second = await begin(platform, "detect", Progress(0.5))
    stranger = FakePlatform(platform.services, user="fake:bob")
    await begin(stranger, "gpt", Queued(1, 9, 5.0))
    reply = await platform.ask("queue")
    text = platform.read(reply)
    assert text.index("/gpt: number 2") < text.index("/detect: at work, 50% done")
    assert "number 1" not in text
    assert platform.labels(reply) == ["Cancel /gpt", "Cancel /detect", "Again"]
    calls = [button.call for button in reply.buttons]
    assert calls[:2] == [Call("cancel", {"run": first.id}), Call("cancel", {"run": second.id})]
    assert reply.data is not None
    assert reply.data["runs"] == [
        {"run": first.id, "command": "gpt", "position": 2, "eta": 30.0},
        {"run": second.id, "command": "detect", "fraction": 0.5},
    ]


async def test_many_runs_are_all_listed_with_a_row_of_buttons(platform: FakePlatform) -> None:
    for position in range(8):
        await begin(platform, "gpt", Queued(position + 1, 9, None))
    reply = await platform.ask("queue")
    assert platform.read(reply).count("• /gpt") == 8
    assert platform.labels(reply).count("Cancel /gpt") == 5
