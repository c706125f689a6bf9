"""XOR as the book draws it: the original x-space beside the learned h-space, and how it came about.

    perceptron, x-space    |  loss of both
    MLP, x-space           →  MLP, h-space

Blue is where a network says 1, orange-red where it says 0, the paler the less sure; the dark line
is the border between them. Made for a chat: 840 pixels across, legible at 350 points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from handlers.drawing.canvas import (
    OKABE_ITO,
    WHITE,
    Colour,
    blend,
    encode_gif,
    encode_png,
    font,
)
from inference.tasks.xor import HIGH, LOW, POINTS, TARGETS, XorResult, XorState
from locales import Message, Words, words

Floats = npt.NDArray[np.floating[Any]]

INK: Colour = (34, 40, 49)
GREY: Colour = (96, 104, 114)
PAPER: Colour = (244, 245, 242)
CLASS: tuple[Colour, Colour] = (OKABE_ITO[3], OKABE_ITO[6])  # 0: vermilion, 1: blue
PERCEPTRON: Colour = (170, 68, 128)  # reddish purple and bluish green, darkened for thin lines
MLP: Colour = (0, 120, 88)

SIDE = 330  # pixels; every plot is a square
WIDTH = 840
LEFT, RIGHT = 62, 490  # left edges of the two columns
TITLE = 26
SMALL = 20
UNDECIDED = 0.03  # certainty below which a plane says ½, as far as anyone can see
BASELINE = 44  # of the heading

FIRST_MS, FRAME_MS, LAST_MS = 900, 90, 4000


# --- what the chat gets -------------------------------------------------------------------------


def draw_run(result: XorResult, language: str) -> tuple[bytes, bytes]:
    """The film of a training run (GIF) and its last frame (PNG), titled in `language`."""
    frames = list(_film(result, language))
    pauses = [FIRST_MS, *[FRAME_MS] * (len(frames) - 2), LAST_MS]
    return encode_gif(frames, pauses), encode_png(frames[-1])


def draw_state(state: XorState, language: str) -> bytes:
    """The two x-spaces side by side while training is under way (PNG)."""
    image = Image.new("RGB", (WIDTH, 450), PAPER)
    for left, name, logits, loss in (
        (LEFT, "perceptron", state.perceptron_logits, state.perceptron_loss),
        (RIGHT, "mlp", state.mlp_logits, state.mlp_loss),
    ):
        plot = _x_space(left, 80)
        plot.draw_axes(image)
        _caption(image, plot, words(language)(Message(f"xor-picture-{name}")))
        _subtitle(image, plot, words(language)(Message("xor-picture-loss-now", loss=loss)))
        _draw_x_space(image, plot, logits, words(language)(Message("xor-picture-undecided")))
    return encode_png(image)


def _film(result: XorResult, language: str) -> Iterator[Image.Image]:
    """The frames, in order."""
    say = words(language)
    x_perceptron = _x_space(LEFT, 130)
    losses = _loss_plot(result, RIGHT, 130, say)
    x_mlp, h_mlp = _x_space(LEFT, 564), _h_space(result, RIGHT, 564)

    page = Image.new("RGB", (WIDTH, 936), PAPER)
    setup = Message("xor-picture-setup", hidden=result.hidden, seed=str(result.seed))
    _draw_heading(page, say(setup))
    for plot, key in (
        (x_perceptron, "perceptron"),
        (losses, "loss"),
        (x_mlp, "mlp"),
        (h_mlp, "h"),
    ):
        plot.draw_axes(page)
        _caption(page, plot, say(Message(f"xor-picture-{key}")))
    _draw_arrow(page, x_mlp, h_mlp)
    _draw_legend(page, losses)
    seen = "xor-picture-h-seen" if result.hidden <= 2 else "xor-picture-h-directions"
    _subtitle(page, h_mlp, say(Message(seen, hidden=result.hidden)))
    undecided = say(Message("xor-picture-undecided"))
    guess = say(Message("xor-picture-guess", loss=float(np.log(2))))

    curves = _Curves(losses, result, guess)
    trails = _Trails(h_mlp, result)
    best = np.maximum.accumulate(result.perceptron_right)
    for index, step in enumerate(result.frames):
        frame = page.copy()
        counter = say(Message("xor-picture-step", step=int(step), steps=result.steps))
        place = (RIGHT + SIDE, BASELINE)
        ImageDraw.Draw(frame).text(place, counter, font=font(SMALL), fill=INK, anchor="rs")
        status = Message(
            "xor-picture-best", loss=float(result.perceptron_losses[step]), right=int(best[step])
        )
        _subtitle(frame, x_perceptron, say(status))
        status = Message(
            "xor-picture-right",
            loss=float(result.mlp_losses[step]),
            right=int(result.mlp_right[step]),
        )
        _subtitle(frame, x_mlp, say(status))
        _draw_x_space(frame, x_perceptron, result.perceptron_logits[index], undecided)
        _draw_x_space(frame, x_mlp, result.mlp_logits[index], undecided)
        curves.draw(frame, int(step))
        trails.draw(frame, index)
        yield frame


# --- plots --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plot:
    """A square plot: where it stands on the page and which values its sides span."""

    left: int
    top: int
    across: tuple[float, float]
    up: tuple[float, float]
    ticks_across: tuple[tuple[float, str], ...]
    ticks_up: tuple[tuple[float, str], ...]
    name_across: str = ""
    name_up: str = ""

    @property
    def corner(self) -> tuple[int, int]:
        return self.left, self.top

    def at(self, across: float, up: float) -> tuple[float, float]:
        """Pixels from the plot's own top left."""
        low, high = self.across
        bottom, top = self.up
        return (
            (across - low) / (high - low) * SIDE,
            (top - up) / (top - bottom) * SIDE,
        )

    def draw_axes(self, page: Image.Image) -> None:
        """Frame, ticks, their numbers and the axes' names; the inside white."""
        draw = ImageDraw.Draw(page)
        left, top, right, bottom = self.left, self.top, self.left + SIDE, self.top + SIDE
        draw.rectangle((left - 1, top - 1, right, bottom), fill=WHITE, outline=GREY)
        for value, label in self.ticks_across:
            x = left + self.at(value, 0)[0]
            draw.line((x, bottom, x, bottom + 6), fill=GREY)
            # The outermost numbers stay within the plot's width.
            anchor = "ra" if x > right - 4 else "la" if x < left + 4 else "ma"
            draw.text((x, bottom + 8), label, font=font(SMALL), fill=INK, anchor=anchor)
        for value, label in self.ticks_up:
            y = top + self.at(0, value)[1]
            draw.line((left - 7, y, left - 1, y), fill=GREY)
            draw.text((left - 11, y), label, font=font(SMALL), fill=INK, anchor="rm")
        middle = left + SIDE / 2
        draw.text(
            (middle, bottom + 8),
            self.name_across,
            font=font(SMALL, italic=True),
            fill=GREY,
            anchor="ma",
        )
        draw.text(
            (left - 11, top + SIDE / 2),
            self.name_up,
            font=font(SMALL, italic=True),
            fill=GREY,
            anchor="rm",
        )


