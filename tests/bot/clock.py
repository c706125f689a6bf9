"""A clock that a test turns, with timers like the event loop's."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable


class Clock:
    """Time that stands still until `advance`; `steps` are those of tasks that each moment takes."""

    def __init__(self, steps: int = 6) -> None:
        self.now = 1000.0
        self._steps = steps
        self._due: list[tuple[float, int, Callable[[], None], Timer]] = []
        self._count = itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer()
        heapq.heappush(self._due, (self.now + delay, next(self._count), callback, timer))
        return timer

    async def advance(self, seconds: float) -> None:
        until = self.now + seconds
        await self.settle()
        while self._due and self._due[0][0] <= until:
            self.now, _, callback, timer = heapq.heappop(self._due)
            if timer.alive:
                callback()
                await self.settle()
        self.now = until

    async def leap(self, seconds: float) -> None:
        """Let time pass in which nothing happens, as on a busy machine; then all that was due."""
        self.now += seconds
        due = []
        while self._due and self._due[0][0] <= self.now:
            due.append(heapq.heappop(self._due))
        for _, _, callback, timer in due:
            if timer.alive:
                callback()
                await self.settle()
        await self.settle()

    async def settle(self) -> None:
        """Let everything that is due in this moment happen."""
        for _ in range(self._steps):
            await asyncio.sleep(0)


class Timer:
    alive = True

    def cancel(self) -> None:
        self.alive = False
