"""How many threads a model computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on this thread only, for a while.

    For many small steps: on a busy machine, waiting for the other threads at each of them takes
    ten times as long as the work. And sums in another order would give another result.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)  # other models of this process want them
