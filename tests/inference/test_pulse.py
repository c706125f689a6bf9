"""The search: its geometry, that it comes closer, that it repeats, that it can be stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.jobs import Progress
from inference.model import Result
from inference.models.faces import from_bytes, to_pixels
from inference.models.pulse import (
    LAYERS,
    OFFSET,
    OFFSET_SIZE,
    POOL,
    RADIUS,
    STYLE,
    Pulse,
    downscale,
    face_weights,
    geodesic_cross,
    onto_sphere,
)
from inference.tasks.face_search import EPSILON, Found, SearchInput, SearchState
from inference.tasks.faces import WEIGHTS

SIDE = 16
SHORT = 6  # steps: enough to see that it comes closer


@pytest.fixture(scope="module")
def model(pulled: Callable[[str], Path]) -> Iterator[Pulse]:
    made = Pulse({}, {name: pulled(name) for name in WEIGHTS})
    made.load("cpu")
    yield made
    made.close()


@pytest.fixture(scope="module")
def small(model: Pulse) -> bytes:
    """A face of the generator, made small."""
    with torch.no_grad():
        whole = model.generator.synthesis(model.generator.style(77, 0.7))
    return to_pixels(downscale(whole, SIDE)).tobytes()


def search(model: Pulse, asked: SearchInput) -> tuple[list[Progress], Found]:
    session = model.start({1: asked})
    told: list[Progress] = []
    while session.jobs:
        for _, event in session.step():
            if isinstance(event, Result):
                return told, event.value
            assert isinstance(event, Progress)
            told.append(event)
    raise AssertionError("no result")


def test_it_comes_closer_and_says_so(model: Pulse, small: bytes) -> None:
    told, found = search(model, SearchInput(small, SIDE, seed=1, starts=2, steps=SHORT))
    previews = [event.preview for event in told if event.preview is not None]
    assert len(previews) == len(told) - POOL // 8, "once there are faces they are always shown"
    assert len(previews) > SHORT
    assert all(isinstance(preview, SearchState) for preview in previews)
    assert previews[0].faces.shape == (2, 64, 64, 3)
    assert min(previews[-1].distances) < min(previews[0].distances)
    fractions = [event.fraction for event in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    distances = [max(face.distance, EPSILON) for face in found.faces]
    assert distances == sorted(distances)
    assert found.faces[0].pixels.shape == (512, 512, 3)


def test_the_distance_is_that_of_the_whole_face(model: Pulse, small: bytes) -> None:
    _, found = search(model, SearchInput(small, SIDE, seed=2, starts=1, steps=4))
    (face,) = found.faces
    style = from_bytes(face.face.style, (LAYERS, STYLE))[None]
    offset = from_bytes(face.face.offset, OFFSET)[None]
    assert offset.any()
    with torch.no_grad():
        whole = model.generator.synthesis(style, offset=offset).clamp(-1, 1)
    wanted = np.frombuffer(small, np.uint8).reshape(SIDE, SIDE, 3) / 255
    got = (downscale(whole, SIDE)[0].permute(1, 2, 0).numpy() + 1) / 2
    assert face.distance == pytest.approx(np.square(got - wanted).mean(), rel=0.02)


def test_in_a_focused_search_the_face_counts_four_times() -> None:
    weights = face_weights(64, 4.0)
    assert weights.mean().item() == pytest.approx(1)
    face, corner = weights[36, 32], weights[0, 0]  # over the nose; the wall behind
    assert (face / corner).item() == pytest.approx(4, rel=0.02)
    assert (face_weights(16, 1.0) == 1).all()


def test_a_focused_search_ends_nearer_to_the_face(model: Pulse) -> None:
    """The picture: one face before the surroundings of another."""
    with torch.no_grad():
        styles = torch.cat([model.generator.style(seed, 0.7) for seed in (77, 78)])
        face, wall = downscale(model.look(styles, 64), SIDE)
    inside = face_weights(SIDE, 2.0) > 1
    picture = torch.where(inside, face, wall)
    asked = SearchInput(to_pixels(picture[None]).tobytes(), SIDE, seed=1, starts=1, steps=8)
    off = []
    for focused in (False, True):
        _, found = search(model, replace(asked, focused=focused))
        style = from_bytes(found.faces[0].face.style, (1, LAYERS, STYLE))
        with torch.no_grad():
            seen = downscale(model.look(style, 64), SIDE)[0]  # by its style alone
        off.append((seen - picture).square().mean(0)[inside].mean().item())
    assert off[1] < off[0]


def test_a_seed_repeats_the_search(model: Pulse, small: bytes) -> None:
    asked = SearchInput(small, SIDE, seed=5, starts=1, steps=2)
    (first,), (again,) = search(model, asked)[1].faces, search(model, asked)[1].faces
    assert first.face == again.face
    other = SearchInput(small, SIDE, seed=6, starts=1, steps=2)
    assert search(model, other)[1].faces[0].face != first.face


def test_a_cancelled_search_stops(model: Pulse, small: bytes) -> None:
    session = model.start({1: SearchInput(small, SIDE), 2: SearchInput(small, SIDE, seed=3)})
    session.step()
    session.cancel(1)
    assert session.jobs == {2}
    assert {job for job, _ in session.step()} == {2}


def test_bytes_of_another_size_are_refused(model: Pulse) -> None:
    with pytest.raises(ValueError):
        model.start({1: SearchInput(b"123", SIDE)})


# --- geometry ------------------------------------------------------------------------------------


def test_the_sphere_lies_a_little_inside_where_a_gaussian_is() -> None:
    v = onto_sphere(torch.randn(3, LAYERS, STYLE))
    assert torch.allclose(v.norm(dim=-1), torch.tensor(RADIUS), atol=1e-4)
    assert pytest.approx(0.8 * math.sqrt(512)) == RADIUS


def test_the_geodesic_cross_loss() -> None:
    """Layers in one place cost nothing; two at right angles, half of the pairs, (π/2)² · 512."""
    same = torch.ones(1, 4, STYLE)
    assert geodesic_cross(same).item() == pytest.approx(0, abs=1e-3)
    apart = torch.zeros(1, 2, STYLE)
    apart[0, 0, 0] = apart[0, 1, 1] = 5.0
    expected = 512 * (math.pi / 2) ** 2 / 2
    assert geodesic_cross(apart).item() == pytest.approx(expected, rel=1e-3)


def test_styles_come_back_from_the_gaussian_space(model: Pulse) -> None:
    """White noise becomes styles with the mean and the covariance of the mapping network's."""
    v = torch.randn(4000, STYLE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = model.latents.styles(v)
        z = torch.randn(4000, STYLE, generator=torch.Generator().manual_seed(9))
        theirs = model.generator.mapping(z)
    assert torch.allclose(ours.mean(0), theirs.mean(0), atol=0.1)
    ratio = ours.std(0) / theirs.std(0)
    assert ratio.min() > 0.8 and ratio.max() < 1.25


def test_white_noise_becomes_offsets_as_features_vary(model: Pulse) -> None:
    e = torch.randn(16, *OFFSET, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours = model.latents.offsets(e)
        z = torch.randn(32, STYLE, generator=torch.Generator().manual_seed(9))
        styles = model.generator.mapping(z)[:, None].expand(-1, LAYERS, -1)
        theirs = model.generator.synthesis.features(styles, OFFSET_SIZE)
    ours, theirs = (x.transpose(0, 1).flatten(1) for x in (ours, theirs - theirs.mean(0)))
    ratio = ours.std(1) / theirs.std(1)  # of each channel
    assert ratio.median() == pytest.approx(1, abs=0.1)
    ours, theirs = torch.corrcoef(ours[:8]), torch.corrcoef(theirs[:8])
    assert torch.allclose(ours, theirs, atol=0.15)
