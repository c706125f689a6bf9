"""Fits the directions of style space along which one attribute of a face changes.

After Shen et al., "InterFaceGAN: Interpreting the Disentangled Face Representation Learned by
GANs", 2020, arXiv:2005.09635: an attribute that a labeller sees in a face is, nearly, a linear
function of its style, and a step along one direction changes it. Attributes come entangled (more
of the older faces wear glasses), so each direction is made to leave others alone.

    uv run python -m training.faces.fit DIR... --faces DIR

reads what training/faces/sample.py and training/faces/label.mjs left in the directories, and writes
inference/models/data/face_directions.safetensors: for each attribute NAME

    NAME.direction  (512,) float32   what to add to a style for one standard deviation more
    NAME.layers     (23,) float32    the synthesis network's layers that get it: 1 or 0

The labels are standardised, y = (value - mean) / deviation over the first directory. Then one of

- `normal`: ridge regression of the label on the style, and from its coefficients those of the
  labels to leave alone are projected out. It keeps a face's identity and background best.
- `difference`: the other way round, the style is regressed on the label and on the labels to leave
  alone: how faces differ that differ in this and agree in those. It stays where styles are, and
  reaches what small steps do not: glasses, long hair.

KIND says which is used where, and in which layers; both were tried for each attribute on five faces
(see README.md). Skin tone is never a target; it is measured so that all directions leave it alone.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import save_file

from inference.models.stylegan import LAYERS, Generator
from training.faces import files
from training.faces.sample import DIRECTIONS, TRUNCATION

Array = npt.NDArray[Any]
RIDGE = 30.0  # of about 700 samples; cross-validated
SOFTNESS = 0.1
PIXELS = 256

# --- what is measured -----------------------------------------------------------------------------

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
#: crops of label.mjs, in shares of the picture: top, left, size
MESH_CROP = (0.1, 0.1, 0.85)
LANDMARK_CROP = (0.24, 0.19, 0.62)
#: classes of the parser
SKIN, LEFT_EYE, RIGHT_EYE, GLASSES, NOSE = 1, 4, 5, 6, 10
MOUTH, UPPER_LIP, LOWER_LIP, HAIR, HAT = 11, 12, 13, 17, 18


@dataclass(frozen=True)
class Seen:
    """One picture with what the labellers saw; points in pixels."""

    name: str
    rgb: Array  # (256, 256, 3)
    lab: Array  # (256, 256, 3): lightness 0…100, green–red, blue–yellow
    human: Mapping[str, Any]
    api: Mapping[str, Any]
    mesh: Array  # (468, 3), z in pixels as well, smaller is nearer
    landmarks: Array  # (68, 2)
    parse: Array | None  # (256, 256), classes
    person: Array | None  # (256, 256), 0 or 1


def seen(directory: Path) -> Iterator[Seen]:
    """All labelled pictures of a directory."""
    with (directory / "labels.jsonl").open() as lines:
        for line in lines:
            row = json.loads(line)
            rgb: Array = np.asarray(Image.open(directory / row["name"]).convert("RGB"))
            top, left, size = MESH_CROP
            mesh = np.array(row["human"]["mesh"]).reshape(-1, 3) / 192 * size
            mesh = (mesh + np.array((left, top, 0))) * PIXELS
            top, left, size = LANDMARK_CROP
            landmarks = np.array(row["api"]["landmarks"]).reshape(-1, 2) * size
            yield Seen(
                row["name"],
                rgb,
                cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB),
                row["human"],
                row["api"],
                mesh,
                (landmarks + np.array((left, top))) * PIXELS,
                _unpacked(row["parse"]),
                _unpacked(row["human"].get("person")),
            )


def _unpacked(packed: str | None) -> Array | None:
    if not packed:
        return None
    flat = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
    return flat.reshape(PIXELS, PIXELS)


def log_odds(logits: list[float], index: int) -> float:
    """Of one class against all others."""
    others = np.delete(np.array(logits), index)
    return float(logits[index] - others.max() - np.log(np.exp(others - others.max()).sum()))


def feels(face: Seen, name: str) -> float:
    """The emotion network's log odds of one feeling."""
    share = min(max(face.human["emotion"][EMOTIONS.index(name)], 1e-5), 1 - 1e-5)
    return math.log(share / (1 - share))


