"""The soak of `tests.benchmarks.queue` sees what it is there to see."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from inference import metrics
from inference.jobs import Done, Event, Owner
from inference.ticket import Ticket
from tests.benchmarks.queue_parts.soak import Ledger, Soak, Wish
from tests.benchmarks.queue_parts.tools import opened

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
