"""A film in the latent space: mixtures of some faces go in, its frames come out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.tasks import Task, Variant
from inference.tasks.faces import MODEL_NAME, WEIGHTS, Face

MAX_FRAMES = 96


@dataclass(frozen=True, slots=True)
class FilmInput:
    """`frames`: for each frame a weight for each face, adding up to 1; the styles are mixed so.

    `size` as of `FacesInput`. Progress previews are the newest frame, (size, size, 3) RGB.
    """

    faces: tuple[Face, ...]
    frames: tuple[tuple[float, ...], ...]
    size: int = 512


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """`frames`: (F, size, size, 3) RGB. `seconds`: what the network took for them."""

    frames: NDArray[np.uint8]
    seconds: float


def _share_key(payload: FilmInput) -> Hashable:
    return payload


def _units(payload: FilmInput) -> float:
    return len(payload.frames)


TASK = Task(
    name="face-film",
    variants={
        "embedded": Variant(
            name=MODEL_NAME,
            entry="inference.models.faces:FaceFilm",
            weights=WEIGHTS,
            memory=600_000_000,
            max_batch=4,
        )
    },
    long=True,
    timeout=600,
    share_key=_share_key,
    units=_units,
)
