"""Wishes about a face: a sentence goes in, attributes with strengths come out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from inference.tasks import Task, Variant

MAX_LENGTH = 300  # characters of a wish

#: what may be wished for, and what + and - mean
ATTRIBUTES = (
    "smile",  # + smiling, - serious or sad
    "age",  # + older, - younger
    "femininity",  # + more feminine, - more masculine
    "hair_lightness",  # + blond, - dark
    "hair_length",  # + long, - short
    "glasses",  # + with, - without; so are beard and makeup
    "eyes_open",  # + wide open, - closed
    "mouth_open",
    "turn",  # + to the right, - to the left, as the wish says it
    "nod",  # + up, - down
    "surprise",
    "anger",
    "beard",
    "red_hair",
    "grey_hair",
    "makeup",
)


@dataclass(frozen=True, slots=True)
class WishInput:
    """`text`: one or more wishes in Turkish or English, at most MAX_LENGTH characters.

    `offered`: the attributes that can be granted; a wish for another one is an unknown wish.
    """

    text: str
    offered: tuple[str, ...] = ATTRIBUTES


@dataclass(frozen=True, slots=True)
class Wish:
    """`strength`: ±1 "a little", ±2 plain, ±3 "very"; never 0. `phrase`: the words it is from."""

    attribute: str
    strength: int
    phrase: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was understood of a text; all phrases are as typed, in their order.

    `wishes`: at most one an attribute; where the text contradicts itself, its last word counts.
    `unknown`: phrases that mean nothing on offer. `refused`: phrases about skin colour or origin,
    which are never granted. `seconds`: what it took to understand the batch.
    """

    wishes: tuple[Wish, ...]
    unknown: tuple[str, ...]
    refused: tuple[str, ...]
    seconds: float


def _share_key(payload: WishInput) -> Hashable:
    return payload


TASK = Task(
    name="face-wishes",
    variants={
        "embedded": Variant(
            name="Universal Sentence Encoder, multilingual",
            entry="inference.models.face_wishes:FaceWishes",
            memory=160_000_000,
            max_batch=16,
        )
    },
    timeout=30,
    share_key=_share_key,
)
