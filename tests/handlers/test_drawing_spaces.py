"""The film of x-space and h-space."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from handlers.drawing import spaces
from handlers.drawing.canvas import font
from inference.models.xor import Training
from inference.tasks.xor import POINTS, TARGETS, XorInput, XorResult
from locales import Message, words

LEFT_TOP = {"perceptron": (spaces.LEFT, 130), "mlp": (spaces.LEFT, 564), "h": (spaces.RIGHT, 564)}


def train(**asked: int) -> Training:
    training = Training(XorInput(**asked))
    training.advance(training.asked.steps)
    return training


@pytest.fixture(scope="module")
def result() -> XorResult:
    return train().result()


def plot(image: Image.Image, name: str) -> np.ndarray:
    left, top = LEFT_TOP[name]
    box = (left, top, left + spaces.SIDE, top + spaces.SIDE)
    return np.asarray(image.convert("RGB").crop(box)).astype(int)


def says_one(pixels: np.ndarray) -> np.ndarray:
    """Where the ground is bluer than it is red."""
    return pixels[..., 2] > pixels[..., 0] + 15


@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_film_is_an_animation_a_chat_can_carry(result: XorResult, language: str) -> None:
    film, still = spaces.draw_run(result, language)
    animation = Image.open(io.BytesIO(film))
    assert animation.format == "GIF"
    assert animation.n_frames > len(result.frames) / 2  # equal neighbours are joined
    assert len(film) < 2_000_000
    last = Image.open(io.BytesIO(still))
    assert last.format == "PNG"
    assert last.size == animation.size
    animation.seek(animation.n_frames - 1)
    assert animation.info["duration"] >= 3000
    difference = np.abs(
        np.asarray(animation.convert("RGB")).astype(int) - np.asarray(last.convert("RGB"))
    )
    assert difference.mean() < 2


def test_the_last_frame_shows_what_was_learned(result: XorResult) -> None:
    still = Image.open(io.BytesIO(spaces.draw_run(result, "en")[1]))
    # The ground beside each point has the colour of its class, in both spaces.
    space = spaces._x_space(0, 0)
    for point, target in zip(POINTS, TARGETS, strict=True):
        x, y = space.at(*point)
        ground = plot(still, "mlp")[round(y) + 26, round(x) + 26 * (1 if point[0] else -1)]
        assert says_one(ground) == bool(target), point
    across, up, level = result.h_planes[-1]
    plane = spaces._h_space(result, 0, 0)
    for point, target in zip(result.h_points[-1], TARGETS, strict=True):
        assert (across * point[0] + up * point[1] + level > 0) == bool(target)
        x, y = plane.at(*point)
        disc = plot(still, "h")[round(y) - 15, round(x)]
        assert disc.tolist() == list(spaces.CLASS[target])
    # The perceptron has no colour left: it says ½ everywhere.
    corner = plot(still, "perceptron")[:40, :40]
    assert (corner == 255).all()


def test_a_space_has_its_first_axis_to_the_right_and_its_second_upwards() -> None:
    """A logit that rises along x₁ is blue on the right; one that rises along x₂, on top."""
    side = np.linspace(-4, 4, 37)
    rising_across = np.asarray(spaces._decisions(spaces._enlarged(np.tile(side, (37, 1)))))
    assert says_one(rising_across[:, -20:]).all()
    assert not says_one(rising_across[:, :20]).any()
    rising_up = np.asarray(spaces._decisions(spaces._enlarged(np.tile(side[:, None], (1, 37)))))
    assert says_one(rising_up[:20]).all()
    assert not says_one(rising_up[-20:]).any()


def test_the_border_stands_where_the_logit_is_zero() -> None:
    side = np.linspace(-0.4, 1.4, 37)
    pixels = np.asarray(spaces._decisions(spaces._enlarged(np.tile(8 * (side - 0.5), (37, 1)))))
    dark = np.flatnonzero(pixels[100].sum(axis=1) < 200)
    assert np.abs(dark - spaces.SIDE / 2).max() <= 3
    assert len(dark) >= 2


def test_a_plane_that_says_half_everywhere_has_no_border() -> None:
    assert (np.asarray(spaces._decisions(np.zeros((330, 330)))) == 255).all()


@pytest.mark.parametrize("asked", [{"hidden": 1}, {"hidden": 16}, {"steps": 50}, {"seed": 7}])
def test_every_kind_of_run_can_be_drawn(asked: dict[str, int]) -> None:
    film, _ = spaces.draw_run(train(**asked).result(), "tr")
    assert len(film) < 2_000_000


def test_a_training_under_way_can_be_drawn() -> None:
    training = Training(XorInput())
    training.advance(220)
    image = Image.open(io.BytesIO(spaces.draw_state(training.state(), "tr")))
    assert image.format == "PNG"
    assert image.width == spaces.WIDTH


def test_names_stand_apart_although_points_stand_together() -> None:
    names = spaces._Names()
    image = Image.new("RGB", (900, 900), "white")
    together = np.array([[165.0, 165.0]] * 4)
    names.draw(image, spaces._x_space(0, 0), together)
    assert len(set(names._sides)) == 4


@pytest.mark.parametrize("language", ["en", "tr"])
def test_all_words_fit_their_places(language: str) -> None:
    say = words(language)
    bold, small = font(spaces.TITLE, bold=True), font(spaces.SMALL)
    for key in ("perceptron", "loss", "h"):
        assert bold.getlength(say(Message(f"xor-picture-{key}"))) <= spaces.SIDE
    # The arrow stands to the right of this one.
    assert bold.getlength(say(Message("xor-picture-mlp"))) <= spaces.SIDE - 80
    numbers = {"loss": 0.69, "right": 4, "hidden": 16}
    for key in ("best", "right", "h-seen", "h-directions", "guess"):
        assert small.getlength(say(Message(f"xor-picture-{key}", **numbers))) <= spaces.SIDE, key
    setup = say(Message("xor-picture-setup", hidden=16, seed="999999"))
    counter = say(Message("xor-picture-step", step=5000, steps=5000))
    width = sum(map(small.getlength, (setup, counter))) + font(32, bold=True).getlength("XOR")
    assert width + 16 + 30 <= spaces.RIGHT + spaces.SIDE - spaces.LEFT
