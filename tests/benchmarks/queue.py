"""The inference queue's figures beside their bars, one command, JSON on standard output:

    uv run python -m tests.benchmarks.queue [--peers] [--soak 600] [--only burst,lone]

Every part runs in a fresh process, compares itself with a reference that is measured next to it,
and says how. `--peers` measures other batching queues with the same model and the same load in the
same run, each in a process of an environment of their own (see `peers/start.py`). Without a longer
soak it ends within five minutes.

The exit status is 1 if a part could not be measured; a bar that is missed is in the report.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """`module` of `queue_parts`, whose `run_NAME` measures; `limit`: seconds it may take."""

    module: str
    limit: float
    environment: tuple[tuple[str, str], ...] = (("OMP_NUM_THREADS", "1"),)


PARTS = {
    "burst": Part("speed", 40),
    "overhead": Part("speed", 40),
    "lone": Part("speed", 40),
    "lag": Part("speed", 60),
    "fairness": Part("shares", 60),
    "eta": Part("shares", 60),
    "crash": Part("failures", 60),
    "poison": Part("failures", 60),
    "memory": Part("memory", 90),
    "text": Part("speed", 120, ()),
    "soak": Part("soak", 60),
}
SOAK_SECONDS = 20.0


def measure(name: str, *arguments: float, longer: float = 0.0) -> Report:
    """One part, in a process of its own; {"error": …} if it gives no figures."""
    part = PARTS[name]
    limit = part.limit + longer
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.queue_parts", name, *map(str, arguments)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | dict(part.environment),
        start_new_session=True,
    )
    began = time.perf_counter()
    try:
        figures, _ = process.communicate(timeout=limit)
        report: Report = json.loads(figures)
    except subprocess.TimeoutExpired:
        report = {"error": f"not done within {limit:g} s"}
    except ValueError:
        report = {"error": f"no figures; it ended with code {process.returncode}"}
    finally:
        with contextlib.suppress(ProcessLookupError):  # its own process group, if anything is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return report | {"seconds": round(time.perf_counter() - began, 1)}


def measure_peers(python: Path | None, chosen: list[str]) -> dict[str, Report]:
    """The figures of each peer, or why there are none."""
    from tests.benchmarks.peers import start

    try:
        interpreter = python or start.environment()
    except start.PeersError as error:
        return {name: {"error": str(error)} for name in chosen}
    reports = {}
    for name in chosen:
        say(f"peer {name}")
        reports[name] = start.measure(name, interpreter)
    return reports


def beside(parts: dict[str, Report], peers: dict[str, Report]) -> None:
    """Hold the queue's figures against the peers', where both were measured."""
    async_batcher = peers.get("async_batcher", {})
    overhead = parts.get("overhead", {})
    if "figure" in overhead and "burst_jobs_per_second" in async_batcher:
        ours = overhead["jobs_per_second"]
        theirs = async_batcher["burst_jobs_per_second"]
        overhead["async_batcher_burst_jobs_per_second"] = round(theirs)
        overhead["bar"] += ", and above async-batcher"
        overhead["met"] = overhead["met"] and ours["burst"] > theirs


def say(word: str) -> None:
    sys.stderr.write(f"{word} …\n")
    sys.stderr.flush()


def arguments_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    names = ", ".join(PARTS)
    parser.add_argument("--only", help=f"some of: {names}", default=",".join(PARTS))
    parser.add_argument("--soak", type=float, default=SOAK_SECONDS, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1, help="of the soak")
    parser.add_argument("--peers", action="store_true", help="measure the other queues too")
    parser.add_argument("--peers-only", metavar="NAMES", help="some of them (implies --peers)")
    parser.add_argument(
        "--peers-python", type=Path, help="the interpreter of an environment that has them"
    )
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if unknown := set(arguments.only) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {names}")
    return arguments


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments = arguments_of(parser)
    began = time.perf_counter()
    load = os.getloadavg()
    parts = {}
    for name in arguments.only:
        say(name)
        if name == "soak":
            parts[name] = measure(name, arguments.soak, arguments.seed, longer=arguments.soak)
        else:
            parts[name] = measure(name)
    peers: dict[str, Report] = {}
    if arguments.peers or arguments.peers_only:
        from tests.benchmarks.peers.start import NAMES

        chosen = arguments.peers_only.split(",") if arguments.peers_only else list(NAMES)
        peers = measure_peers(arguments.peers_python, chosen)
        beside(parts, peers)
    failed = [name for name, each in (parts | peers).items() if "error" in each]
    report = {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
            "load_before": [round(each, 2) for each in load],
            "load_after": [round(each, 2) for each in os.getloadavg()],
        },
        "seconds": round(time.perf_counter() - began, 1),
        "met": [name for name, each in parts.items() if each.get("met")],
        "missed": [name for name, each in parts.items() if each.get("met") is False],
        "not_measured": failed,
        "parts": parts,
    }
    if peers:
        report["peers"] = peers
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
