"""Faces from the generator: alone, edited, or mixed into a film.

A style w is a point in a space where straight lines are meaningful: between two of them lie faces
that resemble both (Karras et al. 2018, section 4), and moving along a fixed direction changes one
attribute of any face (Shen et al., "Interpreting the Latent Space of GANs for Semantic Face
Editing", CVPR 2020, arXiv:1907.10786). The directions were fitted by training/faces.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from inference.jobs import Progress
from inference.model import JobId, Model, Result, Session, SessionEvent
from inference.models.stylegan import LAYERS, OFFSET, OFFSET_SIZE, STYLE, Generator, Synthesis
from inference.tasks.face_film import Film, FilmInput
from inference.tasks.faces import Face, FacesInput, Portraits

DIRECTIONS = Path(__file__).parent / "data" / "face_directions.safetensors"

#: faces that one step paints. On a CPU a batch is no faster than one by one, and a step should be
#: short, for whoever waits or cancels; a GPU is idle with less than this.
AT_ONCE = {"cpu": {1024: 1, 512: 1, 256: 4}, "cuda": {1024: 8, 512: 8, 256: 32}}

#: times the relative change of features: how soon an offset gives way to edits, by eye
GIVES_WAY = 3.0


class Directions:
    """What to add to a style for one standard deviation more of an attribute."""

    def __init__(self, device: torch.device) -> None:
        found = load_file(DIRECTIONS, str(device))
        names = {key.partition(".")[0] for key in found}
        self._steps = {  # (LAYERS, 512) each: the direction, in the layers that it is meant for
            name: found[f"{name}.layers"][:, None] * found[f"{name}.direction"] for name in names
        }

    def of(self, edits: Iterable[tuple[str, float]]) -> Tensor:
        """The sum of these edits, (LAYERS, 512).

        Raises:
            ValueError: an attribute that was not fitted.
        """
        total = torch.zeros(LAYERS, STYLE, device=next(iter(self._steps.values())).device)
        for name, strength in edits:
            if name not in self._steps:
                raise ValueError(f"no direction is called {name}")
            total += strength * self._steps[name]
        return total


class FaceModel(Model):
    """What all models of faces share: the generator, and how a `Face` becomes its style."""

    def load(self, device: str) -> None:
        self.generator = Generator.from_files(self.files, device)
        self.network = self.chosen_network()
        self.directions = Directions(self.generator.device)
        # The first pass allocates; nobody should wait for that.
        self.paint(self.styles([Face()]), self.offsets([Face()]), 256)

    def chosen_network(self) -> Synthesis:
        """What paints."""
        return self.generator.synthesis

    @torch.no_grad()
    def styles(self, faces: Sequence[Face]) -> Tensor:
        """Their styles, (N, LAYERS, 512).

        Raises:
            ValueError: a style of another size, or an unknown attribute.
        """
        return torch.cat([self._style(face) for face in faces])

    def _style(self, face: Face) -> Tensor:
        if face.style:
            style = from_bytes(face.style, (1, LAYERS, STYLE)).to(self.generator.device)
        else:
            style = self.generator.style(face.seed, face.truncation)[:, None].expand(-1, LAYERS, -1)
        return style + self.directions.of(face.edits) if face.edits else style

    @torch.no_grad()
    def offsets(self, faces: Sequence[Face]) -> Tensor:
        """Their offsets, (N, *OFFSET); 0 of those that have none.

        Raises:
            ValueError: an offset of another size, or as `styles`.
        """
        return torch.cat([self._offset(face) for face in faces])

    def _offset(self, face: Face) -> Tensor:
        if not face.offset:
            return torch.zeros(1, *OFFSET, device=self.generator.device)
        offset = from_bytes(face.offset, (1, *OFFSET)).to(self.generator.device)
        if not face.edits:
            return offset
        return self.give_way(offset, self._style(replace(face, edits=())), self._style(face))

    @torch.no_grad()
    def give_way(self, offset: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """What is left of offsets, (N, *OFFSET), when styles change, each (N, LAYERS, 512).

        An offset corrects the features that it was found with. Where others take their place, it
        would correct what is no longer there: a turned head would leave its outline behind.
        """
        old, new = (self.network.features(style, OFFSET_SIZE).float() for style in (before, after))
        change = (new - old).norm(dim=1, keepdim=True) / old.norm(dim=1, keepdim=True)
        kept = 1 / (1 + (GIVES_WAY * change).square())  # (N, 1, 16, 16)
        kept = F.avg_pool2d(F.pad(kept, (1, 1, 1, 1), mode="replicate"), 3, 1)  # no seams
        return offset * kept

    @torch.no_grad()
    def paint(self, styles: Tensor, offsets: Tensor, size: int) -> NDArray[np.uint8]:
        """Pixels, (N, size, size, 3) RGB."""
        return to_pixels(self.network(styles, size, offsets))


def found_face(style: Tensor, offset: Tensor) -> Face:  # (LAYERS, 512), OFFSET
    """The face that a search ended at."""
    return Face(style=to_bytes(style), offset=to_bytes(offset))


def to_bytes(values: Tensor) -> bytes:
    """Little-endian float16, as `Face` has it."""
    return values.detach().half().cpu().numpy().astype("<f2").tobytes()


def from_bytes(data: bytes, shape: tuple[int, ...]) -> Tensor:
    """What `to_bytes` was given, rounded.

    Raises:
        ValueError: the bytes of another shape.
    """
    values = np.frombuffer(data, "<f2").astype(np.float32)
    if values.size != math.prod(shape):
        raise ValueError(f"{values.size} values are not {shape}")
    return torch.from_numpy(values.reshape(shape))


def to_pixels(faces: Tensor) -> NDArray[np.uint8]:  # (N, 3, H, W), from -1 to 1
    """RGB bytes, (N, H, W, 3)."""
    scaled = (faces.float() * 127.5 + 128).clamp(0, 255)
    return scaled.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


class Faces(FaceModel):
    """Paints single faces for many people at once."""

    def start(self, batch: Mapping[JobId, FacesInput]) -> Session:
        return _Painting(self, {job: _Canvas.of_faces(self, asked) for job, asked in batch.items()})


class FaceFilm(FaceModel):
    """Paints mixtures of faces, frame by frame, as fast as the device can."""

    def chosen_network(self) -> Synthesis:
        return self.generator.quick()

    def start(self, batch: Mapping[JobId, FilmInput]) -> Session:
        return _Painting(self, {job: _Canvas.of_film(self, asked) for job, asked in batch.items()})


@dataclass(slots=True)
class _Canvas:
    """One job: pictures are mixtures of faces, and some of them are painted.

    `styles`: of K faces, (K, LAYERS, 512); `plain`: those before their edits; `offsets`: what was
    found beside the plain ones, (K, *OFFSET); `weights`: how much of each is in each of N pictures,
    (N, K).
    """

    styles: Tensor
    plain: Tensor
    offsets: Tensor
    weights: Tensor
    size: int
    film: bool
    pixels: NDArray[np.uint8]
    painted: int = 0
    seconds: float = 0.0

    @classmethod
    def of_faces(cls, model: FaceModel, asked: FacesInput) -> _Canvas:
        return cls._of(model, asked.faces, torch.eye(len(asked.faces)), asked.size, film=False)

    @classmethod
    def of_film(cls, model: FaceModel, asked: FilmInput) -> _Canvas:
        return cls._of(model, asked.faces, torch.tensor(asked.frames), asked.size, film=True)

    @classmethod
    def _of(
        cls, model: FaceModel, faces: Sequence[Face], weights: Tensor, size: int, film: bool
    ) -> _Canvas:
        plain = [replace(face, edits=()) for face in faces]
        return cls(
            model.styles(faces),
            model.styles(plain),
            model.offsets(plain),
            weights.to(model.generator.device),
            size,
            film,
            np.empty((len(weights), size, size, 3), np.uint8),
        )

    def next(self, model: FaceModel, count: int) -> tuple[Tensor, Tensor]:
        """Styles and offsets of the next pictures, (count, LAYERS, 512) and (count, *OFFSET)."""
        weights = self.weights[self.painted : self.painted + count]
        styles, plain, offsets = (
            torch.einsum("nk,k...->n...", weights, mixed)
            for mixed in (self.styles, self.plain, self.offsets)
        )
        if self.offsets.any():
            offsets = model.give_way(offsets, plain, styles)
        return styles, offsets

    def result(self) -> Portraits | Film:
        return (Film if self.film else Portraits)(self.pixels, self.seconds)

    @property
    def waiting(self) -> int:
        return len(self.weights) - self.painted


class _Painting(Session):
    """Fills each step's batch from all jobs in turn, pictures of one size at a time."""

    def __init__(self, model: FaceModel, canvases: dict[JobId, _Canvas]) -> None:
        self._model = model
        self._canvases = canvases

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._canvases)

    def cancel(self, job: JobId) -> None:
        self._canvases.pop(job, None)

    def step(self) -> Sequence[SessionEvent]:
        size = next(iter(self._canvases.values())).size
        room = AT_ONCE["cuda" if self._model.generator.device.type == "cuda" else "cpu"][size]
        chosen: list[tuple[_Canvas, int]] = []  # canvases of this step, and how many of each
        for canvas in self._canvases.values():
            if canvas.size == size and room:
                chosen.append((canvas, min(room, canvas.waiting)))
                room -= chosen[-1][1]
        began = time.perf_counter()
        mixed = (canvas.next(self._model, count) for canvas, count in chosen)
        styles, offsets = zip(*mixed, strict=True)
        pixels = self._model.paint(torch.cat(styles), torch.cat(offsets), size)
        each = (time.perf_counter() - began) / len(pixels)
        for canvas, count in chosen:
            canvas.pixels[canvas.painted : canvas.painted + count] = pixels[:count]
            pixels = pixels[count:]
            canvas.painted += count
            canvas.seconds += each * count
        return [event for job, canvas in list(self._canvases.items()) for event in self._tell(job)]

    def _tell(self, job: JobId) -> list[SessionEvent]:
        canvas = self._canvases[job]
        if not canvas.waiting:
            del self._canvases[job]
            return [(job, Result(canvas.result()))]
        if not canvas.painted:
            return []
        preview = canvas.pixels[canvas.painted - 1].copy()
        return [(job, Progress(canvas.painted / len(canvas.weights), preview))]
