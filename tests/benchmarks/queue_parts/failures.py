"""What becomes of jobs when a worker dies, and of a batch in which one item is poison."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

from inference.jobs import InferenceError, Job
from inference.queue import InferenceQueue
from tests.benchmarks.peers.driving import burst, percentile, timed
from tests.benchmarks.queue_parts.tools import (
    PEOPLE,
    Report,
    caller,
    opened,
    verdict,
    worker_pids,
)

IN_FLIGHT = 128
PATIENCE = 30.0  # seconds after which a job is said to hang


async def _crash_once(queue: InferenceQueue) -> Report:
    """Kill the worker under 128 jobs; what became of them, and when the next was answered."""
    answered: dict[int, float] = {}  # when, by number
    call = caller(queue, "fake")

    async def one(number: int) -> None:
        await timed(call, number)
        answered[number] = time.perf_counter()

    jobs = [asyncio.create_task(one(number)) for number in range(IN_FLIGHT)]
    while not queue.running:
        await asyncio.sleep(0)
    await asyncio.sleep(0.002)  # the first batch is being computed
    before = len(answered)
    (pid,) = worker_pids(queue)
    os.kill(pid, signal.SIGKILL)
    killed = time.perf_counter()
    newcomer = asyncio.create_task(one(IN_FLIGHT))
    done, hung = await asyncio.wait([*jobs, newcomer], timeout=PATIENCE)
    for job in hung:
        job.cancel()
    await asyncio.gather(*hung, return_exceptions=True)
    failed = [job for job in done if job.exception()]
    after = [when - killed for when in answered.values() if when > killed]
    return {
        "in_flight": IN_FLIGHT - before,
        "right": sum(number < IN_FLIGHT for number in answered),
        "errors": len(failed),
        "hung": len(hung),
        "first_answer_seconds": min(after, default=PATIENCE),
        "newcomer_seconds": answered.get(IN_FLIGHT, killed + PATIENCE) - killed,
        "all_seconds": max(after, default=PATIENCE),
        "first_error": repr(failed[0].exception()) if failed else None,
    }


async def _crash(repeats: int) -> Report:
    async with opened("fake") as queue:
        await burst(caller(queue, "fake"), 64)
        rounds = [await _crash_once(queue) for _ in range(repeats)]
    right = min(each["right"] for each in rounds)
    errors = max(each["errors"] for each in rounds)
    hung = max(each["hung"] for each in rounds)
    slowest = max(each["newcomer_seconds"] for each in rounds)
    met = right == IN_FLIGHT and not errors and not hung and slowest <= 2.0
    return verdict(
        right,
        f"right answers of {IN_FLIGHT}",
        f"{IN_FLIGHT}, 0 errors, 0 hung, next job within 2 s",
        met,
        f"{IN_FLIGHT} jobs at once, 5-ms model, batches of 8; kill -9 while the first batch is "
        f"computed; {repeats} times, the worst of each figure. `next_job_seconds`: a job that "
        f"somebody else submits at the moment of the kill, until its answer (the process is "
        f"started and the model loaded in that time)",
        errors=errors,
        hung=hung,
        next_job_seconds=slowest,
        next_job_seconds_median=percentile([each["newcomer_seconds"] for each in rounds], 50),
        rounds=rounds,
    )


def run_crash() -> Report:
    return asyncio.run(_crash(repeats=5))


async def _ask(queue: InferenceQueue, payload: Any, person: int) -> Any:
    owner = PEOPLE[person % len(PEOPLE)]
    async with queue.submit(Job(task="poisonable", payload=payload, owner=owner)) as ticket:
        return await ticket.result()


async def _poisoned(queue: InferenceQueue, poison: str) -> Report:
    """Eight jobs that share a batch, one of them poison."""
    before = await _ask(queue, "sizes", 0)
    async with queue.submit(Job(task="holding", payload=5, owner=PEOPLE[99])) as holding:
        payloads: list[Any] = [*range(7)]
        payloads.insert(3, poison)
        jobs = [
            asyncio.create_task(_ask(queue, payload, person))
            for person, payload in enumerate(payloads)
        ]
        await holding.result()  # while it holds the worker, the eight pile up
    _, hung = await asyncio.wait(jobs, timeout=PATIENCE)
    for job in hung:
        job.cancel()
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    right = sum(
        outcome == 2 * payload
        for outcome, payload in zip(outcomes, payloads, strict=True)
        if isinstance(payload, int)
    )
    after = await _ask(queue, "sizes", 0)
    return {
        "right": right,
        "errors": sum(isinstance(outcome, InferenceError) for outcome in outcomes),
        "hung": len(hung),
        "error": repr(next((o for o in outcomes if isinstance(o, InferenceError)), None)),
        # Of a batch that kills its process no one remains to tell.
        "batches_computed": after[len(before) :] if poison == "poison" else after,
    }


async def _poison(repeats: int) -> Report:
    async with opened("poisonable", "holding") as queue:
        raising = [await _poisoned(queue, "poison") for _ in range(repeats)]
        killing = await _poisoned(queue, "die")
    worst = min(raising, key=lambda each: (each["right"], -each["errors"]))
    met = all(
        (each["right"], each["errors"], each["hung"]) == (7, 1, 0) for each in [*raising, killing]
    ) and all(8 in each["batches_computed"] for each in raising)
    return verdict(
        worst["right"],
        "right answers of 7 innocents",
        "7 right answers, 1 error",
        met,
        f"a batch of 8 with one item for which the model raises, {repeats} times, the worst; that "
        f"they shared a batch is the model's own word. `killing`: the item ends the worker process",
        errors=worst["errors"],
        raising=raising,
        killing=killing,
    )


def run_poison() -> Report:
    return asyncio.run(_poison(repeats=3))
