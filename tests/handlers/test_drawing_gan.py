"""The film of a GAN's training."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from handlers.drawing import gan as drawing
from handlers.drawing.canvas import font
from inference.tasks.gan import (
    GRID,
    HIGH,
    LOW,
    MAX_SEED,
    MAX_STEPS,
    MODES,
    GanInput,
    GanResult,
    GanState,
)
from locales import LANGUAGES, Message, words


def state(asked: GanInput, step: int, logit: float = 2.0) -> GanState:
    """Four real points in the corners of a square, four fakes in the middles of its sides; for
    digits, black squares in white and the reverse. D's logit is `logit` on the right, −`logit` on
    the left."""
    if asked.data == "digits":
        reals = np.zeros((8, 8, 8))
        reals[:, 2:6, 2:6] = 1
        fakes = 1 - reals[:2].repeat(28, axis=0)
        surface = None
    else:
        reals = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])
        fakes = np.array([(0, 2), (2, 0), (0, -2), (9, 9)])
        surface = np.tile(np.where(np.linspace(LOW, HIGH, GRID) > 0, logit, -logit), (GRID, 1))
    return GanState(
        step=step,
        losses=(0.6, 0.9),
        outputs=(0.6, 0.4),
        reals=reals.astype(np.float16),
        fakes=fakes.astype(np.float16),
        verdicts=np.linspace(0, 1, len(fakes)).astype(np.float16),
        surface=None if surface is None else surface.astype(np.float16),
        found=np.arange(MODES[asked.data]) * 20,
        spread=1.0,
    )


def result(asked: GanInput, frames: int = 5) -> GanResult:
    steps = [asked.steps * number // (frames - 1) for number in range(frames)]
    return GanResult(asked, tuple(state(asked, step, step / 500) for step in steps), 1.0)


def pixels(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).astype(int)


def colour_at(image: np.ndarray, x: float, y: float) -> list[int]:
    """The colour of a place in the plane."""
    place = [(value - LOW) / (HIGH - LOW) * drawing.STAGE for value in (x, -y)]
    colour: list[int] = image[
        drawing.TOP + round(place[1]), drawing.MARGIN + round(place[0])
    ].tolist()
    return colour


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("data", list(MODES))
def test_the_film_is_an_animation_a_chat_can_carry(data: str, language: str) -> None:
    film, still = drawing.draw_run(result(GanInput(data)), language)
    animation, last = Image.open(io.BytesIO(film)), Image.open(io.BytesIO(still))
    assert (animation.format, last.format) == ("GIF", "PNG")
    assert animation.n_frames == 5
    assert last.size == animation.size
    assert last.width == 840
    animation.seek(4)
    assert animation.info["duration"] >= 3000
    shown = np.asarray(animation.convert("RGB")).astype(int)
    assert np.abs(shown - pixels(still)).mean() < 2


def test_points_stand_on_the_discriminators_surface() -> None:
    image = pixels(drawing.draw_state(state(GanInput(), 5), GanInput(), "en"))
    for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        assert colour_at(image, x, y) == list(drawing.REAL)
    for x, y in ((0, 2), (2, 0), (0, -2)):
        assert colour_at(image, x, y) == list(drawing.FORGED)
    # Blue where it says real, orange where it says forged.
    red, _, blue = colour_at(image, 2.5, 2.5)
    assert blue > red + 50
    red, _, blue = colour_at(image, -2.5, 2.5)
    assert red > blue + 50


def test_the_second_axis_points_upwards() -> None:
    asked = GanInput()
    rising = np.tile(np.linspace(-4, 4, GRID)[:, None], (1, GRID)).astype(np.float16)
    plane = np.asarray(drawing._surface(rising)).astype(int)
    assert (plane[:20, :, 2] > plane[:20, :, 0]).all()
    assert (plane[-20:, :, 2] < plane[-20:, :, 0]).all()
    assert asked.data == "ring"


def test_the_colours_are_symmetric_and_white_at_a_half() -> None:
    shades = drawing._shaded(np.array([0.0, 0.5, 1.0]))
    assert shades[1].tolist() == [255, 255, 255]
    assert drawing._shaded(np.array([0.51]))[0].tolist() != [255, 255, 255]
    assert shades[0].tolist() != shades[2].tolist()


def test_digits_are_dark_on_white_in_the_colour_of_their_verdict() -> None:
    asked = GanInput("digits")
    image = pixels(drawing.draw_state(state(asked, 5), asked, "en"))
    first = image[drawing.TOP :, drawing.MARGIN :]
    assert first[6, 6].tolist() == [0, 0, 0]  # ink in a corner
    assert first[28, 28].tolist() == [255, 255, 255]
    frame_of_the_first, frame_of_the_last = (
        first[1, 1],
        first[6 * drawing.CELL + 1, 7 * drawing.CELL + 1],
    )
    assert frame_of_the_first[0] > frame_of_the_first[2]
    assert frame_of_the_last[2] > frame_of_the_last[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_words_fit_their_places(language: str) -> None:
    say = words(language)
    small, bold = font(drawing.SMALL), font(drawing.TITLE, bold=True)
    for key in ("covered-points", "covered-digits", "good-points", "good-digits", "says"):
        assert small.getlength(say(Message(f"gan-picture-{key}"))) <= drawing.COLUMN_WIDTH, key
    big = font(drawing.BIG, bold=True)
    most = say(Message("gan-picture-covered", covered=16, modes=16))
    assert big.getlength(most) <= drawing.COLUMN_WIDTH
    scale = [say(Message(f"gan-picture-{key}")) for key in ("fake", "real")]
    assert sum(map(small.getlength, (*scale, "½"))) + 40 <= drawing.COLUMN_WIDTH
    for title in ("loss", "outputs"):
        assert bold.getlength(say(Message(f"gan-picture-{title}"))) <= drawing.PLOT_WIDTH
    for names in (("discriminator", "generator"), ("real", "generated")):
        legend = [small.getlength(say(Message(f"gan-picture-{name}"))) + 32 for name in names]
        assert sum(legend) + 24 <= drawing.PLOT_WIDTH
    guess = say(Message("gan-picture-guess", loss=float(np.log(2))))
    assert small.getlength(guess) + 16 <= drawing.PLOT_WIDTH
    real = say(Message("gan-picture-real-digits"))
    assert small.getlength(real) <= drawing.STAGE
    # The heading, at its longest, leaves room for the counter.
    setup = Message(
        "gan-picture-setup-unbalanced",
        data=Message("gan-picture-rings"),
        seed=str(MAX_SEED),
    )
    counter = Message("gan-picture-step", step=MAX_STEPS, steps=MAX_STEPS)
    heading = font(32, bold=True).getlength("GAN") + 16
    width = heading + small.getlength(say(setup)) + 20 + small.getlength(say(counter))
    assert width <= drawing.WIDTH - 2 * drawing.MARGIN
