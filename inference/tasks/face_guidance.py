"""Face guidance: a face and any sentence go in, the face as the sentence wants it comes out.

For what no direction was fitted to. It needs a network that compares pictures with sentences, so
the embedded profile does not offer it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from inference.tasks import Task, Variant
from inference.tasks.faces import WEIGHTS, Face

MAX_TEXT = 200  # characters


@dataclass(frozen=True, slots=True)
class GuidanceInput:
    """`text`: what the face should be like, at most MAX_TEXT characters.

    `strength`: how far to go, 0.1…3. `descend`: look for this one face's own way, which takes
    longer, instead of the way that all faces have in common.
    """

    face: Face
    text: str
    strength: float = 1.0
    descend: bool = False


@dataclass(frozen=True, slots=True)
class GuidedFace:
    """`before`, `after`: how like the text the face was and is, a cosine.

    `seconds`: what it took.
    """

    face: Face
    before: float
    after: float
    seconds: float


def _share_key(payload: GuidanceInput) -> Hashable:
    return payload


TASK = Task(
    name="face-guidance",
    variants={
        "full": Variant(
            name="StyleCLIP (SigLIP 2) + MobileStyleGAN (FFHQ)",
            entry="inference.models.styleclip:StyleClip",
            weights=WEIGHTS,
            memory=3_500_000_000,
            options={
                # In place of the paper's CLIP: it reads a hundred languages, Turkish among them.
                "checkpoint": "google/siglip2-base-patch16-224",
            },
        )
    },
    long=True,
    timeout=180,
    share_key=_share_key,
)