def gap(points: Array, a: int, b: int) -> float:
    """Distance of two points in the picture."""
    return float(np.linalg.norm(points[a, :2] - points[b, :2]))


def _eyes_open(face: Seen) -> float:
    m = face.mesh
    return gap(m, 159, 145) / gap(m, 33, 133) + gap(m, 386, 374) / gap(m, 362, 263)


def _turn(face: Seen) -> float:
    """Of the nose between the cheeks; positive: towards the viewer's right."""
    right, left = face.mesh[234], face.mesh[454]
    return float((face.mesh[1, 0] - (right[0] + left[0]) / 2) / abs(left[0] - right[0]))


def _nod(face: Seen) -> float:
    """Radians by which forehead and chin are off the picture's plane; positive: looks up."""
    forehead, chin = face.mesh[10], face.mesh[152]
    return math.atan2(forehead[2] - chin[2], chin[1] - forehead[1])


def _share(face: Seen, *classes: int) -> float:
    assert face.parse is not None
    return float(np.isin(face.parse, classes).mean())


def _colour(face: Seen, *classes: int, least: int = 60) -> Array:
    """Mean L, a, b of these classes, without their rims; NaN where there are too few pixels."""
    assert face.parse is not None
    mask = np.isin(face.parse, classes).astype(np.uint8)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8))
    chosen = (inner if inner.sum() >= least else mask) > 0
    if chosen.sum() < least:
        return np.full(3, np.nan)
    return np.asarray(face.lab[chosen].mean(0))


def _hair(face: Seen) -> Array:
    return _colour(face, HAIR, least=1200)


def _chroma(lab: Array) -> float:
    return float(np.hypot(lab[1], lab[2]))


def _hair_length(face: Seen) -> float:
    """Hair below the mouth's height, in shares of the picture; its root, as it is skewed."""
    assert face.parse is not None
    return float(np.sqrt((face.parse[int(face.mesh[13, 1]) :] == HAIR).sum() / face.parse.size))


def disc(face: Seen, centre: Array, radius: float) -> Array:
    """L, a, b of the pixels around a point, (N, 3)."""
    y, x = np.mgrid[:PIXELS, :PIXELS]
    return np.asarray(face.lab[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2])


def _beard(face: Seen) -> float:
    """How much darker chin and upper lip are than the cheeks."""
    m = face.mesh
    chin = np.concatenate(
        [disc(face, m[point, :2], 4) for point in (199, 200, 194, 418, 92, 322, 164, 210, 430)]
    )
    cheeks = np.concatenate([disc(face, m[point, :2], 5) for point in (50, 280)])
    return float(cheeks[:, 0].mean() - chin[:, 0].mean())


def _glasses(face: Seen) -> float:
    return float(_share(face, GLASSES) > 0.004)


def _sunglasses(face: Seen) -> float:
    """Glasses too dark to look through."""
    if not _glasses(face):
        return 0.0
    assert face.parse is not None
    return float(np.median(face.lab[face.parse == GLASSES][:, 0]) < 24)


def _brows(face: Seen) -> tuple[float, float]:
    """Height of the brows and of their inner ends above the eyes, in face heights."""
    y, height = face.mesh[:, 1], gap(face.mesh, 10, 152)
    inner = y[[133, 362]].mean() - y[[55, 285]].mean()
    return (y[[159, 386]].mean() - y[[105, 334]].mean()) / height, inner / height


def _mouth_open(face: Seen) -> float:
    return gap(face.mesh, 13, 14) / gap(face.mesh, 10, 152)


