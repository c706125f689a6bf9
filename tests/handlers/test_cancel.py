"""/cancel: one's own runs, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from handlers.kit import Message, Reply, Say
from tests.fakes import FakePlatform, services
from tests.handlers.under_way import begin, replace_commands


@pytest.fixture
async def platform(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePlatform]:
    """A chat where /gpt and /detect wait until they are cancelled or the test is over."""
    world = services(SimpleNamespace(waiting=0))
    release = replace_commands(monkeypatch, "gpt", "detect")
    yield FakePlatform(world, language="en")
    release.set()
    await asyncio.gather(*(run.result() for run in world.runs.by_id.values()))
    world.studio.close()


def cancelled(reply: Reply) -> bool:
    return reply.blocks == (Say(Message("cancelled")),)


async def test_all_of_ones_own_and_not_itself(platform: FakePlatform) -> None:
    mine = [await begin(platform, name) for name in ("gpt", "detect", "gpt")]
    stranger = FakePlatform(platform.services, user="fake:bob")
    other = await begin(stranger, "gpt")
    reply = await platform.ask("cancel")
    assert platform.read(reply, "en") == "Cancelled 3 runs: /gpt and /detect."
    assert platform.read(reply, "tr") == "3 iş iptal edildi: /gpt ve /algıla."
    assert reply.data == {"cancelled": [run.id for run in mine]}
    assert all([cancelled(await run.result()) for run in mine])
    assert other.final is None


async def test_one_run_by_its_id(platform: FakePlatform) -> None:
    first, second = await begin(platform, "gpt"), await begin(platform, "detect")
    reply = await platform.ask("cancel", run=first.id)
    assert platform.read(reply, "en") == "Cancelled: /gpt."
    assert platform.read(reply, "tr") == "İptal edildi: /gpt."
    assert cancelled(await first.result())
    assert second.final is None


async def test_the_button_on_the_way_cancels_the_run_it_stands_under(
    platform: FakePlatform,
) -> None:
    run = await begin(platform, "gpt")
    state = await anext(aiter(run))
    call = state.buttons[-1].call
    assert call is not None
    await platform.ask(call.command, **call.arguments)
    assert cancelled(await run.result())


async def test_a_strangers_run_is_left_alone_kindly(platform: FakePlatform) -> None:
    stranger = FakePlatform(platform.services, user="fake:bob")
    run = await begin(stranger, "gpt")
    reply = await platform.ask("cancel", run=run.id)
    assert platform.read(reply, "en") == "Somebody else started this, so only they can cancel it."
    assert platform.read(reply, "tr") == "Bunu başkası başlatmış; yalnızca başlatan iptal edebilir."
    assert run.final is None


async def test_nothing_to_cancel(platform: FakePlatform) -> None:
    reply = await platform.ask("cancel")
    assert platform.read(reply) == "You have nothing under way that I could cancel."


@pytest.mark.parametrize("run", ["deadbeef", "x", "../../etc"])
async def test_an_id_that_is_over_or_never_was(platform: FakePlatform, run: str) -> None:
    reply = await platform.ask("cancel", run=run)
    assert platform.read(reply) == "It is over already; there is nothing left to cancel."


async def test_a_run_that_has_just_finished(platform: FakePlatform) -> None:
    run = await begin(platform, "gpt")
    await platform.ask("cancel")
    await run.result()
    reply = await platform.ask("cancel", run=run.id)
    assert platform.read(reply) == "It is over already; there is nothing left to cancel."
