"""A GAN small enough to watch: a generator forges, a discriminator tells forgeries from the real.

- I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, arXiv:1406.2661: the game of
  the two, and the loss of section 3 that gives a losing generator a gradient (below).
- L. Metz et al., "Unrolled Generative Adversarial Networks", ICLR 2017, arXiv:1611.02163: eight
  Gaussians on a ring of radius 2, on which mode collapse can be seen. Theirs have σ = 0.02; ours
  0.1, or nobody could see them on a phone.
- L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML
  2018, arXiv:1801.04406: the penalty R₁ on the discriminator's slope at real samples.
- T. Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models",
  NeurIPS 2019, arXiv:1904.06991: how digits are judged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference.jobs import Progress
from inference.model import JobId, Model, Result, Session, SessionEvent
from inference.models.threads import one_thread
from inference.tasks.gan import (
    GRID,
    HIGH,
    JUDGED,
    LOW,
    SLOWER,
    GanInput,
    GanResult,
    GanState,
    Half,
)

STEPS_A_TURN = 20  # between two looks at the queue, some 100 ms
FRAMES = 61
POINTS_SHOWN, DIGITS_SHOWN = 300, 56

# Double precision: the game multiplies rounding errors. A first weight that differs by 1e-15 moves
# the points of the default run by no more than 1e-14, and by 1e-7 after a collapse; in single
# precision one by 1e-7 moves them by 0.1 within 300 steps. So the same seed gives the same film.
FLOAT = torch.float64


# --- what is imitated -----------------------------------------------------------------------------


class Data(Protocol):
    """Real samples, and a judge of those that are not."""

    modes: int

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        """Real samples, (count, size)."""

    def judge(self, fakes: Tensor) -> Tensor:
        """The mode that each of the samples (N, size) is a good example of, −1 for none; (N,)."""


class Gaussians:
    """A mixture of equal Gaussians in the plane, each a mode. Good is what lies within 3σ."""

    SIGMA = 0.1

    def __init__(self, centres: Tensor) -> None:  # (K, 2)
        self.centres = centres
        self.modes = len(centres)

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        which = torch.randint(self.modes, (count,), generator=chance)
        spread = torch.randn(count, 2, generator=chance, dtype=FLOAT)
        return self.centres[which] + self.SIGMA * spread  # (count, 2)

    def judge(self, fakes: Tensor) -> Tensor:
        distance, mode = torch.cdist(fakes, self.centres).min(dim=1)  # (N,) each
        return mode.where(distance <= 3 * self.SIGMA, -1)


class Digits:
    """1797 handwritten digits of 8 × 8 pixels, ink from −1 to 1; a mode is a digit.

    E. Alpaydin, C. Kaynak (Boğaziçi University), "Optical Recognition of Handwritten Digits", UCI
    Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0: the test set, as scikit-learn
    has it in `load_digits`.

    A sample is an example of what the real digit nearest to it is, and a good one if it lies as
    close to that one as its third nearest neighbour does: a stricter cousin of the paper's
    precision. Judged by one half, 79 % of the other half are good, and of means of two digits 23 %.
    """

    FILE = Path(__file__).with_name("data") / "digits.npz"
    NEIGHBOUR = 3
    modes = 10

    def __init__(self) -> None:
        with np.load(self.FILE) as file:
            images, labels = file["images"], file["labels"]  # (1797, 8, 8) of 0…16, (1797,)
        self.images = torch.from_numpy(images).flatten(1).to(FLOAT) / 8 - 1  # (1797, 64)
        self.labels = torch.from_numpy(labels).long()
        between = torch.cdist(self.images, self.images)  # (1797, 1797)
        # The nearest to each is itself.
        self.reach = between.kthvalue(1 + self.NEIGHBOUR, dim=1).values  # (1797,)

    def draw(self, count: int, chance: torch.Generator) -> Tensor:
        return self.images[torch.randint(len(self.images), (count,), generator=chance)]

    def judge(self, fakes: Tensor) -> Tensor:
        distance, nearest = torch.cdist(fakes, self.images).min(dim=1)  # (N,) each
        return self.labels[nearest].where(distance <= self.reach[nearest], -1)


def ring(count: int, radius: float) -> Tensor:
    """Points evenly spread on a circle, (count, 2)."""
    angle = torch.arange(count, dtype=FLOAT) * (2 * math.pi / count)
    return radius * torch.stack((angle.cos(), angle.sin()), dim=1)


# --- the two networks -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What suits a kind of data.

    Sizes of the noise, of the hidden layers and of a batch; learning rate and first β of Adam; γ of
    R₁. The second β is 0.99, a short memory: the other player keeps changing the landscape.
    """

    noise: int
    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    batch: int
    rate: float
    beta: float
    gamma: float


