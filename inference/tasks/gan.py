"""GAN: numbers of a training run go in; how generator and discriminator fared comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.tasks import Task, Variant

#: what the generator may learn to imitate, and of how many modes each consists
MODES = {"ring": 8, "rings": 16, "digits": 10}

#: the plane's surfaces cover x and y from LOW to HIGH with GRID points each, 0.125 apart
LOW, HIGH, GRID = -3.0, 3.0, 49

MIN_STEPS, MAX_STEPS = 100, 5000
MAX_SEED = 999_999
#: how many times more slowly the discriminator learns where mode collapse is asked for
SLOWER = {"ring": 10, "rings": 10, "digits": 50}

JUDGED = 1000  # samples by which the generator is judged
FAIR_SHARE = 0.2  # of its due share of the samples a mode must get to count as covered

Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class GanInput:
    """`data`: a key of `MODES`. `steps`: of each network, 100…5000.

    `collapse`: slow the discriminator down by SLOWER[data]. `seed` (0…999,999) draws first weights,
    noise and examples; equal inputs give equal results.
    """

    data: str = "ring"
    collapse: bool = False
    steps: int = 2000
    seed: int = 35


@dataclass(frozen=True, slots=True, eq=False)
class GanState:
    """Both networks at one moment; on the way it is the `Progress.preview`.

    - `losses`: the discriminator's and the generator's, mean binary cross-entropies in nats; each
      is ln 2 where the discriminator says ½ to everything.
    - `outputs`: what the discriminator says on average of real and of generated samples: the
      probability of "real", 0…1.
    - `reals`, `fakes`: (N, 2) points, or (N, 8, 8) digits with ink from 0 to 1; the same ones, and
      made of the same noise, in every state. `verdicts` (N,): what is said of each fake.
    - `surface`: its output before the sigmoid over the plane, (GRID, GRID), rows along y and
      columns along x, both rising; None for digits.
    - `found` (modes,): how many of JUDGED samples are good ones, by mode.
    - `spread`: how far JUDGED fakes lie apart (root of the mean squared distance from their mean),
      as a share of the same of as many real samples.
    """

    step: int
    losses: tuple[float, float]
    outputs: tuple[float, float]
    reals: Half
    fakes: Half
    verdicts: Half
    surface: Half | None
    found: npt.NDArray[np.int64]
    spread: float

    @property
    def covers(self) -> npt.NDArray[np.bool_]:
        """Which modes get at least FAIR_SHARE of their due, (modes,)."""
        covers: npt.NDArray[np.bool_] = self.found >= FAIR_SHARE * JUDGED / len(self.found)
        return covers

    @property
    def covered(self) -> int:
        """How many modes do."""
        return int(self.covers.sum())

    @property
    def good(self) -> float:
        """The share of good samples, 0…1."""
        return float(self.found.sum()) / JUDGED


@dataclass(frozen=True, slots=True, eq=False)
class GanResult:
    """A whole training run; some 600 kB when pickled.

    `frames` are the film: at most 61, evenly spaced, the first at step 0 and the last at the end.
    `seconds`: of computing.
    """

    asked: GanInput
    frames: tuple[GanState, ...]
    seconds: float

    @property
    def covered_since(self) -> int | None:
        """The step of the first frame from which on all modes were covered, if they are."""
        since = None
        for frame in reversed(self.frames):
            if frame.covered < len(frame.found):
                break
            since = frame.step
        return since

    @property
    def later(self) -> tuple[GanState, ...]:
        """The frames of the second half, when what was to be learned could be."""
        return tuple(frame for frame in self.frames if 2 * frame.step >= self.asked.steps)

    @property
    def collapsed(self) -> bool:
        """Mode collapse: in the second half few modes at any time, and the fakes close together.

        Few is a quarter at most; close is half as far apart as the real samples, on average.
        """
        few = max(frame.covered for frame in self.later) <= len(self.frames[0].found) / 4
        return few and float(np.mean([frame.spread for frame in self.later])) < 0.5

    @property
    def visited(self) -> int:
        """How many modes were covered in some frame."""
        return int(np.any([frame.covers for frame in self.frames], axis=0).sum())


def _share_key(payload: GanInput) -> GanInput:
    return payload  # the seed is part of it


def _batch_key(payload: GanInput) -> str:
    return payload.data  # a step of each costs differently


def _units(payload: GanInput) -> float:
    return payload.steps


TASK = Task(
    name="gan",
    variants={
        "embedded": Variant(
            name="GAN (torch)",
            entry="inference.models.gan:Gan",
            memory=60_000_000,  # distances between all digits
            # Training two runs at once takes as long as one after the other: nothing to batch.
            max_batch=1,
        )
    },
    long=True,
    timeout=300,
    batch_key=_batch_key,
    share_key=_share_key,
    units=_units,
)
