"""The studio: small processes where pictures are decoded and drawn.

Pixels sent by strangers are never decoded in the main process, and drawing holds the interpreter
lock, so both happen here. A crash or a hang costs one drawing: the process is replaced.

Films take a second or two each. They have a process of their own, opened with the first of them, so
that a photo never waits behind a class's worth of animations.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class StudioLost(Exception):
    """The studio died under this piece of work (or it ran past the limit)."""


class Studio:
    """Runs pure functions in other processes; they and their arguments must pickle.

    `limit`: seconds that one call may take from its start. `processes`: for all but films.
    `remembered`: how many films are kept for whoever asks for the same.
    """

    def __init__(self, limit: float = 60.0, processes: int = 1, remembered: int = 16) -> None:
        self._bench = _Bench(limit, processes)
        self._film_bench = _Bench(limit, 1)
        self._films: OrderedDict[Hashable, _Film] = OrderedDict()
        self._remembered = remembered

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args)` elsewhere.

        Raises:
            StudioLost: the process died or the call took too long.
            Exception: whatever the function raised.
        """
        return await self._bench.run(function, args, kwargs)

    async def film(
        self, key: Hashable | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `run`, for drawings that take long and that many may ask for alike.

        Calls with equal keys share one drawing, also afterwards; it stops when the last of those
        who wait for it has left. With None as key it is nobody else's, and not remembered. Raises
        as `run` does.
        """
        if key is None:
            return await self._film_bench.run(function, args, kwargs)
        film = self._films.get(key)
        if film is None:
            drawing = asyncio.ensure_future(self._film_bench.run(function, args, kwargs))
            film = self._films[key] = _Film(drawing)
            drawing.add_done_callback(lambda done: self._settle(key, done))
        self._films.move_to_end(key)
        while len(self._films) > self._remembered:
            self._films.popitem(last=False)
        film.waiting += 1
        try:
            result: T = await asyncio.shield(film.drawing)
            return result
        finally:
            film.waiting -= 1
            if not film.waiting and not film.drawing.done():
                self._forget(key, film.drawing)
                film.drawing.cancel()

    def close(self) -> None:
        """End the processes; work in hand is lost."""
        self._bench.close()
        self._film_bench.close()

    def _settle(self, key: Hashable, drawing: asyncio.Future[Any]) -> None:
        """A failed drawing is not kept: the next who asks tries again."""
        if drawing.cancelled() or drawing.exception() is not None:
            self._forget(key, drawing)

    def _forget(self, key: Hashable, drawing: asyncio.Future[Any]) -> None:
        film = self._films.get(key)
        if film is not None and film.drawing is drawing:
            del self._films[key]


@dataclass(slots=True)
class _Film:
    drawing: asyncio.Future[Any]
    waiting: int = 0


class _Bench:
    """Where work of one sort is done: some processes, and a line before them."""

    def __init__(self, limit: float, processes: int) -> None:
        self._limit = limit
        self._processes = processes
        self._turns = asyncio.Semaphore(processes)
        self._pool: ProcessPoolExecutor | None = None

    async def run(
        self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        async with self._turns:  # the limit is for the work, not for waiting
            pool, work = self._begin(function, args, kwargs)
            try:
                return await asyncio.wait_for(work, self._limit)
            except BrokenProcessPool as error:
                self._replace(pool)
                raise StudioLost("the drawing process died") from error
            except TimeoutError as error:
                self._replace(pool)
                raise StudioLost(f"no answer within {self._limit:g} s") from error
            except asyncio.CancelledError:
                # The process would work on, and the next in line wait for it on his own time.
                self._replace(pool)
                raise

    def _begin(
        self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[ProcessPoolExecutor, Any]:
        """Hand the work over; a pool whose process died while it was idle is replaced first."""
        loop = asyncio.get_running_loop()
        pool = self._pool or self._open()
        try:
            return pool, loop.run_in_executor(pool, _call, function, args, kwargs)
        except BrokenProcessPool:
            self._replace(pool)
            pool = self._open()
            return pool, loop.run_in_executor(pool, _call, function, args, kwargs)

    def close(self) -> None:
        if self._pool:
            self._replace(self._pool)

    def _open(self) -> ProcessPoolExecutor:
        self._pool = ProcessPoolExecutor(
            self._processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_ignore_interrupts,
        )
        return self._pool

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        if self._pool is pool:
            self._pool = None
        processes = list((pool._processes or {}).values())  # it offers no kill() before 3.14
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _ignore_interrupts() -> None:
    """Ctrl-C reaches the whole process group; when to stop is the main process's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return function(*args, **kwargs)
