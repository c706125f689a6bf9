"""Judges the edit directions on faces and with labellers that they were not fitted with.

    uv run python -m training.faces.judge paint DIR --seeds 400000 400100
    node training/faces/label.mjs NPM DIR/before
    node training/faces/label.mjs NPM DIR/after 0 faceres,parse
    uv run python -m training.faces.judge report DIR [--write]

`paint` draws every face as it is (DIR/before), and with `--strength` more and less of every
attribute (DIR/after), with the fast network and the readout of 256 pixels. `report` prints JSON:

- `share`: of the faces, how many the judge sees move as asked (VERDICTS: for each attribute another
  model or another measure than that of fit.MEASURES; see the model card);
- `moved`: by how much, in standard deviations of the judge's values among unedited faces;
- `identity`: the distance of the face descriptors of face-api.js before and after; under 0.6 it
  takes two pictures for one person, `strangers` is the mean between different faces;
- `skin`: how far the mean colour of the skin moves, in L, a, b (about 2 is just visible), and
  `skin_lightness`: by how much of it the skin gets lighter for more of the attribute;
- `background`: the mean absolute difference, of 255, where the parser saw neither face nor hair;
- `crosstalk`: what else moves, in deviations for one unit of strength.

`--write` adds these figures to the notes in the file of directions.

`scales` is for fit.SCALES: on few other faces, with DIR/after labelled in full, by what factor each
direction must be longer or shorter for its own label to move by one deviation. It prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from inference.models.stylegan import LAYERS, Generator
from training.faces import files
from training.faces.fit import MEASURES, NOSE, PIXELS, SKIN, Array, Seen, disc, feels, gap, seen
from training.faces.sample import DIRECTIONS, TRUNCATION, save

NEITHER_FACE_NOR_HAIR = (0, 16)  # background and clothes, to the parser
ONE_SIDED = frozenset({"glasses"})  # few faces have what "less" would take away

# --- the judges' measures -------------------------------------------------------------------------


def _frame(face: Seen) -> tuple[Array, Array, Array]:
    """Of the 68 landmarks: the middle of the eyes; from there to the mouth; from eye to eye."""
    points = face.landmarks
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    middle = (right + left) / 2
    return middle, points[48:68].mean(0) - middle, left - right


def _eye(points: Array, first: int) -> float:
    """Height by width of one eye's six points."""
    a, b, c, d, e, f = (first + step for step in range(6))
    return (gap(points, b, f) + gap(points, c, e)) / (2 * gap(points, a, d))


