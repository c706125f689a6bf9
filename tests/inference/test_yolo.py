"""The detector against ultralytics itself, with the real YOLO26n."""

from __future__ import annotations

import asyncio
import io
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from inference.models.yolo import Yolo
from inference.pictures import PictureError
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.detection import (
    IMAGE_SIZE,
    Box,
    DetectionInput,
    Detections,
    letterboxed_shape,
)
from inference.weights import WeightsStore
from tests.inference.fake_models import job

WEIGHTS = "yolo26n"


@pytest.fixture(scope="module")
def weights(pulled: Callable[[str], Path]) -> Path:
    return pulled(WEIGHTS)


@pytest.fixture(scope="module")
def model(weights: Path) -> Iterator[Yolo]:
    made = Yolo({}, {WEIGHTS: weights})
    made.load("cpu")
    yield made
    made.close()


@pytest.fixture(scope="module")
def direct(weights: Path, model: Yolo) -> Callable[..., tuple[Box, ...]]:
    """ultralytics called directly on a file, as its own documentation does it."""
    from ultralytics import YOLO

    network = YOLO(str(weights))

    def detect(path: Path, confidence: float = 0.25) -> tuple[Box, ...]:
        (found,) = network.predict(str(path), conf=confidence, verbose=False, device="cpu")
        return tuple(
            Box(found.names[int(row[5])], float(row[4]), *(float(edge) for edge in row[:4]))
            for row in found.boxes.data.tolist()
        )

    return detect


@pytest.fixture(scope="module")
def assets() -> Path:
    import ultralytics

    return Path(ultralytics.__file__).parent / "assets"


