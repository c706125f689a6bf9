"""What a submitter holds while a job is in the queue: the reading end of its events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from inference.jobs import Done, Event, InferenceError, Job, JobCancelled, Token


class Ticket:
    """A place in the queue. Iterate it for events; the last one is `Done`.

    A slow reader misses nothing that counts: positions and progress are replaced by newer ones,
    pieces of text are joined.

    Raises, when iterated:
        InferenceError: any outcome but `Done`; see `inference.jobs`.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.latest: Event | None = None
        self._events: deque[Event] = deque()
        self._error: InferenceError | None = None
        self._closed = False
        self._changed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while not self._events:
                if self._error is not None:
                    raise self._error.with_traceback(None)  # one error may have many readers
                if self._closed:
                    return
                self._changed.clear()
                await self._changed.wait()
            yield self._events.popleft()

    async def result(self) -> Any:
        """Wait for the outcome and return the task's result. Raises as iteration does."""
        async for event in self:
            if isinstance(event, Done):
                return event.result
        raise JobCancelled("the ticket was given back")

    @property
    def outcome(self) -> Done:
        """The good outcome, once iteration has ended."""
        if not isinstance(self.latest, Done):
            raise RuntimeError("there is no result yet")
        return self.latest

    @property
    def over(self) -> bool:
        """Whether the outcome is known."""
        return self._closed or self._error is not None

    def deliver(self, event: Event) -> None:
        """Add an event (the queue does this); nothing follows the outcome."""
        if self.over:
            return
        if not isinstance(event, Token):
            self.latest = event
        # At most one event of a kind waits to be read; pieces of text are joined.
        for earlier in self._events:
            if type(earlier) is type(event):
                self._events.remove(earlier)
                if isinstance(earlier, Token) and isinstance(event, Token):
                    event = Token(earlier.text + event.text)
                break
        self._events.append(event)
        self._closed = isinstance(event, Done)
        self._changed.set()

    def fail(self, error: InferenceError) -> None:
        """Give the job an outcome other than `Done`; harmless after the first outcome."""
        if not self.over:
            self._error = error
            self._changed.set()
