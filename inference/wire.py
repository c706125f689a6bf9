"""What the queue and a worker say to each other, and how it travels over a socket pair.

Both ends are ours, so pickle is safe here. The queue's end never blocks the event loop; the
worker's end looks at its socket between two steps.

Payloads and results travel *sealed*: pickled by themselves, one by one. So a payload that does not
pickle is its submitter's mistake alone, and a result that does not unpickle harms no other job.
Pictures in them are not copied on the way to the socket.

A message is a tuple, a frame is a list of messages.

Queue → worker
    ("model", key, variant, files)          what "run" means by key; again when the files changed
    ("run", session, key, [job, …], [sealed payload, …], kind)   begin, or join a running session;
                                            kind: "short", "long" or "stream" (`Task.kind`)
    ("cancel", job)
    ("stop",)
Worker → queue
    ("ready", device, budget)               once after birth; bytes that models may occupy
    ("loading", key)                        the jobs of its sessions wait for the model
    ("loaded", key, seconds) or ("unloadable", key)
    ("evicted", key)
    ("leaving",)                            the worker ends itself; it reads no more messages
    ("started", session, [job, …])
    ("event", job, Progress | Token)
    ("result", job, sealed value, seconds)  seconds: the job's share of the device's time
    ("error", job, exception, seconds)
    ("dropped", job, seconds)               the answer to "cancel", whatever had become of the job
    ("failed", session, [job, …], exception, seconds)   the batch fell over, nobody knows whose
                                            fault it was; seconds: the share of each
    ("end", session, seconds, jobs, peak)   nothing is left of it: device seconds in all, how many
                                            jobs it had, bytes it needed beside the models (0: who
                                            knows)

On the wire a frame is: length of the body, number of buffers, their lengths, body, buffers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

_HEAD = struct.Struct("!QI")
_LENGTH = struct.Struct("!Q")
LARGE = 1 << 16  # bytes from which on a field travels beside the pickle instead of inside it
CHUNK = 1 << 18  # bytes handed to, or asked of, the system at once

Message = tuple[Any, ...]
Sealed = bytes | tuple[Any, ...]  # a pickle; or a pickle and the `PickleBuffer`s that belong to it


def seal(value: Any) -> Sealed:
    """The value, pickled. Raises whatever its classes raise when they do not pickle."""
    names = _bytes_fields(type(value))
    if names and any(
        isinstance(field := getattr(value, name), bytes) and len(field) >= LARGE for name in names
    ):
        parts: list[pickle.PickleBuffer] = []
        body = pickle.dumps(_Apart(value), protocol=5, buffer_callback=parts.append)
        return (body, *parts)
    return pickle.dumps(value, protocol=5)


def unseal(sealed: Sealed) -> Any:
    """The value again. Raises whatever its classes raise when they do not unpickle."""
    if isinstance(sealed, bytes):
        return pickle.loads(sealed)  # noqa: S301 (our own other process wrote it)
    body, *parts = sealed
    return pickle.loads(body, buffers=parts)  # noqa: S301 (likewise)


def size_of(sealed: Sealed) -> int:
    """Bytes of a sealed value."""
    if isinstance(sealed, bytes):
        return len(sealed)
    return sum(memoryview(part).nbytes for part in sealed)


_fields_of: dict[type, tuple[str, ...]] = {}


def _bytes_fields(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that may hold a picture."""
    names = _fields_of.get(kind)
    if names is None:
        names = _fields_of[kind] = _find_bytes_fields(kind)
    return names


def _find_bytes_fields(kind: type) -> tuple[str, ...]:
    if not dataclasses.is_dataclass(kind):
        return ()
    return tuple(each.name for each in dataclasses.fields(kind) if each.type in (bytes, "bytes"))