POINTS = Plan(
    noise=2,
    generator=(64, 64),
    discriminator=(64, 64),
    batch=128,
    rate=2e-3,
    beta=0.5,
    gamma=0.1,
)
DIGITS = Plan(
    noise=16,
    generator=(128, 256),
    discriminator=(256, 128),
    batch=64,
    rate=4e-3,
    beta=0.0,
    gamma=0.2,
)
PLANS = {"ring": POINTS, "rings": POINTS, "digits": DIGITS}


@cache
def data(kind: str) -> Data:
    """Where the real samples come from; read once."""
    match kind:
        case "ring":
            return Gaussians(ring(8, radius=2.0))
        case "rings":
            return Gaussians(torch.cat((ring(8, radius=2.4), ring(8, radius=1.2))))
        case "digits":
            return Digits()
    raise ValueError(f"no such data: {kind}")


def mlp(sizes: Sequence[int], chance: torch.Generator) -> nn.Sequential:
    """Linear layers between these sizes, with ReLUs between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, fan_in, fan_out, dtype=FLOAT
        )
        # As torch draws them, but from a source of our own: other models here use the common one.
        bound = 1 / math.sqrt(fan_in)
        for weights in linear.parameters():
            nn.init.uniform_(weights, -bound, bound, generator=chance)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Training:
    """One run. Names as in the paper: G and D play, x is real, z is noise."""

    def __init__(self, asked: GanInput) -> None:
        self.asked = asked
        self.plan = PLANS[asked.data]
        self.data = data(asked.data)
        self.step = 0
        self.seconds = 0.0
        self._chance = torch.Generator().manual_seed(asked.seed)
        # By these the two are judged, at every moment alike.
        self._x = self.data.draw(JUDGED, self._chance)  # (JUDGED, size)
        self._z = self._noise(JUDGED)  # (JUDGED, noise)
        size = self._x.shape[1]
        self.G = mlp((self.plan.noise, *self.plan.generator, size), self._chance)
        if asked.data == "digits":
            self.G.append(nn.Tanh())  # there is no ink below −1 or above 1
        self.D = mlp((size, *self.plan.discriminator, 1), self._chance)
        self._learns_d, self._learns_g = (
            torch.optim.Adam(player.parameters(), betas=(self.plan.beta, 0.99), fused=True)
            for player in (self.D, self.G)
        )
        self._due = frames_of(asked.steps)
        self._frames = [self.state()]

    @property
    def finished(self) -> bool:
        return self.step >= self.asked.steps

    def advance(self, steps: int) -> None:
        """Let the two play up to `steps` rounds."""
        started = time.perf_counter()
        for _ in range(min(steps, self.asked.steps - self.step)):
            self._set_pace()
            self._teach_discriminator()
            self._teach_generator()
            self.step += 1
            if self.step in self._due:
                self._frames.append(self.state())
        self.seconds += time.perf_counter() - started

    def _teach_discriminator(self) -> None:
        """One step towards saying 1 of what is real and 0 of what is not."""
        x = self.data.draw(self.plan.batch, self._chance).requires_grad_()  # (B, size)
        with torch.no_grad():
            fake = self.G(self._noise(self.plan.batch))  # (B, size)
        on_real, on_fake = self.D(x), self.D(fake)  # (B, 1) each, before the sigmoid
        # R₁ holds D level where the data is: a D that is sure of itself tells G nothing.
        (slope,) = torch.autograd.grad(on_real.sum(), x, create_graph=True)  # (B, size)
        penalty = self.plan.gamma / 2 * slope.square().sum(dim=1).mean()
        _descend(self._learns_d, discriminator_loss(on_real, on_fake) + penalty)

    def _teach_generator(self) -> None:
        """One step towards what the discriminator takes for real."""
        fake = self.G(self._noise(self.plan.batch))  # (B, size)
        _descend(self._learns_g, generator_loss(self.D(fake)))

    def _noise(self, count: int) -> Tensor:
        return torch.randn(count, self.plan.noise, generator=self._chance, dtype=FLOAT)

    def _set_pace(self) -> None:
        """Hold the learning rates for one half of the time, then lower them to 0, to settle."""
        left = 1 - self.step / self.asked.steps
        rate = self.plan.rate * min(1.0, 2 * left)
        self._learns_g.param_groups[0]["lr"] = rate
        self._learns_d.param_groups[0]["lr"] = (
            rate / SLOWER[self.asked.data] if self.asked.collapse else rate
        )

    @torch.no_grad()
    def state(self) -> GanState:
        """Where both stand now."""
        fakes = self.G(self._z)  # (JUDGED, size)
        on_real, on_fake = self.D(self._x), self.D(fakes)  # (JUDGED, 1) each
        mode = self.data.judge(fakes)  # (JUDGED,)
        shown = self._shown(fakes)
        return GanState(
            step=self.step,
            losses=(
                discriminator_loss(on_real, on_fake).item() / 2,  # ln 2 where all is guessed
                generator_loss(on_fake).item(),
            ),
            outputs=(on_real.sigmoid().mean().item(), on_fake.sigmoid().mean().item()),
            reals=self._shown(self._x),
            fakes=shown,
            verdicts=_half(on_fake[: len(shown), 0].sigmoid()),
            surface=None if self.asked.data == "digits" else _over_the_plane(self.D),
            found=torch.bincount(mode[mode >= 0], minlength=self.data.modes).numpy(),
            spread=(_spread(fakes) / _spread(self._x)).item(),
        )

    def result(self) -> GanResult:
        """The finished run, with its film."""
        return GanResult(self.asked, tuple(self._frames), self.seconds)

    def _shown(self, samples: Tensor) -> Half:
        """The first of these samples (N, size), as a picture shows them."""
        if self.asked.data == "digits":
            return _half((samples[:DIGITS_SHOWN].reshape(-1, 8, 8) + 1) / 2)
        return _half(samples[:POINTS_SHOWN])


def discriminator_loss(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """−ln D(x) − ln(1 − D(G(z))), of D's outputs before the sigmoid."""
    return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()  # softplus(−a) = −ln sigmoid(a)


