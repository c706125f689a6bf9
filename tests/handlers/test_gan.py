"""`/gan` with a scripted queue: its words, pictures and buttons; and on real, short runs."""

from __future__ import annotations

import asyncio
import io
import json
import pickle
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handlers import gan as handler
from handlers.kit import runner
from handlers.kit.reply import Reply, State
from handlers.kit.services import Services
from inference.jobs import Progress, Started
from inference.models.gan import Gan
from inference.tasks.gan import GRID, JUDGED, MODES, GanInput, GanResult, GanState
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, Script, ScriptedQueue, done, scripted
from tests.inference.test_gan_model import train


def state(
    asked: GanInput, step: int, found: Sequence[int], spread: float = 1.0, on_fake: float = 0.5
) -> GanState:
    """A moment of a training; its samples are chance, its numbers as told."""
    chance = np.random.default_rng(step)
    digits = asked.data == "digits"
    samples = chance.random((56, 8, 8)) if digits else chance.normal(size=(300, 2))
    surface = None if digits else chance.normal(size=(GRID, GRID)).astype(np.float16)
    return GanState(
        step=step,
        losses=(0.65, 0.75),
        outputs=(0.55, on_fake),
        reals=samples.astype(np.float16),
        fakes=samples[::-1].astype(np.float16),
        verdicts=chance.random(len(samples)).astype(np.float16),
        surface=surface,
        found=np.array(found),
        spread=spread,
    )


