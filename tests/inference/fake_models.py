"""Small models for queue tests: they double numbers, and misbehave on request.

They are real models of the real worker process; only what they compute is trivial.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.engines import Engine
from inference.jobs import Job, Owner, Progress, Token
from inference.model import JobId, Model, OneStepModel, Result, Session, SessionEvent
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import Task, Variant

MODULE = "tests.inference.fake_models"


class Doubler(OneStepModel):
    """Doubles numbers. "poison" raises for the batch, "bad" for itself, "die" ends the process."""

    def load(self, device: str) -> None:
        if self.options.get("unloadable"):
            raise RuntimeError("no such file")

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(float(self.options.get("seconds", 0)))
        if "die" in inputs:
            os._exit(9)
        if "unpicklable" in inputs:
            return [Unpicklable() if item == "unpicklable" else 2 * item for item in inputs]
        if "exploding" in inputs:
            return [Exploding() if item == "exploding" else 2 * item for item in inputs]
        if "hang" in inputs:
            time.sleep(3600)
        if "poison" in inputs:
            raise ValueError("poison")
        return [
            ValueError("bad item")
            if item == "bad"
            else (2 * item[0], len(inputs))
            if isinstance(item, tuple)
            else 2 * item
            for item in inputs
        ]


class Hungry(OneStepModel):
    """Doubles numbers while its batch fits into memory; says how large its batch was."""

    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(0.05)
        if len(inputs) > int(self.options["fits"]):
            raise MemoryError(f"{len(inputs)} are too many")
        return [(2 * item, len(inputs)) for item in inputs]


class AcceleratorError(RuntimeError):
    """What torch calls an error after which a process can no longer use its GPU."""


class Asserting(OneStepModel):
    """Doubles numbers; for "assert" it fails as a GPU does on a failed assertion."""

    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(0.1)
        if "assert" in inputs:
            raise AcceleratorError("CUDA error: device-side assert triggered")
        return [(2 * item, os.getpid()) for item in inputs]


class Unpicklable:
    """A result that refuses to travel."""

    def __reduce__(self) -> Any:
        raise TypeError("not me")


class Exploding:
    """A result that falls apart on arrival."""

    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise RuntimeError("boom")


class Counter(Model):
    """Counts up to the payload, one number a step, saying each.

    As payloads, "hang" sleeps in a step, "poison" raises in it, "reject" raises on admission,
    "die" ends the process; "quiet" never says anything.
    """

    def load(self, device: str) -> None:
        time.sleep(float(self.options.get("load_seconds", 0)))

    def start(self, batch: Mapping[JobId, Any]) -> Session:
        session = _Counting(float(self.options.get("seconds", 0.005)))
        session.admit(batch)
        return session


class _Counting(Session):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left: dict[JobId, tuple[int, Any]] = {}

    def admit(self, batch: Mapping[JobId, Any]) -> None:
        if "reject" in batch.values():
            raise ValueError("rejected")
        self._left |= {job: (0, wanted) for job, wanted in batch.items()}

    def step(self) -> list[SessionEvent]:
        time.sleep(self._seconds)
        events: list[SessionEvent] = []
        for job, (said, wanted) in list(self._left.items()):
            match wanted:
                case "hang":
                    time.sleep(3600)
                case "poison":
                    raise ValueError("poison")
                case "die":
                    os._exit(9)
                case "quiet":
                    continue
            said += 1
            events.append((job, Token(f"{said} ")))
            events.append((job, Progress(said / wanted)))
            self._left[job] = (said, wanted)
            if said == wanted:
                del self._left[job]
                events.append((job, Result(wanted)))
        return events

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._left)

    def cancel(self, job: JobId) -> None:
        self._left.pop(job, None)


def task(name: str, entry: str, **settings: Any) -> Task:
    """A task of one variant. `options`, `max_batch`, `weights` go to the variant."""
    variant = {
        key: settings.pop(key)
        for key in ("options", "max_batch", "weights", "memory")
        if key in settings
    }
    return Task(
        name=name,
        variants={"embedded": Variant(name=name.title(), entry=f"{MODULE}:{entry}", **variant)},
        **settings,
    )


def seeded(payload: Any) -> Any:
    """Share key of payloads such as ("seeded", 7)."""
    return payload if isinstance(payload, tuple) and payload[0] == "seeded" else None


TASKS = {
    each.name: each
    for each in (
        task("double", "Doubler", max_batch=8),
        task("slow", "Doubler", max_batch=4, options={"seconds": 0.2}),
        task(
            "keyed", "Doubler", max_batch=8, options={"seconds": 0.1}, batch_key=lambda p: p[0] % 2
        ),
        task("long", "Counter", long=True),
        task("stream", "Counter", room="text", continuous=True, max_batch=3),
        task("shared", "Counter", max_batch=1, share_key=lambda p: p),
        task("broken", "Doubler", options={"unloadable": True}),
        task("stuck", "Doubler", max_batch=4, timeout=0.3),
        task("slow-load", "Counter", options={"load_seconds": 3600}),
        task("badkey", "Doubler", batch_key=lambda p: 1 / p),
        task("weighty", "Doubler", weights=("missing",)),
        task("text-short", "Doubler", room="text"),
        task("hungry", "Hungry", max_batch=8, options={"fits": 3}),
        task("starving", "Hungry", max_batch=8, options={"fits": 0}),
        task("assert", "Asserting", max_batch=4),
        task("big", "Doubler", memory=600),
        task("bigger", "Doubler", memory=700),
        task("huge", "Doubler", memory=5_000),
        task("where", "Asserting", max_batch=1),
        task("busy", "Counter", long=True, options={"seconds": 0.02}),
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


def job(task_name: str, payload: Any, user: str = "t:ada", **settings: Any) -> Job:
    return Job(task=task_name, payload=payload, owner=Owner(user, "t:room"), **settings)


def queue(engine: Engine | None = None, **options: Any) -> InferenceQueue:
    """A queue over these tasks; CPU, so that its workers need not look for a GPU."""
    options.setdefault("devices", ("cpu",))
    return InferenceQueue(NoWeights(), QueueOptions(tasks=TASKS, **options), engine)
