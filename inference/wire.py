"""What the queue and a worker process say to each other: pickled tuples, each with its length.

Both ends are ours and joined by a socket pair, so pickle is safe here. The queue's end never
blocks the event loop; the worker's end reads in a thread of its own, so that a cancellation is
seen between two steps however long a batch takes.

Queue → worker
    ("run", session, variant, files, {job: payload})   begin, or join a running session
    ("cancel", job)
    ("stop",)
Worker → queue (a frame holds a list of these)
    ("ready", device)
    ("loading", variant name)          the jobs of its sessions wait for the model
    ("started", session, [job, …])
    ("event", job, Progress | Token)
    ("result", job, value, seconds)
    ("error", job, exception)
    ("failed", session, [job, …], exception)   the whole batch fell over, nobody knows whose fault
    ("end", session)                   nothing is left of it
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct("!Q")
Frame = Any


def pack(frame: Frame) -> list[bytes]:
    """The bytes of a frame, header first."""
    body = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
    return [_LENGTH.pack(len(body)), body]


class LoopEnd(asyncio.Protocol):
    """The queue's end: frames arrive by callback, `send` never blocks."""

    def __init__(self, received: Callable[[Frame], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            frame = pickle.loads(memoryview(buffer)[start + _LENGTH.size : end])  # noqa: S301 (our own worker)
            start = end
            self._received(frame)
        if start:
            del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()

    def send(self, frame: Frame) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.writelines(pack(frame))

    def close(self) -> None:
        if self._transport:
            self._transport.abort()


class WorkerEnd:
    """The worker's end of the socket pair: blocking, one reader thread, one writer."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._socket = end
        self._file = end.makefile("rb")

    def receive(self) -> Frame:
        """The next frame. Raises EOFError when the queue has gone."""
        header = self._file.read(_LENGTH.size)
        if len(header) < _LENGTH.size:
            raise EOFError
        (length,) = _LENGTH.unpack(header)
        body = self._file.read(length)
        if len(body) < length:
            raise EOFError
        return pickle.loads(body)  # noqa: S301 (our own main process)

    def send(self, frame: Frame) -> None:
        for part in pack(frame):
            self._socket.sendall(part)