def _surprise(face: Seen) -> float:
    """Raised brows, open eyes, open mouth and what the expression network says, in deviations.

    The network alone is unsure: hardly any of these faces is surprised.
    """
    logit = face.api["expressions"][6]
    brows, _ = _brows(face)
    return float(brows / 0.015 + _eyes_open(face) / 0.085 + _mouth_open(face) / 0.03 + logit / 4.5)


def _anger(face: Seen) -> float:
    """Lowered inner brows and what the emotion network says, in deviations."""
    return feels(face, "angry") / 3.4 - _brows(face)[1] / 0.03


#: attribute → its value as the labeller sees it
MEASURES: Mapping[str, Callable[[Seen], float]] = {
    "smile": lambda face: log_odds(face.api["expressions"], 1),
    "age": lambda face: face.human["age"],
    "femininity": lambda face: face.human["femininity"],
    "hair_lightness": lambda face: _hair(face)[0],
    "hair_length": _hair_length,
    "glasses": _glasses,
    "eyes_open": _eyes_open,
    "mouth_open": _mouth_open,
    "turn": _turn,
    "nod": _nod,
    "surprise": _surprise,
    "anger": _anger,
    "beard": _beard,
    "red_hair": lambda face: float(_hair(face)[1]),
    "grey_hair": lambda face: float(_hair(face)[0] - _chroma(_hair(face))),
    "makeup": lambda face: float((_colour(face, UPPER_LIP, LOWER_LIP) - _colour(face, SKIN))[1]),
}
#: attribute → who measured it for the fit, and who judges the result (judge.VERDICTS)
LABELLERS: Mapping[str, tuple[str, str]] = {
    "smile": ("face-api.js expressions", "emotion network"),
    "age": ("faceres", "face-api.js age"),
    "femininity": ("faceres", "face-api.js gender"),
    "hair_lightness": ("BiSeNetV2, colour", "colour above the 68 landmarks"),
    "hair_length": ("BiSeNetV2", "MediaPipe selfie, silhouette"),
    "glasses": ("BiSeNetV2", "edges at the 68 landmarks"),
    "eyes_open": ("facemesh", "68 landmarks"),
    "mouth_open": ("facemesh", "68 landmarks"),
    "turn": ("facemesh", "68 landmarks"),
    "nod": ("facemesh", "68 landmarks"),
    "surprise": ("facemesh and face-api.js expressions", "emotion network"),
    "anger": ("facemesh and emotion network", "face-api.js expressions"),
    "beard": ("colour at facemesh", "colour at the 68 landmarks"),
    "red_hair": ("BiSeNetV2, colour", "colour above the 68 landmarks"),
    "grey_hair": ("BiSeNetV2, colour", "colour above the 68 landmarks"),
    "makeup": ("BiSeNetV2, colour", "colour at the 68 landmarks"),
}
#: never a target, but left alone by every direction
NUISANCES: Mapping[str, Callable[[Seen], float]] = {
    "skin_lightness": lambda face: _colour(face, SKIN, NOSE)[0],
    "skin_red": lambda face: _colour(face, SKIN, NOSE)[1],
    "skin_yellow": lambda face: _colour(face, SKIN, NOSE)[2],
    "background_lightness": lambda face: _colour(face, 0)[0],
    "background_red": lambda face: _colour(face, 0)[1],
    "background_yellow": lambda face: _colour(face, 0)[2],
    "hat": lambda face: float(_share(face, HAT) > 0.02),
    "sunglasses": _sunglasses,
}