def _x_space(left: int, top: int) -> _Plot:
    ticks = ((0.0, "0"), (1.0, "1"))
    return _Plot(left, top, (LOW, HIGH), (LOW, HIGH), ticks, ticks, "x₁", "x₂")


def _h_space(result: XorResult, left: int, top: int) -> _Plot:
    """All hidden units lie between −1 and 1; a projection of many of them may reach farther."""
    if result.hidden <= 2:
        ends, ticks = (-1.45, 1.45), ((-1.0, "−1"), (1.0, "1"))
        if result.hidden == 1:
            return _Plot(left, top, ends, ends, ticks, (), "h₁")
        return _Plot(left, top, ends, ends, ticks, ticks, "h₁", "h₂")
    reach = 1.35 * max(0.5, float(np.abs(result.h_points).max()))
    return _Plot(left, top, (-reach, reach), (-reach, reach), (), ())


def _loss_plot(result: XorResult, left: int, top: int, say: Words) -> _Plot:
    last = say(Message("xor-picture-tick", step=result.steps))
    ticks = ((0.0, "0"), (float(result.steps), last))
    name = say(Message("xor-picture-axis"))
    return _Plot(left, top, (0, result.steps), (-0.04, 1.1), ticks, ((0.0, "0"), (1.0, "1")), name)


