"""Faces of people who do not exist: seeds, styles and edits go in, pixels come out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.tasks import Task, Variant

MAX_SEED = 999_999
SIZES = (256, 512, 1024)  # pixels
MAX_FACES = 4  # of one job

#: the generator's files, in weights.toml
WEIGHTS = tuple(
    f"mobilestylegan-{part}-{kind}" for part in ("mapping", "synthesis") for kind in ("xml", "bin")
)
#: what of a face can be changed, and from how little to how much of it (standard deviations) faces
#: stay whole, by eye; see training/faces
ATTRIBUTES: Mapping[str, tuple[float, float]] = {
    "smile": (-3.0, 3.0),
    "age": (-3.0, 3.0),
    "femininity": (-3.0, 2.0),
    "hair_lightness": (-3.0, 3.0),
    "hair_length": (-3.0, 2.0),
    "glasses": (-2.0, 2.5),
    "eyes_open": (-3.0, 3.0),
    "mouth_open": (-3.0, 3.0),
    "turn": (-2.5, 2.5),
    "nod": (-3.0, 3.0),
    "surprise": (-3.0, 3.0),
    "anger": (-3.0, 3.0),
    "beard": (-3.0, 3.0),
    "red_hair": (-2.0, 3.0),
    "grey_hair": (-3.0, 2.0),
    "makeup": (-3.0, 3.0),
}

MODEL_NAME = "MobileStyleGAN (FFHQ)"


@dataclass(frozen=True, slots=True)
class Face:
    """A face by its seed; or by its style, where a search has found it.

    `truncation` (the paper's ψ, 0…1): 1 takes the style as it is, 0 is the average face, in between
    faces are more ordinary. `style`: float16 of (layers, 512); it stands instead of the seed.
    `offset`: float16 of (512, 16, 16), what is added to the features of that size; only beside a
    style. Both little-endian. `edits`: attributes and their strengths, in standard deviations.
    """

    seed: int = 0
    truncation: float = 0.7
    style: bytes = b""
    offset: bytes = b""
    edits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FacesInput:
    """`size`: 1024, 512 (the averages of the wavelet head) or 256 (read off the features)."""

    faces: tuple[Face, ...]
    size: int = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """`pixels`: (N, size, size, 3) RGB. `seconds`: what the network took for them."""

    pixels: NDArray[np.uint8]
    seconds: float


def _share_key(payload: FacesInput) -> Hashable:
    return payload


def _units(payload: FacesInput) -> float:
    return len(payload.faces)


TASK = Task(
    name="faces",
    variants={
        "embedded": Variant(
            name=MODEL_NAME,
            entry="inference.models.faces:Faces",
            weights=WEIGHTS,
            memory=600_000_000,
            max_batch=8,
        )
    },
    timeout=180,
    share_key=_share_key,
    units=_units,
)
