"""`/xor` through the real queue: a worker process trains, the studio draws."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from handlers.kit import runner
from handlers.kit.reply import Reply, State
from handlers.kit.services import Services
from inference.queue import InferenceQueue, QueueOptions
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, services
from tests.inference.fake_models import NoWeights

# One queue for all tests here: its worker takes some seconds to import torch.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything() -> AsyncIterator[Services]:
    queue = InferenceQueue(NoWeights(), QueueOptions(devices=("cpu",)))
    made = services(queue)
    yield made
    made.studio.close()
    await queue.close()


@pytest.fixture
def platform(everything: Services) -> FakePlatform:
    return FakePlatform(everything)


def sentences(text: str) -> int:
    return len(re.findall(r"[.!?](?:\s|$)", text))


def calls(reply: Reply) -> list[dict[str, Any]]:
    return [dict(b.call.arguments) for b in reply.buttons if b.call and b.call.command == "xor"]


async def test_the_perceptron_fails_and_the_mlp_learns(platform: FakePlatform) -> None:
    reply = await platform.ask("xor")
    assert reply.state is State.FINAL
    assert not reply.error

    data = json.loads(json.dumps(dict(reply.data or {})))
    assert (data["hidden"], data["steps"], data["seed"]) == (2, 1000, 35)
    assert data["perceptron"]["best_right"] == 3
    assert data["perceptron"]["lowest_loss"] >= 0.693
    assert data["mlp"]["right"] == 4
    assert data["mlp"]["loss"] < 0.01
    assert 0 < data["learned_at"] < 1000
    assert len(data["weights"]["mlp.W"]) == 2

    text = platform.read(reply)
    assert "3 of 4 points right at best" in text
    assert f"4 of 4 right since step {data['learned_at']}" in text
    assert "seed 35" in text
    assert "torch" in text  # who answered

    film, still = reply.pictures
    animation = Image.open(io.BytesIO(film.data))
    assert film.animated
    assert animation.n_frames > 20
    assert Image.open(io.BytesIO(still.data)).format == "PNG"
    say = words("en")
    assert "one side of a straight line in h-space" in say(film.alt)
    assert say(film.alt) != say(still.alt)

    # On its way it said what it was doing, and how far it had come.
    fractions = [state.fraction for state in platform.states if state.fraction is not None]
    assert fractions == sorted(fractions)
    said = [platform.read(state) for state in platform.states[:-1]]
    assert said[-1] == "Training is done; I am drawing the film."
    assert all(state.state is State.PARTIAL for state in platform.states[:-1])


async def test_the_answer_is_in_the_readers_language(platform: FakePlatform) -> None:
    platform.language = "tr"
    reply = await platform.ask("xor")
    text = platform.read(reply)
    assert "adımdan beri 4 noktanın 4’ünü de doğru biliyor" in text
    assert "ln 2 ≈ 0,69" in text
    assert "0.69" not in text
    labels = platform.labels(reply)
    assert "4 gizli birim" in labels
    assert "Başka türlü" in labels
    assert "Yalnızca 1 gizli birim" in labels
    english = await FakePlatform(platform.services).ask("xor")
    assert english.data == reply.data
    assert english.pictures[0].data != reply.pictures[0].data


async def test_what_a_run_lacks_is_said_and_offered(platform: FakePlatform) -> None:
    stuck = await platform.ask("xor", seed=7)
    assert (stuck.data or {})["ending"] == "stuck"
    assert "local minimum" in platform.read(stuck)
    assert calls(stuck)[0] == {"hidden": 4, "steps": 1000, "seed": 7}
    say = words("en")
    assert "2 of the 4" in say(stuck.pictures[0].alt)

    plateau = await platform.ask("xor", steps=50)
    assert (plateau.data or {})["ending"] == "plateau"
    assert {"hidden": 2, "steps": 100, "seed": 35} in calls(plateau)

    falling = await platform.ask("xor", steps=215)
    assert (falling.data or {})["ending"] == "falling"
    assert "still falling" in platform.read(falling)

    one = await platform.ask("xor", hidden=1)
    assert (one.data or {})["ending"] == "one-unit"
    assert "It takes two" in platform.read(one)
    assert {"hidden": 2, "steps": 1000, "seed": 35} in calls(one)


async def test_many_dimensions_are_explained(platform: FakePlatform) -> None:
    reply = await platform.ask("xor", hidden=16, seed=999_999)
    text = platform.read(reply)
    assert "h-space has 16 dimensions" in text
    assert re.search(r"hold \d+% of the points’ spread", text)
    assert (reply.data or {})["mlp"]["right"] == 4
    # No more hidden units to offer; then come the same again, and another seed.
    assert [call["hidden"] for call in calls(reply)] == [1, 16, 16]
    assert [call["seed"] for call in calls(reply)] == [999_999, 999_999, "random"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"hidden": 0}, "“hidden” must lie between 1 and 16."),
        ({"hidden": "17"}, "“hidden” must lie between 1 and 16."),
        ({"hidden": "2,5"}, "“hidden” must be a whole number, such as 3."),
        ({"steps": 49}, "“steps” must lie between 50 and 5,000."),
        ({"steps": 1e9}, "“steps” must lie between 50 and 5,000."),
        ({"seed": -1}, "“seed” must lie between 0 and 999,999."),
        ({"seed": "many"}, "“seed” must be a whole number, such as 3."),
    ],
)
async def test_impossible_numbers_are_refused(
    platform: FakePlatform, arguments: dict[str, Any], sentence: str
) -> None:
    reply = await platform.ask("xor", **arguments)
    assert reply.error
    assert sentence in platform.read(reply)


async def test_it_can_be_cancelled_while_it_trains(platform: FakePlatform) -> None:
    run = runner.start(platform.request("xor", steps=5000), platform.services)
    async for state in run:
        if state.fraction and state.fraction < 1:
            run.cancel()
    assert run.final is not None
    assert "Cancelled" in platform.read(run.final)
    await _eventually(lambda: not platform.services.queue.running)
    # The worker is free for the next.
    assert not (await platform.ask("xor", steps=50)).error


async def _eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_class_that_presses_the_same_button_shares_one_run(platform: FakePlatform) -> None:
    pupils = [
        FakePlatform(platform.services, user=f"fake:{number}", language=LANGUAGES[number % 2])
        for number in range(12)
    ]
    replies = await asyncio.gather(*(pupil.ask("xor", seed=4) for pupil in pupils))
    assert all(not reply.error for reply in replies)
    # One training: even its duration is the same; and one film a language.
    assert len({(reply.data or {})["training_seconds"] for reply in replies}) == 1
    assert len({id(reply.pictures[0].data) for reply in replies}) == 2


async def test_how_it_works_is_told_in_three_sentences() -> None:
    for language in LANGUAGES:
        assert 2 <= sentences(words(language)(Message("xor-how"))) <= 3
        assert words(language)(Message("xor-paper-url")).startswith("https://")
