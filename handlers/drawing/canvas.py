"""What every drawing needs: letters, colours that everybody can tell apart, encoders.

Colours are (red, green, blue), each 0…255. Sizes and positions are pixels, (x, y) from the top
left.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

# Okabe & Ito, "Color Universal Design" (2008): seven hues that people with any kind of colour
# blindness can tell apart. Their eighth is black.
OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # reddish purple
    (240, 228, 66),  # yellow
    (0, 114, 178),  # blue
)


# --- colours ------------------------------------------------------------------------------------


def palette(index: int) -> Colour:
    """The colour of the `index`-th class (0, 1, …): seven hues, then lighter, then darker ones.

    Every index has a colour; after 21 they come round again.
    """
    hue = OKABE_ITO[index % 7]
    match index // 7 % 3:
        case 1:
            return blend(hue, WHITE, 0.45)
        case 2:
            return blend(hue, BLACK, 0.45)
        case _:
            return hue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """`first` with a `share` (0…1) of `second` mixed in."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance as WCAG 2 defines it, 0 (black) … 1 (white)."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: Colour, second: Colour) -> float:
    """Contrast ratio as WCAG 2 defines it, 1 (none) … 21; small text needs 4.5."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def text_colour(on: Colour) -> Colour:
    """Black or white, whichever reads better on this background; always at least 4.5 : 1."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, on))


# --- letters ------------------------------------------------------------------------------------


@cache
def _font_folder() -> Path:
    """Where matplotlib keeps DejaVu, found without importing matplotlib.

    Pillow's own font has no ğ, ş or İ. DejaVu has them and comes with a dependency of ultralytics,
    so the same letters are there on every system.

    Raises:
        FileNotFoundError: matplotlib is not installed.
    """
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the fonts come with matplotlib, which is not installed")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@cache
def font(size: int, bold: bool = False, italic: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans at `size` pixels to the em, at least 1."""
    style = {
        (False, False): "",
        (True, False): "-Bold",
        (False, True): "-Oblique",
        (True, True): "-BoldOblique",
    }[bold, italic]
    # The basic layout engine gives the same picture wherever it is drawn; Raqm is not everywhere.
    return ImageFont.truetype(
        _font_folder() / f"DejaVuSans{style}.ttf",
        max(1, size),
        layout_engine=ImageFont.Layout.BASIC,
    )


def text_size(width: int, height: int) -> int:
    """Pixels to the em that read well on a `width` × `height` picture shown in a chat.

    A chat shows a picture some 350 points wide, so letters grow with its longer side; they stay
    small beside its shorter one, so a panorama is not covered by its labels.
    """
    return round(max(10, min(max(width, height) / 45, min(width, height) / 14)))


def shorten(text: str, face: ImageFont.FreeTypeFont, width: float) -> str:
    """The text, or as much of it as fits `width` with an ellipsis at its end."""
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1].rstrip()
    return text + "…"


def wrap(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The text in lines of at most `width`, broken between words; a longer word is shortened."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and face.getlength(longer) > width:
            lines.append(line)
            longer = word
        line = longer
    lines.append(line)
    return [shorten(line, face, width) for line in lines]


def label_size(text: str, face: ImageFont.FreeTypeFont) -> tuple[int, int]:
    """Width and height of the box that `draw_label` draws for this text."""
    ascent, descent = face.getmetrics()
    padding = _padding(face)
    return round(face.getlength(text)) + 2 * padding, ascent + descent + padding


def draw_label(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    face: ImageFont.FreeTypeFont,
    background: Colour,
) -> Rectangle:
    """Text on a filled box whose top left is `corner`, moved so that it stays in the picture.

    Returns:
        The box as drawn.
    """
    width, height = label_size(text, face)
    left = max(0, min(corner[0], draw.im.size[0] - width))
    top = max(0, min(corner[1], draw.im.size[1] - height))
    box = (left, top, left + width, top + height)
    padding = _padding(face)
    draw.rounded_rectangle(box, radius=padding, fill=background)
    middle = (left + padding, top + height / 2)
    draw.text(middle, text, font=face, fill=text_colour(background), anchor="lm")
    return box


def _padding(face: ImageFont.FreeTypeFont) -> int:
    return max(2, round(face.size * 0.3))


# --- encoders -----------------------------------------------------------------------------------
# `metadata` is what Pillow writes beside the pixels; `handlers.drawing.mark` has some.


def encode_jpeg(
    image: Image.Image, quality: int = 90, subsampling: int = 0, **metadata: Any
) -> bytes:
    """A photo for a chat, at a quality of 1…95.

    Unless `subsampling` is 2, in full colour resolution: thin coloured lines would smear otherwise.
    """
    pixels = image.convert("RGB")
    options = {"quality": quality, "subsampling": subsampling, **metadata}
    buffer = io.BytesIO()
    try:
        pixels.save(buffer, "JPEG", optimize=True, **options)
    except OSError:  # then Pillow holds a byte a pixel at most, and noise takes more
        buffer = io.BytesIO()
        pixels.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def encode_png(image: Image.Image, **metadata: Any) -> bytes:
    """A drawing, without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, **metadata)
    return buffer.getvalue()


