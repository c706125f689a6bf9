"""The line of threads in which the store works: order, cancellation, failures, the end."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.store.line import Line, LineClosed, alone


class Desk:
    """What work is done on: a list of what was done, and how it was put together."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.together: list[int] = []

    def perform(self, works: Sequence[Callable[[Desk], Any]]) -> list[Any]:
        self.together.append(len(works))
        before = list(self.done)
        try:
            return [work(self) for work in works]
        except BaseException:
            self.done = before
            raise

    def note(self, number: int) -> Callable[[Desk], int]:
        def work(desk: Desk) -> int:
            desk.done.append(number)
            return number

        return work


def fail(_: Any) -> None:
    raise OSError("no room")


@asynccontextmanager
async def busy(line: Line[Any]) -> AsyncIterator[None]:
    """The line's only thread has something to do until the end of the block."""
    begun, may_go_on = threading.Event(), threading.Event()
    line.put(lambda _: (begun.set(), may_go_on.wait()))
    async with asyncio.timeout(30):
        while not begun.is_set():
            await asyncio.sleep(0.001)
    try:
        yield
    finally:
        may_go_on.set()


async def test_work_is_done_in_order_and_off_the_event_loop() -> None:
    desk = Desk()
    line = Line("test", desk.perform)
    results = await asyncio.gather(*(line.put(desk.note(number)) for number in range(100)))
    assert results == desk.done == list(range(100))
    assert desk.together == [1] * 100
    assert await line.put(lambda _: threading.current_thread()) is not threading.main_thread()
    assert await line.close(30)


async def test_what_waits_is_done_together_as_far_as_it_may_be() -> None:
    desk = Desk()
    line = Line("test", desk.perform, most=4)
    async with busy(line):
        waiting = [line.put(desk.note(number)) for number in range(10)]
    assert await asyncio.gather(*waiting) == list(range(10))
    assert desk.together == [1, 4, 4, 2]
    await line.close(30)


async def test_what_fails_fails_alone() -> None:
    desk = Desk()
    line = Line("test", desk.perform, most=8)
    async with busy(line):
        waiting = [line.put(desk.note(1)), line.put(fail), line.put(desk.note(2))]
    first, failed, second = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, second, desk.done) == (1, 2, [1, 2])
    assert isinstance(failed, OSError)
    assert desk.together == [1, 3, 1, 1, 1]
    with pytest.raises(OSError, match="no room"):
        await line.put(fail)
    await line.close(30)


async def test_what_has_not_begun_is_dropped_with_its_caller_and_what_has_is_not() -> None:
    desk = Desk()
    line = Line("test", desk.perform, most=4)
    begun, may_go_on = threading.Event(), threading.Event()

    def work(desk: Desk) -> None:
        begun.set()
        may_go_on.wait()
        desk.done.append(1)

    under_way = line.put(work)
    while not begun.is_set():
        await asyncio.sleep(0.001)
    in_line = [line.put(desk.note(2)), line.put(desk.note(3)), line.put(desk.note(4))]
    under_way.cancel()
    in_line[0].cancel()
    in_line[1].cancel()
    may_go_on.set()
    assert await in_line[2] == 4
    assert desk.done == [1, 4]
    assert await line.close(30)


async def test_nothing_of_what_was_done_is_held_until_more_comes() -> None:
    class Large:
        pass

    line = Line("test", Desk().perform)
    seen = weakref.ref(await line.put(lambda _: Large()))
    await line.put(lambda _: None)
    gc.collect()
    assert seen() is None
    await line.close(30)


async def test_what_is_in_line_is_done_before_it_closes() -> None:
    desk = Desk()
    line = Line("test", desk.perform, threads=3)
    waiting = [line.put(desk.note(number)) for number in range(50)]
    assert await line.close(30)
    assert all(future.done() for future in waiting)
    assert sorted(desk.done) == list(range(50))
    with pytest.raises(LineClosed):
        line.put(desk.note(51))
    assert await line.close(30), "once more does no harm"


async def test_a_thread_that_hangs_holds_up_nobody_at_the_end() -> None:
    desk = Desk()
    line = Line("test", desk.perform)
    async with busy(line):
        late = line.put(desk.note(1))
        assert not await line.close(0)
        with pytest.raises(LineClosed):
            await late
    assert await line.close(30), "it came back after all"
    assert desk.done == []


async def test_alone() -> None:
    assert await alone(threading.current_thread) is not threading.main_thread()
    with pytest.raises(OSError, match="no room"):
        await alone(lambda: fail(None))
    done, may_go_on = threading.Event(), threading.Event()

    def work() -> None:
        may_go_on.wait()
        done.set()

    impatient = asyncio.create_task(alone(work))
    await asyncio.sleep(0.01)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert impatient.cancelled()
    may_go_on.set()
    assert await asyncio.to_thread(done.wait, 30)
