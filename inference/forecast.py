"""When will it be my turn? The line, played through with the costs that were learnt.

Every worker has a timeline for short work, one for long work and one for each place in a stream.
The jobs are taken in their fair order, ride in batches as large as they would be, and go to the
worker that is free first. Short and long work share a worker by `LONG_SHARE`, so both end later
while there is some of the other. Newcomers with a better claim may still come: it is an estimate.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

from inference.costs import Costs
from inference.entry import Entry
from inference.station import Session, Station, key_of
from inference.worker import LONG_SHARE


def forecast(
    order: Sequence[Entry], stations: Sequence[Station], costs: Costs, now: float
) -> Iterator[tuple[Entry, float | None]]:
    """Each entry with the seconds until its result, or None where nothing like it was measured.

    `order`: the waiting entries of a room, next first. `stations`: the room's workers.
    """
    desks = [_Desk(station, costs, now) for station in stations if station.ready]
    if not desks:
        yield from ((entry, None) for entry in order)
        return
    lanes: dict[Any, list[Entry]] = {}
    for entry in order:
        lanes.setdefault(entry.lane, []).append(entry)
    seen = dict.fromkeys(lanes, 0)  # entries of the lane that were looked at
    gone = dict.fromkeys(lanes, 0)  # of those, or after those: that have a place already
    planned: list[tuple[_Desk, bool, float | None, list[Entry]]] = []
    for entry in order:
        lane = entry.lane
        index = seen[lane]
        seen[lane] += 1
        if index < gone[lane]:
            continue  # it rides with an earlier one
        if entry.task.continuous:
            gone[lane] += 1
            planned.append(_join_stream(desks, entry, costs))
            continue
        long = entry.task.long
        desk = min(desks, key=_Desk.free_for_long if long else _Desk.free_for_short)
        batch = lanes[lane][index : index + desk.station.batch_size(entry)]
        batch = batch[:1] if entry.alone else batch
        gone[lane] += len(batch)
        planned.append((desk, long, desk.take(batch, long), batch))
    for desk, long, end, batch in planned:
        stretched = None if end is None else desk.stretched(end, long)
        yield from ((entry, stretched) for entry in batch)


def _join_stream(
    desks: list[_Desk], entry: Entry, costs: Costs
) -> tuple[_Desk, bool, float | None, list[Entry]]:
    desk = min(desks, key=lambda desk: desk.stream(entry)[0])
    places = desk.stream(entry)
    begin = places[0] + desk.loading(entry)
    stay = costs.stay(entry.lane, entry.units)
    heapq.heapreplace(places, begin + (stay or 0.0))
    end = None if stay is None or desk.unknown else begin + stay
    return desk, False, end, [entry]


class _Desk:
    """A worker's timelines, in seconds from now."""

    def __init__(self, station: Station, costs: Costs, now: float) -> None:
        self.station = station
        self.short = self.long = 0.0
        self.unknown = False  # something before the rest has never been measured
        self._costs = costs
        self._now = now
        self._streams: dict[str, list[float]] = {}
        self._loaded = set(station.resident)
        for session in station.sessions.values():
            if session.task.continuous or not session.entries:
                continue
            left = self._left(session)
            if session.task.long:
                self.long += left
            else:
                self.short += left

    def free_for_short(self) -> float:
        return self.short

    def free_for_long(self) -> float:
        return self.long

    def take(self, batch: list[Entry], long: bool) -> float | None:
        """When a batch would end that is put behind the others, nothing else going on."""
        entry = batch[0]
        units = sum(each.units for each in batch)
        seconds = self._expected(entry.lane, units, long)
        if seconds is None:
            self.unknown = True
            return None
        seconds += self.loading(entry)
        if long:
            self.long += seconds
            end = self.long
        else:
            self.short += seconds
            end = self.short
        return None if self.unknown else end

    def stretched(self, end: float, long: bool) -> float:
        """A time on one timeline, later by what the other takes meanwhile."""
        if long:
            return end + min(end * (1 - LONG_SHARE) / LONG_SHARE, self.short)
        return end + min(end * LONG_SHARE / (1 - LONG_SHARE), self.long)

    def stream(self, entry: Entry) -> list[float]:
        """When the places of a text engine become free: a heap."""
        key = key_of(entry.variant)
        places = self._streams.get(key)
        if places is None:
            taken = [
                max(0.0, (self._stay(each) or 0.0) - (self._now - (each.started or self._now)))
                for session in self.station.sessions.values()
                if session.key == key
                for each in session.entries.values()
            ]
            free = self.station.largest(entry) - len(taken)
            places = self._streams[key] = sorted(taken + [0.0] * max(0, free))
        return places

    def loading(self, entry: Entry) -> float:
        """Seconds that the model's loading adds, the first time."""
        key = key_of(entry.variant)
        if key in self._loaded:
            return 0.0
        self._loaded.add(key)
        return self._costs.load(key)

    def _stay(self, entry: Entry) -> float | None:
        return self._costs.stay(entry.lane, entry.units)

    def _expected(self, lane: Any, units: float, long: bool) -> float | None:
        return self._costs.share(lane, units) if long else self._costs.batch(lane, units)

    def _left(self, session: Session) -> float:
        """Device seconds until a session in hand is over."""
        whole = self._expected(session.lane, session.units, session.task.long)
        if whole is None:
            self.unknown = True
            return 0.0
        entries = session.entries.values()
        fraction = min((entry.fraction for entry in entries), default=0.0)
        if fraction > 0.0:
            return whole * (1.0 - fraction)
        elapsed = self._now - session.begun if session.begun else 0.0
        return max(0.0, whole - elapsed)
