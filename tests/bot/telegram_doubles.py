"""What the Telegram tests share: a queue that follows a script, a photo."""

from __future__ import annotations

import asyncio
import io
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.jobs import Done, Event, Started
from inference.tasks.detection import Box, Detections
from tests import fakes
from tests.fakes import Script

DOG = Detections((Box("dog", 0.87, 10, 10, 60, 50),), 0.01)
FOUND = Done(DOG, "YOLO26n", 0.01)


def photo(width: int = 80, height: int = 60, colour: str = "navy") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass
class ScriptedQueue(fakes.ScriptedQueue):
    """One script for every job, whatever it asks for; `hold` keeps the outcome back."""

    scripts: Any = field(init=False)
    script: list[Event] = field(default_factory=lambda: [Started("YOLO26n"), FOUND])
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.scripts = defaultdict(lambda: self._held)

    def _held(self, payload: Any) -> Script:
        return [each for event in self.script for each in self._with_hold(event)]

    def _with_hold(self, event: Event) -> Script:
        return [self.hold, event] if isinstance(event, Done) else [event]
