"""LitServe: https://lightning.ai/docs/litserve. An HTTP server with one worker process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

import litserve
from driving import Call
from fake_model import MAX_BATCH, MAX_WAIT_SECONDS, FakeModel
from serving import served

RESTARTS = "LITSERVE_RESTARTS_WORKERS"


class Doubling(litserve.LitAPI):
    seconds = 0.0

    def setup(self, device: str) -> None:
        self.model = FakeModel(self.seconds)

    def decode_request(self, request: dict[str, int]) -> int:
        return request["input"]

    def batch(self, inputs: list[int]) -> list[int]:
        return inputs

    def predict(self, x: list[int]) -> list[int]:
        return self.model(x)

    def unbatch(self, output: list[int]) -> list[int]:
        return output

    def encode_response(self, output: int) -> dict[str, int]:
        return {"output": output}


def serve(port: int, seconds: float) -> None:
    api = Doubling(max_batch_size=MAX_BATCH, batch_timeout=MAX_WAIT_SECONDS)
    api.seconds = seconds
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=1,
        timeout=60,
        restart_workers=RESTARTS in os.environ,
    )
    server.run(
        port=port,
        host="127.0.0.1",
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )


@contextlib.asynccontextmanager
async def peer(seconds: float) -> AsyncIterator[Call]:
    async with served("litserve", "/predict", seconds) as call:
        yield call


@contextlib.asynccontextmanager
async def lasting_peer(seconds: float) -> AsyncIterator[Call]:
    """With its option to restart workers, which costs a message a request; else it just ends."""
    os.environ[RESTARTS] = "1"
    try:
        async with peer(seconds) as call:
            yield call
    finally:
        del os.environ[RESTARTS]
