"""The canvas: letters, colours, encoders."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from handlers.drawing.canvas import (
    BLACK,
    WHITE,
    Colour,
    contrast,
    draw_label,
    encode_gif,
    encode_jpeg,
    encode_png,
    font,
    label_size,
    palette,
    shorten,
    text_colour,
    text_size,
    wrap,
)


def frames_of(data: bytes) -> list[Image.Image]:
    animation = Image.open(io.BytesIO(data))
    frames = []
    for index in range(getattr(animation, "n_frames", 1)):
        animation.seek(index)
        frames.append(animation.convert("RGB"))
    return frames


def plain(colour: Colour, size: tuple[int, int] = (20, 10)) -> Image.Image:
    return Image.new("RGB", size, colour)


# --- letters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", "çğıöşüÇĞİÖŞÜ½₁₂≈−·…→")
def test_the_font_has_the_letters_we_write(letter: str) -> None:
    face = font(40)
    missing = bytes(face.getmask("\U0010fffe"))
    assert bytes(face.getmask(letter)) != missing


def test_the_font_is_found_without_importing_matplotlib() -> None:
    program = (
        "import sys; from handlers.drawing.canvas import font; font(12); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_text_grows_with_the_picture_and_stays_small_beside_its_short_side() -> None:
    assert text_size(4000, 3000) > text_size(1000, 750) > text_size(640, 480) >= 12
    assert text_size(4000, 200) <= 200 / 14
    assert text_size(8, 8) >= 10


def test_long_text_is_shortened_to_the_width() -> None:
    face = font(20)
    short = shorten("a rather long label", face, 100)
    assert short.endswith("…")
    assert face.getlength(short) <= 100
    assert shorten("ok", face, 100) == "ok"


def test_text_is_wrapped_between_words() -> None:
    face = font(20)
    lines = wrap("one two three four five", face, 110)
    assert " ".join(lines) == "one two three four five"
    assert all(face.getlength(line) <= 110 for line in lines)
    assert len(lines) > 1
    assert wrap("", face, 100) == [""]


@pytest.mark.parametrize("corner", [(-50, -50), (0, 0), (500, 500), (190, 20)])
def test_labels_stay_in_the_picture(corner: tuple[int, int]) -> None:
    image = plain(WHITE, (200, 100))
    face = font(16)
    left, top, right, bottom = draw_label(
        ImageDraw.Draw(image), corner, "köpek %87", face, palette(6)
    )
    assert left >= 0
    assert top >= 0
    assert right <= 200
    assert bottom <= 100
    assert (right - left, bottom - top) == label_size("köpek %87", face)
    assert image.getpixel((int(left) + 8, int(top) + 2)) == palette(6)


# --- colours --------------------------------------------------------------------------------------


def test_neighbouring_classes_differ_and_every_index_has_a_colour() -> None:
    assert len({palette(index) for index in range(21)}) == 21
    assert palette(21) == palette(0)


@pytest.mark.parametrize("index", range(21))
def test_text_on_every_colour_is_legible(index: int) -> None:
    colour = palette(index)
    assert contrast(text_colour(colour), colour) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.01)


# --- encoders -------------------------------------------------------------------------------------


def test_pictures_come_back() -> None:
    image = plain(palette(3))
    assert Image.open(io.BytesIO(encode_png(image))).convert("RGB").getpixel((5, 5)) == palette(3)
    jpeg = Image.open(io.BytesIO(encode_jpeg(image)))
    assert jpeg.format == "JPEG"
    assert np.allclose(jpeg.getpixel((5, 5)), palette(3), atol=6)


def test_noise_becomes_a_jpeg_too() -> None:
    """Pillow gives up on it where it is asked to optimise: it takes more than a byte a pixel."""
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    data = encode_jpeg(Image.fromarray(noise))
    assert len(data) > 640 * 480
    assert Image.open(io.BytesIO(data)).size == (640, 480)


def test_an_animation_keeps_frames_pauses_and_colours() -> None:
    colours = [BLACK, WHITE, palette(0), BLACK]
    data = encode_gif([plain(colour) for colour in colours], [500, 40, 40, 1000])
    animation = Image.open(io.BytesIO(data))
    assert animation.info["loop"] == 0
    pauses = []
    for index in range(4):
        animation.seek(index)
        pauses.append(animation.info["duration"])
    assert pauses == [500, 40, 40, 1000]
    for frame, colour in zip(frames_of(data), colours, strict=True):
        assert np.array_equal(np.unique(np.asarray(frame).reshape(-1, 3), axis=0), [colour])


def test_what_moves_over_a_still_ground_is_shown_right() -> None:
    """Unchanged pixels are left out of the file; the frames must not show it."""
    random = np.random.default_rng(0)
    ground = random.integers(0, 4, (60, 80, 3), dtype=np.uint8) * 80
    frames = []
    for index in range(6):
        pixels = ground.copy()
        pixels[20:30, 10 * index : 10 * index + 10] = (0, 0, 0)
        frames.append(Image.fromarray(pixels))
    decoded = frames_of(encode_gif(frames, 50))
    assert len(decoded) == 6
    for frame, original in zip(decoded, frames, strict=True):
        assert np.array_equal(np.asarray(frame), np.asarray(original))
    assert len(encode_gif(frames, 50)) < 3 * len(encode_gif(frames[:1], 50))


def test_an_animation_needs_frames_and_as_many_pauses() -> None:
    with pytest.raises(ValueError, match="at least one"):
        encode_gif([], 100)
    with pytest.raises(ValueError, match="2 durations for 1 frames"):
        encode_gif([plain(WHITE)], [100, 100])
