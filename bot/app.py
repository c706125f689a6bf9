"""The wiring: configuration → store → queue → handlers → frontends; start-up and drain."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec

from bot.hub import Frontend, FrontendError, Hub
from bot.pull import manifest_of, open_store, profile_of
from bot.settings import Settings, SettingsError, devices_of
from bot.store import Store
from handlers.kit.errors import Stopping
from handlers.kit.registry import commands
from handlers.kit.reply import Button, Reply
from handlers.kit.request import Call
from handlers.kit.runner import Runs
from handlers.kit.safety import SafetyRules
from handlers.kit.services import Services
from handlers.kit.studio import Studio
from inference.engines import Engine
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.weights import WeightsStore
from locales import Message, words

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0  # how long running jobs may finish at shutdown
LAST_WORDS = 0.5  # seconds that presenters have to bring final replies out
MEGABYTE = 1_000_000


def queue_options(settings: Settings, weights: WeightsStore) -> QueueOptions:
    """The queue's options as configured."""
    chosen = settings.inference
    return QueueOptions(
        profile=chosen.profile,
        devices=devices_of(chosen.device),
        workers=chosen.workers,
        threads=chosen.threads,
        waiting_limit=chosen.waiting_limit,
        waiting_limit_user=chosen.waiting_limit_user,
        waiting_limit_chat=chosen.waiting_limit_chat,
        held_bytes=chosen.held_megabytes * MEGABYTE,
        memory_budget=chosen.memory_megabytes * MEGABYTE,
        cached_results=chosen.cached_results,
        log_folder=settings.data_folder / "logs",
        variants={t.name: profile_of(t, settings, weights) for t in all_tasks().values()},
        preload={"compute": ("torch",)},
    )


def engine_of(settings: Settings) -> Engine | None:
    """Where workers live; None: in processes of this machine, which the queue sees to itself.

    Raises:
        SettingsError: Ray is asked for and not installed.
    """
    if settings.inference.engine == "process":
        return None
    if find_spec("ray") is None:
        raise SettingsError(
            'inference.engine: "ray" needs the package Ray, which is not installed: run '
            '`uv sync --extra ray`, or `pip install "tadim[ray]"`.'
        )
    from inference.engines.ray import RayEngine

    chosen = settings.inference
    return RayEngine(chosen.ray_address, chosen.workers, manifest_of(settings))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Hub]:
    """A hub with its store, queue and studio, no frontend yet; closes them in reverse order.

    Raises:
        SettingsError: the data folder cannot be made, or Ray is not installed.
        StoreError: the database cannot be opened.
    """
    engine = engine_of(settings)
    try:
        settings.data_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"data_folder: cannot make the folder {settings.data_folder}: {error.strerror}"
        ) from error
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        weights = open_store(settings)
        queue = InferenceQueue(weights, queue_options(settings, weights), engine)
        stack.push_async_callback(queue.close)
        studio = Studio()
        stack.callback(studio.close)
        about = {
            "source": settings.source,
            "profile": settings.inference.profile,
            "picture_minutes": settings.web.picture_minutes,
        }
        safety = SafetyRules(settings.safety.enabled, settings.safety.threshold)
        services = Services(queue, store, studio, Runs(), about, safety=safety)
        yield Hub(services, settings)


def frontends(hub: Hub) -> list[Frontend]:
    """The frontends that the configuration asks for."""
    settings = hub.settings
    chosen: list[Frontend] = []
    if settings.web.enabled:
        from bot.web.frontend import WebFrontend

        chosen.append(WebFrontend(hub, settings))
    if settings.discord_token:
        from bot.discord.frontend import DiscordFrontend

        chosen.append(DiscordFrontend(hub, settings.discord_token.get_secret_value()))
    if settings.telegram_token:
        from bot.telegram.frontend import TelegramFrontend

        chosen.append(TelegramFrontend(hub, settings.telegram_token.get_secret_value()))
    return chosen


async def serve(settings: Settings) -> None:
    """Run until a signal asks to stop.

    Raises:
        FrontendError: a frontend cannot start, or there is none.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    async with opened(settings) as hub:
        chosen = frontends(hub)
        if not chosen:
            raise FrontendError(
                "Nothing to serve: set DISCORD_TOKEN or TELEGRAM_TOKEN, or enable [web]."
            )
        started: list[Frontend] = []
        try:
            for frontend in chosen:
                hub.frontends[frontend.platform] = frontend
                started.append(frontend)
                if not await _start(frontend, stop):
                    return
                announce(frontend, settings.language)
                if frontend.platform == "web" and not settings.source:
                    hub.services.about = {
                        **hub.services.about,
                        "source": f"{frontend.address}source",
                    }
            if not settings.source and len(started) > (settings.web.enabled):
                log.warning("set `source` in config.toml: your users may ask for the source (AGPL)")
            tellings = asyncio.create_task(_tell_interrupted(hub), name="interrupted runs")
            # The page answers already; processes that import torch come after it.
            await hub.services.queue.start()
            spare_the_collector()
            await stop.wait()
            log.info("stopping; running jobs have %g s", DRAIN_SECONDS)
            await _drain(hub)
            tellings.cancel()
        finally:
            await asyncio.gather(*(frontend.stop() for frontend in started))


def spare_the_collector() -> None:
    """Let Python's garbage collector look rarely, and never at what was imported.

    It stops the event loop while it looks. A burst of jobs makes it look at everything otherwise,
    modules and message files included: tens of milliseconds, and a fifth of the queue's speed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _start(frontend: Frontend, stop: asyncio.Event) -> bool:
    """Start a frontend; False if the wish to stop came first (a platform may be slow to answer)."""
    starting = asyncio.create_task(frontend.start(), name=f"start {frontend.platform}")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            return True
        return False
    finally:
        starting.cancel()
        stopping.cancel()


def announce(frontend: Frontend, language: str) -> None:
    """Say on the terminal that a frontend is there, and where."""
    say = words(language)
    key = "serving-at" if frontend.address else "serving"
    line = say(Message(key, platform=frontend.platform.title(), address=frontend.address))
    sys.stdout.write(f"{line}\n")
    if frontend.platform == "web":
        sys.stdout.write(f"{say(Message('serving-stop'))}\n")
    sys.stdout.flush()


async def _tell_interrupted(hub: Hub) -> None:
    """Tell the readers of runs that the last process left open, with a button to start again."""
    store = hub.services.memory
    assert isinstance(store, Store)
    for run in await store.interrupted(list(hub.frontends)):
        if run.command not in commands():
            continue  # an older version's
        command = Message(run.command)
        reply = replace(
            Reply.say("interrupted", command=command),
            buttons=(Button(Message("interrupted-button", command=command), Call(run.command)),),
            private=commands()[run.command].private,
        )
        try:
            await hub.frontends[run.address.platform].send(run.address, reply, run.language)
        except Exception as error:  # noqa: BLE001 (any platform's client; one lost notice harms nobody)
            log.warning("a notice on %s was lost: %s", run.address.platform, type(error).__name__)


async def _drain(hub: Hub) -> None:
    """Take no more; tell those who wait; let what runs finish; cancel and tell what does not."""
    services = hub.services
    services.runs.closing = True
    services.queue.dismiss()
    runs = services.runs.by_id
    if not runs:
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DRAIN_SECONDS
    while runs and loop.time() < deadline:
        await asyncio.sleep(0.1)
    for run in list(runs.values()):
        run.cancel(Stopping("error-stopped"))
    await asyncio.sleep(LAST_WORDS)
