"""XOR, the problem that one line cannot solve and two layers can.

- F. Rosenblatt, "The Perceptron: A Probabilistic Model for Information Storage and Organization in
  the Brain", Psychological Review 65 (1958): one linear unit with a threshold.
- M. Minsky, S. Papert, "Perceptrons" (1969): it can never learn XOR.
- D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors",
  Nature 323 (1986): with a hidden layer, it can; section on XOR in their PDP chapter 8.
- I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning" (2016), section 6.1: the figure of x-space
  beside h-space, and the notation W, c, w, b used here.

Why the perceptron's loss never falls below ln 2 ≈ 0.693. Write z for its logit at the four points
and s(z) = ln(1 + eᶻ). The loss is the mean of s(z₀₀), s(−z₀₁), s(−z₁₀), s(z₁₁). As z is linear in
x, z₀₀ + z₁₁ = z₀₁ + z₁₀, so the four arguments add up to 0; s is convex, so by Jensen's inequality
the mean is at least s(0) = ln 2, reached only where all outputs are ½. And four points right would
need a negative z₀₀ + z₁₁ equal to a positive z₀₁ + z₁₀: three is the most.

How the MLP was set up. Seeds that had all four points right after 1000 steps:

    tanh, SGD 0.5 with momentum 0.9, weights from N(0, 0.1²), as below
        H = 2: 278 of 300 (half of them by step 162, nine in ten by step 412), H ≥ 3: all
    the same with weights from N(0, 0.5²)                       H = 2: 69 %
    tanh, Adam 0.03, weights as torch draws them                H = 2: 48 %
    ReLU as in the book, SGD or Adam, weights as torch draws    H = 2: 21 %

Small first weights start on a saddle where every output is ½, so the loss stays at ln 2 for a
while and then drops. Of the 22 that failed, seven were still there or just leaving; the others
settled at ½ ln 2 ≈ 0.35, two points right and two undecided. With H = 1 the output is monotone
along one direction: again one straight border, at most three points.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from inference.jobs import Progress
from inference.model import JobId, Model, Result, Session, SessionEvent
from inference.models.threads import one_thread
from inference.tasks.xor import (
    GRID,
    HIGH,
    LOW,
    POINTS,
    TARGETS,
    Half,
    XorInput,
    XorResult,
    XorState,
)

LEARNING_RATE = 0.5
MOMENTUM = 0.9
STEPS_A_TURN = 50  # gradient steps between two looks at the queue, some 20 ms
FRAMES = 48

# Double precision: leaving the saddle multiplies rounding errors, and the same seed should give the
# same film on every machine.
FLOAT = torch.float64


class Perceptron(nn.Module):
    """One linear unit: logit = w·x + b."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        # The loss is convex, so any start will do; this one shows a line from the first frame.
        self.w = nn.Parameter(torch.randn(2, generator=generator, dtype=FLOAT))
        self.b = nn.Parameter(torch.zeros((), dtype=FLOAT))

    def forward(self, x: Tensor) -> Tensor:  # (N, 2)
        return x @ self.w + self.b  # (N,)


