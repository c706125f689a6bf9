"""The shelf: budget, shares, expiry; uploads are refused before they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.web.uploads import Shelf, read_limited
from handlers.kit.request import PictureGone, PictureTooLarge


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shelf_of(clock: Clock, budget: int = 100, share: int = 100) -> Shelf:
    return Shelf(budget, share, lifetime=60, clock=clock)


def test_a_picture_is_its_owners(clock: Clock) -> None:
    shelf = shelf_of(clock)
    key = shelf.put("ada", b"pixels")
    assert shelf.get(key, "ada").data == b"pixels"
    assert shelf.get(key).data == b"pixels"
    with pytest.raises(PictureGone):
        shelf.get(key, "bob")
    with pytest.raises(PictureGone):
        shelf.get(key, "")


def test_ids_cannot_be_guessed(clock: Clock) -> None:
    shelf = shelf_of(clock)
    keys = {shelf.put("ada", b"x") for _ in range(50)}
    assert len(keys) == 50
    assert all(len(key) >= 24 for key in keys)


def test_a_picture_expires(clock: Clock) -> None:
    shelf = shelf_of(clock)
    key = shelf.put("ada", b"pixels")
    clock.now = 59.9
    assert shelf.get(key).data
    clock.now = 60
    with pytest.raises(PictureGone):
        shelf.get(key)
    shelf.sweep()
    assert shelf.used == 0


def test_the_oldest_goes_first(clock: Clock) -> None:
    shelf = shelf_of(clock)
    first, second = shelf.put("ada", b"x" * 40), shelf.put("bob", b"x" * 40)
    shelf.put("cem", b"x" * 40)
    with pytest.raises(PictureGone):
        shelf.get(first)
    assert shelf.get(second)
    assert shelf.used == 80


def test_nobody_pushes_the_others_out(clock: Clock) -> None:
    shelf = shelf_of(clock, share=50)
    theirs = shelf.put("ada", b"x" * 40)
    greedy = [shelf.put("bob", b"x" * 20) for _ in range(10)]
    assert shelf.get(theirs).data
    assert shelf.get(greedy[-1]).data
    with pytest.raises(PictureGone):
        shelf.get(greedy[0])
    assert shelf.used == 80


def test_fresh_names_push_nobody_else_out(clock: Clock) -> None:
    """Visitors of one group: the flood costs the flooder's own pictures, the oldest first."""
    shelf = Shelf(100, 50, 60, clock, group_of=lambda owner: owner.partition("-")[0])
    theirs = shelf.put("ada-1", b"x" * 30)
    flood = [shelf.put(f"bob-{number}", b"x" * 20) for number in range(10)]
    assert shelf.get(theirs).data
    for key in flood[:-3]:
        with pytest.raises(PictureGone):
            shelf.get(key)
    assert all(shelf.get(key) for key in flood[-3:])
    assert shelf.used == 90
    shelf.put("cem-1", b"x" * 30)  # a newcomer finds room with whoever takes the most
    assert shelf.get(theirs).data
    assert shelf.used == 100


def test_too_large_for_the_shelf(clock: Clock) -> None:
    shelf = shelf_of(clock, share=50)
    with pytest.raises(PictureTooLarge):
        shelf.put("ada", b"x" * 51)
    assert shelf.used == 0


def test_forgetting_a_visitor(clock: Clock) -> None:
    shelf = shelf_of(clock)
    mine, theirs = shelf.put("ada", b"x"), shelf.put("bob", b"x")
    shelf.forget("ada")
    shelf.discard(["no-such-key"])
    with pytest.raises(PictureGone):
        shelf.get(mine)
    assert shelf.get(theirs)


class Stream:
    """Counts what is read of it."""

    def __init__(self, chunks: int, size: int) -> None:
        self.chunks, self.size, self.read = chunks, size, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.chunks):
            self.read += self.size
            yield b"x" * self.size


async def test_reading_stops_at_the_limit() -> None:
    stream = Stream(chunks=1000, size=10)
    with pytest.raises(PictureTooLarge) as refused:
        await read_limited(aiter(stream), limit=95, declared=None)
    assert refused.value.limit == 95
    assert stream.read == 100


async def test_a_declared_size_is_refused_unread() -> None:
    stream = Stream(chunks=10, size=10)
    with pytest.raises(PictureTooLarge):
        await read_limited(aiter(stream), limit=95, declared=96)
    assert stream.read == 0


async def test_everything_within_the_limit_is_read() -> None:
    assert await read_limited(aiter(Stream(5, 10)), limit=50, declared=50) == b"x" * 50
