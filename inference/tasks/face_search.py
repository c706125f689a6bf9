"""Face search: a small picture goes in, faces that look like it when made small come out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.tasks import Task, Variant
from inference.tasks.faces import MODEL_NAME, WEIGHTS, Face

MIN_SIDE, MAX_SIDE = 8, 128  # pixels of a picture that is searched for
EPSILON = (
    2e-3  # PULSE's ε: the mean squared distance, with colours from 0 to 1, that is close enough
)
MAX_STARTS = 4


@dataclass(frozen=True, slots=True)
class SearchInput:
    """`pixels`: RGB bytes of an aligned face, `side` × `side`, row by row.

    `starts`: how many faces are searched for, 1…4, each from another place. `steps`: of gradient
    descent. `seed` draws the places; equal inputs find equal faces on one machine. `focused`: the
    face counts more than its surroundings, and its style comes before everything else, so that
    edits of the style change a face that stays the same one: for photos.
    """

    pixels: bytes
    side: int
    seed: int = 0
    starts: int = MAX_STARTS
    steps: int = 100
    focused: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SearchState:
    """How far a search is (`Progress.preview`): faces (S, h, h, 3) RGB, and their distances."""

    faces: NDArray[np.uint8]
    distances: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """`distance`: mean squared, between the whole face made small and the picture, colours from
    0 to 1; of a focused search, weighed. `pixels`: the face, (512, 512, 3) RGB."""

    face: Face
    distance: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The faces: those within ε, the likeliest first, then the others by distance.

    `seconds`: what the search took.
    """

    faces: tuple[FoundFace, ...]
    seconds: float


def _share_key(payload: SearchInput) -> Hashable:
    return payload


def _units(payload: SearchInput) -> float:
    return payload.steps * payload.starts * max(1.0, payload.side / 32)


TASK = Task(
    name="face-search",
    variants={
        "embedded": Variant(
            name=f"PULSE + {MODEL_NAME}",
            entry="inference.models.pulse:Pulse",
            weights=WEIGHTS,
            memory=1_500_000_000,
            max_batch=1,
        )
    },
    long=True,
    timeout=900,
    share_key=_share_key,
    units=_units,
)
