"""When will it be my turn? The line, rehearsed with the costs that were learnt.

The scheduler itself decides in the rehearsal, job by job, so that the forecast knows all that it
knows: shares, batches, lifts. Every worker has a timeline for short work, one for long work and one
for each place in a stream; whichever is free first takes what is next for it. Short and long work
share a worker by `LONG_SHARE`, so both end later while there is some of the other. Newcomers with a
better claim may still come: it is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from inference.costs import Costs
from inference.entry import Entry
from inference.scheduler import Rehearsed, Scheduler
from inference.station import Session, Station, key_of
from inference.tasks import Kind
from inference.worker import LONG_SHARE

PAUSE = 100  # jobs between two pauses

Told = tuple[Entry, float | None]


def forecast(
    line: Scheduler[Entry], stations: Sequence[Station], costs: Costs, now: float
) -> Iterator[Told | None]:
    """Each waiting entry, next first, with the seconds until its result; None: a pause to breathe.

    The seconds are None where nothing like it was measured, or where no worker is there.
    `stations`: the room's workers; `now`: the loop's time.
    """
    rehearsal = line.rehearsal()
    waiting = {"short": 0.0, "long": 0.0, "stream": 0.0}  # device seconds
    for number, entry in enumerate(line.all()):
        if entry.in_line:
            rehearsal.push(Rehearsed(entry), first=entry.repeated)
            waiting[entry.task.kind] += entry.cost
        if not number % PAUSE:
            yield None
    desks = [_Desk(station, costs, now) for station in stations if station.ready]
    if not desks:
        yield from _in_turn(rehearsal)
        return
    for desk in desks:
        desk.expect(waiting, len(desks))
    served = 0
    while len(rehearsal):
        desk, lane, head = _next(rehearsal, desks)
        kind = head.of.task.kind
        if kind == "stream":
            batch = rehearsal.take(lane, 1)
        else:
            batch = rehearsal.take(lane, desk.station.batch_size(head.of))
        end = desk.take([each.of for each in batch], kind)
        for each in batch:
            yield each.of, end
        served += len(batch)
        if served > PAUSE:
            served = 0
            yield None


def _in_turn(rehearsal: Scheduler[Rehearsed[Entry]]) -> Iterator[Told | None]:
    while len(rehearsal):
        lane, _ = rehearsal.lanes()[0]
        for each in rehearsal.take(lane, 1):
            yield each.of, None
        if not len(rehearsal) % PAUSE:
            yield None


def _next(
    rehearsal: Scheduler[Rehearsed[Entry]], desks: list[_Desk]
) -> tuple[_Desk, Any, Rehearsed[Entry]]:
    """The worker that is free first for something that waits, and what it takes."""
    best: tuple[float, _Desk, Any, Rehearsed[Entry]] | None = None
    seen: set[Any] = set()
    for lane, head in rehearsal.lanes():
        kind = head.of.task.kind
        place = key_of(head.of.variant) if kind == "stream" else kind
        if place in seen:
            continue  # somebody with a better claim takes that place
        seen.add(place)
        desk = min(desks, key=lambda desk: desk.free(head.of))
        free = desk.free(head.of)
        if best is None or free < best[0]:
            best = free, desk, lane, head
    assert best is not None
    return best[1:]


class _Desk:
    """A worker's timelines, in seconds from now."""

    def __init__(self, station: Station, costs: Costs, now: float) -> None:
        self.station = station
        self._busy = {"short": 0.0, "long": 0.0}  # device seconds of what is to be done before
        self._all = dict(self._busy)  # and of all that is to be done
        self._unknown = False  # something before the rest has never been measured
        self._costs = costs
        self._now = now
        self._streams: dict[str, list[float]] = {}
        self._loaded = set(station.resident)
        for session in station.sessions.values():
            kind = session.task.kind
            if kind != "stream" and session.entries:
                self._busy[kind] += self._left(session)

    def expect(self, waiting: dict[str, float], desks: int) -> None:
        """Know of the device seconds that wait for all workers together."""
        for kind in self._busy:
            self._all[kind] = self._busy[kind] + waiting[kind] / desks

    def free(self, entry: Entry) -> float:
        """When the place that an entry needs is free."""
        kind = entry.task.kind
        return min(self._places(entry)) if kind == "stream" else self._stretched(kind)

    def take(self, batch: list[Entry], kind: Kind) -> float | None:
        """When a batch ends that takes the next place for it; None: who knows."""
        entry = batch[0]
        if kind == "stream":
            return self._join(entry)
        units = sum(each.units for each in batch)
        seconds = self._expected(entry.lane, units, kind)
        if seconds is None:
            self._unknown = True
            return None
        self._busy[kind] += seconds + self._loading(entry)
        return None if self._unknown else self._stretched(kind)

    def _join(self, entry: Entry) -> float | None:
        places = self._places(entry)
        first = places.index(min(places))
        begin = places[first] + self._loading(entry)
        stay = self._costs.stay(entry.lane, entry.units)
        places[first] = begin + (stay or 0.0)
        return None if stay is None or self._unknown else places[first]

    def _stretched(self, kind: Kind) -> float:
        """When the work of one timeline ends, which the other slows down while it has some."""
        if kind == "long":
            long = self._busy["long"]
            return long + min(long * (1 - LONG_SHARE) / LONG_SHARE, self._all["short"])
        short = self._busy["short"]
        return short + min(short * LONG_SHARE / (1 - LONG_SHARE), self._all["long"])

    def _places(self, entry: Entry) -> list[float]:
        """When the places of a text engine become free."""
        key = key_of(entry.variant)
        places = self._streams.get(key)
        if places is None:
            places = self._streams[key] = [
                max(
                    0.0,
                    (self._stay(each) or 0.0) - (self._now - (each.served.started or self._now)),
                )
                for session in self.station.sessions.values()
                if session.key == key
                for each in session.entries.values()
            ]
            places += [0.0] * (self.station.largest(entry) - len(places))
        return places

    def _loading(self, entry: Entry) -> float:
        """Seconds that the model's loading adds, the first time."""
        key = key_of(entry.variant)
        if key in self._loaded:
            return 0.0
        self._loaded.add(key)
        return self._costs.load(key)

    def _stay(self, entry: Entry) -> float | None:
        return self._costs.stay(entry.lane, entry.units)

    def _expected(self, lane: Any, units: float, kind: Kind) -> float | None:
        share = self._costs.share if kind == "long" else self._costs.batch
        return share(lane, units)

    def _left(self, session: Session) -> float:
        """Device seconds until a session in hand is over."""
        whole = self._expected(session.lane, session.units, session.task.kind)
        if whole is None:
            self._unknown = True
            return 0.0
        fraction = min((entry.served.fraction for entry in session.entries.values()), default=0.0)
        if fraction > 0.0:
            return whole * (1.0 - fraction)
        elapsed = self._now - session.begun if session.begun else 0.0
        return max(0.0, whole - elapsed)
