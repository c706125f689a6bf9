"""The load, the same for everybody: a burst, clients in closed loops, a lone client.

A *call* is `async (number) -> twice the number`; every answer is checked. Standard library only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

Call = Callable[[int], Awaitable[int]]

CLIENTS = 32
BURST = 500  # requests at once, of a model that takes its time
FREE_BURST = 2000  # and of one that costs nothing
REPEATS = 7  # of everything whose best is taken


async def timed(call: Call, number: int) -> float:
    """Seconds of one call. Raises ValueError for a wrong answer."""
    began = time.perf_counter()
    answer = await call(number)
    seconds = time.perf_counter() - began
    if answer != 2 * number:
        raise ValueError(f"{number} was answered with {answer!r}")
    return seconds


async def burst(call: Call, count: int) -> float:
    """Seconds until `count` requests, made at once, are answered."""
    began = time.perf_counter()
    await asyncio.gather(*(timed(call, number) for number in range(count)))
    return time.perf_counter() - began


async def closed(call: Call, count: int, clients: int = CLIENTS) -> float:
    """Seconds that `clients`, each with one request under way at a time, take for `count`."""

    async def client(first: int) -> None:
        for number in range(first, count, clients):
            await timed(call, number)

    began = time.perf_counter()
    await asyncio.gather(*(client(first) for first in range(clients)))
    return time.perf_counter() - began


async def lone(call: Call, count: int) -> list[float]:
    """Seconds of each of `count` requests, one after the other."""
    return [await timed(call, number) for number in range(count)]


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` (0…100) of the values lie, interpolated linearly."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
