"""Commands that stay under way until a test lets them go, for /queue and /cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handlers.kit import Command, Reply, Request, Services, runner
from handlers.kit.registry import commands
from handlers.kit.runner import Run
from inference.jobs import Event, Job, Owner
from inference.queue import Ticket
from inference.tasks.text_generation import TextInput
from tests.fakes import FakePlatform


def replace_commands(monkeypatch: pytest.MonkeyPatch, *names: str) -> asyncio.Event:
    """Make these commands wait for the returned event, holding a ticket meanwhile."""
    release = asyncio.Event()

    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        with services.runs.watching(Ticket(_job(request))):
            yield Reply().partial()
            await release.wait()
        yield Reply.say("working-on")

    waiting = {name: Command(name, handler, "house") for name in names}
    monkeypatch.setattr(runner, "commands", lambda: {**commands(), **waiting})
    return release


def _job(request: Request) -> Job:
    payload: Any = TextInput((("user", "hello"),))
    return Job(task="text-generation", payload=payload, owner=Owner(request.user, request.chat))


async def begin(platform: FakePlatform, name: str, latest: Event | None = None) -> Run:
    """Start a command and wait until it holds its ticket, whose newest event is `latest`."""
    run = runner.start(platform.request(name), platform.services)
    await anext(aiter(run))
    run.tickets[0].latest = latest
    return run
