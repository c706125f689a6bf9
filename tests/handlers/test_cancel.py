"""/cancel: one's own runs; others' for those who look after the room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from handlers.kit import Message, Reply, Say, runner
from handlers.kit.request import Album
from inference.jobs import Started
from tests.fakes import FakePlatform, photo, picture, scripted, services
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
    assert platform.read(reply, "en") == (
        "Somebody else started this; only they or a moderator can cancel it."
    )
    assert platform.read(reply, "tr") == (
        "Bunu başkası başlatmış; yalnızca başlatan ya da bir moderatör iptal edebilir."
    )
    assert reply.private
    assert run.final is None


async def test_whose_it_is_is_told_in_the_same_room_only(platform: FakePlatform) -> None:
    name = "Bob \u202e\U0001f475" + "b" * 100
    near = FakePlatform(platform.services, user="fake:bob", about={"user_name": name})
    far = FakePlatform(
        platform.services, user="fake:bob", chat="fake:far", about={"user_name": name}
    )
    reply = await platform.ask("cancel", run=(await begin(near, "gpt")).id)
    shown = "Bob \N{REPLACEMENT CHARACTER}\U0001f475" + "b" * 34
    assert platform.read(reply, "en") == (
        f"{shown} started this; only they or a moderator can cancel it."
    )
    assert platform.read(reply, "tr").startswith(f"Bunu başlatan: {shown}. Yalnızca başlatan ")
    reply = await platform.ask("cancel", run=(await begin(far, "gpt")).id)
    assert platform.read(reply).startswith("Somebody else started this;")


# --- moderators -----------------------------------------------------------------------------------


async def test_a_moderator_cancels_a_run_of_the_room_and_its_owner_reads_who_did(
    platform: FakePlatform,
) -> None:
    server = {"share": "fake:server"}
    ada = FakePlatform(platform.services, moderates=True, about=server)
    bob = FakePlatform(platform.services, user="fake:bob", chat="fake:next door", about=server)
    own, run, other = await begin(ada, "gpt"), await begin(bob, "gpt"), await begin(bob, "detect")
    reply = await ada.ask("cancel", run=run.id)
    assert ada.read(reply, "en") == "Cancelled: /gpt."
    told = await run.result()
    assert bob.read(told, "en") == "A moderator cancelled this."
    assert bob.read(told, "tr") == "Bunu bir moderatör iptal etti."
    assert (told.error, told.retry, told.private) == (True, True, True)
    assert own.final is None
    assert other.final is None
    await ada.ask("cancel")
    assert cancelled(await own.result()), "one's own is simply cancelled"
    assert other.final is None, "without an id, only one's own"


async def test_who_was_overruled_may_try_again() -> None:
    world, queue = scripted(detection=lambda payload: [Started("YOLO26n")])
    bob = FakePlatform(world, user="fake:bob")
    run = runner.start(bob.request("detect", picture=picture(photo())), world)
    await anext(aiter(run))
    await FakePlatform(world, moderates=True).ask("cancel", run=run.id)
    assert bob.labels(await run.result()) == ["Again"]
    assert len(queue.cancelled) == 1


async def test_a_moderator_has_no_say_elsewhere_but_an_operator_has(
    platform: FakePlatform,
) -> None:
    far = FakePlatform(platform.services, user="fake:bob", chat="fake:far")
    run = await begin(far, "gpt")
    moderator = FakePlatform(platform.services, moderates=True)
    reply = await moderator.ask("cancel", run=run.id)
    assert moderator.read(reply).startswith("Somebody else started this;")
    assert run.final is None
    operator = FakePlatform(platform.services, about={"operator": True})
    await operator.ask("cancel", run=run.id)
    assert far.read(await run.result()) == "A moderator cancelled this."


async def test_an_albums_parts_go_with_it() -> None:
    world, queue = scripted(detection=lambda payload: [Started("YOLO26n")])
    bob = FakePlatform(world, user="fake:bob")
    album = Album(tuple(picture(photo(width=width)) for width in (40, 50, 60)))
    run = runner.start(bob.request("detect", picture=album), world)
    states = aiter(run)
    while len(queue.jobs) < 3:
        await anext(states)
    assert list(world.runs.by_id) == [run.id], "the parts cannot be cancelled one by one"
    await FakePlatform(world, moderates=True).ask("cancel", run=run.id)
    assert bob.read(await run.result()) == "A moderator cancelled this."
    while len(queue.cancelled) < 3:
        await asyncio.sleep(0)


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
