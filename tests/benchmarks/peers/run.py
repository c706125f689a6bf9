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
from typing import Any

from driving import burst, closed, lone, percentile
from fake_model import FakeModel, bare_calls, bare_loop

SECONDS = 0.005


async def with_cost(module: Any, count: int, repeats: int, calls: int) -> dict[str, Any]:
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


async def without_cost(module: Any, count: int, repeats: int) -> dict[str, Any]:
    """The free model: jobs a second, best of the repetitions."""
    async with module.peer(0.0) as call:
        await burst(call, 64)
        bursts = [await burst(call, count) for _ in range(repeats)]
        loops = [await closed(call, count) for _ in range(repeats)]
    return {
        "burst_jobs_per_second": count / min(bursts),
        "closed_jobs_per_second": count / min(loops),
    }


async def measure(module: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    report = await with_cost(module, arguments.burst, arguments.repeats, arguments.calls)
    report |= await without_cost(module, arguments.free, arguments.repeats)
    if close := getattr(module, "close", None):
        await close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--serve", type=int, metavar="PORT")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--burst", type=int, default=500)
    parser.add_argument("--free", type=int, default=2000)
    parser.add_argument("--calls", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    module = importlib.import_module(f"with_{arguments.name}")
    if arguments.serve:
        module.serve(arguments.serve, arguments.seconds)
        return
    # Peers print what they like; standard output is for the figures alone.
    figures = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    json.dump(asyncio.run(measure(module, arguments)), figures)
    figures.flush()
    os._exit(0)  # threads of a peer's own may keep the interpreter from ending


if __name__ == "__main__":
    sys.exit(main())
