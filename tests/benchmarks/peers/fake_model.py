"""The fake model that Tadım's queue and its peers are measured with.

It imports nothing but numpy, because every peer loads it in an environment of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np

MAX_BATCH = 8
MAX_WAIT_SECONDS = 0.002  # how long a peer waits for batch-mates, where it must be told a time

# What is no number to double, for the probes.
WHO = -1  # answered with the process that computes
POISON = -2  # raises for its whole batch
LAST_POISONED = -3  # answered with the size of the last batch that had poison in it

_WEIGHTS = np.random.default_rng(0).standard_normal((256, 256), dtype=np.float32)


class FakeModel:
    """Doubles numbers; a batch of eight costs as much as one.

    A call sleeps `seconds` with the interpreter lock released, as waiting for a GPU does, and
    multiplies (B, 256) @ (256, 256). Raises ValueError for an empty batch, for one above MAX_BATCH,
    and for POISON.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._poisoned = 0

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        if not 0 < len(numbers) <= MAX_BATCH:
            raise ValueError(f"a batch of {len(numbers)}")
        if self.seconds:
            time.sleep(self.seconds)
        (np.ones((len(numbers), 256), np.float32) @ _WEIGHTS).sum()
        if min(numbers) < 0:
            return self._probed(numbers)
        return [2 * number for number in numbers]

    def _probed(self, numbers: Sequence[int]) -> list[int]:
        if POISON in numbers:
            self._poisoned = len(numbers)
            raise ValueError("poison")
        answers = {WHO: os.getpid(), LAST_POISONED: self._poisoned}
        return [answers.get(number, 2 * number) for number in numbers]


def bare_loop(model: FakeModel, count: int) -> float:
    """Seconds that `count` items take in full batches, called directly: the ideal of a burst."""
    began = time.perf_counter()
    for first in range(0, count, MAX_BATCH):
        model(range(first, min(count, first + MAX_BATCH)))
    return time.perf_counter() - began


def bare_calls(model: FakeModel, count: int) -> list[float]:
    """Seconds of each of `count` direct calls with one item: the ideal of a lone client."""
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        model([number])
        seconds.append(time.perf_counter() - began)
    return seconds
