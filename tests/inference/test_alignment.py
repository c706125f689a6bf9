"""Faces in FFHQ's framing: the geometry against colours that tell where a pixel came from."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from inference.alignment import Frame, align, cut_out, frame_of, put_back
from inference.tasks.face_detection import FaceInput, Faces, Landmarks, Point

Pixels = NDArray[np.float64]

#: an upright face with its eyes 100 pixels apart
FACE = Landmarks((150, 200), (250, 200), (200, 250), (160, 310), (240, 310))


def moved(face: Landmarks, angle: float = 0.0, scale: float = 1.0, by: Point = (0, 0)) -> Landmarks:
    """The face turned around the origin (radians, clockwise as seen), scaled, then shifted."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = scale * np.array(face) @ turn.T + by
    return Landmarks(*((x, y) for x, y in points.tolist()))


def places(
    see: Callable[[Image.Image], Image.Image], size: tuple[int, int], low: Point, span: float
) -> Pixels:
    """(h, w, 2): which point of a photo of `size` every pixel shows that `see` makes of it.

    Red tells x and green y, from `low` to `span` pixels on. They are read off a chart and its
    negative, as Pillow rounds colours down when it transforms.
    """
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    parts = (np.stack([columns, rows, 0 * rows], axis=2) - (*low, 0)) / span
    photo = Image.fromarray(np.rint(255 * parts.clip(0, 1)).astype(np.uint8))
    seen = np.asarray(see(photo), float)
    negative = 255 - np.asarray(see(ImageOps.invert(photo)), float)
    return np.asarray((seen + negative)[:, :, :2] / 510 * span + low)


def expected(frame: Frame, size: int) -> Pixels:
    """(size, size, 2): which point of the photo every pixel of the cut-out should show."""
    top_left, bottom_left, _, top_right = frame.quad
    steps = (np.arange(size) + 0.5) / size
    across = steps[None, :, None] * (top_right - top_left)
    down = steps[:, None, None] * (bottom_left - top_left)
    return np.asarray(top_left + across + down)


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """A smooth coloured picture."""
    draw = np.random.default_rng(seed)
    small = draw.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


# --- where the frame lies -----------------------------------------------------------------------


def test_the_frame_of_an_upright_face() -> None:
    frame = frame_of(FACE)
    assert frame.angle == pytest.approx(0)
    # 1.95 · 100 pixels from eye to eye say more than 1.74 · 110 from eyes to mouth.
    assert frame.side == pytest.approx(2 * 195)
    assert frame.centre == pytest.approx((200, 200 + 0.119 * 110))
    left, top = 200 - 195, 213.09 - 195
    assert frame.quad == pytest.approx(
        np.array([(left, top), (left, top + 390), (left + 390, top + 390), (left + 390, top)])
    )


def test_a_face_turned_aside_is_measured_by_its_height() -> None:
    aside = Landmarks((180, 200), (220, 200), (230, 250), (190, 310), (215, 310))
    assert frame_of(aside).side == pytest.approx(2 * 1.74 * math.hypot(2.5, 110))


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.01, 100),
    x=st.floats(-5000, 5000),
    y=st.floats(-5000, 5000),
)
def test_the_frame_goes_with_the_face(angle: float, scale: float, x: float, y: float) -> None:
    frame, changed = frame_of(FACE), frame_of(moved(FACE, angle, scale, (x, y)))
    assert changed.angle == pytest.approx(angle, abs=1e-6)
    assert changed.side == pytest.approx(scale * frame.side)
    centre = Landmarks(*[frame.centre] * 5)
    assert changed.centre == pytest.approx(moved(centre, angle, scale, (x, y)).nose, abs=1e-6)


def test_inside_is_where_a_point_lies_in_the_cut_out() -> None:
    frame = frame_of(moved(FACE, 0.4, 1.7, (30, -20)))
    corners = [frame.inside((x, y)) for x, y in frame.quad.tolist()]
    assert np.array(corners) == pytest.approx(np.array([(0, 0), (0, 1), (1, 1), (1, 0)]))
    assert frame.inside(frame.centre) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    "bad",
    [
        Landmarks(*[(5.0, 5.0)] * 5),
        Landmarks(*[(math.nan, 5.0)] * 5),
        Landmarks((0, 0), (math.inf, 0), (0, 0), (0, 9), (9, 9)),
    ],
)
def test_points_that_are_no_face(bad: Landmarks) -> None:
    with pytest.raises(ValueError, match="no face"):
        frame_of(bad)


