"""A GAN as it plays: what was forged and what is said of it, and how both fared so far.

    the plane, or the digits     |  how many modes, how good; what the colours mean
    losses of both               |  what the discriminator says on average

Blue is what the discriminator takes for real, orange-red what it takes for forged, the paler the
less sure; points have the colour of what they are. So a red point on blue ground is a forgery that
passes. Made for a chat: 840 pixels across, legible at 350 points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from handlers.drawing.canvas import WHITE, Colour, blend, encode_gif, encode_png, font
from handlers.drawing.spaces import (
    BASELINE,
    CLASS,
    GREY,
    INK,
    PAPER,
    SMALL,
    TITLE,
    WIDTH,
)
from inference.tasks.gan import (
    HIGH,
    JUDGED,
    LOW,
    GanInput,
    GanResult,
    GanState,
    Half,
)
from locales import Message, Words, words

FORGED, REAL = (blend(colour, INK, 0.25) for colour in CLASS)
DISCRIMINATOR: Colour = (170, 68, 128)  # reddish purple and bluish green, darkened for thin lines
GENERATOR: Colour = (0, 120, 88)

MARGIN, TOP = 30, 76
STAGE = 510  # pixels; the plane is a square, and the digits fill one
COLUMN = 566  # left edge of what stands beside it
COLUMN_WIDTH = WIDTH - MARGIN - COLUMN
PLOT_TOP = TOP + STAGE + 84
PLOT_WIDTH, PLOT_HEIGHT = 344, 190
LEFT, RIGHT = 62, WIDTH - MARGIN - PLOT_WIDTH  # left edges of the two plots
BIG = 42

ACROSS, DOWN, CELL = 8, 7, 60  # digits in a row, rows, pixels from one to the next
INK_SCALE = 6  # pixels of the picture to one of a digit

FIRST_MS, FRAME_MS, LAST_MS = 900, 120, 4000


# --- what the chat gets -------------------------------------------------------------------------


def draw_run(result: GanResult, language: str) -> tuple[bytes, bytes]:
    """The film of a training run (GIF) and its last frame (PNG), with words in `language`."""
    frames = list(_film(result, words(language)))
    pauses = [FIRST_MS, *[FRAME_MS] * (len(frames) - 2), LAST_MS]
    return encode_gif(frames, pauses), encode_png(frames[-1])


def draw_state(state: GanState, asked: GanInput, language: str) -> bytes:
    """Where both networks stand while training is under way (PNG)."""
    say = words(language)
    page = _page(asked, say, TOP + STAGE + MARGIN)
    _draw_state(page, state, asked, say)
    return encode_png(page)


def _film(result: GanResult, say: Words) -> Iterator[Image.Image]:
    """The frames, in order."""
    page = _page(result.asked, say, PLOT_TOP + PLOT_HEIGHT + 46)
    steps = [frame.step for frame in result.frames]
    losses = np.array([frame.losses for frame in result.frames])  # (F, 2)
    outputs = np.array([frame.outputs for frame in result.frames])
    guess = say(Message("gan-picture-guess", loss=math.log(2)))
    # A loss may shoot up for a moment; what stands out at the top says so by touching it.
    top = min(3.0, max(1.4, 1.05 * float(losses.max())))
    plots = [
        _Plot(LEFT, steps, top, math.log(2), guess, losses, (DISCRIMINATOR, GENERATOR)),
        _Plot(RIGHT, steps, 1.0, 0.5, "½", outputs, CLASS[::-1]),
    ]
    for plot, title, names in (
        (plots[0], "gan-picture-loss", ("gan-picture-discriminator", "gan-picture-generator")),
        (plots[1], "gan-picture-outputs", ("gan-picture-real", "gan-picture-generated")),
    ):
        plot.draw_axes(page, say(Message(title)), [say(Message(name)) for name in names], say)
    for number, state in enumerate(result.frames):
        frame = page.copy()
        _draw_state(frame, state, result.asked, say)
        for plot in plots:
            plot.draw(frame, number)
        yield frame


# --- the page -----------------------------------------------------------------------------------


def _page(asked: GanInput, say: Words, height: int) -> Image.Image:
    """Paper with a heading."""
    page = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(page)
    bold = font(32, bold=True)
    draw.text((MARGIN, BASELINE), "GAN", font=bold, fill=INK, anchor="ls")
    data, seed = Message(f"gan-picture-{asked.data}"), str(asked.seed)
    key = "gan-picture-setup-unbalanced" if asked.collapse else "gan-picture-setup"
    setup = Message(key, data=data, seed=seed)
    left = MARGIN + bold.getlength("GAN") + 16
    draw.text((left, BASELINE), say(setup), font=font(SMALL), fill=GREY, anchor="ls")
    return page


def _draw_state(frame: Image.Image, state: GanState, asked: GanInput, say: Words) -> None:
    """All that shows one moment: the step, the samples, and the numbers beside them."""
    counter = say(Message("gan-picture-step", step=state.step, steps=asked.steps))
    place = (WIDTH - MARGIN, BASELINE)
    ImageDraw.Draw(frame).text(place, counter, font=font(SMALL), fill=INK, anchor="rs")
    covered = Message("gan-picture-covered", covered=state.covered, modes=len(state.found))
    good = Message("gan-picture-good", good=state.good)
    points = state.surface is not None
    _draw_number(
        frame,
        TOP - 6,
        say(covered),
        say(Message("gan-picture-covered-points" if points else "gan-picture-covered-digits")),
    )
    _draw_number(
        frame,
        TOP + 98,
        say(good),
        say(Message("gan-picture-good-points" if points else "gan-picture-good-digits")),
    )
    if state.surface is not None:
        _draw_plane(frame, state, state.surface)
        _draw_kinds(frame, TOP + 236, say)
    else:
        _draw_digits(frame, state, say)
        _draw_counts(frame, TOP + 206, state)
    _draw_scale(frame, TOP + STAGE - 62, say)


# --- beside the samples -------------------------------------------------------------------------


def _draw_number(frame: Image.Image, top: int, number: str, name: str) -> None:
    draw = ImageDraw.Draw(frame)
    draw.text((COLUMN, top), number, font=font(BIG, bold=True), fill=INK, anchor="la")
    draw.text((COLUMN, top + 54), name, font=font(SMALL), fill=GREY, anchor="la")


def _draw_kinds(frame: Image.Image, top: int, say: Words) -> None:
    """What the points are."""
    for row, (disc, key) in enumerate(
        ((_disc(REAL, 3), "gan-picture-real"), (_disc(FORGED, 4), "gan-picture-generated"))
    ):
        y = top + 38 * row
        for x in (COLUMN + 8, COLUMN + 22, COLUMN + 36):
            frame.paste(disc, (x - disc.width // 2, y - disc.height // 2), disc)
        draw = ImageDraw.Draw(frame)
        draw.text((COLUMN + 56, y), say(Message(key)), font=font(SMALL), fill=INK, anchor="lm")


def _draw_scale(frame: Image.Image, top: int, say: Words) -> None:
    """What the colours mean."""
    draw = ImageDraw.Draw(frame)
    says = say(Message("gan-picture-says"))
    draw.text((COLUMN, top - 10), says, font=font(SMALL), fill=INK, anchor="ls")
    steps = np.linspace(0, 1, COLUMN_WIDTH)
    row = _shaded(steps)[None].repeat(26, axis=0)
    frame.paste(Image.fromarray(row), (COLUMN, top))
    draw.rectangle((COLUMN - 1, top - 1, COLUMN + COLUMN_WIDTH, top + 26), outline=GREY)
    for x, text, anchor in (
        (COLUMN, say(Message("gan-picture-fake")), "la"),
        (COLUMN + COLUMN_WIDTH / 2, "½", "ma"),
        (COLUMN + COLUMN_WIDTH, say(Message("gan-picture-real")), "ra"),
    ):
        draw.text((x, top + 36), text, font=font(SMALL), fill=INK, anchor=anchor)


def _draw_counts(frame: Image.Image, top: int, state: GanState) -> None:
    """How many good samples there are of each digit, beside what would be fair."""
    draw = ImageDraw.Draw(frame)
    left, width, row = COLUMN + 20, COLUMN_WIDTH - 20, 20
    for digit, (found, covers) in enumerate(zip(state.found, state.covers, strict=True)):
        y = top + row * digit
        draw.text((COLUMN, y + 8), str(digit), font=font(18), fill=INK, anchor="lm")
        draw.rectangle((left, y + 2, left + width - 1, y + 14), fill=WHITE)
        # The full width is twice the fair share; what is forged more often ends there, too.
        length = min(1.0, int(found) * len(state.found) / (2 * JUDGED)) * width
        if length >= 1:
            colour = GENERATOR if covers else blend(GREY, WHITE, 0.5)
            draw.rectangle((left, y + 2, left + length - 1, y + 14), fill=colour)
    draw.line((left + width / 2, top, left + width / 2, top + row * len(state.found)), fill=GREY)


# --- the samples --------------------------------------------------------------------------------


def _draw_plane(frame: Image.Image, state: GanState, surface: Half) -> None:
    """The discriminator's surface, with real and generated points on it."""
    frame.paste(_surface(surface), (MARGIN, TOP))
    for points, disc in ((state.reals, _disc(REAL, 3)), (state.fakes, _disc(FORGED, 4))):
        for x, y in _inside(points):
            frame.paste(disc, (x - disc.width // 2, y - disc.height // 2), disc)
    box = (MARGIN - 1, TOP - 1, MARGIN + STAGE, TOP + STAGE)
    ImageDraw.Draw(frame).rectangle(box, outline=GREY)


def _inside(points: Half) -> Iterator[tuple[int, int]]:
    """Where on the page the points are that do not leave the plane, in pixels."""
    span = (points.astype(np.float64) - LOW) / (HIGH - LOW)  # (N, 2), 0…1
    rim = 6 / STAGE
    for x, y in span[((span > rim) & (span < 1 - rim)).all(axis=1)].tolist():
        yield MARGIN + round(x * STAGE), TOP + round((1 - y) * STAGE)


def _surface(logits: Half) -> Image.Image:
    """The discriminator's output over the plane (rows rising along y), STAGE pixels a side."""
    image = Image.fromarray(logits[::-1].astype(np.float32))
    # The outermost samples stand on the plane's edges, not half a cell inside.
    inner = (0.5, 0.5, len(logits) - 0.5, len(logits) - 0.5)
    large = np.asarray(image.resize((STAGE, STAGE), Image.Resampling.BICUBIC, box=inner))
    return Image.fromarray(_shaded((np.tanh(large / 2) + 1) / 2))


def _shaded(probability: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Colours of a probability of "real"; any shape, three channels more."""
    certainty = 2 * probability - 1
    # By the root, so that little certainty shows: in a game between equals there is never much.
    place = np.sign(certainty) * np.sqrt(np.abs(certainty))  # −1…1
    shaded: npt.NDArray[np.uint8] = _shades()[np.rint(HALF * (place + 1)).astype(np.intp)]
    return shaded


HALF = 10  # shades of each colour; few keep the film small


@cache
def _shades() -> npt.NDArray[np.uint8]:
    """(2 · HALF + 1, 3): from surely forged over white to surely real."""
    return np.array(
        [
            blend(WHITE, CLASS[step > HALF], 0.75 * abs(step - HALF) / HALF)
            for step in range(2 * HALF + 1)
        ],
        dtype=np.uint8,
    )


@cache
def _disc(colour: Colour, radius: float) -> Image.Image:
    """A point with a white rim."""
    scale = 8
    size = 2 * math.ceil(radius) + 3
    disc = Image.new("RGBA", (size * scale, size * scale), (*WHITE, 0))
    draw = ImageDraw.Draw(disc)
    middle = size * scale / 2
    for reach, fill in ((radius + 1, WHITE), (radius, colour)):
        reach *= scale
        box = (middle - reach, middle - reach, middle + reach, middle + reach)
        draw.ellipse(box, fill=fill)
    return disc.reduce(scale)


def _draw_digits(frame: Image.Image, state: GanState, say: Words) -> None:
    """Generated digits, framed in the colour of their verdicts, and a row of real ones."""
    for number, (digit, verdict) in enumerate(zip(state.fakes, state.verdicts, strict=True)):
        row, column = divmod(number, ACROSS)
        shade = _shaded(np.array(float(verdict))).tolist()
        _draw_digit(frame, MARGIN + column * CELL, TOP + row * CELL, digit, tuple(shade))
    below = TOP + DOWN * CELL
    for column, digit in enumerate(state.reals[:ACROSS]):
        _draw_digit(frame, MARGIN + column * CELL, below + 32, digit, WHITE)
    text = say(Message("gan-picture-real-digits"))
    ImageDraw.Draw(frame).text((MARGIN, below + 26), text, font=font(SMALL), fill=INK, anchor="ls")


def _draw_digit(frame: Image.Image, left: int, top: int, digit: Half, shade: Colour) -> None:
    edge = 8 * INK_SCALE + 8
    ImageDraw.Draw(frame).rectangle((left, top, left + edge - 1, top + edge - 1), fill=shade)
    levels = np.rint(digit.astype(np.float64).clip(0, 1) * 16) / 16  # as many as the real ones have
    ink = np.rint(255 * (1 - levels)).astype(np.uint8)
    size = (8 * INK_SCALE, 8 * INK_SCALE)
    large = Image.fromarray(ink).resize(size, Image.Resampling.NEAREST)
    frame.paste(large.convert("RGB"), (left + 4, top + 4))


# --- curves -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plot:
    """Two curves over the steps, from 0 to `top`, and a dashed line at `level`."""

    left: int
    steps: Sequence[int]
    top: float
    level: float
    level_name: str
    values: npt.NDArray[np.floating]  # (F, 2)
    colours: Sequence[Colour]

    def at(self, step: float, value: float) -> tuple[float, float]:
        """Pixels from the plot's own top left."""
        return (
            step / self.steps[-1] * PLOT_WIDTH,
            (1 - min(max(value, 0.0), self.top) / self.top) * PLOT_HEIGHT,
        )

    def draw_axes(self, page: Image.Image, title: str, names: Sequence[str], say: Words) -> None:
        draw = ImageDraw.Draw(page)
        right, bottom = self.left + PLOT_WIDTH, PLOT_TOP + PLOT_HEIGHT
        draw.rectangle((self.left - 1, PLOT_TOP - 1, right, bottom), fill=WHITE, outline=GREY)
        place: tuple[float, float] = (self.left, PLOT_TOP - 42)
        draw.text(place, title, font=font(TITLE, bold=True), fill=INK, anchor="ls")
        for value in (0, 1):
            y = PLOT_TOP + self.at(0, value)[1]
            draw.line((self.left - 7, y, self.left - 1, y), fill=GREY)
            place = (self.left - 11, y)
            draw.text(place, str(value), font=font(SMALL), fill=INK, anchor="rm")
        last = say(Message("gan-picture-tick", step=self.steps[-1]))
        for x, text, anchor in ((self.left, "0", "la"), (right, last, "ra")):
            draw.text((x, bottom + 8), text, font=font(SMALL), fill=INK, anchor=anchor)
        axis = say(Message("gan-picture-axis"))
        place = (self.left + PLOT_WIDTH / 2, bottom + 8)
        draw.text(place, axis, font=font(SMALL, italic=True), fill=GREY, anchor="ma")
        across, height = float(self.left), PLOT_TOP - 18
        for name, colour in zip(names, self.colours, strict=True):
            draw.line((across, height, across + 24, height), fill=colour, width=5)
            draw.text((across + 32, height + 7), name, font=font(SMALL), fill=INK, anchor="ls")
            across += 32 + font(SMALL).getlength(name) + 24

    def draw(self, frame: Image.Image, number: int) -> None:
        """Both curves up to the frame of this number."""
        draw = ImageDraw.Draw(frame)
        level = PLOT_TOP + self.at(0, self.level)[1]
        for dash in range(self.left + 4, self.left + PLOT_WIDTH - 4, 14):
            draw.line((dash, level, dash + 7, level), fill=GREY, width=1)
        place = (self.left + PLOT_WIDTH - 8, PLOT_TOP + PLOT_HEIGHT - 8)
        draw.text(place, self.level_name, font=font(SMALL), fill=GREY, anchor="rs")
        scale = 3
        for curve, colour in zip(self.values.T.tolist(), self.colours, strict=True):
            places = [
                self.at(step, value)
                for step, value in zip(self.steps[: number + 1], curve, strict=False)
            ]
            if number:
                # Drawn three times as large, then reduced: smooth.
                mask = Image.new("L", (PLOT_WIDTH * scale, PLOT_HEIGHT * scale), 0)
                line = [(x * scale, y * scale) for x, y in places]
                ImageDraw.Draw(mask).line(line, fill=255, width=4 * scale, joint="curve")
                frame.paste(colour, (self.left, PLOT_TOP), mask.reduce(scale))
            x, y = self.left + places[-1][0], PLOT_TOP + places[-1][1]
            draw.ellipse((x - 7, y - 7, x + 7, y + 7), fill=colour, outline=WHITE)
