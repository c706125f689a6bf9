"""Weights on their way: jobs wait here until the files of their model are on disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from inference.entry import Entry
from inference.jobs import Loading, ModelUnavailable
from inference.tasks import Variant
from inference.weights import Fetching, WeightsError

log = logging.getLogger(__name__)

_NONE: Mapping[str, Path] = {}  # the files of a variant that needs none


class Weights(Protocol):
    """What is needed of `inference.weights.WeightsStore`; `pull` and `verify` run in a thread."""

    def path(self, name: str) -> Path | None: ...
    def verify(self, name: str) -> bool: ...
    def pull(
        self,
        name: str,
        progress: Callable[[Fetching], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path: ...


class Supply:
    """Fetches each variant's files once, telling all who wait for them.

    `ready(entry)` is called for each entry whose files are there, `failed(entry, error)` for each
    whose files cannot be had.
    """

    def __init__(
        self,
        weights: Weights,
        ready: Callable[[Entry], None],
        failed: Callable[[Entry, ModelUnavailable], None],
    ) -> None:
        self._weights = weights
        self._ready = ready
        self._failed = failed
        self._files: dict[str, Mapping[str, Path]] = {}
        self._waiting: dict[str, list[Entry]] = {}
        self._doubted: set[str] = set()
        self._fetched_at: dict[str, float] = {}
        self._fetches: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._waiting.values())

    def __iter__(self) -> Iterator[Entry]:
        for entries in self._waiting.values():
            yield from entries

    def waiting(self, room: str) -> int:
        """How many of a room's jobs wait here."""
        return sum(entry.task.room == room for entry in self)

    def files(self, variant: Variant) -> Mapping[str, Path] | None:
        """The files of a variant; None while they are not there."""
        return self._files.get(variant.name) if variant.weights else _NONE

    def prepare(self, entry: Entry) -> None:
        """See to the files that an entry's model needs."""
        variant = entry.variant
        if variant.name in self._files or not variant.weights:
            self._ready(entry)
        elif variant.name in self._waiting:
            self._waiting[variant.name].append(entry)
        else:
            self._waiting[variant.name] = [entry]
            fetch = asyncio.create_task(self._fetch(variant), name=f"weights {variant.name}")
            self._fetches.add(fetch)
            fetch.add_done_callback(self._fetches.discard)

    def doubt(self, variant: Variant, since: float) -> bool:
        """The model did not load: look at its files, byte by byte, before it is tried again.

        `since`: the loop's time when the files were given away. Whether they are looked at because
        of that; not if they have been fetched anew meanwhile.
        """
        if since < self._fetched_at.get(variant.name, 0.0):
            return False
        self._files.pop(variant.name, None)
        self._doubted |= set(variant.weights)
        return True

    def remove(self, entry: Entry) -> None:
        """The entry waits no more; the fetch goes on, others will want the files."""
        waiting = self._waiting.get(entry.variant.name, [])
        if entry in waiting:
            waiting.remove(entry)

    async def close(self) -> None:
        """Give up what is being fetched; it is resumed another time."""
        for fetch in self._fetches:
            fetch.cancel()
        await asyncio.gather(*self._fetches, return_exceptions=True)

    async def _fetch(self, variant: Variant) -> None:
        loop = asyncio.get_running_loop()
        given_up = False

        def tell(fetching: Fetching) -> None:
            done, total = fetching.done_bytes, fetching.total_bytes
            event = Loading(variant.name, "download", done / total if total else None, total)
            for entry in self._waiting.get(variant.name, ()):
                entry.deliver(event)

        def progress(fetching: Fetching) -> None:
            if not given_up:
                loop.call_soon_threadsafe(tell, fetching)

        def fetch() -> dict[str, Path]:
            for name in self._doubted.intersection(variant.weights):
                self._weights.verify(name)  # deletes what is damaged
                self._doubted.discard(name)
            return {
                name: self._weights.path(name)
                or self._weights.pull(name, progress, lambda: given_up)
                for name in variant.weights
            }

        try:
            files = await asyncio.to_thread(fetch)
        except asyncio.CancelledError:
            given_up = True
            raise
        except Exception as error:  # whatever a download meets, nobody must wait for ever
            log.error("weights of %s: %s", variant.name, error, exc_info=_unforeseen(error))
            for entry in self._waiting.pop(variant.name):
                failure = ModelUnavailable(f"{variant.name}: {error}")
                failure.__cause__ = error
                self._failed(entry, failure)
            return
        self._files[variant.name] = files
        self._fetched_at[variant.name] = loop.time()
        for entry in self._waiting.pop(variant.name):
            self._ready(entry)


def _unforeseen(error: Exception) -> Exception | None:
    return None if isinstance(error, WeightsError) else error
