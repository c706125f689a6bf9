"""What a submitter holds while a job is in the queue: the reading end of its events."""

from __future__ import annotations

import asyncio
from typing import Any

from inference.jobs import Done, Event, InferenceError, Job, Token


class Ticket:
    """A place in the queue. Iterate it for events; the last one is `Done`. One reader at a time.

    A slow reader misses nothing that counts: positions and progress are replaced by newer ones,
    pieces of text are joined. Ten thousand may wait, so a ticket is a few small fields; of the job
    it keeps the owner, never the payload.

    Raises, when iterated:
        InferenceError: any outcome but `Done`; see `inference.jobs`.
    """

    __slots__ = ("_error", "_first", "_for_outcome", "_more", "_reader", "latest", "over", "owner")

    def __init__(self, job: Job) -> None:
        self.owner = job.owner
        self.latest: Event | None = None
        self.over = False  # whether the outcome is known
        self._first: Event | None = None  # unread; it and those after it: at most one of a kind
        self._more: list[Event] | None = None
        self._error: InferenceError | None = None
        self._reader: asyncio.Future[None] | None = None
        self._for_outcome = False  # the reader sleeps until the outcome

    def __aiter__(self) -> Ticket:
        return self

    async def __anext__(self) -> Event:
        while True:
            if (event := self._first) is not None:
                self._first = self._more.pop(0) if self._more else None
                return event
            if self._error is not None:
                raise self._error.with_traceback(None)  # one error may have many readers
            if self.over:
                raise StopAsyncIteration
            await self._change()

    async def result(self) -> Any:
        """Wait for the outcome and return the task's result. Raises as iteration does."""
        while not self.over:
            self._for_outcome = True
            try:
                await self._change()
            finally:
                self._for_outcome = False
        if self._error is not None:
            raise self._error.with_traceback(None)
        self._first = self._more = None
        return self.outcome.result

    @property
    def outcome(self) -> Done:
        """The good outcome, once iteration has ended."""
        if not isinstance(self.latest, Done):
            raise RuntimeError("there is no result yet")
        return self.latest

    def deliver(self, event: Event) -> None:
        """Add an event (the queue does this); nothing follows the outcome."""
        if self.over:
            return
        kind = type(event)
        if kind is not Token:
            self.latest = event
        if self._first is None:
            self._first = event
        else:
            self._add(event)
        if kind is Done:
            self.over = True
            self._wake()
        elif not self._for_outcome:
            self._wake()

    def _add(self, event: Event) -> None:
        """Put an event behind unread ones, in the place of an earlier one of its kind."""
        if not self._more and type(self._first) is not type(event):
            self._more = [event]
            return
        unread = [self._first, *(self._more or ())]
        for index, earlier in enumerate(unread):
            if type(earlier) is type(event):
                if isinstance(earlier, Token) and isinstance(event, Token):
                    event = Token(earlier.text + event.text)
                del unread[index]
                break
        unread.append(event)
        self._first, *more = unread
        self._more = more

    @property
    def unread(self) -> bool:
        """Whether an event waits for the reader."""
        return self._first is not None

    def fail(self, error: InferenceError) -> None:
        """Give the job an outcome other than `Done`; harmless after the first outcome."""
        if not self.over:
            self._error = error
            self.over = True
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _change(self) -> None:
        """Sleep until something is there."""
        if self._reader is not None:
            raise RuntimeError("a ticket has one reader")
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None
