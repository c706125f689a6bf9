"""Object detection: a picture goes in, labelled boxes come out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from inference.tasks import Task, Variant

IMAGE_SIZE = 640  # pixels; the longer side of the network's input
STRIDE = 32  # pixels; both sides of the network's input are multiples of it


@dataclass(frozen=True, slots=True)
class DetectionInput:
    """`picture`: an encoded picture that has passed `inference.pictures.inspect`.

    `width`, `height`: its size in pixels, upright. `confidence`: boxes below it are dropped, 0…1.
    `digest`: the picture's SHA-256, taken where it was checked (the event loop hashes no
    megabytes); equal pictures share a run, one without a digest shares none.
    """

    picture: bytes
    width: int
    height: int
    confidence: float = 0.25
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A found object. `label` is the COCO name; corners are pixels of the upright picture."""

    label: str
    confidence: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes, most confident first, and the seconds the network took for its batch."""

    boxes: tuple[Box, ...]
    inference_seconds: float


def letterboxed_shape(width: int, height: int) -> tuple[int, int]:
    """(height, width) in pixels of the network's input for a picture, as ultralytics pads it.

    Only pictures of equal shape may share a batch: padding them to a common square would move boxes
    and confidences a little.
    """
    scale = min(IMAGE_SIZE / width, IMAGE_SIZE / height)
    return _padded(height * scale), _padded(width * scale)


def _padded(side: float) -> int:
    """A scaled side, rounded and padded to the next multiple of the stride."""
    return -(-max(1, round(side)) // STRIDE) * STRIDE


def _batch_key(payload: DetectionInput) -> Hashable:
    return letterboxed_shape(payload.width, payload.height)


def _share_key(payload: DetectionInput) -> Hashable:
    return (payload.digest, payload.confidence) if payload.digest else None


TASK = Task(
    name="detection",
    variants={
        "embedded": Variant(
            name="YOLO26n",
            entry="inference.models.yolo:Yolo",
            weights=("yolo26n",),
            memory=120_000_000,
            max_batch=8,
        ),
        "full": Variant(
            name="YOLO26x",
            entry="inference.models.yolo:Yolo",
            weights=("yolo26x",),
            memory=1_500_000_000,
            max_batch=16,
        ),
    },
    timeout=60,
    batch_key=_batch_key,
    share_key=_share_key,
)
