"""What one front can do on each engine, one command, JSON on standard output:

    uv run python -m tests.benchmarks.scaling [--only process,ray,nodes]

The figures of docs/scaling.md. `process`: one worker process; `ray`: one worker on a Ray of this
machine's own; `nodes`: worker processes, then a Ray cluster whose nodes are all on this machine.
Each part runs in a fresh process and is bounded; together they end within four minutes. References
(a bare pipe worker; the model called in a bare loop) take turns with what they are for. The best of
a few repeats, the median beside it. `front_us`: the main process's own computing time for each.

The exit status is 1 if a part could not be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import signal
import sys
import time
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import Any

from inference.engines import Engine
from inference.engines.ray import RayEngine
from inference.jobs import Job
from inference.queue import InferenceQueue
from tests.benchmarks.peers.driving import CLIENTS, REPEATS, Call, burst, closed, lone, percentile
from tests.benchmarks.queue import figures_of, say
from tests.benchmarks.queue_models import Attachment
from tests.benchmarks.queue_parts import tools
from tests.benchmarks.queue_parts.speed import SECONDS
from tests.benchmarks.queue_parts.tools import (
    PEOPLE,
    BareModel,
    Report,
    Way,
    in_turns,
    spread,
    tidy,
)

PARTS = {"process": 40.0, "ray": 60.0, "nodes": 140.0}  # seconds that each may take
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # everywhere: Ray listens on loopback alone
}
FREE_JOBS = 4000  # at once, of a model that does nothing
LONE_JOBS = 300
PICTURES = 1920
PICTURE = 300_000  # bytes
PICTURE_CLIENTS = 64
NODE_JOBS = 2000  # at once, of the 5-ms model
NODE_REPEATS = 5
NODES = ((1, 0), (2, 1), (4, 2))  # so many, and how many are added for that
PROCESSES = 4
READY_LIMIT = 60.0  # seconds until all workers of a queue are there


async def loads_in_turns(loads: dict[str, tuple[int, Way]]) -> dict[str, Report]:
    """Each load's rate, and what one request of it costs this process."""
    taken = await in_turns({name: way for name, (_, way) in loads.items()}, REPEATS)
    found = {}
    for name, (count, _) in loads.items():
        rates = [count / seconds for seconds, _ in taken[name]]
        spent = [1e6 * computed / count for _, computed in taken[name]]
        found[name] = {
            "per_second": max(rates),
            "per_second_median": percentile(rates, 50),
            "front_us": min(spent),
            "front_us_median": percentile(spent, 50),
        }
    return found


def sender(queue: InferenceQueue) -> Call:
    """Sends a picture; the number is doubled if all of it has arrived."""
    picture = Attachment(os.urandom(PICTURE), "photo.jpg")

    async def call(number: int) -> int:
        owner = PEOPLE[number % len(PEOPLE)]
        async with queue.submit(Job(task="sizing", payload=picture, owner=owner)) as ticket:
            async for _ in ticket:
                pass
        return 2 * number if ticket.outcome.result == PICTURE else -1

    return call


async def one_front(engine: Engine | None) -> Report:
    """Everything about one worker on an engine; None: a worker process."""
    lones: dict[str, list[Report]] = {"bare_pipe_lone": [], "lone": []}
    free_and_sizing = tools.opened("free", "sizing", engine=engine)
    async with free_and_sizing as queue, tools.bare_pipe(0.0) as pipe:
        call, picture = tools.caller(queue, "free"), sender(queue)
        figures = await loads_in_turns(
            {
                "bare_pipe_at_once": (FREE_JOBS, lambda: burst(pipe.call, FREE_JOBS)),
                "at_once": (FREE_JOBS, lambda: burst(call, FREE_JOBS)),
                "bare_pipe_closed": (FREE_JOBS, lambda: closed(pipe.call, FREE_JOBS)),
                "closed": (FREE_JOBS, lambda: closed(call, FREE_JOBS)),
                "pictures": (PICTURES, lambda: closed(picture, PICTURES, PICTURE_CLIENTS)),
            }
        )
        for _ in range(REPEATS):
            for name, each in (("bare_pipe_lone", pipe.hop), ("lone", call)):
                lones[name].append(spread(await lone(each, LONE_JOBS)))
    return {
        "how": f"one worker; jobs of a model that does nothing, batches of 8, {len(PEOPLE)} people "
        f"in 20 chats, every event read; at_once: {FREE_JOBS}; closed: {FREE_JOBS} by {CLIENTS} "
        f"clients; lone: one client; pictures: of {PICTURE} bytes, {PICTURE_CLIENTS} clients; best "
        f"of {REPEATS}; bare_pipe: the least that batches for a worker process, lone: one hop",
        **figures,
        **{name: min(each, key=lambda one: one["p50_ms"]) for name, each in lones.items()},
        "limit_of_one_front": {
            "how": "computed: one core, 1 / front_us",
            "jobs_per_second": 1e6 / figures["at_once"]["front_us"],
            "pictures_per_second": 1e6 / figures["pictures"]["front_us"],
        },
    }


