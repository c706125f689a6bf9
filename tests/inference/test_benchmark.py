"""The soak and the probes of `tests.benchmarks.queue` see what they are there to see."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from inference import metrics
from inference.jobs import Done, Event, Owner
from inference.ticket import Ticket
from tests.benchmarks.peers import probes
from tests.benchmarks.peers.fake_model import LAST_POISONED, POISON
from tests.benchmarks.queue import beside
from tests.benchmarks.queue_parts.soak import Ledger, Soak, Wish
from tests.benchmarks.queue_parts.tools import Report, opened

ADA = Owner("t:ada", "t:room")


@pytest.fixture
async def soak() -> AsyncIterator[Soak]:
    async with opened("unruly", "unruly-stream") as queue:
        yield Soak(queue, random.Random(1), patience=1.0)


def test_a_job_has_one_outcome_and_not_two() -> None:
    ledger = Ledger()
    first, second = ledger.asked("one"), ledger.asked("two")
    ledger.ended(first, "done")
    ledger.ended(first, "done")
    assert "one more outcome" in ledger.complaints[0]
    ledger.settle()
    assert f"job {second} (two) has no outcome" in ledger.complaints[1]


async def test_good_work_is_not_complained_of(soak: Soak) -> None:
    for number in range(20):
        await soak.ask(Wish("unruly", number, 2 * number), ADA)
        await soak.ask(Wish("unruly-stream", 3, 3), ADA)
    await soak.ask(Wish("unruly", "bad", error="BadInput"), ADA)
    point = await soak.checkpoint()
    assert soak.ledger.complaints == []
    assert point["waiting"] == 0


async def test_a_wrong_answer_is_noticed(soak: Soak) -> None:
    for _ in range(20):  # some are read to the end
        await soak.ask(Wish("unruly", 2, answer=5), ADA)
    assert "4 instead of 5" in soak.ledger.complaints[0]


async def test_an_error_for_no_reason_is_noticed(soak: Soak) -> None:
    for _ in range(20):
        await soak.ask(Wish("unruly", "bad", answer=4), ADA)
    assert "ended with BadInput" in soak.ledger.complaints[0]


async def test_a_job_that_is_never_answered_is_noticed(
    soak: Soak, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = Ticket.deliver

    def forgetful(ticket: Ticket, event: Event) -> None:
        if not isinstance(event, Done):
            deliver(ticket, event)

    monkeypatch.setattr(Ticket, "deliver", forgetful)
    while not soak.ledger.complained:
        await soak.ask(Wish("unruly", 2, answer=4), ADA)
    assert "hangs" in soak.ledger.complaints[0]


async def test_an_outcome_too_many_in_the_queues_own_count_is_noticed(soak: Soak) -> None:
    await soak.ask(Wish("unruly", 2, 4), ADA)
    metrics.OUTCOMES.labels("unruly", "done").inc()
    await soak.checkpoint()
    assert "the queue counts" in soak.ledger.complaints[0]


# --- probes ---------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 0.6)
    monkeypatch.setattr(probes, "RECOVERY", 0.6)
    monkeypatch.setattr(probes, "HOLD_SECONDS", 0.3)  # wide enough for a busy machine


class Batcher:
    """Makes a batch of whoever asks in the same 0.12 s; `frail`: a leaver ruins it."""

    def __init__(self, *, frail: bool = False) -> None:
        self._frail = frail
        self._batch: list[tuple[int, asyncio.Future[int]]] = []
        self._poisoned = 0

    async def __call__(self, number: int) -> int:
        if not self._batch:
            asyncio.get_running_loop().call_later(0.12, self._answer)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._batch.append((number, answer))
        return await answer

    def _answer(self) -> None:
        batch, self._batch = self._batch, []
        poisoned = any(number == POISON for number, _ in batch)
        if poisoned:
            self._poisoned = len(batch)
        for number, answer in batch:
            if answer.done():
                if self._frail:
                    return
            elif poisoned:
                answer.set_exception(ValueError("poison"))
            else:
                answer.set_result(self._poisoned if number == LAST_POISONED else 2 * number)


async def test_those_whom_a_leaver_takes_with_him_are_counted(impatient: None) -> None:
    frail = await probes.cancel(Batcher(frail=True), rounds=2)
    assert frail["hung"] == 7 - frail["right"] > 0
    sound = await probes.cancel(Batcher(), rounds=2)
    assert (sound["right"], sound["hung"], sound["rounds"]) == (7, 0, 2)


async def test_those_who_share_a_batch_with_poison_are_counted(impatient: None) -> None:
    report = await probes.poison(Batcher(), POISON, LAST_POISONED, rounds=1)
    assert (report["right"], report["errors"], report["hung"]) == (0, 8, 0)
    assert report["batch"] == 8
    assert report["first_error"] == "ValueError"


async def test_those_whom_a_dead_process_forgets_are_counted(impatient: None) -> None:
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    answers = iter(range(5))

    async def call(number: int) -> int:
        if next(answers, None) is None:
            await asyncio.Event().wait()
        return 2 * number

    report = await probes.crash(call, worker.pid)
    assert worker.wait(5) < 0
    assert (report["right"], report["errors"]) == (5, 0)
    assert report["hung"] == report["in_flight"] == probes.IN_FLIGHT - 5
    assert report["next_answer_seconds"] is None


def test_peers_stand_beside_the_parts_they_belong_to() -> None:
    parts: dict[str, Report] = {
        "crash": {"figure": 128},
        "lag": {"figure": 1.0},
        "overhead": {"figure": 0.6, "jobs_per_second": {"burst": 9}, "bar": "x", "met": True},
    }
    rates = {"burst_jobs_per_second": 10, "closed_jobs_per_second": 11}
    beside(parts, {"async_batcher": {"crash": {"hung": 1}} | rates, "mosec": {"error": "gone"}})
    assert parts["crash"]["peers"] == {"async_batcher": {"hung": 1}, "mosec": "gone"}
    assert parts["overhead"]["peers"]["async_batcher"] == rates
    assert parts["overhead"]["met"] is False
    assert "peers" not in parts["lag"]