#: what may move along with an attribute, because it belongs to it; everything else is held
FREE: Mapping[str, frozenset[str]] = {
    "smile": frozenset({"mouth_open", "surprise", "anger"}),
    "age": frozenset({"grey_hair", "hair_lightness", "red_hair"}),
    "femininity": frozenset({"beard", "makeup"}),
    "hair_lightness": frozenset({"grey_hair", "red_hair"}),
    "hair_length": frozenset(),
    "glasses": frozenset({"eyes_open"}),
    "eyes_open": frozenset({"surprise", "anger"}),
    "mouth_open": frozenset({"surprise", "anger", "smile"}),
    "turn": frozenset(),
    "nod": frozenset({"eyes_open"}),
    "surprise": frozenset({"mouth_open", "eyes_open", "anger"}),
    "anger": frozenset({"mouth_open", "eyes_open", "surprise"}),
    "beard": frozenset({"femininity"}),
    "red_hair": frozenset({"hair_lightness", "grey_hair"}),
    "grey_hair": frozenset({"hair_lightness", "red_hair"}),
    "makeup": frozenset({"femininity"}),
}


#: kind of direction, and the layers that get it: from, up to and without. Layer 0 paints 4 pixels,
#: 1–3 8, 4–6 16, 7–9 32, 10–12 64, 13–22 the rest
KIND: Mapping[str, tuple[str, int, int]] = {
    "smile": ("normal", 4, 13),
    "age": ("difference", 4, 23),
    "femininity": ("difference", 4, 13),
    "hair_lightness": ("difference", 7, 23),
    "hair_length": ("difference", 0, 7),
    "glasses": ("difference", 0, 7),
    "eyes_open": ("normal", 0, 13),
    "mouth_open": ("normal", 4, 13),
    "turn": ("normal", 0, 10),
    "nod": ("normal", 0, 10),
    "surprise": ("normal", 4, 13),
    "anger": ("normal", 4, 13),
    "beard": ("normal", 4, 23),
    "red_hair": ("normal", 7, 23),
    "grey_hair": ("normal", 7, 23),
    "makeup": ("normal", 7, 23),
}


#: by what a direction is longer than the fit says, so that its own label moves by one deviation:
#: the layers that are left out take their share, and ridge regression underestimates. Measured on
#: eight faces by `judge.py scales`. Glasses are there or not: at strength 2 they should be there.
SCALES: Mapping[str, float] = {
    "smile": 2.32,
    "age": 3.08,
    "femininity": 2.02,
    "hair_lightness": 2.17,
    "hair_length": 3.23,
    "glasses": 1.85,
    "eyes_open": 1.57,
    "mouth_open": 2.1,
    "turn": 1.56,
    "nod": 1.22,
    "surprise": 1.34,
    "anger": 3.67,
    "beard": 1.98,
    "red_hair": 2.15,
    "grey_hair": 2.75,
    "makeup": 2.21,
}
#: these colour what they should not, unless it is taken out again
COLOURED = frozenset({"hair_lightness", "red_hair", "grey_hair", "makeup", "beard"})
#: of one unit of strength, at most; three of them must still end where faces are. Found by eye.
LONGEST: Mapping[str, float] = {
    "age": 1.9,
    "glasses": 2.4,
    "turn": 1.8,
    "anger": 1.6,
    "hair_lightness": 1.5,
    "red_hair": 1.5,
    "grey_hair": 1.5,
    "makeup": 1.7,
}
LONGEST_OTHERWISE = 2.2
#: strengths between which faces stay whole, seen on ten faces; the others do from -3 to 3
SAFE: Mapping[str, tuple[float, float]] = {
    "femininity": (-3, 2),
    "hair_length": (-3, 2),
    "glasses": (-2, 2.5),
    "turn": (-2.5, 2.5),
    "red_hair": (-2, 3),
    "grey_hair": (-3, 2),
}


