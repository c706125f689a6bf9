"""What the Telegram tests share: a queue that follows a script, a photo, a stage with a clock."""

from __future__ import annotations

import asyncio
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from PIL import Image

from bot.hub import Hub
from bot.settings import Settings
from bot.telegram import menu
from bot.telegram.frontend import TelegramFrontend
from bot.telegram.limits import telegram_pace
from inference.jobs import Done, Event, Started
from inference.tasks.detection import Box, Detections
from tests import fakes
from tests.bot.clock import Clock
from tests.e2e.telegram_server import TOKEN, Shown, World, WorldRequest
from tests.fakes import InlineStudio, Script, services

T = TypeVar("T")

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


@dataclass
class Stage:
    """A world with the bot in it, both on the test's clock."""

    world: World
    clock: Clock
    queue: ScriptedQueue
    hub: Hub
    frontend: TelegramFrontend

    async def goes_on(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        await self.clock.advance(seconds)

    async def reads(self, chat: int, text: str, kind: str | None = None) -> Shown:
        """Let time pass until this message is there."""
        return await self.passes(self.world.reads(chat, text, kind))

    async def passes(self, waiting: Coroutine[Any, Any, T]) -> T:
        """Let time pass until something has come about."""
        task = asyncio.create_task(waiting)
        while not task.done():
            await self.goes_on(0.5)
            await asyncio.wait({task}, timeout=0.01)
        return await task

    async def restarts(self) -> None:
        """End the program and begin anew, with the same memory."""
        await self.frontend.stop()
        self.frontend = await _frontend(self.hub, self.world, self.clock)


@asynccontextmanager
async def on_stage(settings: Settings) -> AsyncIterator[Stage]:
    """The bot connected to an empty world; in the end the world must have nothing against it."""
    clock = Clock(steps=80)
    world, queue = World(clock.time), ScriptedQueue()
    queue.hold.set()
    hub = Hub(replace(services(queue), studio=InlineStudio()), settings)
    stage = Stage(world, clock, queue, hub, await _frontend(hub, world, clock))
    await world.until((settings.data_folder / menu.FILE).exists, "the menu")
    world.calls.clear()
    try:
        yield stage
    finally:
        queue.hold.set()
        await stage.goes_on(600)  # all that still waits goes out
        await stage.frontend.stop()
    world.check()


async def _frontend(hub: Hub, world: World, clock: Clock) -> TelegramFrontend:
    pace = telegram_pace(clock.time, clock.call_later)
    frontend = TelegramFrontend(hub, TOKEN, request=WorldRequest(world), pace=pace)
    hub.frontends["telegram"] = frontend
    await frontend.start()
    return frontend
