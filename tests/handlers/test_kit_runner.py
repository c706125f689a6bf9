"""The runner: newest state wins, the final one is never lost, whatever a handler does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Annotated, Any

import pytest

import handlers.kit.registry as registry
from handlers.kit import (
    Button,
    Call,
    Command,
    Credit,
    Generated,
    Message,
    Note,
    Picture,
    Range,
    Reply,
    Request,
    Services,
    UserError,
    runner,
)
from handlers.kit.errors import Stopping
from handlers.kit.reply import State
from handlers.kit.runner import Run
from inference.jobs import JobCancelled, QueueClosed, QueueFull
from inference.pictures import PictureError
from tests.fakes import FakeMemory, FakePlatform, services
from tests.fakes import picture as photo

Handler = Callable[..., AsyncIterator[Reply]]

DELETE = Button(Message("button-delete"), deletes=True)


@pytest.fixture
def world() -> Iterator[Services]:
    made = services(SimpleNamespace(waiting=0))
    yield made
    made.studio.close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put a handler into the register under /test for the length of one test."""

    def put(handler: Handler, **facts: Any) -> None:
        entries = {
            "test": Command("test", handler, "house", **facts),
            "help": registry.find("help"),
        }
        monkeypatch.setattr(runner, "commands", lambda: entries)

    yield put


def begin(world: Services, **arguments: Any) -> Run:
    return runner.start(FakePlatform(world).request("test", **arguments), world)


async def settled(run: Run) -> None:
    """Wait until the run's task is over, usage noted."""
    assert run._task is not None
    await asyncio.wait([run._task])
    await asyncio.sleep(0)


def text(reply: Reply) -> str:
    return "".join(block.text for block in reply.blocks if isinstance(block, Generated))


def say(reply: Reply) -> str:
    return reply.blocks[0].message.key  # type: ignore[union-attr]


def stream(count: int, pause: Callable[[], Awaitable[Any]]) -> Handler:
    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        for index in range(count):
            yield Reply(blocks=(Generated(str(index)),)).partial(index / count)
            await pause()
        yield Reply(blocks=(Generated("end"),))

    return handler


# --- states --------------------------------------------------------------------------------------


async def test_a_quick_reader_sees_every_state_in_order(world: Services, serve: Any) -> None:
    gate: asyncio.Queue[None] = asyncio.Queue()
    serve(stream(4, gate.get))
    seen = []
    async for reply in begin(world):
        seen.append((text(reply), reply.state))
        gate.put_nowait(None)
    partial = [(str(index), State.PARTIAL) for index in range(4)]
    assert seen == [*partial, ("end", State.FINAL)]


async def test_a_slow_reader_delays_nobody_and_sees_the_newest(world: Services, serve: Any) -> None:
    reading = asyncio.Event()
    serve(stream(1000, lambda: asyncio.sleep(0)))
    run = begin(world)
    states = aiter(run)
    first = await anext(states)
    await settled(run)  # the handler has finished although nobody read
    reading.set()
    assert first.state is State.PARTIAL
    assert [text(reply) async for reply in states] == ["end"]


async def test_two_readers_both_reach_the_end_and_a_latecomer_too(
    world: Services, serve: Any
) -> None:
    serve(stream(5, lambda: asyncio.sleep(0)))
    run = begin(world)

    async def read() -> list[str]:
        return [text(reply) async for reply in run]

    readers = await asyncio.gather(read(), read())
    assert [states[-1] for states in readers] == ["end", "end"]
    assert await asyncio.wait_for(read(), 5) == ["end"]
    assert text(await run.result()) == "end"


async def test_only_partial_states_carry_the_cancel_button(world: Services, serve: Any) -> None:
    extra = Button(Message("button-how"), Call("how"))

    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        yield Reply().with_buttons(extra).partial()
        await asyncio.sleep(0)
        yield Reply().with_buttons(extra)

    serve(handler)
    run = begin(world)
    first, last = [reply async for reply in run]
    assert first.buttons == (
        extra,
        Button(Message("button-cancel"), Call("cancel", {"run": run.id})),
    )
    assert last.buttons == (extra, DELETE)


async def test_a_final_state_that_is_followed_by_another_was_not_final(
    world: Services, serve: Any
) -> None:
    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        yield Reply(blocks=(Generated("one"),))
        await asyncio.sleep(0)
        yield Reply(blocks=(Generated("two"),))

    serve(handler)
    assert text(await begin(world).result()) == "two"


# --- the final reply -----------------------------------------------------------------------------