async def beside_ideal(bare: BareModel, machines: int, **options: Any) -> Report:
    """A burst on so many workers, beside as many ideal ones."""
    seconds, ratios = [], []
    async with tools.opened("fake", **options) as queue:
        async with asyncio.timeout(READY_LIMIT):
            while queue.missing:
                await asyncio.sleep(0.01)
        if (found := len(tools.worker_pids(queue))) != machines:
            raise RuntimeError(f"{found} workers instead of {machines}")
        call = tools.caller(queue, "fake")
        await burst(call, 64 * machines)
        for _ in range(NODE_REPEATS):
            with tidy():
                ideal = await bare.loop(NODE_JOBS) / machines
                seconds.append(await burst(call, NODE_JOBS))
                ratios.append(seconds[-1] / ideal)
    return {
        "per_second": NODE_JOBS / min(seconds),
        "per_second_median": NODE_JOBS / percentile(seconds, 50),
        "beside_ideal": min(ratios),
        "beside_ideal_median": percentile(ratios, 50),
    }


async def several_nodes() -> Report:
    from tests.inference.ray_cluster import SmallCluster

    async with tools.opened("fake") as like, tools.bare_model(SECONDS, like) as bare:
        processes = await beside_ideal(bare, PROCESSES, workers=PROCESSES)
        nodes: dict[str, Report] = {}
        cluster = SmallCluster()
        try:
            for count, more in NODES:
                for _ in range(more):
                    cluster.add_node()
                nodes[str(count)] = await beside_ideal(bare, count, engine=cluster.engine())
        finally:
            cluster.stop()
    return {
        "how": f"{NODE_JOBS} jobs of {len(PEOPLE)} people at once, 5-ms model, batches of 8, one "
        f"worker on each node; ideal: the same batches called in a bare loop, measured before "
        f"each, divided by the number of workers; best of {NODE_REPEATS}",
        "ray_nodes": nodes,
        "worker_processes": {str(PROCESSES): processes},
    }


def part(name: str) -> None:
    """One part in this process; its figures on standard output."""
    figures = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints, prints elsewhere
    logging.basicConfig(level="INFO", filename=os.devnull)  # as in production, but read by nobody
    engine = RayEngine("local") if name == "ray" else None
    report = asyncio.run(several_nodes() if name == "nodes" else one_front(engine))
    with figures:
        json.dump(tools.rounded(report), figures)


def measure(name: str) -> Report:
    """One part in a fresh process, with a folder of its own; {"error": …} if it has no figures."""
    # Not with -m: each worker process that is spawned would import this module too.
    command = ["-c", f"from tests.benchmarks.scaling import part; part({name!r})"]
    # Its name is short, since paths of sockets are limited.
    with TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        folders = {"TMPDIR": folder, "RAY_TMPDIR": folder}
        return figures_of(command, PARTS[name], ENVIRONMENT | folders)


def main() -> None:
    parser = argparse.ArgumentParser(description="What one front can do on each engine.")
    parser.add_argument("--only", help=f"some of: {', '.join(PARTS)}", default=",".join(PARTS))
    chosen = parser.parse_args().only.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the part is ended too
    began, load, parts = time.perf_counter(), os.getloadavg(), {}
    for name in chosen:
        say(name)
        parts[name] = measure(name)
    failed = [name for name, each in parts.items() if "error" in each]
    report = {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "ray": version("ray"),
            "load": [load[0], os.getloadavg()[0]],  # before and after
        },
        "seconds": round(time.perf_counter() - began, 1),
        "not_measured": failed,
        "parts": parts,
    }
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
