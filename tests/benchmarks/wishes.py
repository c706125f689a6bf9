"""How well wishes about a face are understood: `uv run python -m tests.benchmarks.wishes`.

Reads the lists of `tests/inference/wordings.toml` with the model itself. Prints JSON, for each list
and language:

- `right`: the part of the wishes of which exactly the expected attributes and signs were found, and
  nothing was left over as unknown or refused
- `false_acceptance`: the part of the unknown and refused wishes of which some attribute was found
- `refused`: the part of those about skin colour and origin that were told apart as such

and the time: milliseconds a wish, alone (median and 95th percentile) and in batches of 16, seconds
to load, megabytes that loading took. `--errors` lists what went wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from inference.models.face_wishes import FaceWishes
from inference.tasks.face_wishes import Wishes, WishInput

WORDINGS = Path(__file__).parent.parent / "inference" / "wordings.toml"
BATCH = 16


def wordings() -> dict[str, dict[str, dict[str, str]]]:
    """List, language, wording: what is to be understood, as in the file."""
    return tomllib.loads(WORDINGS.read_text(encoding="utf-8"))


def understood(answer: Wishes) -> str:
    """An answer written as the file writes what it expects, in alphabetical order."""
    found = [wish.attribute + ("+" if wish.strength > 0 else "-") for wish in answer.wishes]
    found += ["unknown"] * bool(answer.unknown) + ["refused"] * bool(answer.refused)
    return " ".join(sorted(found))


def score(model: FaceWishes, expected: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures of one list, and what was understood where that was wrong."""
    texts = list(expected)
    answers: list[Wishes] = []
    for start in range(0, len(texts), BATCH):
        batch = model.predict([WishInput(text) for text in texts[start : start + BATCH]])
        answers += [answer for answer in batch if isinstance(answer, Wishes)]
    counts = dict.fromkeys(("wishes", "right", "foreign", "accepted", "to_refuse", "refused"), 0)
    errors = {}
    for (text, wanted), answer in zip(expected.items(), answers, strict=True):
        found = understood(answer)
        if wanted in ("unknown", "refused"):
            counts["foreign"] += 1
            counts["accepted"] += bool(answer.wishes)
            counts["to_refuse"] += wanted == "refused"
            counts["refused"] += wanted == "refused" and found == "refused"
        else:
            counts["wishes"] += 1
            counts["right"] += found == " ".join(sorted(wanted.split()))
        if found != " ".join(sorted(wanted.split())):
            errors[text] = f"{wanted} -> {found}"
    figures = {
        "wishes": counts["wishes"],
        "right": round(counts["right"] / counts["wishes"], 3),
        "unknown_and_refused": counts["foreign"],
        "false_acceptance": round(counts["accepted"] / counts["foreign"], 3),
        "refused": round(counts["refused"] / counts["to_refuse"], 3),
    }
    return figures, errors


def measure(errors: bool) -> dict[str, Any]:
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    model = FaceWishes({}, {})
    model.load("cpu")
    report: dict[str, Any] = {
        "load_seconds": round(time.perf_counter() - began, 2),
        "load_megabytes": round((psutil.Process().memory_info().rss - before) / 1e6),
    }
    lists = wordings()
    for name, languages in lists.items():
        for language, expected in languages.items():
            figures, wrong = score(model, expected)
            report[f"{name}.{language}"] = figures | ({"errors": wrong} if errors else {})
    texts = [text for languages in lists.values() for each in languages.values() for text in each]
    alone = []
    for text in texts:
        began = time.perf_counter()
        model.predict([WishInput(text)])
        alone.append(1000 * (time.perf_counter() - began))
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        model.predict([WishInput(text) for text in texts[start : start + BATCH]])
    together = 1000 * (time.perf_counter() - began) / len(texts)
    report["milliseconds_alone"] = {
        "median": round(statistics.median(alone), 1),
        "p95": round(statistics.quantiles(alone, n=20)[-1], 1),
    }
    report[f"milliseconds_each_of_{BATCH}"] = round(together, 1)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true", help="list what was misunderstood")
    arguments = parser.parse_args()
    json.dump(measure(arguments.errors), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
