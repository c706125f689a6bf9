"""Face detection: a picture goes in, faces with their eyes, nose and mouth come out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from inference.tasks import Task, Variant

Point = tuple[float, float]  # x, y in pixels


class Landmarks(NamedTuple):
    """Five points of a face. Left and right are the viewer's: `left_eye` has the smaller x in an
    upright face, though to the person it is the right one.
    """

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point


@dataclass(frozen=True, slots=True)
class FaceInput:
    """`picture`: an encoded picture that has passed `inference.pictures.inspect`.

    `width`, `height`: its size in pixels, upright. `confidence`: faces below it are dropped, 0…1.
    `digest`: as in `DetectionInput`; equal pictures share a run, one without a digest shares none.
    """

    picture: bytes
    width: int
    height: int
    confidence: float = 0.8
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Face:
    """A found face. All coordinates are pixels of the upright original picture.

    `box`: left, top, right, bottom; it ends at the picture's edges. `confidence`: 0…1.
    `landmarks` may lie a little outside where the picture cuts the face.
    """

    box: tuple[float, float, float, float]
    confidence: float
    landmarks: Landmarks

    @property
    def area(self) -> float:
        """Square pixels of the box."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces, largest first; none is an answer too. `seconds`: the networks' for the batch."""

    faces: tuple[Face, ...]
    seconds: float


def _share_key(payload: FaceInput) -> Hashable:
    return (payload.digest, payload.confidence) if payload.digest else None


TASK = Task(
    name="face-detection",
    variants={
        "embedded": Variant(
            name="MTCNN",
            entry="inference.models.mtcnn:Mtcnn",
            weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
            memory=100_000_000,
            # Hundreds of small steps a picture: on a CPU a batch saves no time.
            max_batch=4,
        )
    },
    timeout=60,
    share_key=_share_key,
)
