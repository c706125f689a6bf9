"""A small GAN in training: it repeats, can be stopped, covers, and collapses on request."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inference.jobs import Progress
from inference.model import Result
from inference.models.gan import Gan
from inference.tasks.gan import GRID, MODES, GanInput, GanResult, GanState

SHORT = 120


@pytest.fixture(scope="module")
def model() -> Gan:
    made = Gan({}, {})
    made.load("cpu")
    return made


def train(model: Gan, asked: GanInput) -> tuple[list[Progress], GanResult]:
    session = model.start({1: asked})
    told: list[Progress] = []
    while session.jobs:
        for _, event in session.step():
            if isinstance(event, Result):
                return told, event.value
            assert isinstance(event, Progress)
            told.append(event)
    raise AssertionError("no result")


@pytest.mark.parametrize("data", MODES)
def test_what_a_run_tells(model: Gan, data: str) -> None:
    told, result = train(model, GanInput(data, steps=SHORT))
    assert [event.fraction for event in told] == sorted(event.fraction for event in told)
    assert all(isinstance(event.preview, GanState) for event in told)
    steps = [frame.step for frame in result.frames]
    assert steps[0] == 0 and steps[-1] == SHORT and steps == sorted(set(steps))
    end = result.frames[-1]
    assert end.found.shape == (MODES[data],)
    assert (end.surface is None) == (data == "digits")
    if end.surface is not None:
        assert end.surface.shape == (GRID, GRID)
    assert all(0 <= output <= 1 for output in end.outputs)
    assert all(math.isfinite(loss) for frame in result.frames for loss in frame.losses)


def test_a_seed_repeats_the_run(model: Gan) -> None:
    first, again = (train(model, GanInput(steps=SHORT, seed=3))[1] for _ in range(2))
    assert np.array_equal(first.frames[-1].fakes, again.frames[-1].fakes)
    other = train(model, GanInput(steps=SHORT, seed=4))[1]
    assert not np.array_equal(first.frames[-1].fakes, other.frames[-1].fakes)


def test_the_default_run_covers_the_ring(model: Gan) -> None:
    result = train(model, GanInput())[1]
    assert result.frames[-1].covered == MODES["ring"]
    assert not result.collapsed


def test_it_collapses_on_request(model: Gan) -> None:
    result = train(model, GanInput(collapse=True))[1]
    assert result.collapsed
    assert max(frame.covered for frame in result.later) <= 2


def test_a_cancelled_run_stops_and_the_other_goes_on(model: Gan) -> None:
    session = model.start({1: GanInput(seed=1), 2: GanInput(seed=2)})
    session.step()
    session.cancel(1)
    assert session.jobs == {2}
    assert {job for job, _ in session.step()} == {2}
