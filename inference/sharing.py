"""Equal jobs share: one run answers all that wait, and its result those who come soon after.

Three hundred pupils press the same example. A job is equal to another if its task says so
(`Task.share_key`): same input, same seed, same checkpoint.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from inference.entry import Entry
from inference.jobs import Done

CACHE_BYTES = 32_000_000  # of all remembered results together, pickled


class Sharing:
    """The runs that can be joined, and the results that are remembered.

    `most`: results remembered at most; 0 remembers none.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._runs: dict[Hashable, Entry] = {}
        self._results: OrderedDict[Hashable, tuple[Done, int]] = OrderedDict()
        self._bytes = 0

    def result(self, share: Hashable) -> Done | None:
        """A remembered result."""
        if share not in self._results:
            return None
        self._results.move_to_end(share)
        return self._results[share][0]

    def run(self, share: Hashable) -> Entry | None:
        """An equal job that has no outcome yet."""
        return self._runs.get(share)

    def began(self, entry: Entry) -> None:
        if entry.share is not None:
            self._runs[entry.share] = entry

    def ended(self, entry: Entry) -> None:
        if entry.share is not None and self._runs.get(entry.share) is entry:
            del self._runs[entry.share]

    def remember(self, share: Hashable, done: Done, size: int) -> None:
        """Keep a result of `size` bytes; the least recently asked for makes room."""
        if share is None or size > CACHE_BYTES or not self._most:
            return
        self._forget(share)
        self._results[share] = (done, size)
        self._bytes += size
        while len(self._results) > self._most or self._bytes > CACHE_BYTES:
            self._forget(next(iter(self._results)))

    def _forget(self, share: Hashable) -> None:
        if share in self._results:
            self._bytes -= self._results.pop(share)[1]
