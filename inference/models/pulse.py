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

Other than in the paper:

- The author's generator has its noise frozen, so there is none to be fitted.
- The Gaussian has a full covariance instead of one variance a dimension.
- Starts are the best of `POOL` random ones: a look at a small face costs little.
- The search happens at 64 or 128 pixels, with readouts off the features (`stylegan.Readout`), never
  at 1024. The readouts are a little wrong. From time to time each whole face is painted, downscaled
  and compared with what its readout gave; the difference corrects the target from then on (*defect
  correction*, also known as space mapping: Bandler et al. 1994). So the whole faces fit in the end,
  without one gradient at full size. All distances that are reported are those of whole faces.
- On a CPU with AMX or AVX-512 BF16, gradients are taken in bfloat16: 2 to 3 times faster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator as Generator_
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inference.jobs import Progress
from inference.model import JobId, Model, Result, Session
from inference.models.courses import Course, Courses
from inference.models.faces import to_bytes, to_pixels
from inference.models.stylegan import LAYERS, SLOPE, STYLE, Generator
from inference.tasks.face_search import EPSILON, Found, FoundFace, SearchInput, SearchState

RADIUS = 0.8 * math.sqrt(STYLE)  # on the whole radius this small generator paints too many flaws
GAUSSIAN_OF = 16_384  # styles to which the Gaussian is fitted
POOL = 64  # random places of which the best are starts
RATE = 0.3  # of Adam; 0.4 in the paper, on its larger sphere
CROSS = 0.05  # weight of the geodesic cross loss, as in the paper
LOOSE_CROSS = 0.02  # of a search that may leave likely faces to come closer
DISTANCE = 100.0  # weight of the squared distance, as in the paper
CORRECT_AT = (0.25, 0.5, 0.7, 0.85, 0.95)  # of the steps: when whole faces are painted


class Latents:
    """Between the Gaussian space of v and the styles w."""

    def __init__(self, generator: Generator) -> None:
        z = torch.randn(GAUSSIAN_OF, STYLE, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            w = generator.mapping(z.to(generator.device)) / 2**0.5
            u = torch.where(w < 0, w / SLOPE, w)  # before the last leaky ReLU: nearly Gaussian
            self.mean = u.mean(0)
            # Its Cholesky factor turns white noise into noise of this covariance.
            self.factor = torch.linalg.cholesky(
                u.T.cov() + 1e-6 * torch.eye(STYLE, device=u.device)
            )

    def styles(self, v: Tensor) -> Tensor:  # (..., 512)
        u = self.mean + v @ self.factor.T
        w: Tensor = 2**0.5 * F.leaky_relu(u, SLOPE)
        return w  # (..., 512)


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
        self._cross = LOOSE_CROSS if asked.loose else CROSS
        self._seconds = 0.0

    def run(self) -> Course:
        """Progress with previews while it searches; at last the `Result`."""
        began = time.perf_counter()
        asked = self._asked
        v = yield from self._starts()  # (S, 1, 512)
        v = v.expand(-1, LAYERS, -1).clone().requires_grad_()  # each layer goes its own way
        descent = torch.optim.Adam([v], RATE)
        correction = torch.zeros(len(v), *self._target.shape[1:], device=v.device)
        corrections = {round(part * asked.steps) for part in CORRECT_AT}
        for step in range(asked.steps):
            descent.param_groups[0]["lr"] = RATE * _schedule(step / asked.steps)
            faces, distances = self._descend(v, correction, descent)
            fraction = 0.05 + 0.9 * (step + 1) / asked.steps
            yield Progress(fraction, SearchState(to_pixels(faces), distances))
            if step + 1 in corrections:
                for index in range(len(v)):
                    whole, small = self._paint(v[index : index + 1])
                    correction[index] = downscale(whole, asked.side)[0] - small[0]
                    yield Progress(fraction)
        found = []
        for index in range(len(v)):
            whole, _ = self._paint(v[index : index + 1])
            found.append(self._found(v[index : index + 1], whole))
            yield Progress(0.95 + 0.05 * (index + 1) / len(v))
        found.sort(key=lambda face: face.distance)
        yield Result(Found(tuple(found), time.perf_counter() - began))

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
        self, v: Tensor, correction: Tensor, descent: torch.optim.Optimizer
    ) -> tuple[Tensor, tuple[float, ...]]:
        """One step: the faces (S, 3, h, h) and their distances before it."""
        descent.zero_grad()
        faces = self._model.look(self._model.latents.styles(v), self._size)
        distance = self._distance(faces, correction)  # (S,)
        loss = DISTANCE * distance.clamp(min=EPSILON) + self._cross * geodesic_cross(v)
        # The sum's gradient is each start's own: they share nothing.
        loss.sum().backward()  # type: ignore[no-untyped-call]
        descent.step()
        with torch.no_grad():
            v.copy_(onto_sphere(v))
        return faces.detach(), tuple(distance.tolist())

    def _distance(self, faces: Tensor, correction: Tensor | float = 0.0) -> Tensor:  # (S, 3, h, h)
        """Mean squared, of each face made small to the picture; colours from 0 to 1."""
        small = downscale(faces, self._asked.side) + correction
        return ((small + 1) / 2 - self._target).square().mean((1, 2, 3))  # (S,)

    @torch.no_grad()
    def _paint(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """The whole face of a point, and what its readout makes of it, downscaled."""
        styles = self._model.latents.styles(v)
        whole = self._model.generator.synthesis(
            styles.to(self._model.generator.synthesis.dtype)
        ).float()
        small = downscale(self._model.look(styles, self._size), self._asked.side)
        return whole.clamp(-1, 1), small

    def _found(self, v: Tensor, whole: Tensor) -> FoundFace:
        style = to_bytes(self._model.latents.styles(v.detach())[0])
        pixels = to_pixels(F.avg_pool2d(whole, 2))[0]
        return FoundFace(style, self._distance(whole).item(), pixels)


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

    def look(self, styles: Tensor, size: int) -> Tensor:
        """Small faces of styles, (S, LAYERS, 512) or (S, 512) → (S, 3, size, size)."""
        faces: Tensor = self._quick(styles.to(self._quick.dtype), size)
        return faces.float()

    def start(self, batch: Mapping[JobId, SearchInput]) -> Session:
        return Courses({job: Search(self, asked).run() for job, asked in batch.items()})