def samples(directories: list[Path]) -> tuple[Array, Array, Array, Array, Array]:
    """Labels (N, L) and styles (N, 512), both around the mean of their own directory.

    Then mean and deviation of what was measured in the first directory, (L,) each, and which
    samples are of another one, (N,).
    """
    measured = [(directory, *table(directory)) for directory in directories]
    mean, deviation = np.nanmean(measured[0][2], 0), np.nanstd(measured[0][2], 0)
    labels, styles = [], []
    for directory, names, values in measured:
        # Outliers are cut; what is missing, as the hair colour of a bald head, is the mean.
        own = np.nan_to_num(((values - np.nanmean(values, 0)) / deviation).clip(-3, 3))
        labels.append(own - own.mean(0))
        saved = np.load(directory / "styles.npz")
        place = {f"{seed}.jpg": index for index, seed in enumerate(saved["seeds"])}
        found = saved["styles"][[place[name] for name in names]].astype(np.float64)
        styles.append(found - found.mean(0))
    leaning = np.arange(sum(map(len, styles))) >= len(styles[0])
    return np.concatenate(labels), np.concatenate(styles), mean, deviation, leaning


def table(directory: Path) -> tuple[list[str], Array]:
    """Names of the pictures and what was measured in them, (N, MEASURES + NUISANCES)."""
    measures = {**MEASURES, **NUISANCES}
    names, rows = [], []
    for face in seen(directory):
        names.append(face.name)
        rows.append([measure(face) for measure in measures.values()])
    return names, np.array(rows, np.float64)


def held(name: str) -> list[str]:
    """What the direction of an attribute leaves alone."""
    return [
        other
        for other in (*MEASURES, *NUISANCES)
        if other != name and other not in FREE.get(name, ())
    ]


def direction(name: str, styles: Array, labels: Array, leaning: Array) -> Array:
    """(512,): about one standard deviation more of `name`; of what is held, little.

    `leaning`: which samples are not of the first directory, (N,). They tell of glasses; what is
    measured at the eyes may be wrong behind them.
    """
    columns = [*MEASURES, *NUISANCES]
    chosen = [columns.index(each) for each in (name, *held(name))]
    if name in KIND and KIND[name][0] == "difference":
        return difference(styles, labels[:, chosen])
    slopes = ridge(styles[~leaning], labels[~leaning])
    for each in ("glasses", "sunglasses"):
        index = columns.index(each)
        slopes[:, index] = ridge(styles, labels[:, index])
    return normal(slopes[:, chosen])


def normal(slopes: Array) -> Array:
    """The first of these slopes (512, L), without what it has in common with the others."""
    first, *rest = slopes.T
    others = np.stack([each / np.linalg.norm(each) for each in rest])  # (L - 1, 512)
    # The others are estimates too, and many: projected out only softly.
    overlap = others @ others.T + SOFTNESS * np.eye(len(others))
    step = first - others.T @ np.linalg.solve(overlap, others @ first)
    return np.asarray(step / (step @ first))


def difference(styles: Array, labels: Array) -> Array:
    """How the style depends on the first label when the others are equal."""
    squares = labels.T @ labels
    squares[1:, 1:] += 0.02 * len(labels) * np.eye(len(squares) - 1)
    step = np.linalg.solve(squares, labels.T @ styles)[0]
    return np.asarray(step / (step @ ridge(styles, labels[:, :1])[:, 0]))


def ridge(styles: Array, labels: Array) -> Array:
    """Coefficients (512, L) of styles for labels."""
    squares = styles.T @ styles + RIDGE * np.eye(styles.shape[1])
    return np.asarray(np.linalg.solve(squares, styles.T @ labels))


def explained(styles: Array, labels: Array, folds: int = 5) -> Array:
    """R² of each label as a linear function of the style, cross-validated: is there a signal?"""
    predicted = np.zeros_like(labels)
    for fold in range(folds):
        out = np.arange(len(labels)) % folds == fold
        predicted[out] = styles[out] @ ridge(styles[~out], labels[~out])
    return np.asarray(1 - ((labels - predicted) ** 2).sum(0) / (labels**2).sum(0))