def _caption(page: Image.Image, plot: _Plot, text: str) -> None:
    place = (plot.left, plot.top - 38)
    ImageDraw.Draw(page).text(place, text, font=font(TITLE, bold=True), fill=INK, anchor="ls")


def _subtitle(page: Image.Image, plot: _Plot, text: str) -> None:
    place = (plot.left, plot.top - 11)
    ImageDraw.Draw(page).text(place, text, font=font(SMALL), fill=GREY, anchor="ls")


def _draw_heading(page: Image.Image, setup: str) -> None:
    draw = ImageDraw.Draw(page)
    draw.text((LEFT, BASELINE), "XOR", font=font(32, bold=True), fill=INK, anchor="ls")
    left = LEFT + font(32, bold=True).getlength("XOR") + 16
    draw.text((left, BASELINE), setup, font=font(SMALL), fill=GREY, anchor="ls")


def _draw_arrow(page: Image.Image, start: _Plot, end: _Plot) -> None:
    """From a representation to the next."""
    draw = ImageDraw.Draw(page)
    y = start.top - 47
    tip = end.left - 16
    draw.line((start.left + SIDE - 70, y, tip - 8, y), fill=GREY, width=3)
    draw.polygon(((tip, y), (tip - 14, y - 8), (tip - 14, y + 8)), fill=GREY)


def _draw_legend(page: Image.Image, plot: _Plot) -> None:
    draw = ImageDraw.Draw(page)
    x: float = plot.left
    y = plot.top - 18
    for name, colour in (("perceptron", PERCEPTRON), ("MLP", MLP)):
        draw.line((x, y, x + 24, y), fill=colour, width=5)
        draw.text((x + 32, y + 7), name, font=font(SMALL), fill=INK, anchor="ls")
        x += 32 + font(SMALL).getlength(name) + 28


# --- what stands in the plots -------------------------------------------------------------------


def _draw_x_space(frame: Image.Image, plot: _Plot, logits: Floats, undecided: str) -> None:
    """The decisions over the plane, and the four points with their classes."""
    frame.paste(_decisions(_enlarged(logits)), plot.corner)
    if _certainty(logits).max() < UNDECIDED:
        ImageDraw.Draw(frame).text(
            (plot.left + SIDE / 2, plot.top + SIDE / 2),
            undecided,
            font=font(24),
            fill=GREY,
            anchor="mm",
        )
    for point, target in zip(POINTS, TARGETS, strict=True):
        _draw_point(frame, plot, plot.at(*point), target)


def _enlarged(logits: Floats) -> Floats:
    """A grid of logits (rows rising along x₂) at one value a pixel, (SIDE, SIDE), top row first."""
    # Two cells more on each side, carried on straight, or the borders would bend at the edges.
    wider = np.pad(logits[::-1].astype(np.float32), 2, mode="reflect", reflect_type="odd")
    # The outermost samples stand on the plot's edges, not half a cell inside.
    inner = (2.5, 2.5, len(wider) - 2.5, len(wider) - 2.5)
    image = Image.fromarray(wider).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=inner)
    return np.asarray(image)


def _certainty(logits: Floats) -> Floats:
    """How far a probability is from ½: |2p − 1|, 0…1."""
    return np.abs(np.tanh(logits / 2))


