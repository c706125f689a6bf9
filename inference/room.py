"""A room: the workers that serve one kind of work, and the one line before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from inference import metrics
from inference.costs import Costs
from inference.entry import Entry
from inference.scheduler import Scheduler
from inference.station import Session, Station, key_of
from inference.tasks import Kind, Variant

LOAD_WEIGHT = 10.0  # seconds that work may be put off at most because its model must be loaded
PATIENCE = 10.0  # seconds that a job waits for memory before nothing begins before it


def _task_of(lane: Any) -> Hashable:
    """Lanes are (task, checkpoint, batch key)."""
    task: str = lane[0]
    return task


class Room:
    """`files(variant)`: the files of a variant; None while they are looked at."""

    def __init__(
        self, name: str, costs: Costs, files: Callable[[Variant], Mapping[str, Path] | None]
    ) -> None:
        self.name = name
        self.line: Scheduler[Entry] = Scheduler(_task_of)
        self.stations: list[Station] = []
        self._costs = costs
        self._files = files
        self._soon: asyncio.Handle | None = None
        self._hungry: tuple[Entry, float] | None = None  # who finds no memory, and since when

    @property
    def running(self) -> int:
        return sum(station.running for station in self.stations)

    @property
    def idle(self) -> bool:
        return not len(self.line) and not any(station.held for station in self.stations)

    @property
    def budget(self) -> int | None:
        """Bytes that the largest device has for models; None while some have not said."""
        largest = None
        for station in self.stations:
            if station.budget is None:
                return None
            largest = station.budget if largest is None else max(largest, station.budget)
        return largest

    def arrived(self, entry: Entry) -> None:
        """Somebody new is in the line. A full batch goes at once: a class that presses together
        keeps the loop busy for a while, and no worker need idle meanwhile."""
        self.dispatch_soon()
        full = entry.variant.max_batch
        if full > 1 and not self.line.waiting_in(entry.lane) % full:
            self._dispatch()

    def dispatch_soon(self) -> None:
        """Dispatch once all that is happening at this moment has happened.

        So those who press together ride together, and nobody waits longer for it than the loop
        takes for one round.
        """
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self.dispatch)

    def dispatch(self) -> None:
        """Give the workers whatever they can begin now."""
        self._soon = None
        self._dispatch()

    def _dispatch(self) -> None:
        """Whatever has been planned for soon still comes."""
        if not len(self.line):
            return
        now = asyncio.get_running_loop().time()
        sent: list[list[Entry]] = []
        before = -1
        while len(sent) > before and len(self.line):
            before = len(sent)  # once more: what one worker left to another may not have been taken
            for station in self.stations:
                while len(self.line) and station.ready and self._feed(station, now, sent):
                    pass
        for station in self.stations:
            station.flush()
        for batch in sent:
            observe = metrics.of_task(batch[0].task.name)
            observe.batch.observe(len(batch))
            for entry in batch:
                observe.wait.observe(now - entry.submitted)

    def freed(self) -> None:
        """A worker has let go of something, or is back."""
        self.dispatch()
        if self.idle:
            self.line.rest()

    def close(self) -> None:
        """Stop all clocks."""
        if self._soon:
            self._soon.cancel()
        for station in self.stations:
            station.close()

    def _feed(self, station: Station, now: float, sent: list[list[Entry]]) -> bool:
        """Give one worker its next batch, if there is one for it; it is added to `sent`."""
        if station.full and all(self._is_short(lane) for lane in self.line):
            return False
        passed: set[Kind] = set()
        for lane, head in self.line.lanes(lambda head: self._advantage(station, head)):
            kind = head.task.kind
            if kind in passed:
                continue  # somebody with a better claim to the same place could not have it yet
            waiting = self.line.waiting_in(lane)
            session = station.place_for(head, waiting)
            files = self._files(head.variant)
            if files is None or self._too_small(station, head):
                continue  # it is fetched again; or another worker has the memory
            if session is None and not station.fits(head.variant):
                if self._has_waited(head, now) and station is self._reserve:
                    # Others would keep the memory for ever. What is in the way begins no more.
                    if station.fits_beside_long(head.variant):
                        return False
                    passed.add("long")
                continue
            if session is None:
                if kind != "stream":  # streams of other models have places of their own
                    passed.add(kind)
                continue
            if self._better_elsewhere(station, session, head, waiting):
                continue
            batch = self.line.take(lane, station.seats(session, head))
            station.begin(session, batch, files, now)
            sent.append(batch)
            return True
        return False

    @property
    def _reserve(self) -> Station | None:
        """Where memory is freed for work that finds none for a long time."""
        ready = (station for station in self.stations if station.ready)
        return max(ready, key=lambda station: station.budget or 0, default=None)

    def _is_short(self, lane: Any) -> bool:
        head = self.line.head(lane)
        return head is not None and head.task.kind == "short"

    def _advantage(self, station: Station, head: Entry) -> float:
        """What it costs this worker to load the model first, as seconds less than nothing."""
        key = key_of(head.variant)
        return 0.0 if key in station.resident else -min(self._costs.load(key), LOAD_WEIGHT)

    def _better_elsewhere(
        self, station: Station, session: Session, head: Entry, waiting: int
    ) -> bool:
        """Whether another worker could begin at once too, and has the model in memory."""
        others = [
            other
            for other in self.stations
            if other is not station
            and other.ready
            and session.key in other.resident
            and other.place_for(head, waiting)
        ]
        if session.key not in station.resident:
            return bool(others)
        # Streams slow each other down: they go where fewest are.
        mine = station.streams(head.variant)
        return head.task.continuous and any(o.streams(head.variant) < mine for o in others)

    def _too_small(self, station: Station, head: Entry) -> bool:
        """Whether this device can never hold the model, and another may."""
        needed = head.variant.memory
        return (
            station.budget is not None
            and needed > station.budget
            and any(other.may_hold(needed) for other in self.stations)
        )

    def _has_waited(self, head: Entry, now: float) -> bool:
        """Whether a job has found no memory for a long time."""
        if self._hungry is None or not self._hungry[0].in_line:
            self._hungry = head, now
        return self._hungry[0] is head and now > self._hungry[1] + PATIENCE
