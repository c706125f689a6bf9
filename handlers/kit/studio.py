"""The studio: a small process where pictures are decoded and drawn.

Pixels sent by strangers are never decoded in the main process, and drawing holds the interpreter
lock, so both happen here. A crash or a hang costs one drawing: the process is replaced.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class StudioLost(Exception):
    """The studio died under this piece of work (or it ran past the limit)."""


class Studio:
    """Runs pure functions in another process.

    `limit`: seconds that one call may take, waiting included.
    """

    def __init__(self, limit: float = 60.0, processes: int = 1) -> None:
        self._limit = limit
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args)` elsewhere; it and its arguments must pickle.

        Raises:
            StudioLost: the process died or the call took too long.
            Exception: whatever the function raised.
        """
        pool = self._pool or self._open()
        loop = asyncio.get_running_loop()
        work: Any = loop.run_in_executor(pool, _call, function, args, kwargs)
        try:
            return await asyncio.wait_for(work, self._limit)
        except BrokenProcessPool as error:
            self._replace(pool)
            raise StudioLost("the drawing process died") from error
        except TimeoutError as error:
            self._replace(pool)
            raise StudioLost(f"no answer within {self._limit:g} s") from error

    def close(self) -> None:
        """End the process; work in hand is lost."""
        if self._pool:
            self._replace(self._pool)

    def _open(self) -> ProcessPoolExecutor:
        self._pool = ProcessPoolExecutor(
            self._processes, mp_context=multiprocessing.get_context("spawn")
        )
        return self._pool

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        if self._pool is pool:
            self._pool = None
        processes = list((pool._processes or {}).values())  # it offers no kill() before 3.14
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


def _call(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return function(*args, **kwargs)
