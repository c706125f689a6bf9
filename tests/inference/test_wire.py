"""Frames between the queue and a worker."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass
from typing import Any

import pytest

from inference.tasks.detection import DetectionInput
from inference.wire import LARGE, LoopEnd, Unpacker, WorkerEnd, pack, seal, size_of, unseal


@dataclass(frozen=True)
class Plain:
    """As a payload may look that has no slots and checks itself."""

    data: bytes
    name: str = "x"

    def __post_init__(self) -> None:
        assert self.name


def through(frame: list[Any], step: int | None = None) -> list[list[Any]]:
    stream = b"".join(pack(frame))
    unpacker = Unpacker()
    step = step or len(stream)
    return [f for at in range(0, len(stream), step) for f in unpacker.feed(stream[at : at + step])]


@pytest.mark.parametrize("size", [10, LARGE, 3_000_000])
def test_payloads_arrive_as_they_were(size: int) -> None:
    for value in (
        DetectionInput(random.Random(1).randbytes(size), 640, 480, 0.3, "digest"),
        Plain(random.Random(2).randbytes(size)),
        (b"x" * size, "a tuple"),
    ):
        (frame,) = through([("run", 1, "key", [7], [seal(value)], "short")])
        (message,) = frame
        arrived = unseal(message[4][0])
        assert arrived == value
        assert type(arrived) is type(value)
        assert unseal(seal(value)) == value  # without a wire, too
        assert size_of(seal(value)) >= size


def test_a_large_picture_is_not_copied_when_sealed() -> None:
    data = bytes(5_000_000)
    body, part = seal(DetectionInput(data, 1, 1))
    assert len(body) < 1000
    assert part.raw().obj is data


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_frames_arrive_whole_however_they_are_cut(step: int) -> None:
    frame = [("event", n, "é" * n) for n in range(20)]
    frame.append(("result", 1, seal(Plain(b"z" * LARGE)), 0.1))
    (arrived,) = through(frame, step)
    assert arrived[:-1] == frame[:-1]
    assert unseal(arrived[-1][2]) == Plain(b"z" * LARGE)


async def test_megabytes_pass_in_order_and_the_other_end_may_be_slow() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    heard: list[Any] = []
    lost = asyncio.Event()
    loop = asyncio.get_running_loop()
    _, end = await loop.create_connection(lambda: LoopEnd(heard.extend, lost.set), sock=ours)
    worker = WorkerEnd(theirs)
    pictures = [random.Random(n).randbytes(3_000_000 + n) for n in range(4)]
    for n, picture in enumerate(pictures):
        end.send(("run", n, "key", [n], [seal(Plain(picture))], "short"))
        end.send(("cancel", n))
    messages: list[Any] = []
    while len(messages) < 8:
        messages += await asyncio.to_thread(worker.receive, True)
    assert [m[0] for m in messages] == ["run", "cancel"] * 4
    assert [unseal(m[4][0]).data for m in messages[::2]] == pictures
    await asyncio.to_thread(worker.send, [("result", 0, seal(Plain(pictures[0])), 0.1)])
    async with asyncio.timeout(30):
        while not heard:
            await asyncio.sleep(0.01)
    assert unseal(heard[0][2]).data == pictures[0]
    assert worker.receive(False) == []
    theirs.close()
    await asyncio.wait_for(lost.wait(), 30)
    end.send(("stop",))  # nobody is there: lost without a word
    end.close()


def test_a_worker_notices_that_the_queue_has_gone() -> None:
    ours, theirs = socket.socketpair()
    worker = WorkerEnd(theirs)
    ours.close()
    with pytest.raises(EOFError):
        worker.receive(True)
    theirs.close()