# --- cutting out --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 300])
@pytest.mark.parametrize("angle", [0, 0.5, -2.0])
@pytest.mark.parametrize("side", [90, 640])
def test_every_pixel_comes_from_its_place(size: int, angle: float, side: float) -> None:
    half = side / 2
    frame = Frame((600.3, 480.7), (half * math.cos(angle), half * math.sin(angle)))
    low = frame.centre[0] - 0.75 * side, frame.centre[1] - 0.75 * side
    seen = places(lambda photo: cut_out(photo, frame, size), (1200, 1000), low, 1.5 * side)
    apart = seen - expected(frame, size)
    # A colour's step is 0.6 % of the side.
    assert np.abs(apart).max() < 0.01 * side
    assert np.abs(apart.mean((0, 1))).max() < 0.002 * side


def test_the_whole_picture_is_itself() -> None:
    picture = noise(256, 256)
    same = cut_out(picture, Frame((128, 128), (128, 0)), 256)
    assert np.abs(np.asarray(same, float) - np.asarray(picture, float)).max() <= 1


def test_aligning_turns_a_face_upright() -> None:
    face = moved(FACE, 0.7, 1.3, (500, 100))
    seen = places(lambda photo: align(photo, face, 256), (1200, 1000), (0, 0), 1200)
    frame = frame_of(face)
    for x, y in (face.left_eye, face.right_eye, face.mouth_left):
        column, row = (int(256 * part) for part in frame.inside((x, y)))
        assert seen[row, column] == pytest.approx((x, y), abs=9)
    left, right = frame.inside(face.left_eye), frame.inside(face.right_eye)
    assert left[1] == pytest.approx(right[1])
    assert left[0] < right[0]


def test_fine_patterns_are_averaged_not_picked() -> None:
    board = (np.indices((1600, 1600)).sum(0) % 2 * 255).astype(np.uint8)
    picture = Image.fromarray(board).convert("RGB")
    seen = np.asarray(cut_out(picture, Frame((800, 800), (500, 300)), 64), float)
    assert np.abs(seen - 127.5).max() < 8


# --- beyond the edge ----------------------------------------------------------------------------


def test_beyond_the_edge_the_picture_is_mirrored_and_fades() -> None:
    side = 200
    frame = Frame((0, 200), (side / 2, 0))  # its left half lies outside
    seen = places(lambda photo: cut_out(photo, frame, 200), (400, 400), (0, 0), 400)
    inner, edge, outer = seen[:, 150:], seen[:, 90:100], seen[:, :3]
    assert np.abs(inner - expected(frame, 200)[:, 150:]).max() < 4
    mirrored = expected(frame, 200)[:, 90:100] * (-1, 1)
    assert np.abs(edge - mirrored)[40:-40].max() < 14  # blurred already
    assert np.ptp(outer, axis=(0, 1)).max() < 40  # 60 pixels outside there is one colour


def test_inside_the_picture_nothing_is_blurred() -> None:
    picture = noise(300, 300)
    frame = Frame((150, 150), (140, 0))  # ten pixels from the edges
    plain = picture.crop((10, 10, 290, 290))
    assert np.abs(np.asarray(cut_out(picture, frame, 280), float) - np.asarray(plain)).max() <= 1


@pytest.mark.parametrize("centre", [(-500.0, 50.0), (50.0, 900.0), (1e6, 1e6)])
def test_a_frame_outside_the_picture(centre: Point) -> None:
    picture = noise(100, 100)
    frame = Frame(centre, (50, 0))
    with pytest.raises(ValueError, match="nothing"):
        cut_out(picture, frame, 64)
    assert put_back(picture, noise(64, 64), frame).tobytes() == picture.tobytes()


@pytest.mark.parametrize("picture", [(8, 8), (1, 300), (300, 1), (2000, 9), (640, 480)])
@pytest.mark.parametrize("half", [0.01, 1.0, 30.0, 2e3, 1e6])
def test_any_frame_of_any_picture(picture: tuple[int, int], half: float) -> None:
    photo = noise(*picture)
    frame = Frame((picture[0] / 3, picture[1] / 3), (half * 0.6, half * 0.8))
    try:
        face = cut_out(photo, frame, 128)
    except ValueError:
        assert half > 100 * min(picture)  # the picture would be less than a pixel in it
        face = noise(128, 128)
    assert face.size == (128, 128) and face.mode == "RGB"
    assert put_back(photo, face, frame).size == photo.size


