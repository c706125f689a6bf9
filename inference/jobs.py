"""What goes into the queue and what comes out of it: `Job`, its events, its errors.

These classes cross process borders, so they are plain frozen dataclasses that pickle, and this
module imports neither torch nor asyncio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose job it is; device time is accounted to `user` within `chat`."""

    user: str
    chat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for a model.

    `task` names an entry of `inference.tasks`; `payload` is that task's input dataclass.
    `timeout` (seconds) counts from the moment the job starts, not while it waits; None takes the
    task's own.
    """

    task: str
    payload: Any
    owner: Owner
    timeout: float | None = None


# --- events, in the order in which a ticket may deliver them ----------------------------------


@dataclass(frozen=True, slots=True)
class Queued:
    """The job waits. `position` counts from 1; `eta`: seconds until its result, if known."""

    position: int
    waiting: int
    eta: float | None


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is on its way: downloaded (`stage="download"`) or loaded into memory (`"load"`).

    `fraction` is within 0…1, or None where nobody can tell.
    """

    model: str
    stage: str
    fraction: float | None = None
    total_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The worker has begun."""

    model: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of long work. `preview` is whatever the task says it is (a PNG, numbers, text)."""

    fraction: float
    preview: Any = None


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of streamed text."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The one good outcome. `seconds` is the worker's time for this job's share of its batch."""

    result: Any
    model: str
    seconds: float


Event = Queued | Loading | Started | Progress | Token | Done


# --- the other outcomes -----------------------------------------------------------------------


class InferenceError(Exception):
    """A job ended without a result. Subclasses say why; the text is for the log, not for a chat."""


Scope = Literal["all", "user", "chat", "bytes"]


class QueueFull(InferenceError):
    """Refused at the door. `eta` is seconds until there may be room again, None if unknown.

    `scope` says whose limit it is: everybody's, the user's, the chat's, or that of the bytes that
    the jobs of all hold together. `waiting`: jobs that count against it. The `eta` is that of the
    limit, whatever was asked for: of the first room to have done all that it has, or (scope "user")
    of the first of the user's own jobs.
    """

    def __init__(self, waiting: int, eta: float | None, scope: Scope = "all") -> None:
        super().__init__(f"{waiting} jobs are waiting ({scope})")
        self.waiting = waiting
        self.eta = eta
        self.scope: Scope = scope

    @property
    def personal(self) -> bool:
        """Whether it is the user's own limit."""
        return self.scope == "user"


class JobCancelled(InferenceError):
    """The ticket was given back, or the queue shut down (`QueueClosed`)."""


class QueueClosed(JobCancelled):
    """The queue is shutting down: it takes no more, and has ended what was not done yet."""


class JobTimeout(InferenceError):
    """The job ran longer than its limit, in seconds."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"stopped after {limit:g} s")
        self.limit = limit


class BadInput(InferenceError):
    """The model refused this input; `reason` is a stable word the handler can translate."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.detail)


class ModelFailed(InferenceError):
    """The model raised. The text holds the original exception's type and message."""


class OutOfMemory(ModelFailed):
    """The device's memory did not suffice even for this job alone."""


class WorkerLost(InferenceError):
    """The worker process died under the job, and again when the job was repeated alone."""


class ModelUnavailable(InferenceError):
    """The model cannot be had: its weights cannot be fetched or it does not load.

    `__cause__` is the `WeightsError` or the loading error.
    """


class TooLargeForDevice(ModelUnavailable):
    """The model needs more memory than any worker has of its device. Both are in bytes."""

    def __init__(self, model: str, needed: int, budget: int) -> None:
        super().__init__(f"{model} needs {needed} bytes, the budget is {budget}")
        self.model = model
        self.needed = needed
        self.budget = budget

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model, self.needed, self.budget)