def _decisions(logits: Floats) -> Image.Image:
    """Logits, one a pixel, as shades of the two classes with a border where they are 0."""
    shades = _shades()
    probability = (np.tanh(logits / 2) + 1) / 2
    pixels = shades[np.rint(probability * (len(shades) - 1)).astype(np.uint8)]
    # Where the network says nearly ½ everywhere the border means little: it fades away.
    strength = min(1.0, (float(_certainty(logits).max()) - UNDECIDED) / 0.07)
    if strength > 0:
        slope_up, slope_across = np.gradient(logits)
        distance = np.abs(logits) / (np.hypot(slope_up, slope_across) + 1e-12)  # in pixels
        near = distance < 2.2
        line = np.clip(2.2 - distance[near], 0, 1)[:, None] * strength
        pixels[near] = pixels[near] * (1 - line) + np.array(INK) * line
    return Image.fromarray(pixels)


@cache
def _shades() -> npt.NDArray[np.uint8]:
    """(17, 3): from surely 0 over white to surely 1. Few steps keep the film small."""
    half = 8
    return np.array(
        [
            blend(WHITE, CLASS[step > half], 0.55 * abs(step - half) / half)
            for step in range(2 * half + 1)
        ],
        dtype=np.uint8,
    )


def _draw_point(frame: Image.Image, plot: _Plot, place: tuple[float, float], target: int) -> None:
    disc = _disc(target)
    x, y = plot.left + round(place[0]), plot.top + round(place[1])
    frame.paste(disc, (x - disc.width // 2, y - disc.height // 2), disc)


@cache
def _disc(target: int) -> Image.Image:
    """A class's digit on a disc of its colour with a white rim, 44 pixels across."""
    scale, size = 4, 44
    disc = Image.new("RGBA", (size * scale, size * scale), (*WHITE, 0))
    draw = ImageDraw.Draw(disc)
    draw.ellipse((0, 0, size * scale - 1, size * scale - 1), fill=WHITE)
    rim = 4 * scale
    draw.ellipse((rim, rim, size * scale - 1 - rim, size * scale - 1 - rim), fill=CLASS[target])
    draw.text(
        (size * scale / 2, size * scale / 2),
        str(target),
        font=font(26 * scale, bold=True),
        fill=WHITE,  # 3.7 : 1 on vermilion, enough for a digit this large
        anchor="mm",
    )
    return disc.reduce(scale)


class _Pen:
    """Smooth lines that grow from frame to frame: drawn three times as large, then reduced."""

    SCALE = 3

    def __init__(self, colour: Colour, width: float) -> None:
        self._colour = Image.new("RGB", (SIDE, SIDE), colour)
        self._width = round(width * self.SCALE)
        self._mask = Image.new("L", (SIDE * self.SCALE, SIDE * self.SCALE), 0)

    def draw(self, places: Iterable[tuple[float, float]]) -> None:
        """A line through places in a plot, in pixels."""
        points = [(x * self.SCALE, y * self.SCALE) for x, y in places]
        ImageDraw.Draw(self._mask).line(points, fill=255, width=self._width, joint="curve")

    def onto(self, frame: Image.Image, plot: _Plot) -> None:
        frame.paste(self._colour, plot.corner, self._mask.reduce(self.SCALE))


class _Curves:
    """Both losses, up to the present step, and the ln 2 that no perceptron gets below."""

    def __init__(self, plot: _Plot, result: XorResult, guess: str) -> None:
        self._plot = plot
        self._guess = guess
        self._drawn = 0
        self._curves = [
            (_Pen(PERCEPTRON, 4), PERCEPTRON, result.perceptron_losses),
            (_Pen(MLP, 4), MLP, result.mlp_losses),
        ]

    def draw(self, frame: Image.Image, step: int) -> None:
        draw = ImageDraw.Draw(frame)
        left, top = self._plot.corner
        level = top + self._plot.at(0, float(np.log(2)))[1]
        for dash in range(left + 4, left + SIDE - 4, 14):
            draw.line((dash, level, dash + 7, level), fill=GREY, width=1)
        draw.text(
            (left + SIDE - 8, level + 8), self._guess, font=font(SMALL), fill=GREY, anchor="ra"
        )
        for pen, colour, losses in self._curves:
            if step > self._drawn:
                steps = range(self._drawn, step + 1)
                pen.draw(self._plot.at(at, self._inside(losses[at])) for at in steps)
            pen.onto(frame, self._plot)
            x, y = self._plot.at(step, self._inside(losses[step]))
            draw.ellipse(
                (left + x - 7, top + y - 7, left + x + 7, top + y + 7), fill=colour, outline=WHITE
            )
        self._drawn = step

    def _inside(self, loss: float) -> float:
        return min(float(loss), self._plot.up[1])


class _Trails:
    """h-space: what the output unit says there, the four points, and the way they came."""

    def __init__(self, plot: _Plot, result: XorResult) -> None:
        self._plot = plot
        self._result = result
        self._pens = [_Pen(blend(CLASS[target], INK, 0.15), 2) for target in TARGETS]
        steps = np.linspace(0, 1, SIDE, dtype=np.float32)
        across = plot.across[0] + steps * (plot.across[1] - plot.across[0])
        up = plot.up[1] - steps * (plot.up[1] - plot.up[0])
        self._across, self._up = np.meshgrid(across, up)  # (SIDE, SIDE) each
        self._names = _Names()

    def draw(self, frame: Image.Image, index: int) -> None:
        plot, points = self._plot, self._result.h_points
        slope_across, slope_up, level = self._result.h_planes[index].tolist()
        logits = slope_across * self._across + slope_up * self._up + level
        frame.paste(_decisions(logits), plot.corner)
        for number, pen in enumerate(self._pens):
            if index:
                pen.draw(plot.at(*points[at, number]) for at in (index - 1, index))
            pen.onto(frame, plot)
        places = [plot.at(*point) for point in points[index]]
        for place, target in zip(places, TARGETS, strict=True):
            _draw_point(frame, plot, place, target)
        self._names.draw(frame, plot, np.array(places))


class _Names:
    """The points' names, (x₁, x₂), each on the freest of eight sides of its disc."""

    # right, down-right, down, … as steps in pixels; text is wider than high
    SIDES = tuple(
        (54 * float(np.cos(angle)), 38 * float(np.sin(angle))) for angle in np.arange(8) * np.pi / 4
    )
    FACE = 18
    HALF_WIDTH, HALF_HEIGHT = 30, 14

    def __init__(self) -> None:
        self._sides = [3, 5, 1, 7]  # as all points start in one place

    def draw(self, frame: Image.Image, plot: _Plot, places: Floats) -> None:
        """`places` (4, 2): the discs' middles, in pixels from the plot's corner."""
        draw = ImageDraw.Draw(frame)
        taken: list[Floats] = []
        for number, point in enumerate(POINTS):
            middles = [places[number] + side for side in self.SIDES]
            costs = [
                self._crowding(middle, places, taken) - 0.25 * (side == self._sides[number])
                for side, middle in enumerate(middles)
            ]
            self._sides[number] = int(np.argmin(costs))
            middle = middles[self._sides[number]]
            taken.append(middle)
            draw.text(
                (plot.left + middle[0], plot.top + middle[1]),
                f"({point[0]}, {point[1]})",
                font=font(self.FACE),
                fill=INK,
                anchor="mm",
                stroke_width=3,
                stroke_fill=WHITE,
            )

    def _crowding(self, middle: Floats, discs: Floats, names: Sequence[Floats]) -> float:
        """How much a name at `middle` would cover others, or leave the plot; 0: free."""
        size = (self.HALF_WIDTH, self.HALF_HEIGHT)
        beyond = np.maximum(0, np.abs(middle - SIDE / 2) + size - SIDE / 2)
        cost = float(beyond.sum())
        for disc in discs:
            cost += max(0.0, 1 - float(np.hypot(*((middle - disc) / (54, 38))))) * 3
        for name in names:
            cost += max(0.0, 1 - float(np.max(np.abs(middle - name) / (58, 24)))) * 6
        return cost
