"""The inference queue's figures beside their bars, one command, JSON on standard output:

    uv run python -m tests.benchmarks.queue [--peers] [--soak 600] [--only burst,lone]

Every part runs in a fresh process, compares itself with a reference that is measured next to it,
and says how. `--peers` measures other batching queues with the same model and the same load in the
same run, each in a process of an environment of their own (see `peers/start.py`). Without them and
without a longer soak it ends within five minutes; `within_five_minutes` says whether it did.

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
from collections.abc import Mapping
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
    "crash": Part("failures", 90),
    "poison": Part("failures", 60),
    "cancel": Part("failures", 30),
    "memory": Part("memory", 90),
    "text": Part("speed", 120, ()),
    "soak": Part("soak", 60),
}
SOAK_SECONDS = 20.0
ALLOWED_SECONDS = 300.0  # for all parts together

# Each part's counterparts in the report of a peer.
COUNTERPARTS = {
    "burst": ("burst_over_ideal",),
    "overhead": ("burst_jobs_per_second", "closed_jobs_per_second"),
    "lone": ("lone_added_ms_p50",),
    "crash": ("crash",),
    "poison": ("poison",),
    "cancel": ("cancel",),
}


def measure(name: str, *arguments: float, longer: float = 0.0) -> Report:
    """One part, in a process of its own; {"error": …} if it gives no figures."""
    part = PARTS[name]
    command = ["-m", "tests.benchmarks.queue_parts", name, *map(str, arguments)]
    return figures_of(command, part.limit + longer, part.environment)


def figures_of(arguments: list[str], limit: float, environment: Mapping[str, str]) -> Report:
    """What a fresh Python prints within `limit` seconds; {"error": …} if that is no JSON."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | dict(environment),
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
    """Put the peers' figures into the parts that they belong to, and hold the queue against them.

    A peer that gave no figures stands there with its error.
    """
    for part, names in COUNTERPARTS.items():
        if "figure" in parts.get(part, {}):
            parts[part]["peers"] = {
                peer: report["error"] if "error" in report else _counterpart(report, names)
                for peer, report in peers.items()
            }
    overhead = parts.get("overhead", {})
    async_batcher = peers.get("async_batcher", {})
    if "figure" in overhead and "burst_jobs_per_second" in async_batcher:
        ours = overhead["jobs_per_second"]["burst"]
        overhead["bar"] += ", and above async-batcher"
        overhead["met"] = overhead["met"] and ours > async_batcher["burst_jobs_per_second"]


def _counterpart(report: Report, names: tuple[str, ...]) -> Any:
    return report[names[0]] if len(names) == 1 else {name: report[name] for name in names}


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
            # Each round ends with the last outcome, whatever was asked for.
            longer = 1.5 * arguments.soak
            parts[name] = measure(name, arguments.soak, arguments.seed, longer=longer)
        else:
            parts[name] = measure(name)
    own = time.perf_counter() - began
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
        "seconds_without_peers": round(own, 1),
        "within_five_minutes": own <= ALLOWED_SECONDS,
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