class Compensation:
    """Takes out of a direction what it still does to the colours of skin and background.

    A direction that leaves labels alone in all layers does not in some, nor far from where it
    was fitted. So its effect is seen on the few faces of DIR/before (see judge.py), and so are
    those of the directions of the nuisances themselves; of these as much is added as cancels it.
    """

    COLOURS = (
        *("skin_lightness", "skin_red", "skin_yellow"),
        *("background_lightness", "background_red", "background_yellow"),
    )

    def __init__(self, directory: Path, generator: Generator) -> None:
        self._faces = list(seen(directory / "before"))
        seeds = [int(face.name.partition(".")[0]) for face in self._faces]
        self._styles = [generator.style(seed, TRUNCATION).expand(LAYERS, -1) for seed in seeds]
        self._network = generator.quick()

    def effect(self, step: Array, layers: Array) -> Array:
        """What one unit does to skin and background, in L, a, b each, (6,)."""
        added = torch.from_numpy((layers[:, None] * step).astype(np.float32))
        found = []
        for face, style in zip(self._faces, self._styles, strict=True):
            assert face.parse is not None
            more, less = self._lab(style + added), self._lab(style - added)
            changed = (more - less) / 2
            skin = changed[np.isin(face.parse, (SKIN, NOSE))].mean(0)
            around = face.parse == 0
            rest = changed[around].mean(0) if around.sum() > 500 else np.full(3, np.nan)
            found.append(np.concatenate((skin, rest)))
        return np.asarray(np.nanmean(found, 0))

    @torch.no_grad()
    def _lab(self, styles: torch.Tensor) -> Array:
        rgb = self._network(styles[None], PIXELS)[0].float()
        rgb = rgb.permute(1, 2, 0).clamp(-1, 1).numpy() / 2 + 0.5
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB))

    def __call__(self, step: Array, layers: Array, nuisances: list[Array]) -> Array:
        """The step with as much of the `nuisances` (those of COLOURS) as cancels its effects."""
        own = self.effect(step, layers)
        theirs = np.stack([self.effect(each, layers) for each in nuisances], 1)  # (6, 6)
        squares = theirs.T @ theirs + 0.05 * np.diag((theirs**2).sum(0))
        return np.asarray(step - np.linalg.solve(squares, theirs.T @ own) @ np.stack(nuisances))


def mask(name: str) -> Array:
    """(LAYERS,): 1 where the direction of an attribute is added, else 0."""
    _, first, behind = KIND[name]
    return np.array([first <= layer < behind for layer in range(LAYERS)], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directories", type=Path, nargs="+")
    parser.add_argument("--faces", type=Path, required=True, help="for Compensation")
    parser.add_argument("--only", nargs="*", default=list(MEASURES))
    parser.add_argument("--to", type=Path, default=DIRECTIONS)
    asked = parser.parse_args()
    labels, styles, mean, deviation, leaning = samples(asked.directories)
    linear = explained(styles[~leaning], labels[~leaning])
    torch.set_num_threads(1)
    compensation = Compensation(asked.faces, Generator.from_files(files(), "cpu"))
    nuisances = [direction(each, styles, labels, leaning) for each in Compensation.COLOURS]
    tensors, notes = {}, {}
    for index, name in enumerate(MEASURES):
        if name not in asked.only:
            continue
        step = direction(name, styles, labels, leaning) * SCALES[name]
        if name in COLOURED:
            step = compensation(step, mask(name), nuisances)
        step *= min(1.0, LONGEST.get(name, LONGEST_OTHERWISE) / float(np.linalg.norm(step)))
        tensors[f"{name}.direction"] = torch.from_numpy(step.astype(np.float32))
        tensors[f"{name}.layers"] = torch.from_numpy(mask(name))
        notes[name] = {
            "deviation": round(float(deviation[index]), 4),
            "mean": round(float(mean[index]), 4),
            "explained_by_style": round(float(linear[index]), 3),
            "kind": KIND[name][0],
            "labeller": LABELLERS[name][0],
            "judge": LABELLERS[name][1],
            "safe": SAFE.get(name, (-3, 3)),
        }
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        tensors,
        asked.to,
        {"format": "pt", "attributes": json.dumps(notes), "samples": str(len(styles))},
    )


if __name__ == "__main__":
    main()
