"""StyleCLIP: a face moves towards a sentence, with a network that compares pictures with sentences.

O. Patashnik, Z. Wu, E. Shechtman, D. Cohen-Or, D. Lischinski, "StyleCLIP: Text-Driven Manipulation
of StyleGAN Imagery", ICCV 2021, arXiv:2103.17249. CLIP (Radford et al., "Learning Transferable
Visual Models From Natural Language Supervision", ICML 2021, arXiv:2103.00020) gives a picture and a
sentence vectors whose cosine says how well they match; SigLIP 2 (Tschannen et al., 2025,
arXiv:2502.14786) does the same in many languages.

Two of the paper's three ways are here:

- *Latent optimisation* (section 4): descent on the style of one face, each layer's its own, on
  1 - cosine, held back by the squared distance from where it began. The paper also asks a face
  recogniser to see the same person; there is none with free weights, so the distance has to do.
- A *global direction* (section 6): what makes faces more like a sentence is nearly the same for
  all. The paper pushes every channel of the style by itself and looks what the picture's vector
  does, which takes hours. To first order one backward pass tells it of all channels at once, so
  here the gradients of `FACES` faces are averaged. Where faces disagree, a coordinate says nothing
  of faces as such and is left out, as the paper leaves out channels of little relevance.

Coordinates are those in which styles have covariance 1 (`pulse.Latents` has more on that), so that
each counts by how much faces differ along it. Pictures are compared at 256 pixels, read off the
features (`stylegan.Readout`); nothing is computed at full size.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from inference.jobs import Progress
from inference.model import JobId, Result, Session
from inference.models.courses import Course, Courses
from inference.models.faces import FaceModel, found_face, to_pixels
from inference.models.stylegan import LAYERS, STYLE, covariance_factor
from inference.models.wish_words import lower
from inference.tasks.face_guidance import GuidanceInput, GuidedFace

NEUTRAL = "a photo of a face"
TARGET = "a photo of a face: {}"

GAUSSIAN_OF = 4096  # styles whose covariance is taken
SIDE = 256  # pixels at which faces are compared
FACES = 32  # whose gradients make a direction
AT_ONCE = {"cpu": 2, "cuda": 16}  # of them in one step
TRUNCATION = 0.7
AGREED = 2.0  # standard errors that a coordinate's mean must be from 0 to count
LENGTH = 6.0  # of a direction, in standard deviations of styles, over all layers
REMEMBERED = 64  # directions

STEPS = 60  # of descent
RATE = 0.1  # of Adam, as in the paper
HELD = 0.008  # weight of the squared distance from the beginning, as in the paper


class Comparison:
    """The network that compares: vectors of length 1 for pictures and sentences.

    Any checkpoint of transformers with `get_image_features` and `get_text_features`.
    """

    def __init__(self, options: Mapping[str, Any], device: torch.device) -> None:
        checkpoint = str(options["checkpoint"])
        source = {"revision": options["revision"]} if "revision" in options else {}
        self._device = device
        self._tokenizer = AutoTokenizer.from_pretrained(checkpoint, **source)
        shown = AutoImageProcessor.from_pretrained(checkpoint, **source)
        network = AutoModel.from_pretrained(checkpoint, **source, use_safetensors=True)
        self._network = network.to(device).eval().requires_grad_(False)
        self._side = int(network.config.vision_config.image_size)
        self._words = int(network.config.text_config.max_position_embeddings)
        mean, deviation = (
            torch.tensor(each, device=device)[:, None, None]
            for each in (shown.image_mean, shown.image_std)
        )
        self._mean, self._deviation = mean, deviation  # (3, 1, 1), for colours from 0 to 1

    @torch.no_grad()
    def of_text(self, text: str) -> Tensor:
        """(D,)"""
        tokens = self._tokenizer(
            [lower(text)],
            padding="max_length",
            truncation=True,
            max_length=self._words,
            return_tensors="pt",
        ).to(self._device)
        found: Tensor = self._network.get_text_features(**tokens).pooler_output
        return F.normalize(found.float())[0]

    def of_faces(self, faces: Tensor) -> Tensor:  # (N, 3, H, W), from -1 to 1
        """(N, D), with gradients."""
        colours = (faces.clamp(-1, 1) + 1) / 2
        shown = F.interpolate(colours, (self._side, self._side), mode="bicubic", antialias=True)
        shown = (shown - self._mean) / self._deviation
        found: Tensor = self._network.get_image_features(pixel_values=shown).pooler_output
        return F.normalize(found.float())


class StyleClip(FaceModel):
    """Guides faces by sentences, one job at a time; several take turns.

    Options:
        `checkpoint`: of the comparing network, a hub id or a local folder; `revision`: the hub's
        commit. Only safetensors are read, and no code is run.
    """

    def load(self, device: str) -> None:
        super().load(device)
        self.comparison = Comparison(self.options, self.generator.device)
        z = torch.randn(GAUSSIAN_OF, STYLE, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            styles = self.generator.mapping(z.to(self.generator.device))
        self._factor = covariance_factor(styles)
        self._directions: OrderedDict[str, Tensor] = OrderedDict()
        # For the first optimiser torch imports its compiler: seconds that no job should spend.
        torch.optim.Adam([torch.zeros(1, requires_grad=True)])

    def start(self, batch: Mapping[JobId, GuidanceInput]) -> Session:
        return Courses({job: self._course(asked) for job, asked in batch.items()})

    def look(self, styles: Tensor, offsets: Tensor | None = None) -> Tensor:  # (N, LAYERS, 512)
        """Faces, (N, 3, SIDE, SIDE)."""
        return cast(Tensor, self.network(styles, SIDE, offsets).float())

    def _course(self, asked: GuidanceInput) -> Course:
        began = time.perf_counter()
        start = self.styles([asked.face])  # (1, LAYERS, 512)
        offset = self.offsets([asked.face])  # (1, *OFFSET)
        target = self.comparison.of_text(TARGET.format(asked.text))
        if asked.descend:
            style = yield from self._descent(start, offset, target, asked.strength)
        else:
            direction = yield from self._direction(asked.text, target)
            style = start + asked.strength * direction
        left = self.give_way(offset, start, style)
        with torch.no_grad():
            before, after = (
                (self.comparison.of_faces(self.look(*each)) @ target).item()
                for each in ((start, offset), (style, left))
            )
        face = found_face(style[0], left[0])
        yield Result(GuidedFace(face, before, after, time.perf_counter() - began))

    def _descent(
        self, start: Tensor, offset: Tensor, target: Tensor, strength: float
    ) -> Generator[Progress, None, Tensor]:
        """The style (1, LAYERS, 512) where likeness and distance balance."""
        style = start.clone().requires_grad_()
        descent = torch.optim.Adam([style], RATE)
        for step in range(STEPS):
            descent.param_groups[0]["lr"] = RATE * _schedule(step / STEPS)
            descent.zero_grad()
            face = self.look(style, offset)
            unlike = 1 - self.comparison.of_faces(face)[0] @ target
            loss = unlike + HELD / strength * (style - start).square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            descent.step()
            yield Progress((step + 1) / STEPS, to_pixels(face.detach())[0])
        return style.detach()

    def _direction(self, text: str, target: Tensor) -> Generator[Progress, None, Tensor]:
        """What to add to any style, (LAYERS, 512), for a strength of 1."""
        if text in self._directions:
            self._directions.move_to_end(text)
            return self._directions[text]
        wanted = target - self.comparison.of_text(NEUTRAL)
        at_once = AT_ONCE["cuda" if self.generator.device.type == "cuda" else "cpu"]
        gradients = []
        for first in range(0, FACES, at_once):
            seeds = range(first, min(first + at_once, FACES))
            styles = torch.cat([self.generator.style(seed, TRUNCATION) for seed in seeds])
            styles = styles[:, None].repeat(1, LAYERS, 1).requires_grad_()
            likeness = (self.comparison.of_faces(self.look(styles)) @ wanted).sum()
            likeness.backward()  # type: ignore[no-untyped-call]
            assert styles.grad is not None
            gradients.append(styles.grad @ self._factor)  # by the coordinates of covariance 1
            yield Progress((first + len(seeds)) / FACES)
        direction: Tensor = _agreed(torch.cat(gradients)) @ self._factor.T
        self._directions[text] = direction
        if len(self._directions) > REMEMBERED:
            self._directions.popitem(last=False)
        return direction


def _agreed(gradients: Tensor) -> Tensor:  # (N, LAYERS, 512)
    """Their mean where they agree, 0 where they do not, LENGTH long: (LAYERS, 512)."""
    mean = gradients.mean(0)
    error = gradients.std(0) / math.sqrt(len(gradients))
    kept = mean * (mean.abs() >= AGREED * error)
    return LENGTH * F.normalize(kept.flatten(), dim=0).view_as(kept)


def _schedule(part: float) -> float:
    """The rate over the descent, 0…1: it rises, and falls in the last quarter, as in the paper."""
    return min(1.0, part / 0.05 + 0.1, (1 - part) / 0.25)
