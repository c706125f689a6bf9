"""Every failure becomes one friendly sentence. `explain` is the only place that knows how.

Order in which `explain` looks:

1. `UserError`: the reader can mend it; its own message, nothing logged.
2. Pictures: not a picture, too large.
3. The queue: full, closed, cancelled, timed out.
4. Models and weights: no network, no space, out of memory, worker lost.
5. Anything else is our mistake: a general apology with an id; the log has the traceback.
"""

from __future__ import annotations

import logging
import secrets
from math import ceil, floor

from handlers.kit.progress import duration
from handlers.kit.reply import Reply, Say
from handlers.kit.request import PictureTooLarge
from handlers.kit.studio import StudioLost
from inference.jobs import (
    BadInput,
    JobCancelled,
    JobTimeout,
    ModelUnavailable,
    OutOfMemory,
    QueueClosed,
    QueueFull,
    TooLargeForDevice,
    WorkerLost,
)
from inference.pictures import PictureError
from inference.weights import WeightsError
from locales import Message

log = logging.getLogger(__name__)


class UserError(Exception):
    """Something the reader can mend. Holds the sentence that says what to do."""

    def __init__(self, key: str, /, **arguments: object) -> None:
        super().__init__(key)
        self.message = Message(key, **arguments)


class Stopping(UserError):
    """The program is about to end; the same call may be made again when it is back."""

    def __init__(self, key: str = "error-stopping") -> None:
        super().__init__(key)


class Overruled(UserError):
    """Somebody who looks after the room stopped it; the same call may be made again."""

    def __init__(self) -> None:
        super().__init__("cancelled-by-moderator")


def message_for(error: BaseException) -> Message | None:
    """The sentence for a known failure, or None for one that we did not foresee."""
    match error:
        case UserError():
            return error.message
        case PictureError():
            return Message(f"error-picture-{error.reason}", **error.facts)
        case PictureTooLarge():
            return Message("error-picture-too-large", megabytes=error.limit // 1_000_000)
        case QueueFull():
            again = _again(error.eta)
            return Message(f"error-queue-{error.scope}", waiting=error.waiting, again=again)
        case QueueClosed():
            return Stopping().message
        case JobCancelled():
            return Message("cancelled")
        case JobTimeout():
            return Message("error-timeout", seconds=round(error.limit))
        case ModelUnavailable(__cause__=WeightsError() as cause):
            return Message(f"error-weights-{cause.reason}", **cause.facts)
        case TooLargeForDevice():
            # Rounded apart, or a model that is too large by a little would seem to fit.
            needed, budget = ceil(error.needed / 1e8) / 10, floor(error.budget / 1e8) / 10
            return Message("error-model-too-large", model=error.model, needed=needed, budget=budget)
        case ModelUnavailable():
            return Message("error-model-unavailable")
        case OutOfMemory():
            return Message("error-out-of-memory")
        case StudioLost():
            return Message("error-studio-lost")
        case WorkerLost():
            return Message("error-worker-lost")
        case BadInput():
            return Message(f"error-input-{error.reason}")
        case WeightsError():
            return Message(f"error-weights-{error.reason}", **error.facts)
        case _:
            return None


#: failures that the operator should see although the reader was told what happened
_WORTH_LOGGING = (ModelUnavailable, OutOfMemory, WorkerLost, StudioLost, JobTimeout, WeightsError)


def explain(error: BaseException, command: str) -> Reply:
    """The reply that tells the reader of a failure; what the operator needs goes to the log."""
    message = message_for(error)
    if message is not None and not isinstance(error, _WORTH_LOGGING):
        retry = isinstance(error, QueueFull | JobCancelled | Stopping | Overruled)
        return Reply(blocks=(Say(message),), error=True, retry=retry, private=True)
    error_id = secrets.token_hex(4)
    # Weights that cannot be fetched are a fact about the network, not a fault in the program.
    expected = isinstance(error.__cause__, WeightsError)
    log.error("error %s in /%s: %r", error_id, command, error, exc_info=None if expected else error)
    last = Say(Message("error-id" if message else "error-unforeseen", id=error_id))
    blocks = (Say(message), last) if message else (last,)
    retry = not isinstance(error, TooLargeForDevice)  # it does not shrink
    return Reply(blocks=blocks, error=True, retry=retry, private=True, error_id=error_id)


def _again(eta: float | None) -> Message:
    """When to try again."""
    if eta is None:
        return Message("try-again")
    return Message("try-again-eta", duration=duration(eta))
