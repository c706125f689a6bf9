"""What the Discord tests put in the place of the models: a queue that plays a script."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image

from handlers.kit.studio import Studio
from inference.jobs import Done, Event, Job, Queued, Started, Token
from inference.queue import Overview
from inference.tasks import Variant, all_tasks
from inference.tasks.detection import Box, Detections
from inference.tasks.text_generation import GeneratedText
from tests.fakes import standing


def jpeg(width: int = 64, height: int = 48) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "steelblue").save(buffer, "JPEG")
    return buffer.getvalue()


PHOTO = ("photo.jpg", jpeg())
FOUND = Detections((Box("dog", 0.87, 4, 4, 40, 40),), 0.01)


class ScriptedTicket:
    """Plays a script of events; an exception is raised, a callable is awaited in between."""

    def __init__(self, script: list[Any]) -> None:
        self._script = script
        self.latest: Event | None = None

    async def __aiter__(self) -> AsyncIterator[Event]:
        for step in self._script:
            if isinstance(step, Exception):
                raise step
            if callable(step):
                await step()
            else:
                self.latest = step
                yield step

    @property
    def outcome(self) -> Done:
        assert isinstance(self.latest, Done)
        return self.latest


class ScriptedQueue:
    """An inference queue that plays the same script for every job, and remembers the jobs."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.jobs: list[Job] = []

    def variant(self, task: str) -> Variant:
        return all_tasks()[task].variant("embedded")

    def offers(self, task: str) -> bool:
        return all_tasks()[task].offered("embedded")

    def overview(self) -> Overview:
        return standing()

    @asynccontextmanager
    async def submit(self, job: Job) -> AsyncIterator[ScriptedTicket]:
        self.jobs.append(job)
        yield ScriptedTicket(self.script)

    def detects(self, found: Detections = FOUND) -> None:
        self.script = [Queued(1, 1, None), Started("YOLO26n"), Done(found, "YOLO26n", 0.01)]

    def writes(self, text: str) -> None:
        result = GeneratedText(text, len(text.split()), 40.0, "stop")
        self.script = [Token(text[:5]), Token(text[5:]), Done(result, "SmolLM2-135M", 0.1)]


class InlineStudio(Studio):
    """Draws where it stands: simcord follows no work into other processes."""

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)
