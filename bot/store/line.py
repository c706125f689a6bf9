"""Lines of work for threads of our own.

`concurrent.futures.ThreadPoolExecutor` would nearly do. But the program waits at its end for that
one's threads however long they take, and a database that hangs takes for ever; and it knows nothing
of work that costs less when it is done together.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

S = TypeVar("S")  # what work is done on
T = TypeVar("T")  # what comes of it


class LineClosed(Exception):
    """The line takes no more, or was closed before the work could begin."""


class Line(Generic[S]):
    """`threads` threads that do what is put here, in that order, for the event loop that runs.

    `perform` does pieces of work and gives their results: up to `most` of those that wait already.
    Where it raises, it is called again for each of them alone: what fails must leave nothing
    behind. What has begun goes on to its end, even if nobody waits for it any more; what has not
    begun is dropped when its future is cancelled.
    """

    def __init__(
        self,
        name: str,
        perform: Callable[[Sequence[Callable[[S], Any]]], Sequence[Any]],
        *,
        threads: int = 1,
        most: int = 1,
    ) -> None:
        self._perform = perform
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Item[S] | None] = SimpleQueue()  # None: the end of the line
        self._closed = False
        self._ends = [self._loop.create_future() for _ in range(threads)]
        for number, end in enumerate(self._ends):
            Thread(target=self._serve, args=(end,), name=f"{name} {number}", daemon=True).start()

    def put(self, work: Callable[[S], T]) -> asyncio.Future[T]:
        """Put work at the end of the line; the future gets its result, or what it raises.

        Raises:
            LineClosed: the line is closed.
        """
        if self._closed:
            raise LineClosed("the line is closed")
        item = _Item(work, self._loop.create_future())
        self._waiting.put(item)
        return item.future

    async def close(self, grace: float) -> bool:
        """Take no more, and do what is in line for at most `grace` seconds.

        Says whether all of it was done. Otherwise what has not begun fails with `LineClosed`, and a
        thread that hangs is left alone; the program ends without it.
        """
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
        try:
            await asyncio.wait(self._ends, timeout=grace)
        finally:
            self._turn_away()
        return all(end.done() for end in self._ends)

    def _turn_away(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                item = self._waiting.get_nowait()
                if item is not None and not item.future.done():
                    item.future.set_exception(LineClosed("the line was closed"))
        self._waiting.put(None)

    def _serve(self, end: asyncio.Future[None]) -> None:
        while items := self._take():
            self._do(items)
            self._call(_deliver, items)
            del items  # or they would stay in memory until the next ones come
        self._call(end.set_result, None)

    def _take(self) -> list[_Item[S]]:
        """What to do next; nothing at the end of the line."""
        items: list[_Item[S]] = []
        while len(items) < self._most:
            try:
                item = self._waiting.get(block=not items)
            except Empty:
                break
            if item is None:
                self._waiting.put(None)  # for the other threads, and for this one's next turn
                break
            if not item.future.cancelled():
                items.append(item)
        return items

    def _do(self, items: Sequence[_Item[S]]) -> None:
        try:
            results = self._perform([item.work for item in items])
        except BaseException as error:  # noqa: BLE001 (whoever waits has to know)
            if len(items) == 1:
                items[0].error = error
                return
        else:
            for item, result in zip(items, results, strict=True):
                item.result = result
            return
        for item in items:
            self._do([item])

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)


@dataclass(slots=True)
class _Item(Generic[S]):
    work: Callable[[S], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


def _deliver(items: Sequence[_Item[Any]]) -> None:
    for item in items:
        if item.future.done():
            continue  # cancelled meanwhile
        if item.error is not None:
            item.future.set_exception(item.error)
        else:
            item.future.set_result(item.result)


async def alone(work: Callable[[], T]) -> T:
    """What a thread of its own makes of `work`; it goes on even if the caller is cancelled."""
    line: Line[None] = Line("alone", lambda works: [each(None) for each in works])
    try:
        return await line.put(lambda _: work())
    finally:
        await line.close(0)
