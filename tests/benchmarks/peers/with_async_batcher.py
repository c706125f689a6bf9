"""async-batcher: https://pypi.org/project/async-batcher/. In process, a thread computes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from async_batcher.batcher import AsyncBatcher
from driving import Call
from fake_model import MAX_BATCH, MAX_WAIT_SECONDS, FakeModel


@contextlib.asynccontextmanager
async def peer(seconds: float) -> AsyncIterator[Call]:
    model = FakeModel(seconds)

    class Doubling(AsyncBatcher[int, int]):
        def process_batch(self, batch: list[int]) -> list[int]:
            return model(batch)

    batcher = Doubling(max_batch_size=MAX_BATCH, max_queue_time=MAX_WAIT_SECONDS)
    try:
        yield batcher.process
    finally:
        await batcher.stop(force=True)