def run(asked: GanInput, *founds: Sequence[int], spread: float = 1.0) -> GanResult:
    """A training whose frames, evenly spaced, found so many samples of each mode."""
    last = len(founds) - 1
    frames = tuple(
        state(asked, asked.steps * number // last, found, spread)
        for number, found in enumerate(founds)
    )
    return GanResult(asked, frames, seconds=4.2)


def nothing(asked: GanInput) -> list[int]:
    return [0] * MODES[asked.data]


def everything(asked: GanInput) -> list[int]:
    return [800 // MODES[asked.data]] * MODES[asked.data]


def only(asked: GanInput, mode: int) -> list[int]:
    found = nothing(asked)
    found[mode] = 700
    return found


def covering(asked: GanInput) -> GanResult:
    return run(asked, nothing(asked), nothing(asked), everything(asked), everything(asked))


def collapsing(asked: GanInput) -> GanResult:
    hops = [only(asked, mode) for mode in (0, 3, 3, 5)]
    return run(asked, nothing(asked), *hops, spread=0.1)


def answering(make: Callable[[GanInput], GanResult]) -> Callable[[GanInput], Script]:
    return lambda asked: [done(make(asked), "GAN (torch)")]


class _Here:
    """Where films are drawn: in this process, as starting another takes longer than all this."""

    async def run(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        function, args, kwargs = pickle.loads(pickle.dumps((function, args, kwargs)))
        return function(*args, **kwargs)


def world_of(script: Callable[[GanInput], Script]) -> tuple[Services, ScriptedQueue]:
    world, queue = scripted(gan=script)
    world.studio._film_bench = _Here()  # type: ignore[assignment]
    return world, queue


def platform(make: Callable[[GanInput], GanResult], language: str = "en") -> FakePlatform:
    return FakePlatform(world_of(answering(make))[0], language=language)


def calls(reply: Reply) -> list[dict[str, Any]]:
    return [dict(b.call.arguments) for b in reply.buttons if b.call and b.call.command == "gan"]


# --- what is said ---------------------------------------------------------------------------------


async def test_a_balanced_game_covers_all_modes() -> None:
    ada = platform(covering)
    reply = await ada.ask("gan")
    assert reply.state is State.FINAL
    assert not reply.error
    text = ada.read(reply)
    assert "covers all 8 modes" in text
    assert "since step 1,333" in text
    assert "80% of its points lie within 3σ" in text
    assert "probability of 0.55 of being real, and generated ones 0.50" in text
    assert "2,000 steps, seed 35, trained in 4.2 s" in text
    assert "GAN (torch)" in text
    assert "times more slowly" not in text

    data = json.loads(json.dumps(dict(reply.data or {})))
    assert (data["data"], data["collapse"], data["steps"], data["seed"]) == (
        "ring",
        False,
        2000,
        35,
    )
    assert data["ending"] == "covered"
    assert (data["covered"], data["modes"], data["covered_since"]) == (8, 8, 1333)
    assert data["good"] == pytest.approx(0.8)
    assert data["curves"]["covered"] == [0, 0, 8, 8]
    assert data["curves"]["steps"] == [0, 666, 1333, 2000]
    assert len(data["curves"]["generator_loss"]) == 4

    film, still = reply.pictures
    assert film.animated
    assert Image.open(io.BytesIO(film.data)).n_frames == 4
    assert Image.open(io.BytesIO(still.data)).format == "PNG"
    say = words("en")
    assert "8 of 8 modes" in say(film.alt)
    assert say(film.alt) != say(still.alt)


async def test_a_collapse_is_measured_and_explained() -> None:
    ada = platform(collapsing)
    reply = await ada.ask("gan", collapse=True)
    text = ada.read(reply)
    assert "Mode collapse" in text
    assert "never covered more than one of the 8 modes" in text
    assert "came by 3 of them" in text
    assert "learnt 10 times more slowly" in text
    data = reply.data or {}
    assert (data["ending"], data["visited"], data["most_covered_later"]) == ("collapsed", 3, 1)
    assert data["discriminator_slower"] == 10
    assert calls(reply)[0] == {"data": "ring", "collapse": False, "steps": 2000, "seed": 35}


async def test_what_was_asked_for_is_not_taken_for_what_happened() -> None:
    """Collapse is told where it was seen, whether asked for or not."""
    ada = platform(covering)
    text = ada.read(await ada.ask("gan", collapse=True))
    assert "covers all 8 modes" in text
    assert "not this time" in text
    ada = platform(collapsing)
    text = ada.read(await ada.ask("gan"))
    assert "Mode collapse" in text
    assert "times more slowly" not in text


async def test_a_run_with_gaps_offers_more_steps() -> None:
    def with_gaps(asked: GanInput) -> GanResult:
        found = everything(asked)
        found[2] = 1
        return run(asked, nothing(asked), found)

    ada = platform(with_gaps)
    reply = await ada.ask("gan", data="rings", steps=3000)
    assert "covers 15 of 16 modes" in ada.read(reply)
    assert (reply.data or {})["ending"] == "gaps"
    assert {"data": "rings", "collapse": False, "steps": 5000, "seed": 35} in calls(reply)
    longest = await ada.ask("gan", data="rings", steps=5000)
    assert "5,000 steps" not in ada.labels(longest)


async def test_too_few_steps_are_not_called_a_collapse() -> None:
    """At first nothing is covered, but the points do not huddle either."""
    reply = await platform(lambda asked: run(asked, *[nothing(asked)] * 3)).ask("gan", steps=100)
    assert (reply.data or {})["ending"] == "gaps"


async def test_digits_are_judged_honestly_and_their_authors_named() -> None:
    ada = platform(covering)
    reply = await ada.ask("gan", data="digits")
    text = ada.read(reply)
    assert "All 10 digits occur" in text
    assert "80% of 1,000 generated digits" in text
    assert "79% pass it, of blends of two digits 23%" in text
    assert "Boğaziçi University" in text
    assert "10 of 10 digits" in words("en")(reply.pictures[0].alt)
    assert [call["data"] for call in calls(reply)[:3]] == ["digits", "ring", "rings"]


@pytest.mark.parametrize("data", list(MODES))
@pytest.mark.parametrize("make", [covering, collapsing])
async def test_the_answer_is_in_the_readers_language(
    data: str, make: Callable[[GanInput], GanResult]
) -> None:
    ada = platform(make, "tr")
    reply = await ada.ask("gan", data=data, collapse=True)
    text = ada.read(reply)
    both = set(text.splitlines()) & set(ada.read(reply, "en").splitlines())
    assert both == {"Model: GAN (torch)"}
    assert "ayırt edici" in text
    assert "Yeniden dengede" in ada.labels(reply)
    assert "Başka türlü" in ada.labels(reply)
    film_in_english = (await platform(make).ask("gan", data=data, collapse=True)).pictures[0]
    assert reply.pictures[0].data != film_in_english.data


async def test_the_words_of_both_languages_set_the_parameters() -> None:
    world, queue = world_of(answering(covering))
    ada = FakePlatform(world)
    await ada.ask("gan", data="Halkalar", collapse="evet", seed="7", steps="1.000")
    await ada.ask("gan", data="digits", collapse="no")
    assert [job.payload for job in queue.jobs] == [
        GanInput("rings", True, 1000, 7),
        GanInput("digits", False),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"data": "faces"}, "“data” "),
        ({"collapse": "perhaps"}, "“collapse”"),
        ({"steps": 99}, "“steps” must lie between 100 and 5,000."),
        ({"steps": 1e9}, "“steps” must lie between 100 and 5,000."),
        ({"seed": -1}, "“seed” must lie between 0 and 999,999."),
        ({"seed": "many"}, "“seed” must be a whole number, such as 3."),
    ],
)
async def test_impossible_values_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    world, queue = world_of(answering(covering))
    ada = FakePlatform(world)
    reply = await ada.ask("gan", **arguments)
    assert reply.error
    assert sentence in ada.read(reply)
    assert queue.jobs == []


