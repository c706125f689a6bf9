"""Small models for queue tests: they double numbers, and misbehave on request.

They are real models of the real worker process; only what they compute is trivial.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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


class Counter(Model):
    """Counts up to the payload, one number a step, saying each."""

    def load(self, device: str) -> None:
        pass

    def start(self, batch: Mapping[JobId, Any]) -> Session:
        session = _Counting(float(self.options.get("seconds", 0.005)))
        session.admit(batch)
        return session


class _Counting(Session):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left: dict[JobId, tuple[int, int]] = {}

    def admit(self, batch: Mapping[JobId, Any]) -> None:
        self._left |= {job: (0, wanted) for job, wanted in batch.items()}

    def step(self) -> list[SessionEvent]:
        time.sleep(self._seconds)
        events: list[SessionEvent] = []
        for job, (said, wanted) in list(self._left.items()):
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
        key: settings.pop(key) for key in ("options", "max_batch", "weights") if key in settings
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
    )
}


class NoWeights:
    """Weights of tasks that need none."""

    def path(self, name: str) -> Path | None:
        return None

    def pull(self, name: str, progress: Any = None, cancelled: Any = None) -> Path:
        raise AssertionError("nothing to pull")


def job(task_name: str, payload: Any, user: str = "t:ada", **settings: Any) -> Job:
    return Job(task=task_name, payload=payload, owner=Owner(user, "t:room"), **settings)


def queue(**options: Any) -> InferenceQueue:
    """A queue over these tasks; CPU, so that its workers need not look for a GPU."""
    return InferenceQueue(NoWeights(), QueueOptions(device="cpu", tasks=TASKS, **options))
