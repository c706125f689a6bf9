"""What ten thousand waiting jobs weigh, and whether the ten-thousandth is let in as fast."""

from __future__ import annotations

import asyncio
import gc
import math
import multiprocessing
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from inference.jobs import Job, Owner
from inference.queue import InferenceQueue
from tests.benchmarks.peers.driving import percentile
from tests.benchmarks.queue_parts.tools import Report, opened, probed, verdict

DEPTH = 10_000
SHALLOW = 100
SAMPLE = 400  # submissions measured at a depth
SETTLE = 1.5  # seconds, so that everybody has been told his position


def _jobs(people: int, count: int, first: int = 0) -> list[Job]:
    return [
        Job(
            task="free",
            payload=number,
            owner=Owner(f"web:{number % people}", f"web:room-{number % people % 50}"),
        )
        for number in range(first, first + count)
    ]


async def _enter(queue: InferenceQueue, people: int, count: int) -> list[Any]:
    """Jobs in line, each with its place; what each place holds alive counts as the queue's."""
    places = []
    for job in _jobs(people, count):
        place = queue.submit(job)
        await place.__aenter__()
        places.append(place)
    await asyncio.sleep(SETTLE)
    return places


async def _held(queue: InferenceQueue) -> Any:
    """Keep the worker busy, so that all others wait."""
    place = queue.submit(Job(task="holding", payload=1_000_000, owner=Owner("web:h", "web:h")))
    await place.__aenter__()
    while not queue.running:
        await asyncio.sleep(0.01)
    return place


async def _weigh(people: int, traced: bool) -> Report:
    """Bytes of a waiting job: as Python counts them, or as the process grows."""
    async with opened("free", "holding") as queue:
        places = [await _held(queue)]
        places += await _enter(queue, people, SHALLOW)  # whatever is made once is made here
        shallow = await _submit_seconds(queue, people)
        process = psutil.Process()
        gc.collect()
        if traced:
            tracemalloc.start()
            jobs = _jobs(people, 1000)
            each_job = tracemalloc.get_traced_memory()[0] / 1000
            del jobs
            gc.collect()
        before = tracemalloc.get_traced_memory()[0] if traced else process.memory_info().rss
        async with probed() as probe:
            places += await _enter(queue, people, DEPTH)
        if queue.waiting < DEPTH:
            raise RuntimeError(f"only {queue.waiting} jobs wait")
        gc.collect()
        readings = []
        for _ in range(12):  # a look at everybody's position may be under way, now and then
            readings.append(
                tracemalloc.get_traced_memory()[0] if traced else process.memory_info().rss
            )
            await asyncio.sleep(0.1)
        after = min(readings)
        report: Report = {"bytes": (after - before) / DEPTH}
        if traced:
            report["of_which_job_and_owner"] = each_job
            report["largest"] = _largest(tracemalloc.take_snapshot())
            tracemalloc.stop()
        else:
            report["loop_lag_max_ms"] = 1000 * max(probe.lags[50:])  # after the submissions
            report["submitting"] = _compared(shallow, await _submit_seconds(queue, people))
        for place in reversed(places):
            await place.__aexit__(None, None, None)
        return report


def _largest(snapshot: tracemalloc.Snapshot) -> dict[str, float]:
    """Bytes a job of the lines that hold the most."""
    lines = snapshot.statistics("lineno")[:8]
    return {
        f"{'/'.join(Path(line.traceback[0].filename).parts[-2:])}:{line.traceback[0].lineno}": (
            line.size / DEPTH
        )
        for line in lines
    }


async def _submit_seconds(queue: InferenceQueue, people: int) -> tuple[list[float], list[float]]:
    """Seconds of submitting, and of giving back, at the depth that there is."""
    entering, leaving = [], []
    for job in _jobs(people, SAMPLE, first=1_000_000):
        began = time.perf_counter()
        place = queue.submit(job)
        await place.__aenter__()
        middle = time.perf_counter()
        await place.__aexit__(None, None, None)
        leaving.append(time.perf_counter() - middle)
        entering.append(middle - began)
        await asyncio.sleep(0)  # the queue's own work goes on in between, unmeasured
    return entering, leaving


def _compared(
    shallow: tuple[list[float], list[float]], deep: tuple[list[float], list[float]]
) -> Report:
    """Medians at both depths, in microseconds."""
    report: Report = {}
    for name, before, after in zip(("submit", "give_back"), shallow, deep, strict=True):
        report[f"{name}_us_at_{SHALLOW}"] = 1e6 * percentile(before, 50)
        report[f"{name}_us_at_{DEPTH}"] = 1e6 * percentile(after, 50)
        report[f"{name}_ratio"] = percentile(after, 50) / percentile(before, 50)
    return report


def weigh(people: int, traced: bool) -> Report:
    return asyncio.run(_weigh(people, traced))


def run_memory() -> Report:
    cases = {"all_distinct_users": DEPTH, "100_users": 100}
    spawn = multiprocessing.get_context("spawn")
    weights: dict[str, Report] = {}
    # Each case in a process whose heap nobody has used before.
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as fresh:
        for name, people in cases.items():
            traced = fresh.submit(weigh, people, True).result()
            grown = fresh.submit(weigh, people, False).result()
            weights[name] = {
                "traced_bytes": traced["bytes"],
                "of_which_job_and_owner": traced["of_which_job_and_owner"],
                "largest": traced["largest"],
                "resident_bytes": grown["bytes"],
                "loop_lag_max_ms_while_they_wait": grown["loop_lag_max_ms"],
                "submitting": grown["submitting"],
            }
    heaviest = max(
        each["traced_bytes"] - each["of_which_job_and_owner"] for each in weights.values()
    )
    growth = max(each["submitting"]["submit_ratio"] for each in weights.values())
    logarithmic = math.log(DEPTH) / math.log(SHALLOW)
    return verdict(
        heaviest,
        "bytes a waiting job, beside what its submitter made",
        f"<= 1024, and submitting at depth {DEPTH} takes <= {logarithmic:g} x that at {SHALLOW}",
        heaviest <= 1024 and growth <= logarithmic,
        f"{DEPTH} jobs wait (payload: an int) and all have been told their positions; the figure: "
        f"what submitting keeps alive, traced by tracemalloc, less the Job and its Owner. "
        f"`resident`: by how much the memory of another process has grown, with them, and with "
        f"whatever its allocator keeps of what was free again. Submitting: median of {SAMPLE}",
        **weights,
        submit_growth=growth,
    )
