"""What the Telegram tests share: a queue that follows a script, a photo."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.jobs import Done, Event, Job, Started
from inference.queue import Ticket
from inference.tasks import all_tasks
from inference.tasks.detection import Box, Detections

DOG = Detections((Box("dog", 0.87, 10, 10, 60, 50),), 0.01)
FOUND = Done(DOG, "YOLO26n", 0.01)


def photo(width: int = 80, height: int = 60, colour: str = "navy") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass
class ScriptedQueue:
    """The inference queue, answering from a script; `hold` keeps the outcome back."""

    script: list[Event] = field(default_factory=lambda: [Started("YOLO26n"), FOUND])
    jobs: list[Job] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0

    def variant(self, task: str) -> Any:
        return all_tasks()[task].variant("embedded")

    @asynccontextmanager
    async def submit(self, job: Job) -> AsyncIterator[Ticket]:
        self.jobs.append(job)
        ticket = Ticket(job)
        telling = asyncio.create_task(self._tell(ticket))
        try:
            yield ticket
        finally:
            telling.cancel()
            self.cancelled += not ticket.over

    async def _tell(self, ticket: Ticket) -> None:
        for event in self.script:
            if isinstance(event, Done):
                await self.hold.wait()
            ticket.deliver(event)
