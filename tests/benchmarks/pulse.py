"""How close PULSE comes to real faces, and what it saves: `-m tests.benchmarks.pulse FOLDER`.

FOLDER holds photos of real faces. Of each the largest face is taken, framed as FFHQ does, made
small (`--side` pixels) and searched for. Ten come with packages: the six demo photos of
@vladmandic/face-api (npm), obama.jpg, obama2.jpg and biden.jpg of face_recognition's tests, and
astronaut.png of scikit-image (sources, PyPI).

Prints JSON: the distances of all starts of each face (mean squared, colours from 0 to 1, of *whole*
faces made small), how many faces have one within the paper's ε, whether the same seed finds the
same again, and for `--against` faces how long descent takes whose gradients go through all 1024
pixels, from the same start, until it is as close as the search at few pixels was in the end.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from bot.pull import open_store
from bot.settings import load
from handlers.drawing.faces import cut_face, shrink
from inference.jobs import Progress
from inference.model import Result
from inference.models.mtcnn import Mtcnn
from inference.models.pulse import Pulse, Search
from inference.tasks.face_detection import TASK as DETECTION
from inference.tasks.face_detection import FaceInput, Faces
from inference.tasks.face_search import EPSILON, Found, SearchInput, SearchState
from inference.tasks.faces import SIZES, WEIGHTS

PATIENCE = 20  # times the search's own time, after which descent at full size is given up


class WholeSearch(Search):
    """The same search, with gradients through the whole face."""

    def __init__(self, model: Pulse, asked: SearchInput) -> None:
        super().__init__(model, asked)
        self._size = SIZES[-1]


def faces_of(folder: Path, detector: Mtcnn, side: int) -> Iterator[tuple[str, bytes]]:
    """Name and RGB bytes of each photo's largest face."""
    for path in sorted(folder.iterdir()):
        with Image.open(path) as opened:
            photo = ImageOps.exif_transpose(opened).convert("RGB")
        buffer = BytesIO()
        photo.save(buffer, "PNG")
        (found,) = detector.predict([FaceInput(buffer.getvalue(), *photo.size)])
        assert isinstance(found, Faces)
        if found.faces:
            cut = cut_face(buffer.getvalue(), found.faces[0].landmarks, 512)
            yield path.stem, shrink(cut, side)


def searched(model: Pulse, asked: SearchInput) -> Found:
    for event in Search(model, asked).run():
        if isinstance(event, Result):
            found: Found = event.value
    return found


def seconds_at_full_size(model: Pulse, asked: SearchInput, goal: float, limit: float) -> float:
    """Seconds until a face is that close; infinite if none is within `limit` seconds."""
    began = time.perf_counter()
    for event in WholeSearch(model, asked).run():
        seconds = time.perf_counter() - began
        if isinstance(event, Progress):
            state = event.preview
            close = isinstance(state, SearchState) and min(state.distances) <= goal
        else:
            close = event.value.faces[0].distance <= goal
        if close:
            return seconds
        if seconds > limit:
            break
    return float("inf")


def measure(folder: Path, side: int, steps: int, seed: int, against: int) -> dict[str, Any]:
    store = open_store(load())
    of_detector = DETECTION.variants["embedded"].weights
    detector = Mtcnn({}, {name: store.pull(name) for name in of_detector})
    detector.load("cpu")
    faces = list(faces_of(folder, detector, side))
    detector.close()
    model = Pulse({}, {name: store.pull(name) for name in WEIGHTS})
    model.load("cpu")
    distances = {}
    seconds = {}
    for name, pixels in faces:
        found = searched(model, SearchInput(pixels, side, seed, steps=steps))
        distances[name] = [round(face.distance, 5) for face in found.faces]
        seconds[name] = round(found.seconds, 1)
        print(name, distances[name], seconds[name], file=sys.stderr, flush=True)
    memory_small = _peak_gigabytes()
    ratios = {}
    for name, pixels in faces[:against]:
        asked = SearchInput(pixels, side, seed, starts=1, steps=steps)
        small = searched(model, asked)
        goal, limit = small.faces[0].distance, PATIENCE * small.seconds
        whole = seconds_at_full_size(model, asked, goal, limit)
        ratios[name] = round(min(whole, limit) / small.seconds, 1)
        late = "" if whole < limit else "more than "
        print(f"{name}: {late}{ratios[name]} times as long", file=sys.stderr, flush=True)
    again = SearchInput(faces[0][1], side, seed, starts=1, steps=8)
    first, second = searched(model, again), searched(model, again)
    return {
        "faces": len(faces),
        "side": side,
        "steps": steps,
        "within_epsilon": sum(min(each) <= EPSILON for each in distances.values()),
        "epsilon": EPSILON,
        "distances": distances,
        "seconds": seconds,
        "full_size_takes_times_as_long": ratios,
        "given_up_after_times_as_long": PATIENCE,
        "same_again": first.faces[0].face == second.faces[0].face,
        "peak_gigabytes": memory_small,
        "peak_gigabytes_full_size": _peak_gigabytes(),
    }


def _peak_gigabytes() -> float:
    """The most memory that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--steps", type=int, default=SearchInput(b"", 0).steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--against", type=int, default=2, help="faces also searched at full size")
    asked = parser.parse_args()
    report = measure(asked.folder, asked.side, asked.steps, asked.seed, asked.against)
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
