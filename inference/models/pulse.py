"""PULSE: which sharp faces would look like this blurred one, if they were made small?

S. Menon, A. Damian, S. Hu, N. Ravi, C. Rudin, "PULSE: Self-Supervised Photo Upsampling via Latent
Space Exploration of Generative Models", CVPR 2020, arXiv:2003.03808. Nothing is sharpened: the
search walks through the latent space of a generator until a face, *downscaled*, equals the picture.
Many do. None of them is the person.

As in the paper:

- The mapping network ends in a leaky ReLU; with it undone, styles are nearly Gaussian. The search
  takes place there, on the sphere where a Gaussian of 512 dimensions has nearly all its mass.
- Every layer has a style of its own (w+); the *geodesic cross loss* keeps them near each other, or
  they would leave what the generator knows.
- The loss is the squared distance of the downscaled face to the picture, and ε ends its pull.
- Styles alone do not reach ε: they set how a face looks, hardly what stands behind it.

Other than in the paper:

- For what styles do not reach, the paper fits the generator's noise maps. This one's are frozen
  and too weak. An *offset* of the features of 16 × 16 pixels takes their place (K. Kang, S. Kim,
  S. Cho, "GAN Inversion for Out-of-Range Images with Geometric Transformations", ICCV 2021,
  arXiv:2108.08998). It is held small, measured by how features vary, and enters late, when the
  style has explained what it can.
- The Gaussian has a full covariance instead of one variance a dimension.
- Starts are the best of `POOL` random ones: a look at a small face costs little.
- The search happens at 64 or 128 pixels, with readouts off the features (`stylegan.Readout`), never
  at 1024. The readouts are a little wrong. From time to time each whole face is painted, downscaled
  and compared with what its readout gave; the difference corrects the target from then on (*defect
  correction*, also known as space mapping: Bandler et al. 1994). So the whole faces fit in the end,
  without one gradient at full size. All distances that are reported are those of whole faces.
- A *focused* search, for photos that are to be edited, weighs the face more than what surrounds it,
  and lets its style go farther and longer before the offset joins. What edits change is the style:
  it must hold the person, or a smile would be somebody else's.
- On a CPU with AMX or AVX-512 BF16, gradients are taken in bfloat16: 2 to 3 times faster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator as Generator_
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from inference.jobs import Progress
from inference.model import JobId, Model, Result, Session
from inference.models.courses import Course, Courses
from inference.models.faces import found_face, to_pixels
from inference.models.stylegan import (
    LAYERS,
    OFFSET,
    OFFSET_SIZE,
    SLOPE,
    STYLE,
    Generator,
    covariance_factor,
)
from inference.tasks.face_search import EPSILON, Found, FoundFace, SearchInput, SearchState

RADIUS = 0.8 * math.sqrt(STYLE)  # on the whole radius this small generator paints too many flaws
GAUSSIAN_OF = 16_384  # styles to which the Gaussian is fitted
FEATURES_OF = 64  # styles whose features' covariance is taken, at 256 places each
POOL = 64  # random places of which the best are starts
RATE = 0.3  # of Adam; 0.4 in the paper, on its larger sphere
CROSS = 0.05  # weight of the geodesic cross loss, as in the paper
DISTANCE = 100.0  # weight of the squared distance, as in the paper
CLOSE = 0.9 * EPSILON  # where its pull ends: what the readouts say is a little wrong
OFFSET_FROM = 0.4  # of the steps: when the offset joins
FOCUSED_CROSS, FOCUSED_OFFSET_FROM = 0.02, 0.6  # in a focused search
FACE_COUNTS = 4.0  # there, times as much as its surroundings
OFFSET_RATE = 0.05  # of Adam, in standard deviations
OFFSET_HELD = 20.0  # weight of the offset's mean square
CORRECT_AT = (0.25, 0.5, 0.7, 0.85, 0.95)  # of the steps: when whole faces are painted


@dataclass(slots=True)
class Points:
    """Where S searches are. `v`: (S, LAYERS, 512), on the sphere. `e`: white, (S, *OFFSET)."""

    v: Tensor
    e: Tensor

    def __len__(self) -> int:
        return len(self.v)

    def one(self, index: int) -> Points:
        return Points(self.v[index : index + 1], self.e[index : index + 1])


class Latents:
    """Between white spaces, in which the search takes place, and what the generator takes.

    The Gaussian space of v leads to styles w, that of e to offsets of the features.
    """

    def __init__(self, generator: Generator) -> None:
        z = torch.randn(GAUSSIAN_OF, STYLE, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            w = generator.mapping(z.to(generator.device))
            # Before the last leaky ReLU: nearly Gaussian.
            u = torch.where(w < 0, w / SLOPE, w) / 2**0.5
            self.mean = u.mean(0)
            self.factor = covariance_factor(u)
            styles = w[:FEATURES_OF, None].expand(-1, LAYERS, -1)
            features = generator.synthesis.features(styles, OFFSET_SIZE).float()
            apart = features - features.mean(0)  # (N, 512, 16, 16), from the usual at each place
            self.offset_factor = covariance_factor(apart.permute(0, 2, 3, 1).flatten(0, 2))

    def styles(self, v: Tensor) -> Tensor:  # (..., 512)
        u = self.mean + v @ self.factor.T
        w: Tensor = 2**0.5 * F.leaky_relu(u, SLOPE)
        return w  # (..., 512)

    def offsets(self, e: Tensor) -> Tensor:  # (S, *OFFSET)
        offsets: Tensor = torch.einsum("cd,sdhw->schw", self.offset_factor, e)
        return offsets  # (S, *OFFSET)


def onto_sphere(v: Tensor) -> Tensor:  # (..., 512)
    return F.normalize(v, dim=-1) * RADIUS


def downscale(faces: Tensor, side: int) -> Tensor:
    """Bicubic with antialiasing, as the paper does it: (N, 3, H, H) → (N, 3, side, side)."""
    if faces.shape[-1] == side:
        return faces
    return F.interpolate(faces, (side, side), mode="bicubic", antialias=True)


def geodesic_cross(v: Tensor) -> Tensor:
    """How far apart the layers' points on the sphere are: (S, LAYERS, 512) → (S,).

    The mean squared angle (times 512, as in the authors' code) between all pairs of layers.
    """
    unit = v / v.norm(dim=-1, keepdim=True)
    a, b = unit[:, :, None], unit[:, None]  # (S, LAYERS, 1, 512), (S, 1, LAYERS, 512)
    # The half-angle form stays exact for small angles, where acos would not.
    apart = ((a - b).square().sum(-1) + 1e-9).sqrt()
    together = ((a + b).square().sum(-1) + 1e-9).sqrt()
    angle = 2 * torch.atan2(apart, together)  # (S, LAYERS, LAYERS)
    return STYLE * angle.square().mean((1, 2))


def face_weights(side: int, face: float) -> Tensor:
    """How much each pixel counts, (side, side), 1 in the mean: `face` times as much in the face.

    Where FFHQ frames it: an ellipse with soft edges.
    """
    at = (torch.arange(side) + 0.5) / side
    radius = ((at[None] - 0.5) / 0.27).square() + ((at[:, None] - 0.56) / 0.36).square()
    weights = 1 + (face - 1) * torch.sigmoid(6 * (1 - radius))
    return weights / weights.mean()


def search_size(side: int) -> int:
    """Pixels at which a picture of `side` is searched for."""
    return 64 if side <= 32 else 128


class Search:
    """One job. `run()` is its course; every yield is a place to stop, a second or so apart."""

    def __init__(self, model: Pulse, asked: SearchInput) -> None:
        """Raises ValueError: the bytes are not those of a picture of that size."""
        wanted = np.frombuffer(asked.pixels, np.uint8)
        if wanted.size != 3 * asked.side**2:
            raise ValueError(f"{wanted.size} bytes for {asked.side} × {asked.side}")
        rgb = wanted.astype(np.float32).reshape(1, asked.side, asked.side, 3) / 255
        self._target = torch.from_numpy(rgb).permute(0, 3, 1, 2).to(model.device)  # (1, 3, k, k)
        self._model = model
        self._asked = asked
        self._size = search_size(asked.side)
        focused = asked.focused
        self._cross = FOCUSED_CROSS if focused else CROSS
        self._offset_from = FOCUSED_OFFSET_FROM if focused else OFFSET_FROM
        self._weights = face_weights(asked.side, FACE_COUNTS if focused else 1.0).to(model.device)

    def run(self) -> Course:
        """Progress with previews while it searches; at last the `Result`."""
        began = time.perf_counter()
        asked = self._asked
        start = yield from self._starts()  # (S, 1, 512)
        v = start.expand(-1, LAYERS, -1).clone().requires_grad_()  # each layer goes its own way
        points = Points(v, torch.zeros(len(v), *OFFSET, device=v.device))
        descent = torch.optim.Adam(
            [{"params": [points.v], "rate": RATE}, {"params": [points.e], "rate": OFFSET_RATE}]
        )
        correction = torch.zeros(len(v), *self._target.shape[1:], device=v.device)
        corrections = {round(part * asked.steps) for part in CORRECT_AT}
        for step in range(asked.steps):
            # Without a gradient it is left as it is.
            points.e.requires_grad_(step >= self._offset_from * asked.steps)
            for group in descent.param_groups:
                group["lr"] = group["rate"] * _schedule(step / asked.steps)
            faces, distances = self._descend(points, correction, descent)
            fraction = 0.05 + 0.9 * (step + 1) / asked.steps
            shown = to_pixels(faces)  # (S, h, h, 3)
            yield Progress(fraction, SearchState(shown, distances))
            if step + 1 in corrections:
                for index in range(len(points)):
                    whole = self._paint(points.one(index))
                    correction[index] = self._defect(points.one(index), whole)
                    shown = self._with(shown, index, whole)
                    yield Progress(fraction, SearchState(shown, distances))
        found: list[FoundFace] = []
        for index in range(len(points)):
            whole = self._paint(points.one(index))
            found.append(self._found(points.one(index), whole))
            shown = self._with(shown, index, whole)
            fraction = 0.95 + 0.05 * (index + 1) / len(points)
            yield Progress(fraction, SearchState(shown, distances))
        strain = self._strain(points).tolist()
        # Within ε all are as close as was asked, so the likeliest comes first.
        order = sorted(
            range(len(found)),
            key=lambda index: (max(found[index].distance, EPSILON), strain[index]),
        )
        seconds = time.perf_counter() - began
        yield Result(Found(tuple(found[index] for index in order), seconds))

    @torch.no_grad()
    def _starts(self) -> Generator_[Progress, None, Tensor]:
        """The best places of a random pool, (S, 1, 512)."""
        random = torch.Generator().manual_seed(self._asked.seed)
        pool = onto_sphere(torch.randn(POOL, STYLE, generator=random).to(self._target.device))
        distances = []
        for part in torch.split(pool, 8):
            faces = self._model.look(self._model.latents.styles(part), self._size)
            distances.append(self._distance(faces))
            yield Progress(0.05 * len(distances) * 8 / POOL)
        return pool[torch.cat(distances).argsort()[: self._asked.starts], None]

    def _descend(
        self, points: Points, correction: Tensor, descent: torch.optim.Optimizer
    ) -> tuple[Tensor, tuple[float, ...]]:
        """One step: the faces (S, 3, h, h) and their distances before it."""
        descent.zero_grad()
        faces = self._look(points)
        distance = self._distance(faces, correction)  # (S,)
        loss = DISTANCE * distance.clamp(min=CLOSE) + self._strain(points)
        # The sum's gradient is each start's own: they share nothing.
        loss.sum().backward()  # type: ignore[no-untyped-call]
        descent.step()
        with torch.no_grad():
            points.v.copy_(onto_sphere(points.v))
        return faces.detach(), tuple(distance.tolist())

    def _look(self, points: Points) -> Tensor:
        latents = self._model.latents
        return self._model.look(latents.styles(points.v), self._size, latents.offsets(points.e))

    def _distance(self, faces: Tensor, correction: Tensor | float = 0.0) -> Tensor:  # (S, 3, h, h)
        """Mean squared, of each face made small to the picture; colours from 0 to 1."""
        small = downscale(faces, self._asked.side) + correction
        squares = ((small + 1) / 2 - self._target).square()
        return (squares * self._weights).mean((1, 2, 3))  # (S,)

    def _strain(self, points: Points) -> Tensor:
        """How unlikely each point is, as the loss weighs it, (S,)."""
        offset = points.e.square().mean((1, 2, 3))
        return self._cross * geodesic_cross(points.v) + OFFSET_HELD * offset

    def _with(self, shown: NDArray[np.uint8], index: int, whole: Tensor) -> NDArray[np.uint8]:
        """The faces that are shown, (S, h, h, 3), with one as it is in whole."""
        shown = shown.copy()  # the last are still on their way to somebody
        shown[index] = to_pixels(downscale(whole, self._size))[0]
        return shown

    @torch.no_grad()
    def _paint(self, point: Points) -> Tensor:
        """The whole face of one point, (1, 3, 1024, 1024)."""
        latents = self._model.latents
        styles, offsets = latents.styles(point.v), latents.offsets(point.e)
        whole: Tensor = self._model.generator.synthesis(styles, offset=offsets)
        return whole.float().clamp(-1, 1)

    @torch.no_grad()
    def _defect(self, point: Points, whole: Tensor) -> Tensor:
        """By how much the whole face, made small, differs from its readout, (3, k, k)."""
        side = self._asked.side
        return (downscale(whole, side) - downscale(self._look(point), side))[0]

    def _found(self, point: Points, whole: Tensor) -> FoundFace:
        latents = self._model.latents
        face = found_face(latents.styles(point.v)[0], latents.offsets(point.e)[0])
        pixels = to_pixels(F.avg_pool2d(whole, 2))[0]
        return FoundFace(face, self._distance(whole).item(), pixels)


def _schedule(part: float) -> float:
    """The rate over the search, 0…1, as in the authors' code: it rises, falls, and drops out."""
    if part < 0.05:
        return part / 0.05
    return 1.0 if part < 0.6 else (1 - part) / 0.4 + 0.02


class Pulse(Model):
    """Searches for one picture at a time; several searches take turns."""

    def load(self, device: str) -> None:
        self.generator = Generator.from_files(self.files, device)
        self.latents = Latents(self.generator)
        self.device = self.generator.device
        self._quick = self.generator.quick()
        # For the first optimiser torch imports its compiler: seconds that no job should spend.
        torch.optim.Adam([torch.zeros(1, requires_grad=True)])

    def look(self, styles: Tensor, size: int, offsets: Tensor | None = None) -> Tensor:
        """Small faces of styles, (S, LAYERS, 512) or (S, 512) → (S, 3, size, size)."""
        faces: Tensor = self._quick(styles, size, offsets)
        return faces.float()

    def start(self, batch: Mapping[JobId, SearchInput]) -> Session:
        return Courses({job: Search(self, asked).run() for job, asked in batch.items()})
