"""What was learnt about costs."""

from __future__ import annotations

import random

import pytest

from inference.costs import KEYS, Costs

LANE = ("detect", "YOLO", (640, 480))
OTHER = ("detect", "YOLO", (320, 640))


def test_nothing_is_known_before_anything_was_measured() -> None:
    costs = Costs()
    assert costs.batch(LANE, 1) is costs.share(LANE, 1) is costs.stay(LANE, 1) is None
    assert costs.load("model") == 0.0
    assert costs.best_batch(LANE, 8) == 8


def test_the_line_through_batches_is_found_in_noise() -> None:
    costs = Costs()
    chance = random.Random(1)
    for _ in range(200):
        size = chance.randint(1, 8)
        costs.learn_batch(LANE, size, size, (0.020 + 0.005 * size) * chance.uniform(0.95, 1.05))
    assert costs.batch(LANE, 1) == pytest.approx(0.025, rel=0.1)
    assert costs.batch(LANE, 8) == pytest.approx(0.060, rel=0.1)


def test_a_machine_that_gets_busy_is_noticed() -> None:
    costs = Costs()
    for factor in (1, 3):
        for size in (1, 2, 4, 8) * 40:
            costs.learn_batch(LANE, size, size, factor * 0.01 * size)
    assert costs.batch(LANE, 4) == pytest.approx(0.12, rel=0.05)


def test_another_size_is_told_from_its_kin_until_it_was_measured() -> None:
    costs = Costs()
    for size in (1, 4, 8):
        costs.learn_batch(LANE, size, size, 0.01 * size)
    assert costs.batch(OTHER, 4) == pytest.approx(0.04)
    costs.learn_batch(OTHER, 4, 4, 0.2)
    assert costs.batch(OTHER, 4) == pytest.approx(0.2)
    assert costs.batch(("detect", "another", None), 4) is None


def test_units_of_work_are_told_apart() -> None:
    costs = Costs()
    for steps in (100, 500, 1000, 2000) * 3:
        costs.learn_job(("xor", "torch", None), steps, 0.1 + 0.001 * steps, 0.2 + 0.002 * steps)
    assert costs.share(("xor", "torch", None), 5000) == pytest.approx(5.1, rel=0.02)
    assert costs.stay(("xor", "torch", None), 5000) == pytest.approx(10.2, rel=0.02)


def test_batches_are_as_large_as_it_pays() -> None:
    """On a GPU eight cost what one costs; on a CPU eight cost eight."""
    costs = Costs()
    for size in (1, 2, 4, 8) * 10:
        costs.learn_batch(("t", "gpu", None), size, size, 0.05 + 0.0001 * size)
        costs.learn_batch(("t", "cpu", None), size, size, 0.0001 + 0.05 * size)
        costs.learn_batch(("t", "between", None), size, size, 0.05 + 0.05 * size)
    assert costs.best_batch(("t", "gpu", None), 8) == 8
    assert costs.best_batch(("t", "cpu", None), 8) == 1
    size = costs.best_batch(("t", "between", None), 8)
    assert 1 < size < 8
    assert size / (1 + size) >= 0.95 * 8 / 9


def test_never_less_than_nothing() -> None:
    """Noise may make larger batches look cheaper; nothing is predicted below zero for it."""
    costs = Costs()
    for size, seconds in ((1, 0.05), (8, 0.01)) * 5:
        costs.learn_batch(LANE, size, size, seconds)
    assert all(costs.batch(LANE, size) >= 0 for size in (1, 8, 100))  # type: ignore[operator]


def test_sizes_that_users_invent_do_not_pile_up() -> None:
    costs = Costs()
    for number in range(3 * KEYS):
        costs.learn_batch(("detect", "YOLO", number), 1, 1, 0.1)
    assert len(costs._costs) <= KEYS
    assert costs.batch(("detect", "YOLO", "new"), 1) == pytest.approx(0.1)
