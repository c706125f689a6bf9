"""Faces guided by sentences, with an untaught comparing network loaded as from the hub.

What it finds alike means nothing, but to come closer to it is the same work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.jobs import Progress
from inference.model import Result
from inference.models.styleclip import FACES, LENGTH, NEUTRAL, TARGET, StyleClip, _agreed
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks.face_guidance import TASK, GuidanceInput, GuidedFace
from inference.tasks.faces import WEIGHTS, Face
from tests.inference import tiny_checkpoints
from tests.inference.fake_models import NoWeights

STEPS = 15


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """As few pixels and steps as will do: the network looks at 32 pixels."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("inference.models.styleclip.SIDE", 64)
        patched.setattr("inference.models.styleclip.STEPS", STEPS)
        yield


@pytest.fixture(scope="module")
def model(
    pulled: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StyleClip]:
    checkpoint = tiny_checkpoints.clip(tmp_path_factory.mktemp("clip"))
    made = StyleClip({"checkpoint": str(checkpoint)}, {name: pulled(name) for name in WEIGHTS})
    made.load("cpu")
    yield made
    made.close()


def course(model: StyleClip, asked: GuidanceInput) -> tuple[list[Progress], GuidedFace]:
    session = model.start({1: asked})
    told = []
    while session.jobs:
        for _, event in session.step():
            if isinstance(event, Result):
                assert isinstance(event.value, GuidedFace)
                return told, event.value
            assert isinstance(event, Progress)
            told.append(event)
    raise AssertionError("it ended without a result")


def test_a_descent_makes_one_face_more_like_the_sentence(model: StyleClip) -> None:
    told, found = course(model, GuidanceInput(Face(5), "with a mohawk", descend=True))
    assert len(told) == STEPS
    assert told[0].preview.shape[-1] == 3
    assert found.after > found.before
    assert torch.isfinite(model.styles([found.face])).all()


def test_a_direction_makes_faces_more_like_the_sentence_that_it_never_saw(
    model: StyleClip,
) -> None:
    text = "mavi saçlı"
    wanted = model.comparison.of_text(TARGET.format(text)) - model.comparison.of_text(NEUTRAL)
    gains = []
    for seed in range(900, 904):
        told, found = course(model, GuidanceInput(Face(seed), text, 0.1))
        assert told == [] or seed == 900, "it is found once, and then known"
        styles = model.styles([Face(seed), found.face])
        before, after = model.comparison.of_faces(model.look(styles)).detach()
        gains.append(((after - before) @ wanted).item())
    assert np.mean(gains) > 0


def test_strength_is_the_length_of_the_way(model: StyleClip) -> None:
    start = model.styles([Face(7)])[0].numpy()

    def moved(strength: float) -> float:
        _, found = course(model, GuidanceInput(Face(7), "mavi saçlı", strength))
        return float(np.linalg.norm(model.styles([found.face])[0].numpy() - start))

    assert moved(2.0) == pytest.approx(2 * moved(1.0), rel=0.02)


def test_where_faces_disagree_a_coordinate_is_left_out() -> None:
    gradients = torch.zeros(FACES, 2, 3)
    gradients[:, 0, 0] = 1.0  # all the same
    gradients[::2, 1, 2], gradients[1::2, 1, 2] = 5.0, -5.0
    direction = _agreed(gradients)
    assert direction[0, 0].item() == pytest.approx(LENGTH)
    assert direction.count_nonzero() == 1


def test_a_job_that_is_cancelled_leaves(model: StyleClip) -> None:
    session = model.start({1: GuidanceInput(Face(1), "a", descend=True)})
    session.step()
    session.cancel(1)
    assert session.jobs == frozenset()


def test_only_the_full_profile_offers_it() -> None:
    assert not TASK.offered("embedded")
    for profile, there in (("embedded", False), ("full", True)):
        queue = InferenceQueue(NoWeights(), QueueOptions(profile=profile))
        assert queue.offers(TASK.name) is there
