"""Tokens per second through Tadım beside the bare llama.cpp server: one command, one run.

    uv run python -m tests.benchmarks.gpt [--streams 1] [--rounds 5]

The bare side is an `xllamacpp.Server` of the same settings in a process of its own, streamed over
HTTP; the other is the queue with its worker. They take turns in one run, since machines are noisy.
Prints JSON: tokens a second over all streams, from the first request to the last token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp

from bot.app import opened
from bot.settings import load
from inference.jobs import Done, Job, Owner
from inference.tasks.text_generation import TASK, TextInput

TOKENS = 160
PROMPT = "Write a long story about a fox who travels through Anatolia. Chapter {number}."


def bare_server(weights: Path, pipe: Connection) -> None:
    """The bare side: the same engine, nothing around it. Ends when its pipe closes."""
    from inference.models.gpt import LlamaCpp

    model = LlamaCpp(TASK.variant("embedded").options, {"weights": weights})
    model.load("cpu")
    pipe.send((model._server.listening_address, model.headers))
    pipe.poll(None)


async def bare_round(
    address: str, headers: dict[str, str], numbers: list[int], tokens_each: int
) -> float:
    """Tokens a second over all streams."""
    async with aiohttp.ClientSession(headers=headers) as session:

        async def stream(number: int) -> int:
            body = {
                "messages": [{"role": "user", "content": PROMPT.format(number=number)}],
                "stream": True,
                "max_tokens": tokens_each,
                "temperature": 0.7,
                "seed": number,
                "cache_prompt": True,
            }
            async with session.post(f"{address}/v1/chat/completions", json=body) as response:
                timings = {}
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        timings = json.loads(line[6:]).get("timings") or timings
            return int(timings["predicted_n"])

        began = time.perf_counter()
        tokens = sum(await asyncio.gather(*(stream(number) for number in numbers)))
        return tokens / (time.perf_counter() - began)


async def measure(streams: int, rounds: int, tokens_each: int = TOKENS) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    rates: dict[str, list[float]] = {"bare": [], "tadim": []}
    async with opened(load()) as hub:
        queue = hub.services.queue
        weights = await asyncio.to_thread(queue._weights.pull, "smollm2-135m-instruct")
        ours, theirs = context.Pipe()
        server = context.Process(target=bare_server, args=(weights, theirs), daemon=True)
        server.start()
        theirs.close()
        address, headers = await asyncio.to_thread(ours.recv)

        async def job(number: int) -> int:
            payload = TextInput((("user", PROMPT.format(number=number)),), tokens_each, 0.7, number)
            owner = Owner(f"bench:{number}", "bench:room")
            tokens = 0
            async with queue.submit(Job(task=TASK.name, payload=payload, owner=owner)) as ticket:
                async for event in ticket:
                    if isinstance(event, Done):
                        tokens = event.result.tokens
            return tokens

        for index in range(rounds + 1):
            numbers = [index * streams + k for k in range(streams)]
            bare = await bare_round(address, headers, numbers, tokens_each)
            began = time.perf_counter()
            tokens = sum(await asyncio.gather(*(job(number) for number in numbers)))
            tadim = tokens / (time.perf_counter() - began)
            if index:  # the first round loads and warms up
                rates["bare"].append(bare)
                rates["tadim"].append(tadim)
        ours.close()
        await asyncio.to_thread(server.join, 5)
        if server.is_alive():
            server.kill()
    return {
        "streams": streams,
        "rounds": rounds,
        "ratios": [round(t / b, 3) for t, b in zip(rates["tadim"], rates["bare"], strict=True)],
        "bare_tokens_per_second": round(statistics.median(rates["bare"]), 1),
        "tadim_tokens_per_second": round(statistics.median(rates["tadim"]), 1),
        "ratio": round(
            statistics.median(t / b for t, b in zip(rates["tadim"], rates["bare"], strict=True)), 3
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    json.dump(asyncio.run(measure(arguments.streams, arguments.rounds)), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
