"""mosec: https://mosecorg.github.io/mosec. A Rust HTTP server with one Python worker process."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import mosec
from driving import Call
from fake_model import MAX_BATCH, MAX_WAIT_SECONDS, FakeModel
from serving import served

SECONDS = "FAKE_MODEL_SECONDS"  # mosec makes the worker itself, without arguments


class Doubling(mosec.Worker):
    def __init__(self) -> None:
        self.model = FakeModel(float(os.environ[SECONDS]))

    def forward(self, data: Any) -> Any:
        outputs = self.model([each["input"] for each in data])
        return [{"output": output} for output in outputs]


def serve(port: int, seconds: float) -> None:
    os.environ[SECONDS] = str(seconds)
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(port), "--timeout", "60000"]
    sys.argv += ["--log-level", "warning"]
    server = mosec.Server()
    wait = round(1000 * MAX_WAIT_SECONDS)
    server.append_worker(Doubling, num=1, max_batch_size=MAX_BATCH, max_wait_time=wait)
    server.run()


@contextlib.asynccontextmanager
async def peer(seconds: float) -> AsyncIterator[Call]:
    async with served("mosec", "/inference", seconds) as call:
        yield call
