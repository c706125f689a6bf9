"""What becomes of jobs when a worker dies, of a batch with poison in it, and beside a leaver."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

from prometheus_client import REGISTRY

from bot.app import opened as program_opened
from bot.settings import load
from inference.jobs import InferenceError, Job
from inference.pictures import inspect
from inference.queue import InferenceQueue
from inference.tasks.detection import TASK, DetectionInput
from tests.benchmarks.detect import bus
from tests.benchmarks.peers import probes
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
DETECTIONS = 16  # in flight, of the real model
CONFIDENCE = 0.5  # no box of the picture lies near it
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


async def _detection_crash() -> Report:
    """Once the same with a real model, as the program runs it: what does its loading take?"""
    picture = bus().read_bytes()
    facts = inspect(picture)
    payload = DetectionInput(picture, facts.width, facts.height, CONFIDENCE)  # shares no run
    answered: list[float] = []

    async with program_opened(load()) as hub:
        queue = hub.services.queue

        async def labels(number: int) -> list[str]:
            job = Job(task=TASK.name, payload=payload, owner=PEOPLE[number])
            async with queue.submit(job) as ticket:
                found = await ticket.result()
            answered.append(time.perf_counter())
            return [box.label for box in found.boxes]

        try:
            async with asyncio.timeout(PATIENCE):
                expected = await labels(0)  # the weights are fetched, if they never were
        except (InferenceError, TimeoutError) as error:
            return {"not_measured": repr(error)}
        jobs = [asyncio.create_task(labels(number)) for number in range(DETECTIONS)]
        await asyncio.wait(jobs, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.02)  # the next batch is being computed
        before, loaded = sum(job.done() for job in jobs), _load_seconds(queue)
        for pid in worker_pids(queue, TASK.name):
            os.kill(pid, signal.SIGKILL)
        killed = time.perf_counter()
        done, hung = await asyncio.wait(jobs, timeout=PATIENCE)
        for job in hung:
            job.cancel()
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        return {
            "model": queue.variant(TASK.name).name,
            "in_flight": DETECTIONS - before,
            "right": outcomes.count(expected),
            "errors": sum(job.exception() is not None for job in done),
            "hung": len(hung),
            "next_answer_seconds": min((t - killed for t in answered if t > killed), default=None),
            "of_which_loading_the_model": _load_seconds(queue) - loaded,
        }


def _load_seconds(queue: InferenceQueue) -> float:
    """That the detection model has taken to load so far, in all its workers."""
    labels = {"model": queue.variant(TASK.name).name}
    return REGISTRY.get_sample_value("tadim_model_load_seconds_sum", labels) or 0.0


async def _crash(repeats: int) -> Report:
    async with opened("fake") as queue:
        await burst(caller(queue, "fake"), 64)
        rounds = [await _crash_once(queue) for _ in range(repeats)]
    detection = await _detection_crash()
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
        f"started and the model loaded in that time). `detection`, not judged: once the same with "
        f"the real model and {DETECTIONS} pictures; the rest of its seconds go into a process that "
        f"imports torch, and into a batch. `peers`: once each, "
        f"{1000 * probes.HOLD_SECONDS:g}-ms model, killed when the first was answered",
        errors=errors,
        hung=hung,
        next_job_seconds=slowest,
        next_job_seconds_median=percentile([each["newcomer_seconds"] for each in rounds], 50),
        rounds=rounds,
        detection=detection,
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


async def _cancel(rounds: int) -> Report:
    async with opened("sluggish") as queue:
        call = caller(queue, "sluggish")
        await call(1)
        report = await probes.cancel(call, rounds)
    others = probes.TOGETHER - 1
    return verdict(
        report["right"],
        f"right answers of {others} who stayed",
        f"{others}, 0 errors, 0 hung",
        (report["right"], report["errors"], report["hung"]) == (others, 0, 0),
        f"{probes.TOGETHER} wait behind a job under way and one of them is cancelled; {rounds} "
        f"times, the worst; the peers are asked in the very same way",
        **report,
    )


def run_cancel() -> Report:
    return asyncio.run(_cancel(rounds=3))
