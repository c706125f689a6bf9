"""Who waits how long: fairness beside a heavy user, and how well the wait is foretold."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

from inference.jobs import Job, Owner, Queued
from inference.queue import InferenceQueue
from tests.benchmarks.peers.driving import burst, percentile, timed
from tests.benchmarks.queue_parts.tools import Report, caller, opened, spread, verdict

# --- fairness -------------------------------------------------------------------------------------

HEAVY = 500
LIGHT = 5
SECONDS = 0.005  # of the fake model
GAPS = {"one_after_another": 0.001, "same_moment": 0.0}  # seconds between the light user's jobs


async def _light_rounds(
    queue: InferenceQueue, owner: Owner, gap: float, rounds: int, seed: int
) -> list[float]:
    """The light user's latencies: five jobs, `gap` seconds apart, at random moments, in rounds."""
    chance = random.Random(seed)
    call = caller(queue, "fake", (owner,))
    seconds: list[float] = []
    for _ in range(rounds):
        await asyncio.sleep(chance.uniform(0.005, 0.03))
        jobs = []
        for number in range(LIGHT):
            jobs.append(asyncio.create_task(timed(call, number)))
            if gap:
                await asyncio.sleep(gap)
        seconds += await asyncio.gather(*jobs)
    return seconds


@contextlib.asynccontextmanager
async def _backlog(queue: InferenceQueue, owner: Owner) -> AsyncIterator[list[int]]:
    """A heavy user who has 500 jobs in the queue all the time. Yields [jobs answered so far]."""
    call = caller(queue, "fake", (owner,))
    answered = [0]

    async def place(number: int) -> None:
        while True:
            await timed(call, number)
            answered[0] += 1

    places = [asyncio.create_task(place(number)) for number in range(HEAVY)]
    await asyncio.sleep(0.1)
    try:
        yield answered
        for each in places:
            if each.done():
                each.result()  # it only ends with an error
    finally:
        for each in places:
            each.cancel()
        await asyncio.gather(*places, return_exceptions=True)


async def _at_once(queue: InferenceQueue, light: Owner, heavy: Owner, rounds: int) -> list[float]:
    """The light user's latencies when both press in the same moment, the heavy one first."""
    seconds: list[float] = []
    many, few = caller(queue, "fake", (heavy,)), caller(queue, "fake", (light,))
    for _ in range(rounds):
        heavy_jobs = [asyncio.create_task(timed(many, number)) for number in range(HEAVY)]
        seconds += await asyncio.gather(*(timed(few, number) for number in range(LIGHT)))
        await asyncio.gather(*heavy_jobs)
    return seconds


async def _fairness(blocks: int, rounds: int, at_once: int) -> Report:
    light = Owner("web:light", "web:one")
    heavies = {"one_chat": Owner("web:heavy", "web:one"), "two_chats": Owner("web:busy", "web:two")}
    cases = [(way, place) for way in GAPS for place in ("alone", *heavies)]
    seconds: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
    throughput: list[float] = []
    together: dict[str, list[float]] = {}
    async with opened("fake") as queue:
        await burst(caller(queue, "fake"), 64)
        for block in range(blocks):
            for way, gap in GAPS.items():
                alone = await _light_rounds(queue, light, gap, rounds, block)
                seconds[way, "alone"] += alone
            for place, heavy in heavies.items():
                async with _backlog(queue, heavy) as answered:
                    began, before = time.perf_counter(), answered[0]
                    for way, gap in GAPS.items():
                        beside = await _light_rounds(queue, light, gap, rounds, block)
                        seconds[way, place] += beside
                    took = time.perf_counter() - began
                    lights = LIGHT * rounds * len(GAPS)
                    throughput.append((answered[0] - before + lights) / took)
                while queue.waiting or queue.running:  # the next block begins with an idle worker
                    await asyncio.sleep(0.01)
        for place, heavy in heavies.items():
            together[place] = await _at_once(queue, light, heavy, at_once)
    p99 = {case: percentile(each, 99) for case, each in seconds.items()}
    ratios = {
        way: {place: p99[way, place] / p99[way, "alone"] for place in heavies} for way in GAPS
    }
    worst = max(ratios["one_after_another"].values())
    solo = percentile(seconds["same_moment", "alone"], 50)
    return verdict(
        worst,
        "x the light user's p99 alone",
        "<= 1.5",
        worst <= 1.5,
        f"5-ms model, batches of 8. A light user submits {LIGHT} jobs, waits for them, pauses 5 to "
        f"30 ms at random, and again: {blocks * rounds} rounds with nobody else in the queue "
        f"(alone), and as many, of the same pauses, beside a heavy user who keeps {HEAVY} jobs in "
        f"the queue, in the same chat and in another one, in blocks that take turns. A latency is "
        f"that of one job, from submission to answer. `one_after_another`, the figure: the five "
        f"come {1000 * GAPS['one_after_another']:g} ms apart, as messages do. `same_moment`: all "
        f"five in one; alone they ride in one batch, and beside anybody the batch under way must "
        f"end first, which makes `same_moment_least` the least ratio without interrupting it. "
        f"`at_once`: {at_once} bursts of {HEAVY} + {LIGHT} in the same moment",
        p99_ratio=ratios,
        same_moment_least=(SECONDS + solo) / solo,
        latencies={
            way: {place: spread(seconds[way, place]) for place in ("alone", *heavies)}
            for way in GAPS
        },
        at_once={place: spread(each) for place, each in together.items()},
        jobs_per_second_beside=percentile(throughput, 50),
    )


