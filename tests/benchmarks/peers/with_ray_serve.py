"""Ray Serve: https://docs.ray.io. A deployment handle and `@serve.batch`, on a local Ray."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
from collections.abc import AsyncIterator

from driving import Call
from fake_model import MAX_BATCH, MAX_WAIT_SECONDS, FakeModel

# Else Ray warns on every start that it leaves CUDA_VISIBLE_DEVICES alone.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
# Else a driver below `uv run` ships its working folder, which holds Ray's own logs, to itself.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"

import ray
from ray import serve


@serve.deployment(max_ongoing_requests=2000, ray_actor_options={"num_cpus": 1})
class Doubling:
    def __init__(self, seconds: float) -> None:
        self.model = FakeModel(seconds)

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=MAX_WAIT_SECONDS)
    async def double(self, numbers: list[int]) -> list[int]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.model, numbers)

    async def one(self, number: int) -> int:
        return await self.double(number)


def _start() -> None:
    logging.disable(logging.WARNING)
    ray.init(
        num_cpus=4,  # declared, not measured: Serve's own actors want some, small machines have two
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=100 << 20,
        _temp_dir=tempfile.mkdtemp(prefix="ray"),  # `start.py` removes it
    )


@contextlib.asynccontextmanager
async def peer(seconds: float) -> AsyncIterator[Call]:
    if not ray.is_initialized():
        await asyncio.to_thread(_start)
    name = f"doubling-{seconds}"
    application = Doubling.bind(seconds)
    handle = await asyncio.to_thread(serve.run, application, name=name, route_prefix=None)

    async def call(number: int) -> int:
        answer: int = await handle.one.remote(number)
        return answer

    try:
        yield call
    finally:
        await asyncio.to_thread(serve.delete, name)


async def close() -> None:
    """Leave no process of Ray behind."""
    await asyncio.to_thread(serve.shutdown)
    await asyncio.to_thread(ray.shutdown)
