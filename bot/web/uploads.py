"""Pictures and files held in memory: what visitors send, and what they are given.

Nothing is written to disk. A thing leaves the shelf when its time is up or when the budget is
spent, and whoever asks for it then hears `PictureGone`.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from handlers.kit.request import PictureGone, PictureTooLarge


@dataclass(frozen=True, slots=True)
class Held:
    """A thing on the shelf.

    `owner` is the session that may see it, `group` whom it counts against; `name` is a file name.
    """

    owner: str
    group: str
    data: bytes
    name: str
    expires: float  # by the shelf's clock


class Shelf:
    """Holds bytes by unguessable id.

    `budget`: bytes that all visitors hold together. `share`: bytes that one of them may hold, so
    that nobody can push everybody else's pictures out. `lifetime`: seconds. `group_of(owner)`: the
    visitors that one person may pretend to be. Where the budget is spent, the group that holds the
    most makes room, with its oldest: a flood under fresh names costs the flooder his own pictures.
    """

    def __init__(
        self,
        budget: int,
        share: int,
        lifetime: float,
        clock: Callable[[], float] = time.monotonic,
        group_of: Callable[[str], str] = lambda owner: "",
    ) -> None:
        self._group_of = group_of
        self._budget = budget
        self._share = min(share, budget)
        self._lifetime = lifetime
        self._clock = clock
        # Insertion order is also the order of expiry: every lifetime is the same.
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._used: Counter[str] = Counter()  # bytes by owner
        self._by_group: Counter[str] = Counter()

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used.total()

    def put(self, owner: str, data: bytes, name: str = "") -> str:
        """Hold `data` and return its id.

        Raises:
            PictureTooLarge: it alone exceeds what one visitor may hold.
        """
        if len(data) > self._share:
            raise PictureTooLarge(self._share)
        self.sweep()
        while self._used[owner] + len(data) > self._share:
            self._drop(next(key for key, held in self._held.items() if held.owner == owner))
        while self.used + len(data) > self._budget:
            [(heaviest, _)] = self._by_group.most_common(1)
            self._drop(next(key for key, held in self._held.items() if held.group == heaviest))
        key, group = secrets.token_urlsafe(18), self._group_of(owner)
        self._held[key] = Held(owner, group, data, name, self._clock() + self._lifetime)
        self._used[owner] += len(data)
        self._by_group[group] += len(data)
        return key

    def get(self, key: str, owner: str | None = None) -> Held:
        """The thing; with `owner`, only if it is theirs.

        Raises:
            PictureGone: it is not here (any more), or not theirs.
        """
        held = self._held.get(key)
        if held is None or held.expires <= self._clock() or owner not in (None, held.owner):
            raise PictureGone
        return held

    def discard(self, keys: Iterable[str]) -> None:
        """Drop these, where they are still here."""
        for key in keys:
            if key in self._held:
                self._drop(key)

    def forget(self, owner: str) -> None:
        """Drop everything of one visitor."""
        self.discard([key for key, held in self._held.items() if held.owner == owner])

    def sweep(self) -> None:
        """Drop what has expired."""
        now = self._clock()
        while self._held:
            key, held = next(iter(self._held.items()))
            if held.expires > now:
                return
            self._drop(key)

    def _drop(self, key: str) -> None:
        held = self._held.pop(key)
        for counts, name in ((self._used, held.owner), (self._by_group, held.group)):
            counts[name] -= len(held.data)
            if not counts[name]:
                del counts[name]


async def read_limited(chunks: AsyncIterator[bytes], limit: int, declared: int | None) -> bytes:
    """All bytes of an upload, refused as soon as it is known to be over `limit` bytes.

    `declared` is the Content-Length, if the client sent one; nothing is read if that is too much.

    Raises:
        PictureTooLarge: over the limit.
    """
    if declared is not None and declared > limit:
        raise PictureTooLarge(limit)
    data = bytearray()
    async for chunk in chunks:
        if len(data) + len(chunk) > limit:
            raise PictureTooLarge(limit)
        data += chunk
    return bytes(data)