def generator_loss(on_fake: Tensor) -> Tensor:
    """−ln D(G(z)): it has a slope where ln(1 − D(G(z))) has none, when D sees through all."""
    return F.softplus(-on_fake).mean()


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _spread(samples: Tensor) -> Tensor:
    """Root of the mean squared distance from the mean of samples (N, size)."""
    return samples.var(dim=0, correction=0).sum().sqrt()


def _over_the_plane(discriminator: nn.Module) -> Half:
    """D's outputs before the sigmoid over the plane, (GRID, GRID)."""
    side = torch.linspace(LOW, HIGH, GRID, dtype=FLOAT)
    y, x = torch.meshgrid(side, side, indexing="ij")
    points = torch.stack((x.flatten(), y.flatten()), dim=1)  # (GRID², 2)
    return _half(discriminator(points).reshape(GRID, GRID))


def _half(numbers: Tensor) -> Half:
    return numbers.numpy().astype(np.float16)


def frames_of(steps: int) -> frozenset[int]:
    """The steps that the film shows beside step 0, FRAMES − 1 at most; the last is one of them."""
    return frozenset(round(steps * number / (FRAMES - 1)) for number in range(1, FRAMES))


class Gan(Model):
    """Trains both networks anew for every job; there are no weights to load.

    Always on the CPU: networks this small are done sooner than a GPU could be told of them.
    """

    def load(self, device: str) -> None:
        """Take a few steps, so that the first visitor does not pay for torch's own start."""
        with one_thread():
            for kind in PLANS:
                Training(GanInput(kind)).advance(2)

    def start(self, batch: Mapping[JobId, GanInput]) -> Session:
        return _Session(batch)


class _Session(Session):
    def __init__(self, batch: Mapping[JobId, GanInput]) -> None:
        with one_thread():
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