async def test_how_it_works_is_told_in_three_sentences() -> None:
    for language in LANGUAGES:
        told = words(language)(Message("gan-how"))
        assert 2 <= len(re.findall(r"[.!?](?:\s|$)", told)) <= 3
        assert "lightweight-gan" in told
        assert words(language)(Message("gan-paper-url")).startswith("https://")


# --- on the way -----------------------------------------------------------------------------------


async def test_it_shows_pictures_while_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PREVIEW_EVERY", 0.0)

    def script(asked: GanInput) -> Script:
        steps = (500, 1000)
        way = [Progress(at / 2000, state(asked, at, everything(asked))) for at in steps]
        return [Started("GAN (torch)"), *way, done(covering(asked))]

    ada = FakePlatform(world_of(script)[0])
    await ada.ask("gan")
    said = [ada.read(one) for one in ada.states]
    assert "Step 500 of 2,000. Loss: discriminator 0.65, generator 0.75." in said
    assert "Training is done; I am drawing the film." in said
    live = [one.pictures[0] for one in ada.states[:-1] if one.pictures]
    assert len({picture.data for picture in live}) == 2
    assert {picture.name for picture in live} == {"gan-live.png"}
    assert Image.open(io.BytesIO(live[0].data)).width == 840
    fractions = [one.fraction for one in ada.states if one.fraction is not None]
    assert fractions == sorted(fractions)
    assert all(one.state is State.PARTIAL for one in ada.states[:-1])


async def test_pictures_on_the_way_are_not_drawn_faster_than_anybody_looks() -> None:
    def script(asked: GanInput) -> Script:
        way = [
            Progress(at / 2000, state(asked, at, everything(asked))) for at in range(0, 2000, 50)
        ]
        return [*way, done(covering(asked))]

    world, _ = world_of(script)
    drawn: list[Any] = []
    inline = world.studio.run

    async def counting(function: Any, *args: Any, **kwargs: Any) -> Any:
        drawn.append(function)
        return await inline(function, *args, **kwargs)

    world.studio.run = counting  # type: ignore[method-assign]
    await FakePlatform(world).ask("gan")
    assert drawn.count(handler.draw_state) < 40


async def test_it_can_be_cancelled_while_it_trains() -> None:
    def script(asked: GanInput) -> Script:
        return [Progress(0.1, state(asked, 150, nothing(asked)))]  # and on and on

    world, queue = world_of(script)
    ada = FakePlatform(world)
    under_way = runner.start(ada.request("gan"), world)
    async for one in under_way:
        if one.fraction:
            under_way.cancel()
    assert under_way.final is not None
    assert "Cancelled" in ada.read(under_way.final)
    assert len(queue.cancelled) == 1


async def test_a_class_that_presses_the_same_button_shares_one_film() -> None:
    world, _ = world_of(answering(covering))
    pupils = [FakePlatform(world, user=f"fake:{number}") for number in range(5)]
    replies = await asyncio.gather(*(pupil.ask("gan") for pupil in pupils))
    assert len({id(reply.pictures[0].data) for reply in replies}) == 1


# --- for real -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Gan:
    made = Gan({}, {})
    made.load("cpu")
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("data", ["ring", "digits"])
async def test_a_real_run_is_shown(model: Gan, language: str, data: str) -> None:
    def script(payload: GanInput) -> Script:
        told, result = train(model, payload)
        return [*told, done(result, "GAN (torch)")]

    world, queue = world_of(script)
    ada = FakePlatform(world, language)
    reply = await ada.ask("gan", data=data, steps=120, seed=2)
    assert queue.jobs[0].payload == GanInput(data, False, 120, 2)
    film, still = (Image.open(io.BytesIO(image.data)) for image in reply.pictures)
    assert (film.format, still.format) == ("GIF", "PNG")
    assert getattr(film, "n_frames", 1) > 5
    assert any(one.pictures for one in ada.states if one.state is State.PARTIAL)
    told = json.loads(json.dumps(dict(reply.data or {})))
    assert told["curves"]["steps"][-1] == 120
    assert sum(told["found"]) == round(told["good"] * JUDGED)
    assert ada.read(reply)
    assert any(call["collapse"] for call in calls(reply))