def run_fairness() -> Report:
    return asyncio.run(_fairness(blocks=4, rounds=25, at_once=8))


# --- ETA ------------------------------------------------------------------------------------------

DEPTH = 100
MIX = {"quick": 45, "middling": 28, "slow": 25, "stepped": 2}  # jobs of each task in a hundred
STEPS = 30  # of a long job


def _jobs(chance: random.Random) -> list[Job]:
    """A hundred jobs of 24 people in 4 chats, in random order."""
    names = [name for name, count in MIX.items() for _ in range(count)]
    chance.shuffle(names)
    jobs = []
    for name in names:
        person = chance.randrange(24)
        owner = Owner(f"web:{person}", f"web:room-{person % 4}")
        jobs.append(Job(task=name, payload=STEPS if name == "stepped" else 1, owner=owner))
    return jobs


async def _foretold(queue: InferenceQueue, job: Job) -> tuple[float, float] | None:
    """(first ETA told, seconds that it truly took from then); None if none was told."""
    told: tuple[float, float] | None = None
    async with queue.submit(job) as ticket:
        async for event in ticket:
            if told is None and isinstance(event, Queued) and event.eta is not None:
                told = event.eta, time.perf_counter()
        expected = STEPS if job.task == "stepped" else 2
        if ticket.outcome.result != expected:
            raise ValueError(f"{job.task} was answered with {ticket.outcome.result}")
    return (told[0], time.perf_counter() - told[1]) if told else None


async def _eta(rounds: int) -> Report:
    chance = random.Random(3)
    errors: list[float] = []
    seconds_off: list[float] = []
    ratios: list[float] = []
    by_task: dict[str, list[float]] = {name: [] for name in MIX}
    untold = 0
    async with opened(*MIX) as queue:
        for _ in range(2):  # costs are learnt from full batches and from single jobs
            await asyncio.gather(*(_foretold(queue, job) for job in _jobs(chance)))
            for name in MIX:
                await _foretold(queue, next(job for job in _jobs(chance) if job.task == name))
        for _ in range(rounds):
            jobs = _jobs(chance)
            for job, told in zip(
                jobs, await asyncio.gather(*(_foretold(queue, job) for job in jobs)), strict=True
            ):
                if told is None:
                    untold += 1
                    continue
                eta, true = told
                errors.append(abs(eta - true) / true)
                by_task[job.task].append(errors[-1])
                seconds_off.append(abs(eta - true))
                ratios.append(eta / true)
    median = percentile(errors, 50)
    return verdict(
        median,
        "median of |ETA - true| / true",
        "<= 0.2",
        median <= 0.2,
        f"{rounds} rounds of {DEPTH} jobs at once by 24 people in 4 chats: {MIX} (3 ms in batches "
        f"of 8, 20 ms in batches of 4, 60 ms one by one, {STEPS} steps of 10 ms), costs learnt "
        f"from two rounds before. ETA: of a job's first Queued event that has one; true: seconds "
        f"from its arrival at the reader to the result",
        p90=percentile(errors, 90),
        jobs=len(errors),
        begun_before_an_eta_was_told=untold,
        eta_over_true_p50=percentile(ratios, 50),
        seconds_off_p50=percentile(seconds_off, 50),
        median_by_task={name: percentile(each, 50) for name, each in by_task.items() if each},
    )


def run_eta() -> Report:
    return asyncio.run(_eta(rounds=4))
