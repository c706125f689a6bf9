"""Which job runs next, and with whom: the decisions of the queue, without clocks or processes.

Order is *start-time fair queueing* (Goyal, Vin & Cheng, SIGCOMM 1996). Every job gets a start tag
S = max(V, F) where V is the virtual time (the tag of the job dispatched last) and F the finish tag
of the same user's previous job; its own finish tag is S + cost. Jobs leave in order of S. So a
user's hundredth job stands behind a newcomer's first, nobody starves (tags only grow), and one
decision costs O(log n).
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Waiting(Generic[T]):
    """A job's place in the line. `alone`: it shares its batch with nobody (a repeated job)."""

    item: T
    user: Hashable
    lane: Hashable  # jobs of one lane may share a batch
    cost: float  # expected device seconds
    alone: bool = False
    start: float = 0.0
    order: int = 0
    gone: bool = False  # dispatched or cancelled; the heaps forget it when they meet it

    def __lt__(self, other: Waiting[T]) -> bool:
        return (self.start, self.order) < (other.start, other.order)


@dataclass(slots=True)
class Scheduler(Generic[T]):
    """The waiting jobs of one room."""

    _lanes: dict[Hashable, list[Waiting[T]]] = field(default_factory=lambda: defaultdict(list))
    _finish: dict[Hashable, float] = field(default_factory=dict)
    _count: dict[Hashable, int] = field(default_factory=lambda: defaultdict(int))
    _virtual: float = 0.0
    _order: Iterator[int] = field(default_factory=itertools.count)
    _size: int = 0
    _stale: int = 0  # gone, but still in a heap

    def __len__(self) -> int:
        return self._size

    def of(self, user: Hashable) -> int:
        """How many jobs of a user wait."""
        return self._count.get(user, 0)

    def push(self, waiting: Waiting[T], *, first: bool = False) -> None:
        """Put a job in line. `first` puts it before all others (one that must be repeated)."""
        if first:
            waiting.start = -1.0
        else:
            waiting.start = self._next_start(waiting.user)
            self._finish[waiting.user] = waiting.start + waiting.cost
        self._enter(waiting)

    def remove(self, waiting: Waiting[T]) -> None:
        """Take a job out of the line; harmless if it has left already."""
        if waiting.gone:
            return
        if self._finish.get(waiting.user) == waiting.start + waiting.cost:
            self._finish[waiting.user] = waiting.start  # what was not used is not charged
        self._leave(waiting)
        self._stale += 1
        if self._stale > 32 and self._stale > self._size:
            self._sweep()

    def hasten(self, waiting: Waiting[T], user: Hashable) -> Waiting[T]:
        """Let `user` pay for a waiting job that he wants too, if that brings it forward.

        Returns:
            The job's place from now on.
        """
        start = self._next_start(user)
        if waiting.gone or waiting.start <= start:
            return waiting
        sooner = Waiting(waiting.item, user, waiting.lane, waiting.cost, waiting.alone, start)
        self.remove(waiting)
        self._finish[user] = start + waiting.cost
        self._enter(sooner)
        return sooner

    def lanes(self) -> list[Hashable]:
        """The lanes that hold a job, the lane of the next job first."""
        heads = []
        for lane in list(self._lanes):
            head = self.head(lane)
            if head is not None:
                heads.append((head, lane))
        return [lane for _, lane in sorted(heads, key=lambda pair: pair[0])]

    def take(self, lane: Hashable, most: int) -> list[Waiting[T]]:
        """The next jobs of a lane, at most `most`, as one batch."""
        batch: list[Waiting[T]] = []
        while len(batch) < most and (head := self.head(lane)) is not None:
            if head.alone and batch:
                break
            heapq.heappop(self._lanes[lane])
            self._virtual = max(self._virtual, head.start)
            self._leave(head)
            batch.append(head)
            if head.alone:
                break
        return batch

    def in_order(self) -> list[Waiting[T]]:
        """All waiting jobs, next first. O(n log n): for positions, not for decisions."""
        return sorted(w for lane in self._lanes.values() for w in lane if not w.gone)

    def head(self, lane: Hashable) -> Waiting[T] | None:
        """The next job of a lane."""
        heap = self._lanes.get(lane, [])
        while heap and heap[0].gone:
            heapq.heappop(heap)
        if not heap:
            self._lanes.pop(lane, None)
            return None
        return heap[0]

    def _next_start(self, user: Hashable) -> float:
        return max(self._virtual, self._finish.get(user, 0.0))

    def _enter(self, waiting: Waiting[T]) -> None:
        waiting.order = next(self._order)
        heapq.heappush(self._lanes[waiting.lane], waiting)
        self._count[waiting.user] += 1
        self._size += 1
        if len(self._finish) > 64 and len(self._finish) > 2 * len(self._count):
            self._forget_the_absent()

    def _leave(self, waiting: Waiting[T]) -> None:
        waiting.gone = True
        self._size -= 1
        self._count[waiting.user] -= 1
        if not self._count[waiting.user]:
            del self._count[waiting.user]
        if not self._size:
            # Nobody waits: the line starts afresh.
            self._finish.clear()
            self._virtual = 0.0

    def _forget_the_absent(self) -> None:
        """Drop the tags of users who have nothing in line and whom virtual time has overtaken.

        Where that frees little, the oldest debts go too: they are of one job's cost each.
        """
        absent = [user for user in self._finish if user not in self._count]
        for user in absent:
            if self._finish[user] <= self._virtual or len(absent) > len(self._count) + 64:
                del self._finish[user]

    def _sweep(self) -> None:
        """Let go of jobs that were cancelled behind the heads of their lanes."""
        for lane, heap in list(self._lanes.items()):
            left = [waiting for waiting in heap if not waiting.gone]
            if left:
                heapq.heapify(left)
                self._lanes[lane] = left
            else:
                del self._lanes[lane]
        self._stale = 0
