"""XOR: numbers of a training run go in; what a perceptron and an MLP made of it comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.tasks import Task, Variant

#: the four points of the plane and what XOR makes of them
POINTS = ((0, 0), (0, 1), (1, 0), (1, 1))
TARGETS = (0, 1, 1, 0)

#: the decision grids cover x₁ and x₂ from LOW to HIGH with GRID points each, 0.05 apart
LOW, HIGH, GRID = -0.4, 1.4, 37

MAX_HIDDEN = 16
MIN_STEPS, MAX_STEPS = 50, 5000
MAX_SEED = 999_999

Array = npt.NDArray[np.float64]
Half = npt.NDArray[np.float16]


@dataclass(frozen=True)
class XorInput:
    """`hidden`: units of the MLP's hidden layer, 1…16. `steps`: gradient steps, 50…5000.

    `seed` (0…999,999) draws the first weights; equal inputs give equal results. Seed 35 learns in
    step 229, and its h-space looks like the figure in the book.
    """

    hidden: int = 2
    steps: int = 1000
    seed: int = 35


@dataclass(frozen=True, slots=True, eq=False)
class XorState:
    """Both networks at one moment, on the way (`Progress.preview`).

    Losses are mean binary cross-entropies in nats. `*_logits` hold the output before the sigmoid
    over the grid, (GRID, GRID), rows along x₂ and columns along x₁, both rising.
    """

    step: int
    perceptron_loss: float
    mlp_loss: float
    perceptron_logits: Half
    mlp_logits: Half


@dataclass(frozen=True, slots=True, eq=False)
class XorResult:
    """A whole training run; some 300 kB when pickled.

    The film has F ≤ 48 frames, closer together where more changes:

    - `frames` (F,): the step of each, 0 first, the last step last.
    - `perceptron_logits`, `mlp_logits` (F, GRID, GRID): as in `XorState`.
    - `h_points` (F, 4, 2): the four points in h-space, as the view shows them.
    - `h_planes` (F, 3): (α, β, γ) of the output unit there: logit = α·across + β·up + γ.

    With two hidden units the view is h-space itself. With more, `across` is the direction that the
    output unit reads (its weight vector at the end) and `up` is the main direction of what is left
    (PCA), so in the last frame the border is exactly where the picture shows it. `h_share` is how
    much of the four points' variance the view holds, 0…1.

    `*_losses` and `*_right` (steps + 1,): loss, and how many of the four points were right, before
    each step and at the end. `learned_at`: the step from which on the MLP had all four right, None
    if it has not.
    `*_outputs` (4,): the final probabilities of a 1. `weights`: of the final networks, by name.
    """

    hidden: int
    steps: int
    seed: int
    frames: npt.NDArray[np.int64]
    perceptron_logits: Half
    mlp_logits: Half
    h_points: Array
    h_planes: Array
    h_share: float
    perceptron_losses: Array
    mlp_losses: Array
    perceptron_right: npt.NDArray[np.uint8]
    mlp_right: npt.NDArray[np.uint8]
    learned_at: int | None
    perceptron_outputs: tuple[float, ...]
    mlp_outputs: tuple[float, ...]
    weights: dict[str, list[float] | list[list[float]]]
    seconds: float


def _share_key(payload: XorInput) -> XorInput:
    return payload  # the seed is part of it


def _units(payload: XorInput) -> float:
    return payload.steps


TASK = Task(
    name="xor",
    variants={
        "embedded": Variant(
            name="MLP + perceptron (torch)",
            entry="inference.models.xor:Xor",
            memory=1_000_000,
            # Training two runs at once takes as long as one after the other: nothing to batch.
            max_batch=1,
        )
    },
    long=True,
    timeout=120,
    share_key=_share_key,
    units=_units,
)