def encode_gif(
    frames: Sequence[Image.Image],
    durations_ms: Sequence[int] | int,
    loop: int = 0,
    **metadata: Any,
) -> bytes:
    """An animation of equally large frames.

    `durations_ms`: how long each frame stands (or all of them); GIF counts in hundredths of a
    second, and browsers slow down below 20 ms. `loop`: how often it repeats, 0: for ever.

    All frames share one table of colours, so nothing flickers, and what stays as it was in the
    frame before is left out, which halves the file.

    Raises:
        ValueError: no frames, or not as many durations as frames.
    """
    if not frames:
        raise ValueError("an animation needs at least one frame")
    durations = [durations_ms] * len(frames) if isinstance(durations_ms, int) else durations_ms
    if len(durations) != len(frames):
        raise ValueError(f"{len(durations)} durations for {len(frames)} frames")
    indexed = _indexed(frames)
    buffer = io.BytesIO()
    indexed[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[max(20, round(duration / 10) * 10) for duration in durations],
        loop=loop,
        transparency=_UNCHANGED,
        disposal=1,  # each frame is laid over the one before
        optimize=False,  # it would give each frame a table of its own
        **metadata,
    )
    return buffer.getvalue()


_UNCHANGED = 255  # the index that stands for "as in the frame before"


def _indexed(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames as indices into one table of 255 colours, unchanged pixels marked."""
    table = _shared_colours(frames)
    indexed: list[Image.Image] = []
    before: np.ndarray | None = None
    for frame in frames:
        picture = frame.convert("RGB").quantize(palette=table, dither=Image.Dither.NONE)
        now = np.asarray(picture)
        if before is not None:
            changed = np.where(now == before, np.uint8(_UNCHANGED), now)
            picture = Image.fromarray(changed, "P")
            picture.putpalette(indexed[0].getpalette() or [])
        indexed.append(picture)
        before = now
    return indexed


def _shared_colours(frames: Sequence[Image.Image]) -> Image.Image:
    """A palette image with the 255 colours that suit all frames; up to eight of them are asked."""
    asked = [*frames[: -1 : max(1, len(frames) // 7)], frames[-1]]
    # Every second pixel of every second row will do; nearest keeps the colours as they are.
    size = (max(1, frames[0].width // 2), max(1, frames[0].height // 2))
    strip = Image.new("RGB", (size[0], size[1] * len(asked)))
    for row, frame in enumerate(asked):
        smaller = frame.convert("RGB").resize(size, Image.Resampling.NEAREST)
        strip.paste(smaller, (0, row * size[1]))
    return strip.quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
