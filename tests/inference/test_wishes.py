"""Wishes in free words, with the real encoder: what is understood, told apart, and refused."""

from __future__ import annotations

import pytest

from inference.models.face_wishes import FaceWishes
from inference.tasks.face_wishes import Wishes, WishInput
from tests.benchmarks.wishes import score, understood, wordings

ENOUGH = {"tuning": 0.9, "held_out": 0.9, "fresh": 0.85}


@pytest.fixture(scope="module")
def model() -> FaceWishes:
    made = FaceWishes({}, {})
    made.load("cpu")
    return made


def ask(model: FaceWishes, text: str, *offered: str) -> Wishes:
    (answer,) = model.predict([WishInput(text, offered) if offered else WishInput(text)])
    assert isinstance(answer, Wishes)
    return answer


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("name", ENOUGH)
def test_most_wordings_are_understood(model: FaceWishes, name: str, language: str) -> None:
    figures, errors = score(model, wordings()[name][language])
    assert figures["right"] >= ENOUGH[name], errors
    assert figures["false_acceptance"] <= 0.1, errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gülümset", "smile+"),
        ("GÜLÜMSET", "smile+"),
        ("gulumset", "smile+"),
        ("gülümsemesin", "smile-"),
        ("gözlüksüz", "glasses-"),
        ("no glasses", "glasses-"),
        ("make him older, blond hair", "age+ hair_lightness+"),
        ("make him fly", "unknown"),
        ("ten rengini değiştir", "refused"),
    ],
)
def test_single_wishes(model: FaceWishes, text: str, expected: str) -> None:
    assert understood(ask(model, text)) == expected


def test_degrees(model: FaceWishes) -> None:
    strengths = [
        ask(model, text).wishes[0].strength
        for text in ("make her a little older", "make her older", "make her much older")
    ]
    assert strengths == [1, 2, 3]


def test_what_is_not_on_offer_is_unknown(model: FaceWishes) -> None:
    answer = ask(model, "make her smile", "age")
    assert not answer.wishes
    assert answer.unknown
