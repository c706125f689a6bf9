"""What the queue costs whoever asks for faces: `uv run python -m tests.benchmarks.faces`.

A bare torch loop paints `--people` faces of 1024 pixels one after the other; then as many people
ask for one each at once, through the queue and its worker. They take turns, so that a noisy machine
treats both alike. Prints JSON: faces per second of both, their ratio by round, and what a lone
visitor waits for a face.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time

import torch

from bot.app import opened
from bot.settings import load
from inference.jobs import Job, Owner
from inference.models.faces import to_pixels
from inference.models.stylegan import Generator
from inference.tasks.faces import WEIGHTS, Face, FacesInput


def bare(generator: Generator, seeds: range) -> float:
    """Seconds to paint the faces of these seeds, one by one, as bytes."""
    began = time.perf_counter()
    with torch.no_grad():
        for seed in seeds:
            to_pixels(generator.synthesis(generator.style(seed, 0.7)))
    return time.perf_counter() - began


async def measure(people: int, rounds: int) -> dict[str, object]:
    async with opened(load()) as hub:
        queue = hub.services.queue
        files = {name: queue._weights.pull(name) for name in WEIGHTS}
        generator = await asyncio.to_thread(Generator.from_files, files, "cpu")

        async def ask(seed: int) -> None:
            owner = Owner(f"bench:{seed}", f"bench:{seed % people}")
            job = Job(task="faces", payload=FacesInput((Face(seed),)), owner=owner)
            async with queue.submit(job) as ticket:
                await ticket.result()

        await ask(0)  # loads
        loop_seconds, queue_seconds, lone = [], [], []
        for index in range(1, rounds + 1):
            seeds = range(index * people, (index + 1) * people)
            loop_seconds.append(await asyncio.to_thread(bare, generator, seeds))
            began = time.perf_counter()
            await asyncio.gather(*(ask(10_000 + seed) for seed in seeds))
            queue_seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            await ask(20_000 + index)
            lone.append(time.perf_counter() - began)
    ratios = [ours / theirs for ours, theirs in zip(loop_seconds, queue_seconds, strict=True)]
    return {
        "people": people,
        "rounds": rounds,
        "bare_faces_per_second": round(people / statistics.median(loop_seconds), 3),
        "queue_faces_per_second": round(people / statistics.median(queue_seconds), 3),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "lone_face_seconds": round(statistics.median(lone), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    json.dump(asyncio.run(measure(asked.people, asked.rounds)), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
