"""The contract between the worker process and a model.

Implementing a model takes four things:

1. A *task* (`inference/tasks/NAME.py`) that declares the input and result dataclasses, what may
   share a batch, and which class serves it. It imports no torch: the main process reads it.
2. A class here-derived from `Model`, in `inference/models/`, built in the worker process only.
3. `load(device)`: read the weights; called once, may take minutes.
4. `start(batch)`: return a `Session`, whose `step()` the worker calls until the session is empty.
   Between two steps the worker cancels, admits new batch-mates and lets other work overtake, so a
   step should take well under a second. A model that answers in one forward pass implements
   `predict` of `OneStepModel` instead and is done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.jobs import BadInput, Progress, Token

JobId = int


class Result:
    """A session's word that one job is finished; wraps the task's result dataclass."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


SessionEvent = tuple[JobId, Progress | Token | Result | BaseException]


class Session(ABC):
    """Work in hand for a set of jobs of one task and one batch key."""

    @abstractmethod
    def step(self) -> Iterator[SessionEvent] | Sequence[SessionEvent]:
        """Compute a little and return what came of it.

        A `Result` or an exception ends that job; an exception raised *by* `step` ends them all.
        """

    @property
    @abstractmethod
    def jobs(self) -> frozenset[JobId]:
        """The jobs that have no outcome yet. The worker drops the session when it is empty."""

    @abstractmethod
    def cancel(self, job: JobId) -> None:
        """Forget `job` and free what it holds; it gets no further event."""

    def admit(self, batch: Mapping[JobId, Any]) -> None:
        """Take more jobs into the running session (only asked of tasks declared `continuous`).

        All or none: if it raises, the session goes on as it was and the newcomers fail.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Free what the session holds. Called once, also after a failure."""


class Model(ABC):
    """One resident model in one worker process. Never used from two threads."""

    def __init__(self, options: Mapping[str, Any], files: Mapping[str, Path]) -> None:
        """`options` come from the task's variant; `files` maps weight names to files on disk."""
        self.options = options
        self.files = files

    @abstractmethod
    def load(self, device: str) -> None:
        """Read the weights and warm up. `device` is a torch device string."""

    @abstractmethod
    def start(self, batch: Mapping[JobId, Any]) -> Session:
        """Begin work on the inputs of a batch."""

    def close(self) -> None:
        """Give the memory back."""


class OneStepModel(Model):
    """A model that answers a whole batch in one forward pass."""

    @abstractmethod
    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """One result for each input, in order. An item may be an exception: only that job fails."""

    def start(self, batch: Mapping[JobId, Any]) -> Session:
        return _OneStep(self, batch)


class _OneStep(Session):
    def __init__(self, model: OneStepModel, batch: Mapping[JobId, Any]) -> None:
        self._model = model
        self._batch = dict(batch)

    def step(self) -> Sequence[SessionEvent]:
        batch = dict(self._batch)
        results = self._model.predict(list(batch.values()))
        self._batch.clear()
        if len(results) != len(batch):
            raise RuntimeError(f"{len(results)} results for {len(batch)} inputs")
        return [
            (job, result if isinstance(result, BaseException) else Result(result))
            for job, result in zip(batch, results, strict=True)
        ]

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._batch)

    def cancel(self, job: JobId) -> None:
        self._batch.pop(job, None)


__all__ = ["BadInput", "JobId", "Model", "OneStepModel", "Result", "Session", "SessionEvent"]
