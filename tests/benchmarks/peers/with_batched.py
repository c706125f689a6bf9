"""batched: https://pypi.org/project/batched/. In process, its asyncio flavour."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from batched import aio
from driving import Call
from fake_model import MAX_BATCH, MAX_WAIT_SECONDS, FakeModel


@contextlib.asynccontextmanager
async def peer(seconds: float) -> AsyncIterator[Call]:
    model = FakeModel(seconds)

    # `batched` looks at what it is given to see how to run it: a plain function goes to a thread.
    def double(numbers: list[int]) -> list[int]:
        return model(numbers)

    yield aio.dynamically(double, batch_size=MAX_BATCH, timeout_ms=1000 * MAX_WAIT_SECONDS)