class MLP(nn.Module):
    """Two inputs, H hidden units, one output: h = tanh(x·W + c), logit = h·w + b."""

    def __init__(self, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.W = nn.Parameter(0.1 * torch.randn(2, hidden, generator=generator, dtype=FLOAT))
        self.c = nn.Parameter(torch.zeros(hidden, dtype=FLOAT))
        self.w = nn.Parameter(0.1 * torch.randn(hidden, generator=generator, dtype=FLOAT))
        self.b = nn.Parameter(torch.zeros((), dtype=FLOAT))

    def h(self, x: Tensor) -> Tensor:  # (N, 2)
        """The learned representation of x."""
        return torch.tanh(x @ self.W + self.c)  # (N, H)

    def forward(self, x: Tensor) -> Tensor:  # (N, 2)
        return self.h(x) @ self.w + self.b  # (N,)


class Training:
    """One run: both networks see all four points at every step."""

    def __init__(self, asked: XorInput) -> None:
        self.asked = asked
        self.seconds = 0.0
        generator = torch.Generator().manual_seed(asked.seed)
        self.mlp = MLP(asked.hidden, generator)
        self.perceptron = Perceptron(generator)
        self._x = torch.tensor(POINTS, dtype=FLOAT)  # (4, 2)
        self._y = torch.tensor(TARGETS, dtype=FLOAT)  # (4,)
        self._optimiser = torch.optim.SGD(
            [*self.perceptron.parameters(), *self.mlp.parameters()],
            lr=LEARNING_RATE,
            momentum=MOMENTUM,
        )
        # One entry a step: losses and logits of both networks before it, and their weights.
        self._losses: list[Tensor] = []  # each (2,)
        self._logits: list[Tensor] = []  # each (2, 4)
        self._weights: list[tuple[Tensor, Tensor]] = []
        self._look()

    @property
    def step(self) -> int:
        return len(self._losses) - 1

    @property
    def finished(self) -> bool:
        return self.step >= self.asked.steps

    def advance(self, steps: int) -> None:
        """Take up to `steps` gradient steps."""
        started = time.perf_counter()
        for _ in range(min(steps, self.asked.steps - self.step)):
            self._optimiser.zero_grad()
            # The sum's gradient is each network's own: they share no weight.
            self._loss.sum().backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            self._look()
        self.seconds += time.perf_counter() - started

    def _look(self) -> None:
        """Forward pass of both; remember where they stand."""
        logits = torch.stack((self.perceptron(self._x), self.mlp(self._x)))  # (2, 4)
        self._loss = binary_cross_entropy_with_logits(
            logits, self._y.expand(2, 4), reduction="none"
        ).mean(1)  # (2,)
        self._losses.append(self._loss.detach())
        self._logits.append(logits.detach())
        self._weights.append(
            (
                parameters_to_vector(self.perceptron.parameters()).detach(),
                parameters_to_vector(self.mlp.parameters()).detach(),
            )
        )

    @torch.no_grad()
    def state(self) -> XorState:
        """Where both stand now."""
        perceptron_loss, mlp_loss = self._losses[-1].tolist()
        return XorState(
            step=self.step,
            perceptron_loss=perceptron_loss,
            mlp_loss=mlp_loss,
            perceptron_logits=_over_the_grid(self.perceptron),
            mlp_logits=_over_the_grid(self.mlp),
        )

    @torch.no_grad()
    def result(self) -> XorResult:
        """The finished run, with its film."""
        logits = torch.stack(self._logits)  # (T+1, 2, 4)
        right = ((logits > 0) == (self._y > 0.5)).sum(2)  # (T+1, 2)
        losses = torch.stack(self._losses).numpy()  # (T+1, 2)
        outputs = torch.sigmoid(logits[-1])  # (2, 4)
        weights = {
            f"{name}.{key}": value.tolist()
            for name, network in (("perceptron", self.perceptron), ("mlp", self.mlp))
            for key, value in network.state_dict().items()
        }
        centre, basis, share = view_of_h(self.mlp, self._x)
        frames = choose_frames(torch.sigmoid(logits), FRAMES)

        perceptron_grids, mlp_grids, points, planes = [], [], [], []
        for step in frames:
            perceptron_weights, mlp_weights = self._weights[step]
            vector_to_parameters(perceptron_weights, self.perceptron.parameters())
            vector_to_parameters(mlp_weights, self.mlp.parameters())
            perceptron_grids.append(_over_the_grid(self.perceptron))
            mlp_grids.append(_over_the_grid(self.mlp))
            seen = (self.mlp.h(self._x) - centre) @ basis  # (4, 2)
            slope = self.mlp.w @ basis  # (2,)
            # Through the middle of the points, where the plane's logit is the mean logit.
            level = self.mlp(self._x).mean() - seen.mean(0) @ slope
            points.append(seen.numpy())
            planes.append([*slope.tolist(), level.item()])

        return XorResult(
            hidden=self.asked.hidden,
            steps=self.asked.steps,
            seed=self.asked.seed,
            frames=np.array(frames),
            perceptron_logits=np.stack(perceptron_grids),
            mlp_logits=np.stack(mlp_grids),
            h_points=np.stack(points),
            h_planes=np.array(planes),
            h_share=share,
            perceptron_losses=losses[:, 0].copy(),
            mlp_losses=losses[:, 1].copy(),
            perceptron_right=right[:, 0].to(torch.uint8).numpy(),
            mlp_right=right[:, 1].to(torch.uint8).numpy(),
            learned_at=_learned_at(right[:, 1] == 4),
            perceptron_outputs=tuple(outputs[0].tolist()),
            mlp_outputs=tuple(outputs[1].tolist()),
            weights=weights,
            seconds=self.seconds,
        )


def _learned_at(solved: Tensor) -> int | None:
    """The first step of the unbroken run of True that ends `solved` (T+1,), if there is one."""
    if not solved[-1]:
        return None
    wrong = (~solved).nonzero()
    return int(wrong[-1]) + 1 if len(wrong) else 0


def _over_the_grid(network: Perceptron | MLP) -> Half:
    """A network's logits over the x-plane, (GRID, GRID)."""
    side = torch.linspace(LOW, HIGH, GRID, dtype=FLOAT)
    x2, x1 = torch.meshgrid(side, side, indexing="ij")
    x = torch.stack((x1.flatten(), x2.flatten()), dim=1)  # (GRID², 2)
    logits: Tensor = network(x)  # (GRID²,)
    return logits.reshape(GRID, GRID).numpy().astype(np.float16)


def view_of_h(mlp: MLP, x: Tensor) -> tuple[Tensor, Tensor, float]:
    """How to look at h-space in two dimensions: (centre (H,), basis (H, 2), share of variance)."""
    hidden = len(mlp.w)
    if hidden <= 2:
        return torch.zeros(hidden, dtype=FLOAT), torch.eye(hidden, 2, dtype=FLOAT), 1.0
    h = mlp.h(x)  # (4, H)
    centre = h.mean(0)
    spread = h - centre
    # Plain PCA would do for most runs, but XOR can hide in a minor direction; the one that the
    # output unit reads is where the classes part.
    across = mlp.w / mlp.w.norm()
    rest = spread - torch.outer(spread @ across, across)
    up = torch.linalg.svd(rest, full_matrices=False).Vh[0]
    if up[up.abs().argmax()] < 0:
        up = -up  # an SVD's signs are arbitrary
    basis = torch.stack((across, up), dim=1)
    share = (spread @ basis).square().sum() / spread.square().sum()
    return centre, basis, share.item()


def choose_frames(outputs: Tensor, count: int) -> list[int]:
    """At most `count` of the steps of `outputs` (T+1, 2, 4), first and last always.

    The film passes partly evenly in time and partly evenly in how much each network's outputs
    change, so the long plateau is short and the quick turn is slow.
    """
    steps = len(outputs) - 1
    travelled = outputs.diff(dim=0).abs().sum(2).cumsum(0)  # (T, 2)
    perceptron, mlp = (travelled / travelled[-1].clamp(min=1e-12)).unbind(1)  # (T,) each, up to 1
    time_passed = torch.arange(1, steps + 1, dtype=FLOAT) / steps
    place = 0.25 * time_passed + 0.2 * perceptron + 0.55 * mlp
    wanted = torch.linspace(0, place[-1].item(), count - 1, dtype=FLOAT)
    chosen = torch.searchsorted(place, wanted).clamp(max=steps - 1) + 1
    return sorted({0, *chosen.tolist()})


class Xor(Model):
    """Trains both networks anew for every job; there is nothing to load.

    Always on the CPU: matrices this small are done sooner than a GPU could be told of them.
    """

    def load(self, device: str) -> None:
        """Take a few steps, so that the first visitor does not pay for torch's own start."""
        with one_thread():
            Training(XorInput()).advance(3)

    def start(self, batch: Mapping[JobId, XorInput]) -> Session:
        return _Session(batch)


class _Session(Session):
    def __init__(self, batch: Mapping[JobId, XorInput]) -> None:
        self._trainings = {job: Training(asked) for job, asked in batch.items()}

    def step(self) -> Sequence[SessionEvent]:
        with one_thread():
            return [(job, self._advance(job)) for job in list(self._trainings)]

    def _advance(self, job: JobId) -> Progress | Result:
        training = self._trainings[job]
        training.advance(STEPS_A_TURN)
        if training.finished:
            del self._trainings[job]
            return Result(training.result())
        return Progress(training.step / training.asked.steps, training.state())

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._trainings)

    def cancel(self, job: JobId) -> None:
        self._trainings.pop(job, None)
