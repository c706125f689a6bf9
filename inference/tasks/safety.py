"""The picture safety check: a picture goes in, how unsafe it is to show around comes out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from inference.tasks import Task, Variant


@dataclass(frozen=True, slots=True)
class SafetyInput:
    """`pictures`: encoded pictures that have passed `inference.pictures.inspect`; at least one.

    `frames`: how many frames of each are looked at, where it is an animation. `pixels`: judge them
    at so few pixels a side; 0: as they are. `digest` stands for all pictures together: equal ones
    share a run, those without a digest share none.
    """

    pictures: tuple[bytes, ...]
    frames: int = 1
    pixels: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`scores`: how unsafe each picture is, 0…1, in their order; an animation is as unsafe as its
    worst frame. `inference_seconds`: what the network took for its batch.
    """

    scores: tuple[float, ...]
    inference_seconds: float

    @property
    def unsafe(self) -> float:
        """How unsafe the worst of them is, 0…1."""
        return max(self.scores)


def _share_key(payload: SafetyInput) -> Hashable:
    if not payload.digest:
        return None
    return payload.digest, payload.frames, payload.pixels


def _units(payload: SafetyInput) -> float:
    return float(len(payload.pictures))


TASK = Task(
    name="picture-safety",
    variants={
        "embedded": Variant(
            name="OpenNSFW",
            entry="inference.models.opennsfw:OpenNsfw",
            weights=("opennsfw",),
            memory=170_000_000,
            max_batch=8,
        ),
    },
    timeout=30,
    share_key=_share_key,
    units=_units,
)
