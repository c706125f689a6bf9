"""What becomes of requests when something goes wrong: a dead worker, a poisonous item, a leaver.

The same for everybody, as the load is. Who has no answer within a bound is said to hang; that is
a finding, and nothing here raises because of it. Standard library only.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

Call = Callable[[int], Awaitable[int]]  # as in `driving`, which goes by two names: see `run.py`
Report = dict[str, Any]

IN_FLIGHT = 128
TOGETHER = 8  # as many as fill a batch of the fake model
LEAVER = 3  # which of them is the poison, or leaves
PATIENCE = 8.0  # seconds until a request is said to hang
RECOVERY = 20.0  # and where a process must be started first
HOLD_SECONDS = 0.05  # the model's, where requests must pile up while it computes another one


async def crash(call: Call, pid: int) -> Report:
    """Kill the process that computes, under 128 requests, once the first are answered.

    `next_answer_seconds`: of somebody who asks from the kill on, again after each error or two
    seconds of silence, until he has his first right answer; None: not within RECOVERY seconds.
    """
    requests = _sent(call, range(IN_FLIGHT))
    await asyncio.wait(requests.values(), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.002)  # the next batch is being computed
    before = sum(task.done() for task in requests.values())
    os.kill(pid, signal.SIGKILL)
    newcomer = asyncio.create_task(_answered_again(call, RECOVERY))
    fates = await _fates(requests, RECOVERY)
    return {"in_flight": IN_FLIGHT - before} | fates | {"next_answer_seconds": await newcomer}


async def poison(call: Call, bad: int, last_size: int, rounds: int) -> Report:
    """Eight requests together, one of them `bad`; the worst of the rounds.

    They pile up behind a request under way. `last_size`: the request that is answered with the size
    of the last batch that had `bad` in it, as the model saw it.
    """
    reports = []
    for _ in range(rounds):
        held = await _held(call)
        numbers = [*range(TOGETHER - 1)]
        numbers.insert(LEAVER, bad)
        report = await _fates(_sent(call, numbers), PATIENCE)
        await _fates(held, PATIENCE)
        report["batch"] = await _bounded(call, last_size)
        reports.append(report)
        if report["hung"]:
            break
    return _worst(reports)


async def cancel(call: Call, rounds: int) -> Report:
    """Of eight who wait together one is cancelled: what becomes of the others, in the worst round.

    They pile up behind a request under way, which must be answered too.
    """
    reports = []
    for _ in range(rounds):
        held = await _held(call)
        waiting = _sent(call, range(100, 100 + TOGETHER))
        await asyncio.sleep(HOLD_SECONDS / 10)  # they have arrived
        leaver = waiting.pop(100 + LEAVER)
        early = leaver.done()
        leaver.cancel()
        report = await _fates(waiting, PATIENCE)
        report["request_before_hung"] = (await _fates(held, PATIENCE))["hung"]
        report["cancelled_too_late"] = early
        report["next_answer_seconds"] = await _answered_again(call, PATIENCE)
        reports.append(report)
        if report["hung"]:
            break
    return _worst(reports)


def _sent(call: Call, numbers: Iterable[int]) -> dict[int, asyncio.Task[int]]:
    return {number: asyncio.ensure_future(call(number)) for number in numbers}


async def _held(call: Call) -> dict[int, asyncio.Task[int]]:
    """A request that is being computed."""
    held = _sent(call, [1000])
    await asyncio.sleep(HOLD_SECONDS / 2)
    return held


async def _fates(requests: Mapping[int, asyncio.Task[int]], patience: float) -> Report:
    """How many had the right answer, a wrong one, an error, or nothing; the latter are ended."""
    done, hung = await asyncio.wait(requests.values(), timeout=patience)
    for task in hung:
        task.cancel()
    if hung:
        await asyncio.wait(hung, timeout=1.0)
    errors = [error for task in done if (error := _error(task)) is not None]
    answers = [
        (number, task.result())
        for number, task in requests.items()
        if task in done and _error(task) is None
    ]
    right = sum(answer == 2 * number for number, answer in answers)
    return {
        "right": right,
        "wrong": len(answers) - right,
        "errors": len(errors),
        "hung": len(hung),
        "first_error": _name(errors[0]) if errors else None,
    }


def _error(task: asyncio.Task[int]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _name(error: BaseException) -> str:
    """Of its kind, and the HTTP status if it has one; texts name ports and processes."""
    return f"{type(error).__name__} {getattr(error, 'status', '')}".strip()


async def _bounded(call: Call, number: int, seconds: float = 2.0) -> int | None:
    """The answer; None for an error, or if there is none in time."""
    task = asyncio.ensure_future(call(number))
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()
        return None
    return None if _error(task) else task.result()


async def _answered_again(call: Call, patience: float) -> float | None:
    """Seconds until somebody who asks again and again has a right answer."""
    began = time.perf_counter()
    while (past := time.perf_counter() - began) < patience:
        if await _bounded(call, 7, min(2.0, patience - past)) == 14:
            return time.perf_counter() - began
        await asyncio.sleep(0.05)
    return None


def _worst(reports: list[Report]) -> Report:
    worst = min(reports, key=lambda each: (each["right"], -each["hung"], -each["errors"]))
    return worst | {"rounds": len(reports)}