async def test_the_final_reply_gets_its_buttons_and_its_credit(
    world: Services, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(
        request: Request, services: Services, picture: Picture, level: float = 1
    ) -> AsyncIterator[Reply]:
        yield Reply(credit=Credit("YOLO26n", stand_in_for="YOLO26x"))

    serve(handler, again=True, next="help")
    monkeypatch.setattr(Command, "explained", property(lambda self: True))
    cat = photo(b"", "cat")
    reply = await begin(world, picture=cat, level="0,5").result()
    stored = {"picture": {"picture": cat.ref.to_json()}, "level": "0,5"}
    assert [(button.label.key, button.call) for button in reply.buttons] == [
        ("button-again", Call("test", stored)),
        ("button-how", Call("how", {"command": "test"})),
        ("button-next", Call("help")),
        ("button-delete", None),
    ]
    assert reply.blocks == (Note(Message("credit-stand-in", model="YOLO26n", original="YOLO26x")),)


async def test_a_handler_without_a_final_reply_is_our_mistake(
    world: Services, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def only_partial(request: Request, services: Services) -> AsyncIterator[Reply]:
        yield Reply().partial()

    async def silent(request: Request, services: Services) -> AsyncIterator[Reply]:
        return
        yield

    async def trailing(request: Request, services: Services) -> AsyncIterator[Reply]:
        yield Reply()
        yield Reply().partial()

    for handler in (only_partial, silent, trailing):
        serve(handler)
        caplog.clear()
        reply = await begin(world).result()
        assert (say(reply), reply.error, reply.state) == ("error-unforeseen", True, State.FINAL)
        assert "ended without a final reply" in caplog.text


@pytest.mark.parametrize(
    ("error", "key", "logged"),
    [
        (UserError("error-text-empty", parameter="x"), "error-text-empty", False),
        (PictureError("pdf"), "error-picture-pdf", False),
        (QueueFull(5, 60.0), "error-queue-all", False),
        (QueueFull(5, None, "user"), "error-queue-user", False),
        (QueueFull(5, 60.0, "chat"), "error-queue-chat", False),
        (QueueFull(5, None, "bytes"), "error-queue-bytes", False),
        (JobCancelled("elsewhere"), "cancelled", False),
        (QueueClosed("shutting down"), "error-stopping", False),
        (ZeroDivisionError("1/0"), "error-unforeseen", True),
        (KeyError("x"), "error-unforeseen", True),
    ],
)
async def test_every_failure_becomes_one_sentence(
    world: Services,
    serve: Any,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    key: str,
    logged: bool,
) -> None:
    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        yield Reply().partial()
        raise error

    serve(handler, again=True)
    with caplog.at_level(logging.ERROR):
        run = begin(world)
        reply = await run.result()
    await settled(run)
    assert (say(reply), reply.error) == (key, True)
    assert (reply.error_id is not None) == logged == bool(caplog.records)
    assert not logged or reply.error_id in caplog.text
    # The button is offered only where the same call may succeed another time.
    retry = logged or isinstance(error, QueueFull | JobCancelled)
    assert [button.label.key for button in reply.buttons] == ["button-again"] * retry
    assert world.memory.usage[0]["outcome"] == "failed"  # type: ignore[attr-defined]


async def test_wrong_arguments_never_reach_the_handler(world: Services, serve: Any) -> None:
    called = False

    async def handler(
        request: Request, services: Services, level: Annotated[int, Range(1, 3)]
    ) -> AsyncIterator[Reply]:
        nonlocal called
        called = True
        yield Reply()

    serve(handler)
    assert say(await begin(world, level=9).result()) == "error-number-range"
    assert say(await begin(world, colour=9).result()) == "error-parameter-unknown"
    question = await begin(world).result()
    assert question.state is State.QUESTION
    assert question.question is not None
    assert (question.question.call, question.question.parameter) == (Call("test", {}), "level")
    assert not called


async def test_a_picture_that_is_gone_is_asked_for_again(world: Services, serve: Any) -> None:
    async def handler(
        request: Request, services: Services, picture: Picture, level: float = 1
    ) -> AsyncIterator[Reply]:
        await services.open_picture(picture)
        yield Reply()

    serve(handler)
    reply = await begin(world, picture=photo(None), level="0,5").result()
    assert (say(reply), reply.state) == ("error-picture-gone", State.QUESTION)
    assert reply.question is not None
    assert reply.question.parameter == "picture"
    assert reply.question.call == Call("test", {"level": "0,5"})


async def test_newcomers_are_refused_while_the_program_stops(world: Services, serve: Any) -> None:
    serve(stream(1, lambda: asyncio.sleep(0)), again=True)
    world.runs.closing = True
    reply = await begin(world).result()
    assert (say(reply), reply.error) == ("error-stopping", True)
    assert [button.label.key for button in reply.buttons] == ["button-again"]


async def test_a_handler_may_end_with_a_question_of_its_own(world: Services, serve: Any) -> None:
    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        yield replace(Reply.say("ask-picture"), state=State.QUESTION)

    serve(handler)
    states = [reply.state async for reply in begin(world)]
    assert states == [State.QUESTION]


# --- cancelling ----------------------------------------------------------------------------------


async def test_cancelled_before_its_first_step(world: Services, serve: Any) -> None:
    serve(stream(1, lambda: asyncio.sleep(0)), again=True)
    run = begin(world)
    run.cancel()  # the task has not taken a step yet
    reply = await asyncio.wait_for(run.result(), 5)
    assert say(reply) == "cancelled"
    assert [button.label.key for button in reply.buttons] == ["button-again", "button-delete"]
    assert world.runs.by_id == {}


async def test_cancelled_at_work_the_handler_cleans_up(world: Services, serve: Any) -> None:
    cleaned = asyncio.Event()

    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        try:
            yield Reply().partial()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    serve(handler)
    run = begin(world)
    states = aiter(run)
    await anext(states)
    run.cancel()
    assert say(await anext(states)) == "cancelled"
    assert cleaned.is_set()
    await settled(run)
    assert world.memory.usage[0]["outcome"] == "cancelled"  # type: ignore[attr-defined]
    assert world.runs.by_id == {}


async def test_cancelled_while_the_store_begins_it_is_still_noted(
    world: Services, serve: Any
) -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    class SlowMemory(FakeMemory):
        async def begin(self, request: Request) -> int:
            entered.set()
            await released.wait()
            return await super().begin(request)

    world.memory = SlowMemory()
    serve(stream(1, lambda: asyncio.sleep(0)))
    run = begin(world)
    await entered.wait()
    run.cancel()
    assert say(await run.result()) == "cancelled"
    released.set()
    await settled(run)
    assert [use["outcome"] for use in world.memory.usage] == ["cancelled"]


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("begun", [True, False])
async def test_a_run_that_the_program_cuts_off_says_so_and_offers_to_try_again(
    world: Services, serve: Any, begun: bool, again: bool
) -> None:
    serve(stream(1, asyncio.Event().wait), again=again)
    run = begin(world)
    if begun:
        await anext(aiter(run))
    run.cancel(Stopping("error-stopped"))
    reply = await run.result()
    assert (say(reply), reply.error, reply.state) == ("error-stopped", True, State.FINAL)
    offered = [(button.label.key, button.call) for button in reply.buttons]
    assert offered == [("button-again", Call("test"))] * again


@pytest.mark.parametrize("words", [("cancelled", "error-stopped"), ("error-stopped", "cancelled")])
async def test_of_two_reasons_to_cancel_a_run_the_first_is_told(
    world: Services, serve: Any, words: tuple[str, str]
) -> None:
    let_go = asyncio.Event()

    async def pause() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    serve(stream(1, pause))
    run = begin(world)
    await anext(aiter(run))
    for word in words:
        run.cancel(None if word == "cancelled" else Stopping(word))
        await asyncio.sleep(0)
    assert say(await run.result()) == words[0]


async def test_cancelling_a_finished_run_changes_nothing(world: Services, serve: Any) -> None:
    serve(stream(1, lambda: asyncio.sleep(0)))
    run = begin(world)
    final = await run.result()
    run.cancel()
    run.publish(Reply.say("cancelled"))
    await settled(run)
    assert run.final is final
    assert world.memory.usage[0]["outcome"] == "done"  # type: ignore[attr-defined]


# --- bookkeeping ---------------------------------------------------------------------------------


async def test_a_store_that_fails_at_the_end_does_not_spoil_the_answer(
    world: Services, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class FullDisk(FakeMemory):
        async def finish(self, usage: int, outcome: str, seconds: float) -> None:
            raise OSError("no space left")

    world.memory = FullDisk()
    serve(stream(1, lambda: asyncio.sleep(0)))
    run = begin(world)
    assert text(await run.result()) == "end"
    await settled(run)
    assert "could not note the usage" in caplog.text
    assert world.runs.by_id == {}


async def test_a_store_that_fails_at_the_beginning_is_said_once(
    world: Services, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone(FakeMemory):
        async def begin(self, request: Request) -> int:
            raise OSError("database gone")

    world.memory = Gone()
    serve(stream(1, lambda: asyncio.sleep(0)))
    run = begin(world)
    assert say(await run.result()) == "error-unforeseen"
    await settled(run)
    assert len(caplog.records) == 1


async def test_the_runs_of_a_person_and_their_tickets(world: Services, serve: Any) -> None:
    release = asyncio.Event()
    ticket: Any = SimpleNamespace(latest=None)
    told: list[list[Run]] = []

    async def handler(request: Request, services: Services) -> AsyncIterator[Reply]:
        with services.runs.watching(ticket):
            told.append(services.runs.of(request.user))
            yield Reply().partial()
            await release.wait()
        yield Reply()

    serve(handler)
    first, second = begin(world), begin(world)
    other = FakePlatform(world, user="fake:bob")
    third = runner.start(other.request("test"), world)
    for run in (first, second, third):
        await anext(aiter(run))
    assert world.runs.of("fake:ada") == [first, second]
    assert told == [[second], [first], []], "a run that asks does not see itself"
    assert [run.tickets for run in (first, second, third)] == [[ticket]] * 3
    release.set()
    for run in (first, second, third):
        await settled(run)
        assert run.tickets == []
    assert world.runs.by_id == {}


def test_nothing_is_watched_outside_a_run(world: Services) -> None:
    ticket: Any = SimpleNamespace(latest=None)
    with world.runs.watching(ticket):
        assert world.runs.by_id == {}


async def test_an_unknown_command_is_the_frontends_business(world: Services, serve: Any) -> None:
    serve(stream(1, lambda: asyncio.sleep(0)))
    with pytest.raises(KeyError):
        runner.start(FakePlatform(world).request("no-such"), world)
    assert world.runs.by_id == {}
