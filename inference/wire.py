"""What the queue and a worker process say to each other, over a socket pair.

Both ends are ours, so pickle is safe here. The queue's end never blocks the event loop; the
worker's end reads in a thread of its own, so that a cancellation is seen between two steps however
long a batch takes.

Payloads and results travel *sealed*: pickled by themselves, one by one. So a payload that does not
pickle is its submitter's mistake alone, a result that does not unpickle harms no other job, and
megabytes are not copied once more into the frame around them.

Queue → worker
    ("run", session, variant, files, {job: sealed payload})   begin, or join a running session
    ("cancel", job)
    ("stop",)
Worker → queue (a frame holds a list of these)
    ("ready", device)
    ("loading", variant name)          the jobs of its sessions wait for the model
    ("started", session, [job, …])
    ("event", job, Progress | Token)
    ("result", job, sealed value, seconds)
    ("error", job, exception)
    ("dropped", job)                   the answer to "cancel", whatever had become of the job
    ("failed", session, [job, …], exception)   the whole batch fell over, nobody knows whose fault
    ("end", session)                   nothing is left of it

On the wire a frame is: length of the body, number of sealed parts, their lengths, body, parts.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

_HEAD = struct.Struct("!QI")
_LENGTH = struct.Struct("!Q")
Frame = Any
Sealed = pickle.PickleBuffer | bytes


def seal(value: Any) -> Sealed:
    """The value, pickled. Raises whatever its classes raise when they do not pickle."""
    return pickle.PickleBuffer(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))


def unseal(sealed: Sealed) -> Any:
    """The value again. Raises whatever its classes raise when they do not unpickle."""
    return pickle.loads(sealed)  # noqa: S301 (our own other process wrote it)


def size_of(sealed: Sealed) -> int:
    """Bytes of a sealed value."""
    with memoryview(sealed) as view:
        return view.nbytes


def pack(frame: Frame) -> list[bytes | memoryview]:
    """The bytes of a frame, in pieces; sealed parts are not copied."""
    sealed: list[pickle.PickleBuffer] = []
    body = pickle.dumps(frame, protocol=5, buffer_callback=sealed.append)
    parts = [part.raw() for part in sealed]
    lengths = b"".join(_LENGTH.pack(part.nbytes) for part in parts)
    return [_HEAD.pack(len(body), len(parts)) + lengths + body, *parts]


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
        self._buffer += data
        start = 0
        while (end := _end_of_frame(self._buffer, start)) is not None:
            frame = _unpack(self._buffer, start)
            start = end
            self._received(frame)
        if start:
            del self._buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()

    def send(self, frame: Frame) -> None:
        if self._transport and not self._transport.is_closing():
            for part in pack(frame):
                self._transport.write(part)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()


def _end_of_frame(buffer: bytearray, start: int) -> int | None:
    """Where the frame that begins at `start` ends; None while some of it is still to come."""
    lengths = start + _HEAD.size
    if len(buffer) < lengths:
        return None
    body, count = _HEAD.unpack_from(buffer, start)
    end: int = lengths + count * _LENGTH.size + body
    if len(buffer) < end:
        return None
    for index in range(count):
        end += _LENGTH.unpack_from(buffer, lengths + index * _LENGTH.size)[0]
    return end if len(buffer) >= end else None


def _unpack(buffer: bytearray, start: int) -> Frame:
    """The frame that begins at `start`; all of it must be there."""
    body, count = _HEAD.unpack_from(buffer, start)
    lengths = start + _HEAD.size
    position = lengths + count * _LENGTH.size
    with memoryview(buffer) as view:
        pickled = bytes(view[position : position + body])
        position += body
        parts = []
        for index in range(count):
            (length,) = _LENGTH.unpack_from(buffer, lengths + index * _LENGTH.size)
            parts.append(bytes(view[position : position + length]))
            position += length
    return pickle.loads(pickled, buffers=parts)  # noqa: S301 (our own worker)


class WorkerEnd:
    """The worker's end of the socket pair: blocking, one reader thread, one writer."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._socket = end
        self._file = end.makefile("rb")

    def receive(self) -> Frame:
        """The next frame. Raises EOFError when the queue has gone."""
        body, count = _HEAD.unpack(self._read(_HEAD.size))
        lengths = [_LENGTH.unpack(self._read(_LENGTH.size))[0] for _ in range(count)]
        pickled = self._read(body)
        parts = [self._read(length) for length in lengths]
        return pickle.loads(pickled, buffers=parts)  # noqa: S301 (our own main process)

    def send(self, frame: Frame) -> None:
        for part in pack(frame):
            self._socket.sendall(part)

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise EOFError
        return data
