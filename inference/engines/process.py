"""Workers as processes of this machine: start them, talk to them, replace them when they die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import re
import socket
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from inference import worker
from inference.engines import Heard, Lost
from inference.wire import LoopEnd, Message

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2  # seconds before the first restart; doubled while the worker dies at birth
LONGEST_PAUSE = 30.0
HOPELESS_AFTER = 4  # deaths at birth in a row after which waiting jobs are told
BIRTH_LIMIT = 300.0  # seconds until a new worker must be ready (importing torch takes a while)
STOP_GRACE = 3.0  # seconds a worker has to end by itself


class ProcessEngine:
    """`inference.engines.Engine` on this machine.

    `devices`: torch device strings or "auto"; none: every GPU there is, else whatever a worker
    finds. `workers` in a room: the devices in turn; 0: one for each device.
    """

    elastic = False

    def __init__(self, devices: Sequence[str] = (), workers: int = 0) -> None:
        if not devices or list(devices) == ["auto"]:
            devices = found_devices()
        self._devices = tuple(islice(cycle(devices), workers or len(devices)))

    async def devices(self, room: str) -> Sequence[str]:
        return self._devices

    def open(self, options: worker.WorkerOptions, heard: Heard, lost: Lost) -> Supervisor:
        return Supervisor(options, heard, lost)

    async def close(self) -> None:
        """There is nothing to leave."""


def found_devices() -> tuple[str, ...]:
    """A device for each NVIDIA GPU that this process may use, without asking torch.

    The first (and a machine that has none) is "auto": the worker asks torch and may come to
    another decision.
    """
    count = sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in _device_files())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        wanted = [each for each in visible.split(",") if each.strip() not in ("", "-1")]
        count = min(count, len(wanted))
    return ("auto", *(f"cuda:{number}" for number in range(1, count)))


def _device_files() -> list[Path]:
    return list(Path("/dev").glob("nvidia*"))


class Supervisor:
    """Keeps one worker process alive: `inference.engines.Link` over a socket pair."""

    def __init__(self, options: worker.WorkerOptions, heard: Heard, lost: Lost) -> None:
        self._options = options
        self._on_frame = heard
        self._on_lost = lost
        self._process: Any = None
        self._end: LoopEnd | None = None
        self._closing = False
        self._deaths_at_birth = 0
        self.ready = False
        self._killed = False
        self._task = asyncio.create_task(self._open(), name=f"worker {options.room}")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def hopeless(self) -> bool:
        """It has died several times in a row before it was ready."""
        return self._deaths_at_birth >= HOPELESS_AFTER

    def send(self, *messages: Message) -> None:
        """Pass messages on; lost if the worker is dead (`lost` tells)."""
        if self._end:
            self._end.send(*messages)

    def kill(self, reason: str) -> None:
        """End a worker that does not listen; it is replaced."""
        if self._killed or self._process is None:
            return
        self._killed = True
        log.warning("worker %s is killed: %s", self._options.room, reason)
        if self._process.is_alive():
            self._process.kill()
        if self._end:
            # One that hangs in its device's driver cannot be killed: it is given up.
            asyncio.get_running_loop().call_later(STOP_GRACE, self._end.close)

    async def close(self) -> None:
        """Ask it to end, then insist."""
        self._closing = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._process is None:
            return
        self.send(("stop",))
        await asyncio.to_thread(self._process.join, STOP_GRACE)
        process, self._process = self._process, None
        await _end(process)
        if self._end:
            self._end.close()

    async def _open(self) -> None:
        """Start a process; where even that fails (no memory, no descriptors), try again later."""
        while True:
            try:
                await self._spawn()
                return
            except Exception as error:  # noqa: BLE001 (OSError, or a thread that cannot be started)
                self._deaths_at_birth += 1
                log.error("worker %s does not start: %s", self._options.room, error)
                self._on_lost(str(error))
                await asyncio.sleep(self._pause)

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            context = multiprocessing.get_context("spawn")
            process = context.Process(
                target=worker.main,
                args=(theirs, self._options),
                name=f"tadim-{self._options.room}",
                daemon=True,
            )
            # Spawning forks and executes; in a thread, so that the loop does not stop for it.
            await asyncio.to_thread(process.start)
            self._process = process
            self._killed = False
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            _, self._end = await loop.create_connection(
                lambda: LoopEnd(self._received, self._connection_lost), sock=ours
            )
            loop.call_later(BIRTH_LIMIT, self._too_long_unborn, process)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def _too_long_unborn(self, process: Any) -> None:
        if process is self._process and not self.ready:
            self.kill("it is not ready in time")

    def _received(self, frame: list[Message]) -> None:
        if self._closing:
            return
        if frame and frame[0][0] == "ready":
            self.ready = True
            self._deaths_at_birth = 0
        self._on_frame(frame)

    def _connection_lost(self) -> None:
        if self._closing:
            return
        if not self.ready:
            self._deaths_at_birth += 1
        self.ready = False
        self._task = asyncio.create_task(self._replace(), name=f"worker {self._options.room}")

    async def _replace(self) -> None:
        process, self._process, self._end = self._process, None, None
        reason = f"worker {self._options.room} ended with code {await _end(process)}"
        log.error("%s", reason)
        self._on_lost(reason)
        await asyncio.sleep(self._pause)
        await self._open()

    @property
    def _pause(self) -> float:
        """Seconds before the next start: none after a death at work, growing after one at birth."""
        births = self._deaths_at_birth
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2**births) if births else 0.0


async def _end(process: Any) -> int | None:
    """Make sure that a process is gone; its exit code, None if it cannot be got rid of yet."""
    if process.is_alive():
        process.kill()
    with contextlib.suppress(RuntimeError):  # no thread to wait in
        await asyncio.to_thread(process.join, STOP_GRACE)
    code: int | None = process.exitcode
    if code is not None:
        process.close()
    return code
