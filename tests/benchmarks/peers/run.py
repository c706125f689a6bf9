"""Measure one peer, in its own environment: `python run.py NAME`, JSON on standard output.

`start.py` calls this; a peer that is a server is called with `--serve` by `serving.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TextIO

import probes
from driving import BURST, FREE_BURST, REPEATS, Call, burst, closed, lone, percentile
from fake_model import LAST_POISONED, POISON, WHO, FakeModel, bare_calls, bare_loop

SECONDS = 0.005
PROBE_LIMIT = 60.0  # seconds, starting and stopping the peer included
PROBE_ROUNDS = 3

Report = dict[str, Any]


async def with_cost(module: Any, count: int, repeats: int, calls: int) -> Report:
    """The 5-ms model: a burst beside the bare loop, a lone client beside bare calls."""
    model = FakeModel(SECONDS)
    ratios = []
    alone: list[float] = []
    bare: list[float] = []
    async with module.peer(SECONDS) as call:
        await burst(call, 64)  # whatever is started lazily
        for _ in range(repeats):
            ideal = bare_loop(model, count)
            ratios.append(await burst(call, count) / ideal)
            bare += bare_calls(model, calls // repeats)
            alone += await lone(call, calls // repeats)
    added = percentile(alone, 50) - percentile(bare, 50)
    return {
        "burst_over_ideal": {"best": min(ratios), "median": percentile(ratios, 50)},
        "lone_added_ms_p50": 1000 * added,
    }


async def without_cost(module: Any, count: int, repeats: int) -> Report:
    """The free model: jobs a second, best of the repetitions."""
    async with module.peer(0.0) as call:
        await burst(call, 64)
        bursts = [await burst(call, count) for _ in range(repeats)]
        loops = [await closed(call, count) for _ in range(repeats)]
    return {
        "burst_jobs_per_second": count / min(bursts),
        "closed_jobs_per_second": count / min(loops),
    }


async def crash(call: Call) -> Report:
    pid = await call(WHO)
    if pid == os.getpid():
        return {"not_measured": "no worker process"}
    return await probes.crash(call, pid)


async def poison(call: Call) -> Report:
    await call(1)
    return await probes.poison(call, POISON, LAST_POISONED, PROBE_ROUNDS)


async def cancel(call: Call) -> Report:
    await call(1)
    return await probes.cancel(call, PROBE_ROUNDS)


async def probed(
    peer: Callable[[float], AbstractAsyncContextManager[Call]],
    seconds: float,
    probe: Callable[[Call], Awaitable[Report]],
) -> Report:
    """What a probe found, of a peer of its own; a peer that does not stop is part of it."""
    report: Report = {}
    try:
        async with asyncio.timeout(PROBE_LIMIT), peer(seconds) as call:
            report = await probe(call)
    except Exception as error:
        report["error"] = repr(error)[:200]
    return report


async def measure(module: Any, arguments: argparse.Namespace) -> Report:
    report: Report = await with_cost(module, arguments.burst, arguments.repeats, arguments.calls)
    report |= await without_cost(module, arguments.free, arguments.repeats)
    report["poison"] = await probed(module.peer, probes.HOLD_SECONDS, poison)
    report["cancel"] = await probed(module.peer, probes.HOLD_SECONDS, cancel)
    # A peer that must be told to survive its workers has a `lasting_peer` for this.
    lasting = getattr(module, "lasting_peer", module.peer)
    # The slow model: most must still be in flight when the client sees the first answer.
    report["crash"] = await probed(lasting, probes.HOLD_SECONDS, crash)
    if close := getattr(module, "close", None):
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                await close()
        except Exception as error:  # `start.py` ends whatever is left
            report["closing"] = repr(error)[:200]
    return report


async def say(module: Any, arguments: argparse.Namespace, figures: TextIO) -> None:
    json.dump(await measure(module, arguments), figures)
    figures.flush()
    os._exit(0)  # a peer's own threads may keep the loop, or the interpreter, from ending


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--serve", type=int, metavar="PORT")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--burst", type=int, default=BURST)
    parser.add_argument("--free", type=int, default=FREE_BURST)
    parser.add_argument("--calls", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    arguments = parser.parse_args()
    module = importlib.import_module(f"with_{arguments.name}")
    if arguments.serve:
        module.serve(arguments.serve, arguments.seconds)
        return
    # Peers print what they like; standard output is for the figures alone.
    figures = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asyncio.run(say(module, arguments, figures))


if __name__ == "__main__":
    sys.exit(main())