def _inside(points: Array) -> Array:
    """The pixels of a polygon."""
    mask = np.zeros((PIXELS, PIXELS), np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
    return mask > 0


def _box(face: Seen, left: float, right: float, top: float, bottom: float) -> Array:
    """The pixels of a box in units of the eyes' distance (across) and of eyes to mouth (down)."""
    middle, down, across = _frame(face)
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    points = np.array([middle + u * across + v * down for u, v in corners])
    return _inside(points.clip(0, PIXELS - 1))


def _top(face: Seen) -> Array:
    """Median L, a, b well above the brows, where hair is."""
    mask = _box(face, -1, 1, -1.75, -1.3)
    pixels = face.lab[mask] if mask.sum() > 50 else face.lab[:12, 96:160].reshape(-1, 3)
    return np.asarray(np.median(pixels, 0))


def _beside(face: Seen) -> float:
    """Silhouette of the person beside the jaw, in squared eye distances: long hair widens it."""
    assert face.person is not None
    middle, down, across = _frame(face)
    rows = slice(int(middle[1] + 0.4 * down[1]), int(face.landmarks[8, 1]))
    outside = (face.person > 0) & ~_inside(face.landmarks[:17])
    return float(outside[rows].sum() / (across @ across))


def _rims(face: Seen) -> float:
    """Edges across the bridge of the nose and under the eyes, where glasses have rims."""
    light = cv2.GaussianBlur(face.lab[..., 0], (0, 0), 0.8)
    steps = np.abs(cv2.Sobel(light, cv2.CV_32F, 0, 1))
    bridge = _box(face, -0.16, 0.16, -0.25, 0.25)
    under = _box(face, -0.75, -0.25, 0.22, 0.6) | _box(face, 0.25, 0.75, 0.22, 0.6)
    return float(np.percentile(steps[bridge], 90) + np.percentile(steps[under], 90))


def _cheeks(face: Seen) -> Array:
    """Mean L, a, b of both cheeks."""
    points = face.landmarks
    places = ((points[2] + points[31]) / 2, (points[14] + points[35]) / 2)
    return np.asarray(np.concatenate([disc(face, place, 5) for place in places]).mean(0))


def _stubble(face: Seen) -> float:
    """How much darker chin, jaw and upper lip are than the cheeks."""
    points = face.landmarks
    pairs = ((8, 57), (6, 48), (10, 54), (33, 51))
    low = [disc(face, (points[one] + points[other]) / 2, 5) for one, other in pairs]
    return float(_cheeks(face)[0] - np.concatenate(low)[:, 0].mean())


def _lips(face: Seen) -> float:
    """How much redder the lips are than the cheeks."""
    lips = _inside(face.landmarks[48:60]) & ~_inside(face.landmarks[60:68])
    return float(face.lab[lips][:, 1].mean() - _cheeks(face)[1])


def _nose_turn(face: Seen) -> float:
    """Of the nose's tip between the jaw's ends."""
    right, left, tip = face.landmarks[[1, 15, 30], 0]
    return float((tip - (right + left) / 2) / (left - right))


def _nose_rise(face: Seen) -> float:
    """Of the nose's tip from the mouth towards the eyes."""
    middle, down, _ = _frame(face)
    return -float((face.landmarks[30] - middle) @ down / (down @ down))


#: attribute → its value to the judge
VERDICTS: Mapping[str, Callable[[Seen], float]] = {
    "smile": lambda face: feels(face, "happy"),
    "age": lambda face: face.api["age"],
    "femininity": lambda face: face.api["femininity"],
    "hair_lightness": lambda face: float(_top(face)[0]),
    "hair_length": _beside,
    "glasses": _rims,
    "eyes_open": lambda face: _eye(face.landmarks, 36) + _eye(face.landmarks, 42),
    "mouth_open": lambda face: gap(face.landmarks, 62, 66) / float(np.linalg.norm(_frame(face)[1])),
    "turn": _nose_turn,
    "nod": _nose_rise,
    "surprise": lambda face: feels(face, "surprise"),
    "anger": lambda face: face.api["expressions"][3],
    "beard": _stubble,
    "red_hair": lambda face: float(_top(face)[1]),
    "grey_hair": lambda face: float(_top(face)[0] - np.hypot(*_top(face)[1:])),
    "makeup": _lips,
}

# --- the report -----------------------------------------------------------------------------------


def paint(directory: Path, seeds: range, strength: float, names: list[str]) -> None:
    """DIR/before/SEED.jpg, DIR/after/SEED.NAME.SIGN.jpg, as films and previews are painted."""
    torch.set_num_threads(1)
    generator = Generator.from_files(files(), "cpu")
    network = generator.quick()
    steps = directions()

    def draw(styles: Tensor, path: Path) -> None:
        if path.exists():
            return
        with torch.no_grad():
            face = network(styles[None], PIXELS)[0].float()
        pixels = (face.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5
        save(pixels.round().byte().numpy(), path)

    for part in ("before", "after"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        styles = generator.style(seed, TRUNCATION).expand(LAYERS, -1)
        draw(styles, directory / "before" / f"{seed}.jpg")
        for name in names or steps:
            for sign in (1,) if name in ONE_SIDED else (1, -1):
                edited = styles + sign * strength * steps[name]
                draw(edited, directory / "after" / f"{seed}.{name}.{sign:+d}.jpg")


def directions() -> dict[str, Tensor]:
    """Each attribute's step, (LAYERS, 512)."""
    with safe_open(DIRECTIONS, "pt") as file:
        names = [
            key.removesuffix(".layers") for key in list(file.keys()) if key.endswith(".layers")
        ]
        return {
            name: file.get_tensor(f"{name}.layers")[:, None] * file.get_tensor(f"{name}.direction")
            for name in names
        }


def report(directory: Path, strength: float) -> dict[str, Any]:
    """What the judge says; see the module's docstring."""
    before = {face.name.split(".")[0]: face for face in seen(directory / "before")}
    values = {seed: _verdicts(face) for seed, face in before.items()}  # (VERDICTS,) each
    deviation = np.std(list(values.values()), 0)
    found: dict[str, dict[str, list[Any]]] = {}
    for face in seen(directory / "after"):
        seed, name, sign, _ = face.name.split(".")
        if seed not in before:
            continue
        moved = (_verdicts(face) - values[seed]) / deviation * int(sign)
        noted = found.setdefault(
            name, {"+": [], "-": [], "moved": [], "identity": [], "background": [], "skin": []}
        )
        noted["+" if int(sign) > 0 else "-"].append(moved[list(VERDICTS).index(name)] > 0)
        noted["moved"].append(moved)
        noted["identity"].append(np.linalg.norm(_descriptor(face) - _descriptor(before[seed])))
        parse = before[seed].parse
        assert parse is not None
        skin = np.isin(parse, (SKIN, NOSE))
        noted["skin"].append((face.lab - before[seed].lab)[skin].mean(0) * int(sign))
        off = np.abs(face.rgb.astype(int) - before[seed].rgb)
        around = np.isin(parse, NEITHER_FACE_NOR_HAIR)
        noted["background"].append(off[around].mean() if around.any() else np.nan)
    everyone = np.array([_descriptor(face) for face in before.values()])
    strangers = np.linalg.norm(everyone[1:] - everyone[:-1], axis=1).mean()
    attributes = {
        name: {
            "share": round(float(np.mean(noted["+"] + noted["-"])), 3),
            "share_more": round(float(np.mean(noted["+"])), 3),
            **({"share_less": round(float(np.mean(noted["-"])), 3)} if noted["-"] else {}),
            "moved": round(float(np.mean(noted["moved"], 0)[list(VERDICTS).index(name)]), 2),
            "identity": round(float(np.mean(noted["identity"])), 3),
            "background": round(float(np.nanmean(noted["background"])), 1),
            "skin": round(float(np.linalg.norm(noted["skin"], axis=1).mean()), 1),
            "skin_lightness": round(float(np.mean(noted["skin"], 0)[0]), 1),
            "crosstalk": {
                other: round(float(value / strength), 2)
                for other, value in zip(VERDICTS, np.mean(noted["moved"], 0), strict=True)
            },
        }
        for name, noted in found.items()
    }
    return {
        "faces": len(before),
        "strength": strength,
        "strangers": round(float(strangers), 3),
        "attributes": attributes,
    }


def scales(directory: Path, strength: float) -> dict[str, float]:
    """Factor for each direction; `strength` is that of `paint`."""
    with safe_open(DIRECTIONS, "pt") as file:
        notes = json.loads(file.metadata()["attributes"])
    before = {face.name.split(".")[0]: face for face in seen(directory / "before")}
    moved: dict[str, list[float]] = {}
    for face in seen(directory / "after"):
        seed, name, sign, _ = face.name.split(".")
        change = MEASURES[name](face) - MEASURES[name](before[seed])
        moved.setdefault(name, []).append(change * int(sign) / strength / notes[name]["deviation"])
    return {name: round(float(1 / np.nanmean(each)), 3) for name, each in moved.items()}


def _verdicts(face: Seen) -> Array:
    return np.array([verdict(face) for verdict in VERDICTS.values()])


def _descriptor(face: Seen) -> Array:
    return np.array(face.api["descriptor"])


def write(told: dict[str, Any]) -> None:
    """Adds a report to the notes in the file of directions."""
    with safe_open(DIRECTIONS, "pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in list(file.keys())}
    notes = json.loads(metadata["attributes"])
    for name, figures in told["attributes"].items():
        notes[name]["judged"] = {key: figures[key] for key in figures if key != "crosstalk"}
    judged = {key: told[key] for key in ("faces", "strength", "strangers")}
    metadata |= {"attributes": json.dumps(notes), "judged": json.dumps(judged)}
    save_file(tensors, DIRECTIONS, metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("paint", "report", "scales"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "BEHIND"))
    parser.add_argument("--strength", type=float, default=2.0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.what == "paint":
        paint(asked.directory, range(*asked.seeds), asked.strength, asked.only)
        return
    if asked.what == "scales":
        print(json.dumps(scales(asked.directory, asked.strength)))
        return
    told = report(asked.directory, asked.strength)
    json.dump(told, sys.stdout, indent=1)
    if asked.write:
        write(told)


if __name__ == "__main__":
    main()
