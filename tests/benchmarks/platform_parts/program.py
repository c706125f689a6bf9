"""The measured process of `tests.benchmarks.platforms`: Tadım with one frontend, and nothing else.

    python -m tests.benchmarks.platform_parts.program PART BASE FOLDER WEIGHTS STREAMS

PART and BASE: see `street`. FOLDER is its data folder. WEIGHTS is where the models' files lie; "-"
puts a scripted queue in the place of the models. STREAMS texts are written all the time besides,
and as many photos looked at where people ask for words only, so that the models keep all cores
busy. Says {"ready": true} on standard output, and what it measured at a line on standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from bot.app import opened, spare_the_collector
from bot.hub import Frontend, Hub
from bot.logs import configure_logging
from bot.settings import Settings, Web, WeightsSettings
from bot.store import Store
from handlers.kit.reply import Reply
from handlers.kit.runner import Run, Runs
from handlers.kit.services import Services
from handlers.kit.studio import Studio
from inference.jobs import Job, Owner, Started
from inference.tasks.detection import Box, DetectionInput, Detections
from inference.tasks.text_generation import TextInput
from tests.benchmarks.platform_parts.street import photos, say
from tests.benchmarks.queue_parts.tools import probed, spread
from tests.e2e import discord_world, telegram_server
from tests.e2e.discord_server import library_at
from tests.fakes import ScriptedQueue, done, photo

WRITER = Owner("bench:writer", "bench:desk")
TOKENS = 160


@asynccontextmanager
async def program(
    part: str, base: str, settings: Settings, *, scripted: bool
) -> AsyncIterator[Hub]:
    """Tadım as `bot.app` wires it, at a fake platform."""
    async with AsyncExitStack() as stack:
        if scripted:
            hub = await stack.enter_async_context(_scripted(settings))
        else:
            hub = await stack.enter_async_context(opened(settings))
            await hub.services.queue.start()
            await _load(hub)
        frontend: Frontend
        if part.startswith("discord"):
            from bot.discord.frontend import DiscordFrontend

            stack.enter_context(library_at(base))
            frontend = DiscordFrontend(hub, discord_world.TOKEN)
        else:
            from bot.telegram.frontend import TelegramFrontend

            frontend = TelegramFrontend(hub, telegram_server.TOKEN, base)
        hub.frontends[frontend.platform] = frontend
        await frontend.start()
        stack.push_async_callback(frontend.stop)
        yield hub


@asynccontextmanager
async def _scripted(settings: Settings) -> AsyncIterator[Hub]:
    found = Detections((Box("dog", 0.9, 10, 10, 60, 50),), 0.01)
    script = [Started("YOLO26n"), done(found, "YOLO26n")]
    queue = ScriptedQueue({"detection": lambda payload: script})
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        studio = Studio()
        stack.callback(studio.close)
        services = Services(queue, store, studio, Runs())  # type: ignore[arg-type]
        yield Hub(services, settings)


async def _load(hub: Hub) -> None:
    """Have both models in memory and the studio at work before anybody comes."""
    data = photo()
    for task, payload in (
        ("detection", DetectionInput(data, 64, 48)),
        ("text-generation", _text(8)),
    ):
        async with hub.services.queue.submit(
            Job(task=task, payload=payload, owner=WRITER)
        ) as ticket:
            await ticket.result()
    await hub.services.studio.run(len, data)


def _text(tokens: int) -> TextInput:
    prompt = "Write a long story about a fox who travels through Anatolia."
    return TextInput((("user", prompt),), max_tokens=tokens, shareable=False)


@asynccontextmanager
async def busy(hub: Hub, works: Sequence[Iterator[tuple[str, Any]]]) -> AsyncIterator[Counter[str]]:
    """Other people's work all the time, a job each at once; gives how many jobs came of it."""
    done_of: Counter[str] = Counter()

    async def go_on(number: int, work: Iterator[tuple[str, Any]]) -> None:
        owner = Owner(f"bench:{number}", "bench:desk")
        for task, payload in work:
            job = Job(task=task, payload=payload, owner=owner)
            async with hub.services.queue.submit(job) as ticket:
                async for _ in ticket:
                    pass
                assert ticket.outcome
            done_of[task] += 1

    tasks = [asyncio.create_task(go_on(number, work)) for number, work in enumerate(works)]
    try:
        yield done_of
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def texts() -> Iterator[tuple[str, TextInput]]:
    while True:
        yield "text-generation", _text(TOKENS)


def looks() -> Iterator[tuple[str, DetectionInput]]:
    """Photos without a digest: none is taken for another's."""
    for data in itertools.cycle(photos(20)):
        yield "detection", DetectionInput(data, 640, 640)


@contextlib.contextmanager
def noting_finals(ready: dict[str, float]) -> Any:
    """Note the moment at which each user's answer was ready to be sent."""
    publish = Run.publish

    def noted(run: Run, reply: Reply) -> None:
        publish(run, reply)
        if run.final is not None:
            ready.setdefault(run.request.user, time.monotonic())

    Run.publish = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Run.publish = publish  # type: ignore[method-assign]


async def main(part: str, base: str, folder: str, weights: str, streams: int) -> None:
    settings = Settings(
        data_folder=folder,
        language="en",
        log_level="INFO",
        web=Web(enabled=False),
        weights=WeightsSettings(folder="" if weights == "-" else weights),
        _env_file=None,
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    configure_logging(settings.log_level, settings.log_format)
    ready: dict[str, float] = {}
    async with program(part, base, settings, scripted=weights == "-") as hub:
        works = [texts() for _ in range(streams)]
        if part.endswith("-words"):
            works += [looks() for _ in range(streams)]
        async with busy(hub, works) as done_of:
            spare_the_collector()
            with noting_finals(ready):
                async with probed() as probe:
                    say({"ready": True})
                    began, computed = time.monotonic(), time.process_time()
                    psutil.cpu_percent()
                    await asyncio.to_thread(sys.stdin.readline)
                    seconds = time.monotonic() - began
                    own = (time.process_time() - computed) / seconds
                    used = psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)
        say(
            {
                "ready": ready,
                "loop_lag": spread(probe.lags),
                "own_cores": own,
                "busy_cores": used,
                "other_jobs": done_of,
            }
        )


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])),
    )
