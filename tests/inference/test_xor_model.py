"""XOR trained for real: what a line can never do, what a hidden layer does."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from inference.jobs import Progress
from inference.model import Result, Session
from inference.models.xor import MLP, STEPS_A_TURN, Training, Xor, choose_frames, view_of_h
from inference.tasks import all_tasks
from inference.tasks.xor import GRID, HIGH, LOW, POINTS, TARGETS, XorInput, XorResult, XorState

LN_2 = math.log(2)


def train(**asked: int) -> XorResult:
    training = Training(XorInput(**asked))
    training.advance(training.asked.steps)
    return training.result()


def run_to_the_end(session: Session) -> dict[int, list[Any]]:
    events: dict[int, list[Any]] = {}
    while session.jobs:
        for job, event in session.step():
            events.setdefault(job, []).append(event)
    return events


@pytest.fixture(scope="module")
def learned() -> XorResult:
    return train()


# --- what is learned ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_no_perceptron_beats_guessing(seed: int) -> None:
    result = train(seed=seed, steps=400)
    assert result.perceptron_losses.min() >= LN_2 - 1e-12
    assert result.perceptron_losses[-1] == pytest.approx(LN_2, abs=1e-6)
    assert result.perceptron_right.max() == 3
    assert result.perceptron_outputs == pytest.approx([0.5] * 4, abs=1e-3)


def test_the_default_run_learns(learned: XorResult) -> None:
    assert learned.mlp_right[-1] == 4
    assert learned.mlp_losses[-1] < 0.01
    assert np.round(learned.mlp_outputs).tolist() == list(TARGETS)
    assert learned.learned_at is not None
    assert learned.mlp_right[learned.learned_at - 1] < 4
    assert (learned.mlp_right[learned.learned_at :] == 4).all()


def test_the_default_h_space_looks_like_the_book(learned: XorResult) -> None:
    """The two ones come together, so one line parts them from the zeros."""
    zero_zero, zero_one, one_zero, one_one = learned.h_points[-1]
    assert np.abs(zero_one - one_zero).max() < 0.1
    assert np.abs(zero_zero - one_one).max() > 1.5


@pytest.mark.parametrize("hidden", [3, 8, 16])
@pytest.mark.parametrize("seed", [0, 7])  # with two hidden units, seed 7 gets stuck
def test_more_hidden_units_learn_from_any_start(hidden: int, seed: int) -> None:
    assert train(hidden=hidden, seed=seed).mlp_right[-1] == 4


def test_two_units_can_get_stuck() -> None:
    result = train(seed=7)
    assert result.mlp_losses[-1] == pytest.approx(LN_2 / 2, abs=0.01)
    assert result.learned_at is None


def test_one_hidden_unit_is_one_straight_border() -> None:
    for seed in range(3):
        result = train(hidden=1, seed=seed)
        assert result.mlp_right.max() <= 3
        assert result.learned_at is None


# --- what is reported -----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    first, second, other = train(steps=120), train(steps=120), train(steps=120, seed=36)
    for name in ("frames", "mlp_logits", "perceptron_logits", "h_points", "mlp_losses"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.weights == second.weights
    assert first.weights != other.weights


def test_the_weights_make_the_outputs(learned: XorResult) -> None:
    """The reported numbers are all one needs to repeat the network by hand."""
    weights = {name: np.array(value) for name, value in learned.weights.items()}
    h = np.tanh(np.array(POINTS) @ weights["mlp.W"] + weights["mlp.c"])
    logits = h @ weights["mlp.w"] + weights["mlp.b"]
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(np.array(learned.mlp_outputs))
    assert h == pytest.approx(learned.h_points[-1])


def test_the_grids_hold_the_points(learned: XorResult) -> None:
    side = np.linspace(LOW, HIGH, GRID)
    cells = {value: int(np.argmin(np.abs(side - value))) for value in (0, 1)}
    for (x1, x2), output in zip(POINTS, learned.mlp_outputs, strict=True):
        logit = float(learned.mlp_logits[-1][cells[x2], cells[x1]])
        assert 1 / (1 + math.exp(-logit)) == pytest.approx(output, abs=1e-3)


@pytest.mark.parametrize("hidden", [1, 2, 3, 16])
def test_the_last_frame_shows_each_point_on_its_true_side(hidden: int) -> None:
    result = train(hidden=hidden)
    across, up, level = result.h_planes[-1]
    logits = result.h_points[-1] @ np.array([across, up]) + level
    expected = np.log(np.array(result.mlp_outputs) / (1 - np.array(result.mlp_outputs)))
    assert logits == pytest.approx(expected, abs=1e-6)
    assert 0 < result.h_share <= 1 + 1e-9


def test_the_view_of_many_dimensions_is_square() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor(POINTS, dtype=torch.float64)
    _, basis, _ = view_of_h(MLP(6, generator), x)
    assert torch.allclose(basis.T @ basis, torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("asked", [{}, {"hidden": 16, "steps": 5000}, {"steps": 50}])
def test_the_result_is_small_and_of_the_promised_shape(asked: dict[str, int]) -> None:
    result = train(**asked)
    assert len(pickle.dumps(result)) < 1_000_000
    count = len(result.frames)
    assert 2 <= count <= 48
    assert result.frames[0] == 0
    assert result.frames[-1] == result.steps
    assert (np.diff(result.frames) > 0).all()
    assert result.mlp_logits.shape == result.perceptron_logits.shape == (count, GRID, GRID)
    assert result.h_points.shape == (count, 4, 2)
    assert len(result.mlp_losses) == len(result.mlp_right) == result.steps + 1
    assert np.isfinite(result.mlp_logits).all()


def test_frames_are_close_where_much_happens() -> None:
    outputs = torch.zeros(1001, 2, 4, dtype=torch.float64)
    outputs[500:520] = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None, None]
    outputs[520:] = 1
    frames = choose_frames(outputs, 40)
    inside = [step for step in frames if 499 <= step <= 521]
    assert frames[0] == 0
    assert frames[-1] == 1000
    assert len(inside) >= 15


# --- as the worker sees it ------------------------------------------------------------------------


def test_the_session_reports_on_its_way() -> None:
    model = Xor({}, {})
    model.load("cpu")
    steps = 3 * STEPS_A_TURN + 1
    events = run_to_the_end(model.start({7: XorInput(steps=steps)}))[7]
    assert [type(event) for event in events] == [Progress, Progress, Progress, Result]
    fractions = [event.fraction for event in events[:-1]]
    assert fractions == [n * STEPS_A_TURN / steps for n in (1, 2, 3)]
    state = events[0].preview
    assert isinstance(state, XorState)
    assert state.step == STEPS_A_TURN
    assert state.mlp_logits.shape == (GRID, GRID)


def test_watching_and_company_change_nothing() -> None:
    alone = train(steps=130)
    model = Xor({}, {})
    events = run_to_the_end(
        model.start({1: XorInput(steps=130), 2: XorInput(hidden=5, steps=70, seed=3)})
    )
    together = events[1][-1].value
    assert np.array_equal(alone.mlp_losses, together.mlp_losses)
    assert alone.weights == together.weights


def test_a_cancelled_job_is_forgotten_and_its_neighbour_goes_on() -> None:
    session = Xor({}, {}).start({1: XorInput(steps=200), 2: XorInput(steps=200, seed=1)})
    session.step()
    session.cancel(1)
    session.cancel(1)
    assert session.jobs == {2}
    events = run_to_the_end(session)
    assert set(events) == {2}
    assert isinstance(events[2][-1], Result)


def test_equal_inputs_may_share_a_run() -> None:
    task = all_tasks()["xor"]
    assert task.share_key(XorInput()) == task.share_key(XorInput())
    assert task.share_key(XorInput()) != task.share_key(XorInput(seed=1))
    assert task.long
