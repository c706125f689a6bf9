"""What Tadım adds to a direct ultralytics call: `uv run python -m tests.benchmarks.detect`.

Both run in this one process tree, taking turns, on the same file: a direct `YOLO.predict(path)` and
the way of a chat's photo (check in the studio, queue, worker, boxes). Drawing is reported apart.
Prints JSON; times are milliseconds, medians over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path

from bot.app import opened
from bot.settings import load
from handlers.drawing.boxes import LabelledBox, draw_boxes
from handlers.kit.request import Picture, PictureRef
from inference.jobs import Job, Owner
from inference.tasks.detection import Box, DetectionInput, Detections


def bus() -> Path:
    """The photo that ultralytics ships."""
    spec = importlib.util.find_spec("ultralytics")
    assert spec and spec.origin
    return Path(spec.origin).parent / "assets" / "bus.jpg"


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((b.right - b.left) * (b.bottom - b.top) for b in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


def direct(path: Path, weights: Path):
    """A warm function from nothing to (boxes, seconds), calling ultralytics itself."""
    from inference.models.yolo import _quiet_ultralytics

    network = _quiet_ultralytics(weights.parent)(str(weights), task="detect")

    def call() -> tuple[tuple[Box, ...], float]:
        began = time.perf_counter()
        result = network.predict(str(path), verbose=False, conf=0.25, device="cpu")[0]
        table = result.boxes.data.tolist()  # left, top, right, bottom, confidence, class
        seconds = time.perf_counter() - began
        boxes = [Box(result.names[int(row[5])], row[4], *row[:4]) for row in table]
        return tuple(sorted(boxes, key=lambda box: -box.confidence)), seconds

    call()
    return call


async def measure(path: Path, rounds: int) -> dict[str, object]:
    data = path.read_bytes()

    async def fetch() -> bytes:
        return data

    picture = Picture(PictureRef("bench", {}), fetch)
    owner = Owner("bench:a", "bench:a")
    times: dict[str, list[float]] = {"direct": [], "tadim": [], "inference": [], "drawing": []}
    async with opened(load()) as hub:
        services = hub.services
        weights = services.queue._weights.pull("yolo26n")
        call = await asyncio.to_thread(direct, path, weights)
        for index in range(rounds + 3):
            # A confidence that nobody has asked for yet, so that the cache does not answer.
            confidence = 0.25 + index * 1e-9
            theirs, seconds = await asyncio.to_thread(call)
            began = time.perf_counter()
            opened_picture = await services.open_picture(picture)
            facts = opened_picture.facts
            payload = DetectionInput(data, facts.width, facts.height, confidence)
            async with services.queue.submit(
                Job(task="detection", payload=payload, owner=owner)
            ) as ticket:
                found: Detections = await ticket.result()
            ours = time.perf_counter() - began
            labels = [
                LabelledBox(b.label, 0, b.left, b.top, b.right, b.bottom) for b in found.boxes
            ]
            began = time.perf_counter()
            await services.studio.run(draw_boxes, data, labels)
            if index >= 3:  # the first rounds load and warm up
                times["direct"].append(seconds)
                times["tadim"].append(ours)
                times["inference"].append(found.inference_seconds)
                times["drawing"].append(time.perf_counter() - began)
    pairs = list(zip(theirs, found.boxes, strict=True))
    median = {name: 1000 * statistics.median(values) for name, values in times.items()}
    added = [1000 * (a - b) for a, b in zip(times["tadim"], times["direct"], strict=True)]
    return {
        "picture": path.name,
        "rounds": rounds,
        "direct_ms": round(median["direct"], 2),
        "tadim_ms": round(median["tadim"], 2),
        "added_ms_median": round(statistics.median(added), 2),
        "network_ms": round(median["inference"], 2),
        "drawing_ms": round(median["drawing"], 2),
        "same_classes": all(a.label == b.label for a, b in pairs),
        "least_iou": min(overlap(a, b) for a, b in pairs),
        "largest_confidence_difference": max(abs(a.confidence - b.confidence) for a, b in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="a photo; the bus that ultralytics ships")
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    picture = arguments.picture or bus()
    json.dump(asyncio.run(measure(picture, arguments.rounds)), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
