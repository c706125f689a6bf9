"""How fast: a burst, the queue's own cost, a lone client, the loop's lag, text."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from inference.jobs import Job
from inference.queue import InferenceQueue
from tests.benchmarks.peers.driving import (
    BURST,
    CLIENTS,
    FREE_BURST,
    REPEATS,
    burst,
    closed,
    lone,
    percentile,
)
from tests.benchmarks.queue_models import Attachment
from tests.benchmarks.queue_parts.tools import (
    PEOPLE,
    Report,
    Way,
    bare_model,
    bare_pipe,
    caller,
    impatient_caller,
    in_turns,
    opened,
    probed,
    spread,
    tidy,
    verdict,
)

SECONDS = 0.005  # of the fake model


async def _burst(count: int, repeats: int) -> Report:
    ratios, pipe_ratios = [], []
    async with (
        opened("fake") as queue,
        bare_model(SECONDS, queue) as bare,
        bare_pipe(SECONDS) as pipe,
    ):
        call = caller(queue, "fake")
        await burst(call, 64)
        await burst(pipe.call, 64)
        for _ in range(repeats):
            with tidy():
                ideal = await bare.loop(count)
                ratios.append(await burst(call, count) / ideal)
                pipe_ratios.append(await burst(pipe.call, count) / ideal)
    best = min(ratios)
    return verdict(
        best,
        "x ideal time",
        "<= 1.05",
        best <= 1.05,
        f"{count} jobs of {len(PEOPLE)} people at once, 5-ms model, batches of 8; ideal: the same "
        f"batches called in a bare loop, measured before each; best of {repeats} ratios",
        median=percentile(ratios, 50),
        all=ratios,
        bare_pipe={"best": min(pipe_ratios), "median": percentile(pipe_ratios, 50)},
    )


def run_burst() -> Report:
    return asyncio.run(_burst(BURST, REPEATS))


async def _overhead(count: int, repeats: int) -> Report:
    async with opened("free") as queue, bare_pipe(0.0) as pipe:
        events, outcome = caller(queue, "free"), impatient_caller(queue, "free")
        ways: dict[str, Way] = {
            "bare_pipe_burst": lambda: burst(pipe.call, count),
            "burst": lambda: burst(events, count),
            "outcome_only_burst": lambda: burst(outcome, count),
            "bare_pipe_closed": lambda: closed(pipe.call, count),
            "closed": lambda: closed(events, count),
            "outcome_only_closed": lambda: closed(outcome, count),
        }
        taken = await in_turns(ways, repeats)
    rates = {name: [count / seconds for seconds, _ in each] for name, each in taken.items()}
    best = {name: max(values) for name, values in rates.items()}
    pairs = zip(rates["burst"], rates["bare_pipe_burst"], strict=True)
    ratio = best["burst"] / best["bare_pipe_burst"]
    return verdict(
        ratio,
        "x jobs/s of the bare pipe worker",
        ">= 0.5",
        ratio >= 0.5,
        f"{count} jobs of {len(PEOPLE)} people in 20 chats, free model, every event read, metrics "
        f"and job log on; interleaved with a bare pipe worker; best of {repeats} over best of "
        f"{repeats}; `closed`: {CLIENTS} clients; `outcome_only`: await ticket.result()",
        median_of_pairs=percentile([ours / theirs for ours, theirs in pairs], 50),
        closed_ratio=best["closed"] / best["bare_pipe_closed"],
        outcome_only_ratio=best["outcome_only_burst"] / best["bare_pipe_burst"],
        main_process_us_per_job={
            name: 1e6 * sum(computed for _, computed in each) / count / repeats
            for name, each in taken.items()
        },
        jobs_per_second=best,
        jobs_per_second_median={name: percentile(each, 50) for name, each in rates.items()},
    )


def run_overhead() -> Report:
    return asyncio.run(_overhead(FREE_BURST, REPEATS))


async def _lone(blocks: int, calls: int) -> Report:
    ours: list[float] = []
    theirs: list[float] = []
    hops: list[float] = []
    async with (
        opened("fake") as queue,
        bare_model(SECONDS, queue) as bare,
        bare_pipe(SECONDS) as pipe,
    ):
        call = caller(queue, "fake")
        await lone(call, 20)
        await lone(pipe.hop, 20)
        for _ in range(blocks):
            theirs += await bare.calls(calls)
            hops += await lone(pipe.hop, calls)
            ours += await lone(call, calls)
    added = 1000 * (percentile(ours, 50) - percentile(theirs, 50))
    return verdict(
        added,
        "ms over the bare call, p50",
        "<= 0.2",
        added <= 0.2,
        f"one client, one job after the other, 5-ms model; bare: the model called directly in a "
        f"process of the worker's priority; {blocks} blocks of {calls} calls each, taking turns. "
        f"`hop`: what a pickle to another process and back adds by itself",
        hop_added_ms=1000 * (percentile(hops, 50) - percentile(theirs, 50)),
        tadim=spread(ours),
        bare=spread(theirs),
    )


def run_lone() -> Report:
    return asyncio.run(_lone(blocks=6, calls=70))


async def _lag(blocks: int, seconds: float) -> Report:
    lags: dict[str, list[float]] = {"idle": [], "bare": [], "computing": [], "attachments": []}
    async with opened("python", "sizing") as queue, bare_model(0.0, queue) as bare:
        await _compute(queue, 0.1)
        for _ in range(blocks):
            async with probed() as probe:
                await asyncio.sleep(seconds)
            lags["idle"] += probe.lags
            async with probed() as probe:
                await bare.busy(seconds)
            lags["bare"] += probe.lags
            async with probed() as probe:
                await _compute(queue, seconds)
            lags["computing"] += probe.lags
        data = [bytes([n]) * 20_000_000 for n in range(8)]
        answered = []
        for _ in range(blocks):
            began = time.perf_counter()
            async with probed() as probe:
                await asyncio.gather(*(_size(queue, each, n) for n, each in enumerate(data)))
            answered.append(time.perf_counter() - began)
            lags["attachments"] += probe.lags
    spreads = {name: spread(each) for name, each in lags.items()}
    figure = spreads["computing"]["p99_ms"]
    return verdict(
        figure,
        "ms of event-loop lag, p99",
        "<= 1",
        figure <= 1.0,
        f"a task sleeps {1:d} ms again and again; lag: what it sleeps too long. `computing`: 4 "
        f"clients keep a worker busy with pure Python, 20 ms a job; `idle`: nobody does anything; "
        f"`bare`: a process beside computes the same without a queue; {blocks} blocks of "
        f"{seconds:g} s each, taking turns. `attachments`: 8 payloads of 20 MB at once (no bar)",
        **spreads,
        attachments_answered_seconds=percentile(answered, 50),
    )


async def _compute(queue: InferenceQueue, seconds: float) -> None:
    """Four clients in closed loops of pure Python."""
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while time.perf_counter() < end:
            job = Job(task="python", payload=0.02, owner=PEOPLE[number])
            async with queue.submit(job) as ticket:
                async for _ in ticket:
                    pass

    await asyncio.gather(*(client(number) for number in range(4)))


async def _size(queue: InferenceQueue, data: bytes, number: int) -> None:
    payload = Attachment(data, "photo.jpg")
    async with queue.submit(Job(task="sizing", payload=payload, owner=PEOPLE[number])) as ticket:
        length = await ticket.result()
    if length != len(data):
        raise ValueError(f"{length} bytes arrived of {len(data)}")


def run_lag() -> Report:
    return asyncio.run(_lag(blocks=4, seconds=1.5))


def run_text(rounds: int = 5, tokens: int = 48) -> Report:
    from tests.benchmarks import gpt

    report: dict[str, Any] = asyncio.run(gpt.measure(8, rounds, tokens))
    return verdict(
        report["ratio"],
        "x tokens/s of the bare llama.cpp server",
        ">= 0.95",
        report["ratio"] >= 0.95,
        f"8 parallel prompts, {tokens} tokens each, SmolLM2-135M; median of the ratios of {rounds} "
        f"rounds, taking turns (tests.benchmarks.gpt)",
        **report,
    )
