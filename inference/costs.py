"""What work costs, learnt from what it has cost: seconds by task, checkpoint and size.

The time of a batch is taken to be a line, a + b · units: `a` is paid once for a batch, `b` for each
unit of work in it (a job is one unit unless its task says otherwise: tokens, training steps). Both
are fitted by least squares in which older batches count less and less, so that a machine that gets
busy is noticed. BentoML's dispatcher fits the same line; Crankshaw et al. ("Clipper", NSDI 2017)
found it to hold across models.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

MEMORY = 0.96  # what a batch's weight shrinks to with each further one: some 25 batches count
GOOD_ENOUGH = 0.95  # of the largest batch's throughput, to stop enlarging batches
KEYS = 512  # lines kept; a batch key may come from what users send


@dataclass(slots=True)
class Line:
    """seconds = a + b · units, by weighted least squares."""

    weight: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def learn(self, units: float, seconds: float) -> None:
        self.weight = MEMORY * self.weight + 1.0
        self.x = MEMORY * self.x + units
        self.y = MEMORY * self.y + seconds
        self.xx = MEMORY * self.xx + units * units
        self.xy = MEMORY * self.xy + units * seconds

    @property
    def varied(self) -> bool:
        """Whether sizes differed enough to tell `a` from `b`."""
        if not self.weight:
            return False
        mean = self.x / self.weight
        return self.xx / self.weight - mean * mean > 0.0025 * mean * mean

    @property
    def coefficients(self) -> tuple[float, float]:
        """(a, b), neither negative. While all sizes were alike, all of it is taken to be `b`."""
        mean_x, mean_y = self.x / self.weight, self.y / self.weight
        if mean_x <= 0.0:
            return mean_y, 0.0
        if not self.varied:
            return 0.0, mean_y / mean_x
        variance = self.xx / self.weight - mean_x * mean_x
        slope = (self.xy / self.weight - mean_x * mean_y) / variance
        slope = min(max(slope, 0.0), mean_y / mean_x)
        return mean_y - slope * mean_x, slope

    def at(self, units: float) -> float:
        a, b = self.coefficients
        return a + b * units

    @property
    def known(self) -> bool:
        return self.weight > 0


@dataclass(slots=True)
class _Cost:
    batch: Line = field(default_factory=Line)  # device seconds of a batch by its units
    share: Line = field(default_factory=Line)  # device seconds of one job by its units
    stay: Line = field(default_factory=Line)  # seconds from start to result of one job


Key = tuple[Hashable, ...]


class Costs:
    """Learns and tells. A key is a lane, (task, checkpoint, batch key); what was not measured for
    a lane is told from all lanes of its task and checkpoint. Seconds of another checkpoint say
    nothing.
    """

    def __init__(self) -> None:
        self._costs: OrderedDict[Key, _Cost] = OrderedDict()
        self._loads: dict[Hashable, float] = {}

    def learn_batch(self, lane: Key, jobs: int, units: float, seconds: float) -> None:
        """A batch of `jobs` took `seconds` of the device for `units` of work in all."""
        for cost in self._both(lane):
            cost.batch.learn(units, seconds)
            cost.share.learn(units / jobs, seconds / jobs)

    def learn_job(self, lane: Key, units: float, seconds: float, stay: float) -> None:
        """A job that others run beside took `seconds` of the device, and stayed for `stay`."""
        for cost in self._both(lane):
            cost.share.learn(units, seconds)
            cost.stay.learn(units, stay)

    def learn_load(self, key: Hashable, seconds: float) -> None:
        """A model took `seconds` to load."""
        self._loads[key] = seconds

    def batch(self, lane: Key, units: float) -> float | None:
        """Expected device seconds of a batch; None before one was measured."""
        cost = self._find(lane)
        return cost.batch.at(units) if cost and cost.batch.known else None

    def share(self, lane: Key, units: float) -> float | None:
        """Expected device seconds of one job, in batches as they have been."""
        cost = self._find(lane)
        return cost.share.at(units) if cost and cost.share.known else None

    def stay(self, lane: Key, units: float) -> float | None:
        """Expected seconds from a job's start to its result."""
        cost = self._find(lane)
        return cost.stay.at(units) if cost and cost.stay.known else None

    def load(self, key: Hashable) -> float:
        """Expected seconds to load a model; 0 before it was measured."""
        return self._loads.get(key, 0.0)

    def best_batch(self, lane: Key, most: int) -> int:
        """The smallest batch with nearly the throughput of the largest.

        On a GPU a batch of eight costs little more than one, so large ones are best. On a CPU it
        may cost eight times as much: then a large batch gains nothing, and all of it waits longer.
        """
        cost = self._find(lane)
        if most == 1 or not cost or cost.batch.weight < 4:
            return most
        a, b = cost.batch.coefficients
        if a <= 0.0:
            return most  # only batches of one size so far
        wanted = GOOD_ENOUGH * most / (a + b * most)
        return next((n for n in range(1, most) if n / (a + b * n) >= wanted), most)

    def _find(self, lane: Key) -> _Cost | None:
        return self._costs.get(lane) or self._costs.get(lane[:2])

    def _both(self, lane: Key) -> tuple[_Cost, _Cost]:
        """Of the lane, and of all lanes of its task and checkpoint."""
        found = []
        for key in (lane, lane[:2]):
            cost = self._costs.get(key)
            if cost is None:
                cost = self._costs[key] = _Cost()
                while len(self._costs) > KEYS:
                    self._costs.popitem(last=False)
            else:
                self._costs.move_to_end(key)
            found.append(cost)
        return found[0], found[1]
