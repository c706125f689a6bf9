"""Discord and Telegram at load, one command, JSON on standard output:

    uv run python -m tests.benchmarks.platforms [--only discord,telegram-private] [--users 200]

Everybody sends a photo of their own to `/detect` within one second, while texts are being written
all the time: the models keep both cores busy. In parts whose name ends in `-words` they ask for
`/help` instead, which no model delays, while other people's photos and texts do the same. Real
clients, queue, workers and embedded models; the platform is a fake on loopback, in a process of its
own, that enforces the platform's limits and answers 429 (`platform_parts/street.py`). The measured
process is Tadım alone (`platform_parts/program.py`). `--scripted` puts a script in the place of the
models.

**discord**: seconds from the press to its acknowledgement. Bar: p99 at most 1 s.

**telegram-private**, **telegram-group**: seconds from the first press to the last answer, over
those that the limits allow. So long a sender would take who knows everything beforehand and sends
nothing but what is needed: an answer for each, none before its model was done with it, at most 30
in any second; in a group one a second and at most 20 in any minute. There one message with a link
counts as needed, the answers of those whom it leads to their private chats may go there from the
moment they open them (0.5 to 3 s after they saw the link), and every twentieth never does. Bar:
1.2. Beside it stands what the limits alone would have taken, were models infinitely fast.

In all parts everybody is to be answered exactly once, and at most one request answered 429.
The exit status is 1 if a part could not be measured; a bar that is missed is in the report.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import platformdirs

from inference.weights import Manifest, WeightsStore
from tests.benchmarks.peers.driving import percentile
from tests.benchmarks.queue_parts.tools import rounded, verdict

Report = dict[str, Any]

#: seconds in which all must be answered
PARTS = {
    "discord": 180.0,
    "telegram-private": 180.0,
    "telegram-private-words": 60.0,
    "telegram-group": 300.0,
    "telegram-group-words": 120.0,
}
STARTING = 180.0  # seconds: models are loaded
STREAMS = 4
NEEDED = ("yolo26n", "smollm2-135m-instruct")
IN_ALL, IN_CHAT, IN_GROUP = (30, 1.0), (1, 1.0), (20, 60.0)  # messages, seconds


class Failed(Exception):
    """A part gives no figures."""


async def measure(part: str, users: int, *, weights: Path | None, streams: int) -> Report:
    """One part, in two processes of its own; without `weights` a script answers."""
    patience = PARTS[part]
    with TemporaryDirectory(prefix="tadim-bench-") as folder:
        async with _started("street", part, str(users), str(patience)) as street:
            base = (await _told(street, 60.0))["base"]
            arguments = (part, base, folder, str(weights or "-"), str(streams))
            async with _started("program", *arguments) as program:
                await _told(program, STARTING)
                _tell(street)
                seen = await _told(street, patience + 60.0)
                _tell(program)
                felt = await _told(program, 60.0)
    return report_of(part, seen, felt)


def report_of(part: str, seen: Report, felt: Report) -> Report:
    """The figures of one part, from what people saw and what the program felt."""
    people = seen["people"]
    first = min(each["pressed"] for each in people)
    answered = [each["answered"] for each in people if each["answered"] is not None]
    all_answered = len(answered) == len(people)
    exactly_one = all(each["answers"] == 1 for each in people) and not seen["answers_to_nobody"]
    clean = exactly_one and len(seen["too_many"]) <= 1 and not seen["violations"]
    last = max(answered, default=first)
    details = {
        "users": len(people),
        "seconds_until_all_answered": last - first if all_answered else None,
        "seconds_until_models_done": max(felt["ready"].values(), default=first) - first,
        "answers": {
            "exactly_one": sum(each["answers"] == 1 for each in people),
            "missing": sum(each["answers"] == 0 for each in people),
            "more": sum(each["answers"] > 1 for each in people),
            "to_nobody": seen["answers_to_nobody"],
        },
        "too_many": len(seen["too_many"]),
        "first_too_many": seen["too_many"][:5],
        "violations": seen["violations"][:5],
        "requests": seen["requests"],
        "other_words": seen["other_words"],
        "loop_lag": felt["loop_lag"],
        "loop_lag_of_the_server": seen["loop_lag"],
        "cores": {"all": felt["busy_cores"], "this_process": felt["own_cores"]},
        "other_jobs": felt["other_jobs"],
    }
    if part.startswith("discord"):
        return _acknowledgements(people, clean, details)
    ready, in_group = felt["ready"], seen["in_group"]
    return _against_limits(people, ready, in_group, clean and all_answered, details)


def _acknowledgements(people: list[Report], clean: bool, details: Report) -> Report:
    waits = [each["acknowledged"] - each["pressed"] for each in people if each["acknowledged"]]
    p99 = percentile(waits, 99) if waits else float("inf")
    return verdict(
        p99,
        "s",
        "acknowledgements p99 <= 1 s, one answer each, at most one 429",
        met=clean and len(waits) == len(people) and p99 <= 1.0,
        how="from the event's dispatch to its acknowledgement at the server",
        acknowledged=len(waits),
        acknowledgement={
            "p50_s": percentile(waits, 50),
            "p99_s": p99,
            "max_s": max(waits),
        }
        if waits
        else None,
        **details,
    )


def _against_limits(
    people: list[Report],
    ready: dict[str, float],
    in_group: dict[str, int],
    clean: bool,
    details: Report,
) -> Report:
    first = min(each["pressed"] for each in people)
    last = max((each["answered"] for each in people if each["answered"]), default=first)
    done = {each["user"]: ready.get(each["user"], each["pressed"]) for each in people}
    pressed = {each["user"]: each["pressed"] for each in people}
    possible = _possible(people, done, bool(in_group)) - first
    ratio = (last - first) / possible
    return verdict(
        ratio,
        "of the time that the limits allow",
        "<= 1.2, one answer each, at most one 429",
        met=clean and ratio <= 1.2,
        how="last answer over the earliest possible one, both since the first press",
        seconds_possible=possible,
        seconds_of_limits_alone=_possible(people, pressed, bool(in_group)) - first,
        in_group=in_group,
        places=Counter(each["place"] for each in people),
        **details,
    )


def _possible(people: list[Report], ready: dict[str, float], grouped: bool) -> float:
    """When the last answer could have come, each from when it was ready for its user."""
    stay = {each["user"] for each in people if grouped and each["opened"] is None}
    private = [
        max(ready[each["user"]], each["opened"] or 0.0)
        for each in people
        if each["user"] not in stay
    ]
    if not grouped:
        return earliest(private, IN_ALL)
    link = min(each["pressed"] for each in people)
    group = [link, *(ready[user] for user in stay)]
    return max(earliest(private, IN_ALL), earliest(group, IN_CHAT, IN_GROUP))


def earliest(ready: Sequence[float], *limits: tuple[int, float]) -> float:
    """When the last message can be sent: each once it is ready, so many in so many seconds."""
    sent: list[float] = []
    for moment in sorted(ready):
        allowed = [sent[-most] + seconds for most, seconds in limits if len(sent) >= most]
        sent.append(max(moment, *allowed) if allowed else moment)
    return sent[-1] if sent else 0.0


# --- the processes -------------------------------------------------------------------------------


@asynccontextmanager
async def _started(module: str, *arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tests.benchmarks.platform_parts.{module}",
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        cwd=Path(__file__).parents[2],
        limit=2**24,
        start_new_session=True,
    )
    try:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 30.0)
    finally:
        with contextlib.suppress(ProcessLookupError):  # its own group, if anything is left
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _told(process: Process, seconds: float) -> Report:
    """The next thing that a process says."""
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), seconds)
        told: Report = json.loads(line)
    except TimeoutError:
        raise Failed(f"nothing was said within {seconds:g} s") from None
    except ValueError:
        raise Failed("it ended without figures") from None
    return told


def _tell(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


def weights_folder() -> Path:
    """The folder that the tests pull weights into, with the two models in it."""
    chosen = os.environ.get("TADIM_TEST_WEIGHTS")
    folder = Path(chosen) if chosen else platformdirs.user_cache_path("tadim") / "test-weights"
    store = WeightsStore(folder, Manifest.shipped())
    for name in NEEDED:
        if store.path(name) is None:
            store.pull(name)
    return folder


def arguments_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    names = ", ".join(PARTS)
    parser.add_argument("--only", help=f"some of: {names}", default=",".join(PARTS))
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--streams", type=int, default=STREAMS, help="texts written besides")
    parser.add_argument("--scripted", action="store_true", help="no models, a script")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if unknown := set(arguments.only) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {names}")
    return arguments


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments = arguments_of(parser)
    load = os.getloadavg()
    weights = None if arguments.scripted else weights_folder()
    streams = 0 if arguments.scripted else arguments.streams
    parts: dict[str, Report] = {}
    for name in arguments.only:
        sys.stderr.write(f"{name} …\n")
        began = time.perf_counter()
        try:
            parts[name] = await measure(name, arguments.users, weights=weights, streams=streams)
        except Failed as error:
            parts[name] = {"error": str(error)}
        parts[name]["seconds"] = round(time.perf_counter() - began, 1)
        sys.stderr.write(f"{name}: {parts[name].get('figure')}\n")
    report = {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
            "load_before": rounded(list(load)),
            "load_after": rounded(list(os.getloadavg())),
        },
        "met": [name for name, each in parts.items() if each.get("met")],
        "missed": [name for name, each in parts.items() if each.get("met") is False],
        "not_measured": [name for name, each in parts.items() if "error" in each],
        "parts": parts,
    }
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")
    sys.exit(1 if report["not_measured"] else 0)


if __name__ == "__main__":
    asyncio.run(main())
