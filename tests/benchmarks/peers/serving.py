"""For peers that are servers: start one, wait until it answers, call it over kept-alive HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from driving import Call

START_SECONDS = 60.0
STOP_SECONDS = 8.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def served(name: str, path: str, seconds: float) -> AsyncIterator[Call]:
    """Run `serve(port, seconds)` of `with_NAME` in a process of its own; a call posts JSON to it.

    Raises:
        RuntimeError: the server ended, or did not answer in time.
    """
    port = free_port()
    runner = Path(__file__).with_name("run.py")
    server = subprocess.Popen(
        [sys.executable, runner, name, "--serve", str(port), "--seconds", str(seconds)],
        stdout=sys.stderr,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}{path}"
    connector = aiohttp.TCPConnector(limit=600)
    timeout = aiohttp.ClientTimeout(60)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

            async def call(number: int) -> int:
                async with session.post(url, json={"input": number}) as response:
                    response.raise_for_status()
                    answer: int = (await response.json(content_type=None))["output"]
                    return answer

            await _until_it_answers(server, call)
            yield call
    finally:
        await asyncio.to_thread(_stop, server)


async def _until_it_answers(server: subprocess.Popen[bytes], call: Call) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            await call(1)
            return
        except aiohttp.ClientError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server does not come up") from error
            await asyncio.sleep(0.1)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server's own process group to end, then insist."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)  # children that outlived it
