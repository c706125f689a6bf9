"""Several workers, their memory, and what becomes of devices: real processes, trivial models."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from inference.jobs import (
    Done,
    Loading,
    ModelFailed,
    OutOfMemory,
    Progress,
    Queued,
    QueueFull,
    Started,
    TooLargeForDevice,
    WorkerLost,
)
from inference.queue import InferenceQueue
from tests.inference.fake_models import job, queue


async def answer(q: InferenceQueue, *args: Any, **kwargs: Any) -> Any:
    async with q.submit(job(*args, **kwargs)) as ticket:
        return await ticket.result()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_work_is_spread_over_all_devices() -> None:
    q = queue(devices=("cpu", "cpu"))
    try:
        results = await asyncio.gather(*(answer(q, "where", n) for n in range(12)))
        assert [value for value, _ in results] == [2 * n for n in range(12)]
        assert len({pid for _, pid in results}) == 2
    finally:
        await q.close()


async def test_a_dead_device_costs_nobody_an_answer_and_the_other_goes_on() -> None:
    q = queue(devices=("cpu", "cpu"))
    try:
        await asyncio.gather(*(answer(q, "where", n) for n in range(4)))
        waiting = [asyncio.create_task(answer(q, "where", n)) for n in range(12)]
        first, second = q._rooms["compute"].stations
        await until(lambda: first.held and second.held)
        os.kill(first.link.pid, signal.SIGKILL)
        results = await asyncio.gather(*waiting)
        assert [value for value, _ in results] == [2 * n for n in range(12)]
    finally:
        await q.close()


async def test_a_batch_that_does_not_fit_is_halved_and_the_size_remembered() -> None:
    q = queue()
    try:
        async with q.submit(job("slow", 0)):  # keeps the worker busy while the rest piles up
            waiting = [asyncio.create_task(answer(q, "hungry", n)) for n in range(8)]
            await until(lambda: len(q._rooms["compute"].line) == 8)
        results = await asyncio.gather(*waiting)
        assert [value for value, _ in results] == [2 * n for n in range(8)]
        assert max(size for _, size in results) == 2  # 8, 4: too many; 2 fit
        again = await asyncio.gather(*(answer(q, "hungry", n) for n in range(8)))
        assert max(size for _, size in again) == 2
    finally:
        await q.close()


async def test_a_job_that_does_not_fit_even_alone_is_told_so() -> None:
    q = queue()
    try:
        outcomes = await asyncio.gather(
            *(answer(q, "starving", n) for n in range(3)), return_exceptions=True
        )
        assert all(isinstance(outcome, OutOfMemory) for outcome in outcomes)
    finally:
        await q.close()


async def test_after_a_failed_assertion_on_the_device_its_process_is_replaced() -> None:
    q = queue()
    try:
        _, before = await answer(q, "assert", 1)
        outcomes = await asyncio.gather(
            *(answer(q, "assert", item) for item in (2, "assert", 3)), return_exceptions=True
        )
        assert outcomes[0][0] == 4 and outcomes[2][0] == 6
        assert isinstance(outcomes[1], ModelFailed | WorkerLost)
        _, after = await answer(q, "assert", 4)
        assert after != before
    finally:
        await q.close()


async def test_models_take_turns_in_memory() -> None:
    q = queue(memory_budget=1000)
    try:
        assert await answer(q, "big", 1) == 2
        (station,) = q._rooms["compute"].stations
        assert [key.split()[-1] for key in station.resident] == ["Big"]
        async with q.submit(job("bigger", 2)) as ticket:
            events = [event async for event in ticket]
        assert isinstance(events[-1], Done) and events[-1].result == 4
        assert any(isinstance(event, Loading) for event in events)
        assert [key.split()[-1] for key in station.resident] == ["Bigger"]
    finally:
        await q.close()


async def test_a_model_larger_than_the_device_is_refused_with_the_figures() -> None:
    q = queue(memory_budget=1000)
    try:
        with pytest.raises(TooLargeForDevice) as early:  # by the worker
            await answer(q, "huge", 1)
        with pytest.raises(TooLargeForDevice) as late:  # at the door
            await answer(q, "huge", 1)
        for refusal in (early.value, late.value):
            assert (refusal.model, refusal.needed, refusal.budget) == ("Huge", 5000, 1000)
    finally:
        await q.close()


async def test_long_work_is_never_stopped_altogether_by_short_work() -> None:
    q = queue()
    stop = False

    async def press() -> None:
        while not stop:
            await answer(q, "slow", 1, f"t:{id(asyncio.current_task())}")

    try:
        async with q.submit(job("busy", 12)) as ticket:
            await until(lambda: isinstance(ticket.latest, Progress))
            pressing = [asyncio.create_task(press()) for _ in range(8)]
            assert await ticket.result() == 12
            stop = True
            await asyncio.gather(*pressing)
    finally:
        await q.close()


async def test_jobs_sent_ahead_are_not_suspected_of_killing_the_worker() -> None:
    """Only what the worker can have begun is repeated alone."""
    q = queue(waiting_limit_user=100)
    try:
        for _ in range(8):  # until the batch is known to take milliseconds
            await asyncio.gather(*(answer(q, "double", n) for n in range(24)))
        (station,) = q._rooms["compute"].stations
        ahead = asyncio.Event()
        begin = station.begin

        def begin_and_kill(session: Any, *args: Any) -> None:
            begin(session, *args)
            if len(station.sessions) == 2:
                ahead.set()
                os.kill(station.link.pid, signal.SIGKILL)
                station.begin = begin

        station.begin = begin_and_kill
        waiting = [asyncio.create_task(answer(q, "double", n)) for n in range(64)]
        results = await asyncio.gather(*waiting)
        assert results == [2 * n for n in range(64)]
        assert ahead.is_set()
    finally:
        await q.close()


async def test_limits_at_the_door_of_a_chat_and_of_bytes() -> None:
    q = queue(waiting_limit_chat=2, held_bytes=100_000)
    try:
        async with q.submit(job("long", 9_000, "t:a")), q.submit(job("long", 9_000, "t:b")):
            with pytest.raises(QueueFull) as chat:
                await answer(q, "long", 9, "t:c")
            assert chat.value.scope == "chat" and chat.value.waiting == 2
        async with q.submit(job("double", b"x" * 60_000)):
            with pytest.raises(QueueFull) as full:
                await answer(q, "double", b"y" * 60_000)
            assert full.value.scope == "bytes"
        assert await answer(q, "double", 4) == 8
        assert q._held == 0
        # One that is larger than all of the limit may come when nothing else is there.
        assert await answer(q, "double", b"z" * 200_000) == b"z" * 400_000
    finally:
        await q.close()


async def test_what_goes_on_is_told_to_people() -> None:
    q = queue()
    try:
        await answer(q, "long", 3)
        async with q.submit(job("long", 100_000, "t:a")) as first:
            await until(lambda: isinstance(first.latest, Progress))
            async with q.submit(job("long", 5, "t:b")) as second:
                await until(lambda: isinstance(second.latest, Queued))
                overview = q.overview()
        assert (overview.running, overview.waiting, overview.users) == (1, 1, 1)
        assert overview.eta is not None and overview.eta > 0
        (room,) = overview.rooms
        assert (room.name, room.devices, room.devices_ready) == ("compute", 1, 1)
        assert q.unready == [] and q.missing == []
    finally:
        await q.close()


async def test_a_lifted_task_goes_first() -> None:
    q = queue()
    order: list[str] = []

    async def note(task: str, payload: Any, user: str) -> None:
        await answer(q, task, payload, user)
        order.append(task)

    try:
        await asyncio.gather(answer(q, "slow", 1), answer(q, "where", 1))
        q.lift("where", 30.0)
        async with q.submit(job("slow", 0, "t:z")) as first:
            await until(lambda: isinstance(first.latest, Started))
            notes = [asyncio.create_task(note("slow", n, f"t:s{n}")) for n in range(8)]
            notes += [asyncio.create_task(note("where", n, f"t:w{n}")) for n in range(3)]
            await asyncio.gather(*notes)
        assert order[:3] == ["where"] * 3
        with pytest.raises(KeyError):
            q.lift("nothing", 1.0)
    finally:
        await q.close()


async def test_draining_lets_jobs_finish() -> None:
    q = queue()
    waiting = [asyncio.create_task(answer(q, "slow", n)) for n in range(6)]
    await until(lambda: q.running > 0)
    await q.close(drain=30)
    assert await asyncio.gather(*waiting) == [2 * n for n in range(6)]