# --- putting back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("centre", "right"),
    [((320, 240), (100, 0)), ((300, 250), (90, 60)), ((60, 60), (80, -90)), ((320, 240), (-70, 9))],
)
def test_what_was_cut_out_fits_where_it_was(centre: Point, right: Point) -> None:
    photo = noise(640, 480)
    frame = Frame(centre, right)
    back = put_back(photo, cut_out(photo, frame, 512), frame)
    apart = np.abs(np.asarray(back, float) - np.asarray(photo, float))
    assert apart.max() < 12
    assert apart.mean() < 1


def test_only_the_frame_is_changed() -> None:
    photo, face = Image.new("RGB", (400, 300), "navy"), Image.new("RGB", (256, 256), "orange")
    frame = Frame((200, 150), (60, 45))
    pixels = np.asarray(put_back(photo, face, frame))
    rows, columns = np.indices((300, 400)) + 0.5
    inside = np.array(frame.inside((columns, rows)))  # type: ignore[arg-type]
    depth = np.minimum(inside, 1 - inside).min(0)  # 0 at the frame's edge, ½ in its middle
    assert (pixels[depth < -0.01] == (0, 0, 128)).all()
    assert (pixels[depth > 0.11] == (255, 165, 0)).all()
    fading = pixels[(depth > 0.01) & (depth < 0.09)][:, 0]
    assert fading.min() >= 0 and 60 < fading.mean() < 200
    assert photo.getcolors() == [(400 * 300, (0, 0, 128))]  # the photo itself is left alone


def test_a_face_lands_on_its_points() -> None:
    face = moved(FACE, -0.3, 0.8, (200, 150))
    frame = frame_of(face)
    marked = np.zeros((512, 512, 3), np.uint8)
    for point in (face.left_eye, face.mouth_right):
        x, y = (int(512 * part) for part in frame.inside(point))
        marked[y - 8 : y + 8, x - 8 : x + 8] = 255
    photo = np.asarray(put_back(Image.new("RGB", (600, 600)), Image.fromarray(marked), frame))
    for x, y in (face.left_eye, face.mouth_right):
        assert photo[int(y), int(x), 0] > 200
    assert photo[int(face.right_eye[1]), int(face.right_eye[0]), 0] == 0


# --- against FFHQ's own framing -----------------------------------------------------------------


@pytest.mark.weights
def test_the_generator_s_faces_are_framed_already(pulled: Callable[[str], Path]) -> None:
    """It was trained on FFHQ: the frame of each of its faces is the whole square."""
    from inference.models.mtcnn import Mtcnn
    from inference.models.stylegan import Generator

    parts = [f"mtcnn-{network}" for network in ("pnet", "rnet", "onet")]
    finder = Mtcnn({}, {name: pulled(name) for name in parts})
    finder.load("cpu")
    parts = [
        f"mobilestylegan-{n}-{kind}" for n in ("mapping", "synthesis") for kind in ("xml", "bin")
    ]
    generator = Generator.from_files({name: pulled(name) for name in parts}, "cpu")
    frames = []
    for seed in range(4):
        with torch.no_grad():
            values = generator.synthesis(generator.style(seed, 0.6), 128)[0]  # (3, 128, 128)
        pixels = (127.5 * (values + 1)).clamp(0, 255).byte().permute(1, 2, 0).numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        (found,) = finder.predict([FaceInput(buffer.getvalue(), 128, 128)])
        assert isinstance(found, Faces)
        frames.append(frame_of(found.faces[0].landmarks))
    centres = np.array([frame.centre for frame in frames]) / 128
    sides = np.array([frame.side for frame in frames]) / 128
    assert np.abs(centres - 0.5).max() < 0.03
    assert np.abs(centres.mean(0) - 0.5).max() < 0.01
    assert np.abs(sides - 1).max() < 0.08
    assert sides.mean() == pytest.approx(1, abs=0.03)
    assert max(abs(frame.angle) for frame in frames) < math.radians(4)
