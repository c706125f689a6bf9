"""Models and tasks for `tests.benchmarks.queue`: real ones of the real worker, trivial to compute.

`fake` and `free` are the model that the peers are measured with (`peers/fake_model.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.jobs import BadInput, Progress, Token
from inference.model import JobId, Model, OneStepModel, Result, Session, SessionEvent
from inference.tasks import Task, Variant
from tests.benchmarks.peers.fake_model import MAX_BATCH, FakeModel
from tests.benchmarks.peers.probes import HOLD_SECONDS


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a handler sends with a photo: its bytes beside small facts."""

    data: bytes
    name: str


class Doubling(OneStepModel):
    """The fake model of the comparison; `options["seconds"]`: what a call takes."""

    def load(self, device: str) -> None:
        self._model = FakeModel(float(self.options["seconds"]))

    def predict(self, inputs: Sequence[int]) -> Sequence[int]:
        return self._model(inputs)


class Python(OneStepModel):
    """Pure Python that never lets go of the interpreter, for as many seconds as the payload says.

    The result is how many times it went round.
    """

    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[float]) -> Sequence[int]:
        return [busy_loop(seconds) for seconds in inputs]


def busy_loop(seconds: float) -> int:
    """Compute for so long."""
    rounds = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        rounds += sum(range(100)) > 0
    return rounds


class Sizing(OneStepModel):
    """Says how long attachments are."""

    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[Attachment]) -> Sequence[int]:
        return [len(each.data) for each in inputs]


class Poisonable(OneStepModel):
    """Doubles numbers. "poison" raises for the whole batch, "die" ends the process.

    "sizes" is answered with the sizes of all batches so far, as the model saw them.
    """

    def load(self, device: str) -> None:
        self._sizes: list[int] = []

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        if inputs[0] == "sizes":
            return [list(self._sizes) for _ in inputs]
        self._sizes.append(len(inputs))
        time.sleep(float(self.options["seconds"]))
        if "die" in inputs:
            os._exit(9)
        if "poison" in inputs:
            raise ValueError("poison")
        return [2 * number for number in inputs]


class Stepping(Model):
    """Takes as many steps of `options["seconds"]` as the payload says; the result is that number.

    `options["talkative"]`: says a word and its progress in each step, as a text stream does.
    """

    def load(self, device: str) -> None: ...

    def start(self, batch: Mapping[JobId, Any]) -> Session:
        session = _Steps(float(self.options["seconds"]), bool(self.options.get("talkative")))
        session.admit(batch)
        return session


class _Steps(Session):
    def __init__(self, seconds: float, talkative: bool) -> None:
        self._seconds = seconds
        self._talkative = talkative
        self._taken: dict[JobId, int] = {}
        self._wanted: dict[JobId, int] = {}

    def admit(self, batch: Mapping[JobId, Any]) -> None:
        self._wanted |= batch
        self._taken |= dict.fromkeys(batch, 0)

    def step(self) -> list[SessionEvent]:
        time.sleep(self._seconds)
        events: list[SessionEvent] = []
        for job, wanted in list(self._wanted.items()):
            self._taken[job] += 1
            taken = self._taken[job]
            if self._talkative:
                events.append((job, Token(f"{taken} ")))
            events.append((job, Progress(taken / wanted)))
            if taken >= wanted:
                events.append((job, Result(wanted)))
                self.cancel(job)
        return events

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._wanted)

    def cancel(self, job: JobId) -> None:
        self._wanted.pop(job, None)
        self._taken.pop(job, None)


class Unruly(OneStepModel):
    """For the soak: doubles numbers, and misbehaves on request.

    "bad" is refused by itself, "poison" raises for its batch, "die" ends the process, "hang" never
    comes back, "unpicklable" has a result that does not travel.
    """

    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(float(self.options["seconds"]))
        if "die" in inputs:
            os._exit(9)
        if "hang" in inputs:
            time.sleep(3600)
        if "poison" in inputs:
            raise ValueError("poison")
        return [self._answer(each) for each in inputs]

    def _answer(self, wanted: Any) -> Any:
        match wanted:
            case "bad":
                return BadInput("bad", "as was asked for")
            case "unpicklable":
                return lambda: None
            case ("seeded", number) | (number, bytes()):
                return 2 * number
            case _:
                return 2 * wanted


def _task(name: str, model: type[Model], *, batch: int = 1, **settings: Any) -> Task:
    declared = {key: settings.pop(key) for key in ("timeout", "room", "long") if key in settings}
    for key in ("continuous", "units", "share_key"):
        if key in settings:
            declared[key] = settings.pop(key)
    entry = f"{__name__}:{model.__name__}"
    variant = Variant(name=name.title(), entry=entry, max_batch=batch, options=settings)
    return Task(name=name, variants={"embedded": variant}, **declared)


def _seeded(payload: Any) -> Any:
    return payload if isinstance(payload, tuple) and payload[0] == "seeded" else None


TASKS: Mapping[str, Task] = {
    each.name: each
    for each in (
        _task("fake", Doubling, batch=MAX_BATCH, seconds=0.005),
        _task("free", Doubling, batch=MAX_BATCH, seconds=0.0),
        _task("python", Python),
        _task("sizing", Sizing, batch=MAX_BATCH),
        _task("poisonable", Poisonable, batch=MAX_BATCH, seconds=0.005),
        # Holds its worker for as many hundredths of a second as asked, and can be cancelled.
        _task("holding", Stepping, seconds=0.01),
        _task("sluggish", Doubling, batch=MAX_BATCH, seconds=HOLD_SECONDS),
        # Mixed costs, for the ETA.
        _task("quick", Doubling, batch=MAX_BATCH, seconds=0.003),
        _task("middling", Doubling, batch=4, seconds=0.02),
        _task("slow", Doubling, seconds=0.06),
        _task("stepped", Stepping, long=True, seconds=0.01, units=float),
        # For the soak.
        _task("unruly", Unruly, batch=MAX_BATCH, seconds=0.002, share_key=_seeded, timeout=2.0),
        _task("unruly-slow", Unruly, batch=4, seconds=0.03, timeout=2.0),
        _task("unruly-hang", Unruly, seconds=0.0, timeout=0.5),
        _task("unruly-long", Stepping, long=True, seconds=0.005, units=float),
        _task(
            "unruly-stream",
            Stepping,
            batch=4,
            seconds=0.002,
            talkative=True,
            continuous=True,
            room="text",
            units=float,
        ),
    )
}


class NoWeights:
    """Weights of tasks that need none."""

    def path(self, name: str) -> Path | None:
        return None

    def verify(self, name: str) -> bool:
        return True

    def pull(self, name: str, progress: Any = None, cancelled: Any = None) -> Path:
        raise AssertionError("nothing to pull")