@pytest.fixture(scope="module")
def pictures(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos of four sizes that are letterboxed to 640 × 480 pixels, and one that is not."""
    folder = tmp_path_factory.mktemp("pictures")
    bus = Image.open(assets / "bus.jpg")  # 810 × 1080
    sizes = {"bus": (810, 1080), "smaller": (405, 540), "odd": (799, 1079), "large": (1215, 1620)}
    for name, size in sizes.items():
        bus.resize(size, Image.Resampling.LANCZOS).save(folder / f"{name}.png")
    bus.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    return [*(folder / f"{name}.png" for name in (*sizes, "mirrored")), assets / "zidane.jpg"]


def asking(path: Path, confidence: float = 0.25) -> DetectionInput:
    width, height = Image.open(path).size
    return DetectionInput(path.read_bytes(), width, height, confidence)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    common = max(0.0, width) * max(0.0, height)
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in (one, other)]
    return common / (sum(areas) - common)


def assert_same(found: Sequence[Box], expected: Sequence[Box], threshold: float = 0.25) -> None:
    """Same classes, boxes and confidences, in any order.

    A box whose confidence is within .01 of the threshold may stand on either side of it.
    """
    left = list(found)
    for box in expected:
        alike = [
            other for other in left if other.label == box.label and overlap(other, box) >= 0.99
        ]
        if alike:
            assert alike[0].confidence == pytest.approx(box.confidence, abs=0.01)
            left.remove(alike[0])
        else:
            assert box.confidence == pytest.approx(threshold, abs=0.01), (box, found)
    assert all(box.confidence == pytest.approx(threshold, abs=0.01) for box in left), left


# --- the same as ultralytics --------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("name", ["bus.jpg", "zidane.jpg"])
@pytest.mark.parametrize("confidence", [0.05, 0.25, 0.8])
def test_it_finds_what_ultralytics_finds(
    model: Yolo, direct: Any, assets: Path, name: str, confidence: float
) -> None:
    (found,) = model.predict([asking(assets / name, confidence)])
    assert isinstance(found, Detections)
    expected = direct(assets / name, confidence)
    assert expected
    assert_same(found.boxes, expected, confidence)
    confidences = [box.confidence for box in found.boxes]
    assert confidences == sorted(confidences, reverse=True)
    assert found.inference_seconds > 0


@pytest.mark.weights
def test_a_batch_changes_nothing(model: Yolo, direct: Any, pictures: list[Path]) -> None:
    batch = [path for path in pictures if key_of(path) == (640, 480)]
    assert len({Image.open(path).size for path in batch}) == 4
    wanted = [asking(p, c) for p, c in zip(batch, (0.25, 0.05, 0.6, 0.9, 0.1), strict=True)]
    together = model.predict(wanted)
    for path, one, found in zip(batch, wanted, together, strict=True):
        assert isinstance(found, Detections)
        assert_same(found.boxes, direct(path, one.confidence), one.confidence)
        (alone,) = model.predict([one])
        assert isinstance(alone, Detections)
        assert_same(found.boxes, alone.boxes, one.confidence)


def key_of(path: Path) -> Any:
    batch_key = all_tasks()["detection"].batch_key
    return batch_key(asking(path))


def test_pictures_of_other_shapes_are_not_batched(pictures: list[Path]) -> None:
    assert key_of(pictures[-1]) == (384, 640) != key_of(pictures[0])


@pytest.mark.weights
def test_boxes_lie_in_the_upright_picture(model: Yolo, assets: Path) -> None:
    bus = Image.open(assets / "bus.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the picture must be, by 90° clockwise
    buffer = io.BytesIO()
    turned = bus.transpose(Image.Transpose.ROTATE_90)
    turned.save(buffer, "JPEG", quality=95, exif=exif)
    lying = DetectionInput(buffer.getvalue(), bus.width, bus.height)
    found, upright = *model.predict([lying]), *model.predict([asking(assets / "bus.jpg")])
    for one, other in zip(found.boxes[:4], upright.boxes[:4], strict=True):
        assert one.label == other.label and overlap(one, other) > 0.95


@pytest.mark.weights
def test_a_damaged_picture_fails_alone(model: Yolo, direct: Any, assets: Path) -> None:
    good = asking(assets / "bus.jpg")
    cut = DetectionInput(good.picture[: len(good.picture) // 2], good.width, good.height)
    no_picture = DetectionInput(b"no picture", good.width, good.height)
    first, broken, unknown, last = model.predict([good, cut, no_picture, good])
    assert isinstance(broken, PictureError) and broken.reason == "broken"
    assert isinstance(unknown, PictureError) and unknown.reason == "unknown"
    for found in (first, last):
        assert isinstance(found, Detections)
        assert_same(found.boxes, direct(assets / "bus.jpg"))


@pytest.mark.weights
def test_a_batch_of_damaged_pictures_needs_no_network(model: Yolo) -> None:
    results = model.predict([DetectionInput(b"", 10, 10)] * 2)
    assert [result.reason for result in results if isinstance(result, PictureError)] == [
        "empty"
    ] * 2


@pytest.mark.weights
@pytest.mark.parametrize("size", [(8, 8), (8, 4000), (4000, 8), (33, 2000), (1, 20000)])
def test_extreme_shapes_are_looked_at(model: Yolo, size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (max(8, size[0]), size[1]), "teal").save(buffer, "PNG")
    (found,) = model.predict([DetectionInput(buffer.getvalue(), *size, 0.05)])
    assert isinstance(found, Detections)


# --- the batch key ------------------------------------------------------------------------------


def sizes() -> list[tuple[int, int]]:
    """(width, height): all small sides, extremes, sides that scale to n + ½, random ones."""
    draw = random.Random(26)
    edges = [(8, 4000), (4000, 8), (8, 20_000), (20_000, 8), (640, 640), (641, 640), (639, 640)]
    halves = [(1280, 2 * n + 1) for n in range(4, 640, 9)]  # scaled by ½, so all end in .5
    anyhow = [(draw.randint(8, 5000), draw.randint(8, 5000)) for _ in range(300)]
    return [*edges, *halves, *anyhow, *((n, 100) for n in range(8, 100))]


def test_the_batch_key_is_the_shape_that_ultralytics_computes() -> None:
    from ultralytics.data.augment import LetterBox

    letterbox = LetterBox((IMAGE_SIZE, IMAGE_SIZE), auto=True, stride=32)
    for width, height in sizes():
        # A picture of one colour without its pixels: strides of zero.
        picture = np.broadcast_to(np.uint8(0), (height, width, 3))
        assert letterboxed_shape(width, height) == letterbox(image=picture).shape[:2]


@pytest.mark.weights
def test_the_batch_key_is_the_shape_that_the_network_gets(model: Yolo) -> None:
    shapes: list[tuple[int, ...]] = []
    network = model._network.predictor.model.model
    first_layer = network.model[0]
    hook = first_layer.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    try:
        for width, height in [(810, 1080), (1079, 799), (333, 77), (8, 4000), (4000, 9), (50, 51)]:
            buffer = io.BytesIO()
            Image.new("RGB", (width, height)).save(buffer, "PNG")
            wanted = DetectionInput(buffer.getvalue(), width, height)
            model.predict([wanted, wanted])
            assert shapes.pop() == (2, 3, *letterboxed_shape(width, height))
    finally:
        hook.remove()


# --- manners ------------------------------------------------------------------------------------

_ALONE = """
import socket, sys, threading
from pathlib import Path

connected = []
connect, resolve = socket.socket.connect, socket.getaddrinfo
socket.socket.connect = lambda self, to: connected.append(to) or connect(self, to)
socket.getaddrinfo = lambda *to, **more: connected.append(to) or resolve(*to, **more)

from inference.models.yolo import Yolo
from inference.tasks.detection import DetectionInput, Detections

weights, picture = map(Path, sys.argv[1:])
model = Yolo({}, {"yolo26n": weights})
model.load("cpu")
(found,) = model.predict([DetectionInput(picture.read_bytes(), 810, 1080)])
assert isinstance(found, Detections) and len(found.boxes) >= 5
assert not connected, connected
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
"""


@pytest.mark.weights
@pytest.mark.parametrize("configured", [False, True])
def test_it_prints_nothing_and_phones_nobody(
    weights: Path, assets: Path, tmp_path: Path, configured: bool
) -> None:
    home, store, settings = tmp_path / "home", tmp_path / "store", tmp_path / "settings"
    for folder in (home, store, settings):
        folder.mkdir()
    (store / "yolo26n.pt").write_bytes(weights.read_bytes())
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("YOLO_", "XDG_"))
    } | {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    if configured:
        environment["YOLO_CONFIG_DIR"] = str(settings)
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, store / "yolo26n.pt", assets / "bus.jpg"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not list(home.iterdir())
    assert any(settings.rglob("settings.json")) == configured
    assert any(store.rglob("settings.json")) != configured


# --- through the queue --------------------------------------------------------------------------

one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def q(weights_store: WeightsStore, weights: Path) -> AsyncIterator[InferenceQueue]:
    tasks = {"detection": all_tasks()["detection"]}
    made = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), tasks=tasks))
    yield made
    await made.close()


@pytest.mark.weights
@one_loop
async def test_what_is_batched_by_the_queue_is_the_same_too(
    q: InferenceQueue, direct: Any, pictures: list[Path]
) -> None:
    async def found(path: Path) -> Any:
        async with q.submit(job("detection", asking(path))) as ticket:
            return await ticket.result()

    results = await asyncio.gather(*map(found, pictures))
    for path, result in zip(pictures, results, strict=True):
        assert_same(result.boxes, direct(path))
