"""Concurrent between people, in order for each person."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

LONGEST = 20  # messages of one person that may wait to be read


class Lanes:
    """Runs work one after the other for equal keys and side by side otherwise."""

    def __init__(self) -> None:
        self._last: dict[int, asyncio.Task[None]] = {}
        self._length: Counter[int] = Counter()

    def full(self, key: int) -> bool:
        return self._length[key] >= LONGEST

    def submit(self, key: int, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run `work` after all that was submitted before with this key."""
        task = asyncio.create_task(_after(self._last.get(key), work))
        self._last[key] = task
        self._length[key] += 1
        task.add_done_callback(lambda done: self._leave(key, done))
        return task

    def _leave(self, key: int, task: asyncio.Task[None]) -> None:
        self._length[key] -= 1
        if self._last.get(key) is task:
            del self._last[key], self._length[key]


async def _after(
    previous: asyncio.Task[None] | None, work: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    if previous is not None:
        await asyncio.wait({previous})
    await work()
