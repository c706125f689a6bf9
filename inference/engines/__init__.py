"""Where workers live: processes of this machine, or actors of a Ray cluster. The contract of both.

The queue decides who is next, with whom, and on which worker; an *engine* brings a worker to life
and carries messages to and fro. It knows no fairness, no job and no model, so that every promise of
the queue holds on every engine, and the tests of the queue run on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from inference.wire import Message
from inference.worker import WorkerOptions

Heard = Callable[[list[Message]], None]
Lost = Callable[[str], None]


class Link(Protocol):
    """One worker as the queue sees it. Its methods are called in the event loop and never block.

    It brings the worker back when it dies: at once after a death at work, with growing pauses while
    it dies at birth. `heard` (see `Engine.open`) begins with ("ready", …) after every birth.
    """

    @property
    def ready(self) -> bool:
        """Whether messages sent now have somebody to read them."""

    @property
    def hopeless(self) -> bool:
        """Whether the worker has died several times in a row before it was ready."""

    @property
    def pid(self) -> int | None:
        """The process that computes, if it runs on this machine."""

    def send(self, *messages: Message) -> None:
        """Pass messages on, in order; lost if the worker is dead (`lost` tells)."""

    def kill(self, reason: str) -> None:
        """End a worker that does not listen; `lost` is called, and it is replaced."""

    async def close(self) -> None:
        """Ask the worker to end, then insist. Neither `heard` nor `lost` is called any more."""


class Engine(Protocol):
    """Brings workers to life."""

    @property
    def elastic(self) -> bool:
        """Whether there may be more devices later, so that asking again makes sense."""

    async def devices(self, room: str) -> Sequence[str]:
        """The devices on which the room's workers belong now, one worker each.

        Asked when the room opens and again from time to time: a cluster may grow. A device that is
        no longer named keeps its worker until that worker dies.
        """

    def open(self, options: WorkerOptions, heard: Heard, lost: Lost) -> Link:
        """Start a worker and return at once.

        `heard(frame)` is called in the loop for every frame of messages, `lost(reason)` once for
        every death, after the last frame that the worker had sent.
        """

    async def close(self) -> None:
        """Leave the cluster, if any. All links have been closed before."""
