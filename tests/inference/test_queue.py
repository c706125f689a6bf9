"""The queue with real workers and trivial models, on every engine: the same promises hold."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import pytest

from inference.jobs import (
    Done,
    JobCancelled,
    JobTimeout,
    ModelFailed,
    ModelUnavailable,
    Progress,
    Queued,
    QueueFull,
    Started,
    Token,
    WorkerLost,
)
from inference.queue import InferenceQueue
from tests.inference.fake_models import job, queue, task
from tests.inference.ray_cluster import ray_cluster  # noqa: F401 (a fixture)

MakeQueue = Callable[..., InferenceQueue]


@pytest.fixture(params=["process", "ray"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[MakeQueue]:
    """Makes queues on one engine, and closes them."""
    made: list[InferenceQueue] = []

    def make_one(**options: Any) -> InferenceQueue:
        engine = None
        if request.param == "ray":
            engine = request.getfixturevalue("ray_cluster").engine()
        made.append(queue(engine, **options))
        return made[-1]

    yield make_one
    for each in made:
        await each.close()


@pytest.fixture
async def q(make: MakeQueue) -> InferenceQueue:
    return make()


async def answer(q: InferenceQueue, *args: Any, **kwargs: Any) -> Any:
    async with q.submit(job(*args, **kwargs)) as ticket:
        return await ticket.result()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_job_is_answered_and_its_events_come_in_order(q: InferenceQueue) -> None:
    async with q.submit(job("double", 21)) as ticket:
        events = [event async for event in ticket]
    assert isinstance(events[-1], Done)
    assert events[-1].result == 42
    assert events[-1].model == "Double"
    kinds = [type(event) for event in events]
    assert kinds.index(Started) > kinds.index(Queued)
    assert not q.waiting and not q.running


async def test_what_piles_up_is_batched(q: InferenceQueue) -> None:
    results = await asyncio.gather(*(answer(q, "slow", (n, 0)) for n in range(9)))
    assert [value for value, _ in results] == [2 * n for n in range(9)]
    assert max(size for _, size in results) == 4  # the model's largest batch


async def test_only_equal_batch_keys_share_a_batch(q: InferenceQueue) -> None:
    results = await asyncio.gather(*(answer(q, "keyed", (n, 0)) for n in range(8)))
    assert [value for value, _ in results] == [2 * n for n in range(8)]
    assert max(size for _, size in results) <= 4


async def test_a_bad_item_fails_alone(q: InferenceQueue) -> None:
    await answer(q, "slow", 1)
    outcomes = await asyncio.gather(
        *(answer(q, "slow", item) for item in (1, "bad", 3)), return_exceptions=True
    )
    assert outcomes[0] == 2 and outcomes[2] == 6
    assert isinstance(outcomes[1], ModelFailed)


async def test_a_poisonous_item_takes_nobody_with_it(q: InferenceQueue) -> None:
    async with q.submit(job("slow", 0)) as first:  # keeps the worker busy while the rest piles up
        others = [asyncio.create_task(answer(q, "slow", item)) for item in (1, "poison", 3, 4)]
        assert await first.result() == 0
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert [outcomes[0], outcomes[2], outcomes[3]] == [2, 6, 8]
    assert isinstance(outcomes[1], ModelFailed)
    assert "poison" in str(outcomes[1])


async def test_streamed_text_arrives_whole_and_in_order(q: InferenceQueue) -> None:
    text = ""
    async with q.submit(job("stream", 20)) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                text += event.text
    assert text.split() == [str(n) for n in range(1, 21)]


async def test_a_slow_reader_loses_no_text(q: InferenceQueue) -> None:
    text = ""
    async with q.submit(job("stream", 30)) as ticket:
        await until(lambda: ticket.over)
        async for event in ticket:
            if isinstance(event, Token):
                text += event.text
    assert text.split() == [str(n) for n in range(1, 31)]


async def test_newcomers_join_a_running_stream(q: InferenceQueue) -> None:
    async with q.submit(job("stream", 400)) as long:
        async for event in long:
            if isinstance(event, Token):
                break
        assert await answer(q, "stream", 3) == 3
        assert not long.over


async def test_short_work_overtakes_long_work(q: InferenceQueue) -> None:
    async with q.submit(job("long", 2000)) as long:
        async for event in long:
            if isinstance(event, Progress):
                break
        assert await answer(q, "double", 4) == 8
        assert not long.over


async def test_leaving_the_block_cancels_a_running_job(q: InferenceQueue) -> None:
    async with q.submit(job("long", 100_000)) as ticket:
        async for event in ticket:
            if isinstance(event, Progress):
                break
    assert q.running == 0
    assert await answer(q, "long", 2) == 2  # the worker let go of it


async def test_leaving_the_block_cancels_a_waiting_job(q: InferenceQueue) -> None:
    async with q.submit(job("long", 1000)):
        async with q.submit(job("long", 5)):
            assert q.waiting >= 1
        await until(lambda: q.waiting + q.running == 1)


async def test_equal_jobs_share_one_run_and_the_cache_answers_the_next(q: InferenceQueue) -> None:
    async with q.submit(job("shared", 20, "t:ada")) as first:
        async for event in first:
            if isinstance(event, Token):
                break
        async with q.submit(job("shared", 20, "t:bob")) as second:
            assert q.running == 1
            text = "".join([e.text async for e in second if isinstance(e, Token)])
            assert text.split() == [str(n) for n in range(1, 21)]  # also what it had missed
    async with q.submit(job("shared", 20, "t:cem")) as third:
        events = [event async for event in third]
    assert [type(event) for event in events] == [Done]


async def test_a_shared_run_goes_on_while_one_of_its_readers_leaves(q: InferenceQueue) -> None:
    async with q.submit(job("shared", 60, "t:bob")) as second:
        async with q.submit(job("shared", 60, "t:ada")) as first:
            async for event in first:
                if isinstance(event, Token):
                    break
        assert await second.result() == 60


async def test_a_full_queue_refuses_and_counts_per_person(make: MakeQueue) -> None:
    q = make(waiting_limit=3, waiting_limit_user=2)
    async with q.submit(job("long", 9)), q.submit(job("long", 9)):
        with pytest.raises(QueueFull) as personal:
            async with q.submit(job("long", 9)):
                pass
        assert personal.value.personal
        async with q.submit(job("long", 9, "t:bob")):
            with pytest.raises(QueueFull) as full:
                async with q.submit(job("long", 9, "t:cem")):
                    pass
        assert not full.value.personal


async def test_positions_are_told_and_the_eta_once_it_can_be_known(q: InferenceQueue) -> None:
    await answer(q, "slow", 1)
    tickets = [q.submit(job("slow", n)) for n in range(12)]
    entered = [await each.__aenter__() for each in tickets]
    await until(lambda: isinstance(entered[-1].latest, Queued))
    await until(lambda: getattr(entered[-1].latest, "eta", None) is not None)
    last = entered[-1].latest
    assert isinstance(last, Queued)
    assert last.position > 1 and last.eta is not None and last.eta > 0
    for each in tickets:
        await each.__aexit__(None, None, None)


async def test_a_killed_worker_costs_nobody_an_answer(q: InferenceQueue) -> None:
    assert await answer(q, "slow", 1) == 2
    waiting = [asyncio.create_task(answer(q, "slow", n)) for n in range(20)]
    await until(lambda: q.running > 0)
    pid = q._rooms["compute"].stations[0].link.pid
    os.kill(pid, signal.SIGKILL)
    assert await asyncio.gather(*waiting) == [2 * n for n in range(20)]
    assert q._rooms["compute"].stations[0].link.pid != pid


async def test_a_job_that_kills_its_worker_fails_and_its_mates_do_not(q: InferenceQueue) -> None:
    async with q.submit(job("slow", 0)) as first:
        others = [asyncio.create_task(answer(q, "slow", item)) for item in (1, "die", 3)]
        await first.result()
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert outcomes[0] == 2 and outcomes[2] == 6
    assert isinstance(outcomes[1], WorkerLost)


async def test_a_stream_that_has_begun_is_not_repeated(q: InferenceQueue) -> None:
    async with q.submit(job("stream", 10_000)) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                break
        os.kill(q._rooms["text"].stations[0].link.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            await ticket.result()


async def test_a_hanging_job_times_out_and_its_worker_is_replaced(
    q: InferenceQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.station.CANCEL_GRACE", 0.2)
    with pytest.raises(JobTimeout):
        await answer(q, "stuck", "hang")
    assert await answer(q, "stuck", 5) == 10


# --- nobody is left without an outcome ------------------------------------------------------------


async def test_a_hanging_job_that_is_cancelled_blocks_nobody(
    q: InferenceQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.station.CANCEL_GRACE", 0.3)
    async with q.submit(job("double", "hang")) as ticket:
        await until(lambda: isinstance(ticket.latest, Started))
    assert await answer(q, "double", 4) == 8


async def test_newcomers_do_not_keep_a_hanging_worker_alive(
    q: InferenceQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.station.CANCEL_GRACE", 0.5)
    async with q.submit(job("stream", "hang")) as ticket:
        await until(lambda: isinstance(ticket.latest, Started))
    assert await answer(q, "stream", 3) == 3  # sent to the session that hangs


async def test_a_model_that_loads_for_ever_is_given_up(
    q: InferenceQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.station.LOAD_LIMIT", 4)
    with pytest.raises(WorkerLost):
        await answer(q, "slow-load", 1)
    assert await answer(q, "double", 4) == 8


async def test_a_poisonous_prompt_harms_no_other_prompt(q: InferenceQueue) -> None:
    async with q.submit(job("stream", 2)) as first:
        others = [asyncio.create_task(answer(q, "stream", p)) for p in (5, "poison", "poison", 7)]
        await first.result()
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert (outcomes[0], outcomes[3]) == (5, 7)
    assert isinstance(outcomes[1], ModelFailed)
    assert isinstance(outcomes[2], ModelFailed)


async def test_a_prompt_that_kills_the_worker_has_itself_to_blame(q: InferenceQueue) -> None:
    await answer(q, "stream", 1)
    others = [asyncio.create_task(answer(q, "stream", p)) for p in ("quiet", "die", 4)]
    outcomes = await asyncio.gather(*others[1:], return_exceptions=True)
    assert isinstance(outcomes[0], WorkerLost)
    assert outcomes[1] == 4
    assert not others[0].done()
    others[0].cancel()


async def test_long_work_survives_a_short_job_that_kills_its_worker(q: InferenceQueue) -> None:
    await answer(q, "double", 1)
    # The long job says nothing until it is done, so that it may be repeated.
    waiting = asyncio.create_task(answer(q, "long", "quiet"))
    await until(lambda: q.running == 1)
    with pytest.raises(WorkerLost):
        await answer(q, "double", "die")
    await until(lambda: q.running == 1)
    assert not waiting.done()
    waiting.cancel()


async def test_a_refused_newcomer_harms_nobody_in_the_session(q: InferenceQueue) -> None:
    async with q.submit(job("stream", 200)) as first:
        await until(lambda: isinstance(first.latest, Progress))
        outcomes = await asyncio.gather(
            answer(q, "stream", "reject"), answer(q, "stream", 3), return_exceptions=True
        )
        assert await first.result() == 200
    assert isinstance(outcomes[0], ModelFailed)
    assert outcomes[1] == 3


async def test_weights_that_raise_anything_at_all_are_an_outcome(q: InferenceQueue) -> None:
    with pytest.raises(ModelUnavailable):
        await answer(q, "weighty", 1)
    with pytest.raises(ModelUnavailable):
        await answer(q, "weighty", 1)


async def test_a_raising_batch_key_is_the_submitters_error_and_leaves_nothing(
    q: InferenceQueue,
) -> None:
    for _ in range(30):
        with pytest.raises(ZeroDivisionError):
            await answer(q, "badkey", 0)
    assert await answer(q, "badkey", 2) == 4
    assert not q._jobs and not q._by_user and not q._by_chat and not q._held


@pytest.mark.parametrize("result", ["unpicklable", "exploding"])
async def test_a_result_that_does_not_travel_fails_alone(q: InferenceQueue, result: str) -> None:
    await answer(q, "slow", 1)
    pid = q._rooms["compute"].stations[0].link.pid
    async with q.submit(job("slow", 0)) as first:
        others = [asyncio.create_task(answer(q, "slow", p)) for p in (1, result, 3)]
        await first.result()
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (2, 6)
    assert isinstance(outcomes[1], ModelFailed)
    assert q._rooms["compute"].stations[0].link.pid == pid


async def test_a_stream_keeps_no_short_work_from_its_room(q: InferenceQueue) -> None:
    async with q.submit(job("stream", 100_000)) as stream:
        await until(lambda: isinstance(stream.latest, Progress))
        assert await answer(q, "text-short", 4) == 8


async def test_a_place_that_a_cancelled_stream_leaves_is_taken(q: InferenceQueue) -> None:
    quiet = [q.submit(job("stream", "quiet", f"t:{n}")) for n in range(3)]
    tickets = [await each.__aenter__() for each in quiet]
    await until(lambda: all(isinstance(ticket.latest, Started) for ticket in tickets))
    waiting = asyncio.create_task(answer(q, "stream", 3, "t:new"))
    await until(lambda: q.waiting == 1)
    await quiet[0].__aexit__(None, None, None)
    assert await waiting == 3
    for each in quiet[1:]:
        await each.__aexit__(None, None, None)


async def test_a_ticket_that_was_given_back_says_so_to_its_readers(q: InferenceQueue) -> None:
    async with q.submit(job("long", 100_000)) as ticket:
        reader = asyncio.create_task(ticket.result())
        await until(lambda: q.running == 1)
    with pytest.raises(JobCancelled):
        await reader


async def test_whoever_joins_an_equal_job_counts_too(make: MakeQueue) -> None:
    q = make(waiting_limit_user=3)
    joined = [q.submit(job("shared", 100_000)) for _ in range(3)]
    for each in joined:
        await each.__aenter__()
    with pytest.raises(QueueFull):
        async with q.submit(job("shared", 100_000)):
            pass
    for each in joined:
        await each.__aexit__(None, None, None)


async def test_a_newcomer_brings_an_equal_job_forward(q: InferenceQueue) -> None:
    order: list[Any] = []

    async def note(payload: Any, user: str) -> None:
        await answer(q, "shared", payload, user)
        order.append((payload, user))

    await answer(q, "shared", 1)
    heavy = [asyncio.create_task(note(20 + n, "t:heavy")) for n in range(8)]
    await until(lambda: q.waiting >= 5)
    await asyncio.gather(*heavy, note(27, "t:light"))
    assert order.index((27, "t:light")) < 5


async def test_cancelled_payloads_are_let_go(q: InferenceQueue) -> None:
    async with q.submit(job("slow", 0)), q.submit(job("slow", 1)):
        for n in range(200):
            async with q.submit(job("slow", (n, b"x" * 100_000))):
                pass
            assert q._held < 1000
        assert len(q._rooms["compute"].line) == 2


def test_results_are_remembered_by_bytes_too() -> None:
    from inference.sharing import CACHE_BYTES, Sharing

    sharing = Sharing(most=10)
    for n in range(10):
        sharing.remember(n, Done(n, "m", 0.1), CACHE_BYTES // 4)
    assert [n for n in range(10) if sharing.result(n)] == [6, 7, 8, 9]
    sharing.remember("large", Done(0, "m", 0.1), CACHE_BYTES + 1)
    assert sharing.result("large") is None


async def test_a_model_that_does_not_load_is_said_to_be_unavailable(q: InferenceQueue) -> None:
    with pytest.raises(ModelUnavailable):
        await answer(q, "broken", 1)
    assert not any(room.loading for room in q.overview().rooms)
    assert await answer(q, "double", 2) == 4


async def test_a_payload_that_does_not_pickle_harms_nobody(q: InferenceQueue) -> None:
    with pytest.raises(ModelFailed):
        await answer(q, "double", lambda: None)
    assert await answer(q, "double", 2) == 4


async def test_closing_tells_those_who_wait(make: MakeQueue) -> None:
    q = make()
    async with q.submit(job("long", 100_000)) as ticket:
        await q.close()
        with pytest.raises(JobCancelled):
            await ticket.result()
        with pytest.raises(JobCancelled):
            async with q.submit(job("double", 1)):
                pass


async def test_closing_leaves_no_process_behind(make: MakeQueue) -> None:
    q = make()
    assert await answer(q, "double", 1) == 2
    pid = q._rooms["compute"].stations[0].link.pid
    await q.close()
    await until(lambda: _has_gone(pid))


def _has_gone(pid: int) -> bool:
    """Whether a process has ended; its parent may still have to take note (Ray's does, later)."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_two_tasks_of_one_name_are_a_mistake_of_ours() -> None:
    from inference.tasks import all_tasks

    names = [each.name for each in all_tasks().values()]
    assert len(names) == len(set(names))
    assert task("x", "Doubler").variant("full").name == "X"  # full falls back on embedded