class _Apart:
    """Pickles as a dataclass instance whose large `bytes` are buffers, taken as they are."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __reduce__(self) -> Any:
        state = {each.name: getattr(self._value, each.name) for each in _fields(self._value)}
        for name, field in state.items():
            if isinstance(field, bytes) and len(field) >= LARGE:
                state[name] = pickle.PickleBuffer(field)
        return _rebuild, (type(self._value), state)


def _fields(value: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(value)


def _rebuild(kind: Any, state: dict[str, Any]) -> Any:
    """The instance, without calling its `__init__` (as unpickling does)."""
    value = kind.__new__(kind)
    for name, field in state.items():
        if isinstance(field, memoryview | pickle.PickleBuffer):
            field = bytes(field)
        object.__setattr__(value, name, field)
    return value


def pack(frame: list[Message]) -> list[bytes | memoryview]:
    """The bytes of a frame, in pieces; buffers are not copied."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(frame, protocol=5, buffer_callback=buffers.append)
    if not buffers:
        return [_HEAD.pack(len(body), 0) + body]
    parts = [buffer.raw() for buffer in buffers]
    lengths = b"".join(_LENGTH.pack(part.nbytes) for part in parts)
    return [_HEAD.pack(len(body), len(parts)) + lengths + body, *parts]


class Unpacker:
    """Turns a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Message]]:
        """The frames that `data` completes."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while (end := _end_of_frame(buffer, start)) is not None:
                frame = _unpack(buffer, start)
                start = end
                yield frame
        finally:
            if start:
                del buffer[:start]


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


def _unpack(buffer: bytearray, start: int) -> list[Message]:
    """The frame that begins at `start`; all of it must be there."""
    body, count = _HEAD.unpack_from(buffer, start)
    lengths = start + _HEAD.size
    position = lengths + count * _LENGTH.size
    with memoryview(buffer) as view:
        parts = []
        end = position + body
        for index in range(count):
            (length,) = _LENGTH.unpack_from(buffer, lengths + index * _LENGTH.size)
            parts.append(bytes(view[end : end + length]))
            end += length
        with view[position : position + body] as pickled:
            frame: list[Message] = pickle.loads(pickled, buffers=parts)  # noqa: S301 (our own)
    return frame


class LoopEnd(asyncio.Protocol):
    """The queue's end: frames arrive by callback, `send` never blocks."""

    def __init__(self, heard: Callable[[list[Message]], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None
        self._backlog: deque[memoryview] = deque()  # what the system has not taken yet
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # The transport copies what it cannot send at once; it gets megabytes in small helpings.
        transport.set_write_buffer_limits(high=CHUNK)

    def data_received(self, data: bytes) -> None:
        for frame in self._unpacker.feed(data):
            self._heard(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._backlog.clear()
        self._lost()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        assert self._transport is not None
        while self._backlog and not self._paused:
            helping = self._backlog.popleft()
            self._transport.write(helping)

    def send(self, *messages: Message) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for piece in pack(list(messages)):
            if not self._paused and not self._backlog and len(piece) <= CHUNK:
                self._transport.write(piece)
            else:
                view = memoryview(piece)
                self._backlog.extend(view[at : at + CHUNK] for at in range(0, len(view), CHUNK))
        if self._backlog and not self._paused:
            self.resume_writing()

    def close(self) -> None:
        if self._transport:
            self._transport.abort()


class WorkerEnd:
    """The worker's end of the socket pair. Used from one thread."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._socket = end
        self._unpacker = Unpacker()

    def receive(self, wait: bool) -> list[Message]:
        """All messages that have arrived; at least one if `wait`.

        Raises:
            EOFError: the queue has gone.
        """
        messages: list[Message] = []
        while (wait and not messages) or select.select([self._socket], [], [], 0)[0]:
            try:
                data = self._socket.recv(CHUNK)
            except OSError as error:
                raise EOFError from error
            if not data:
                raise EOFError
            for frame in self._unpacker.feed(data):
                messages += frame
        return messages

    def send(self, messages: list[Message]) -> None:
        """Raises OSError when the queue has gone."""
        for piece in pack(messages):
            self._socket.sendall(piece)
