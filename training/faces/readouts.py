"""Fits the readouts of MobileStyleGAN: RGB of 64, 128 and 256 pixels, linear in its features.

The published network paints at 1024 pixels only. Its features of each size already hold a picture
of that size, as the features of StyleGAN2 do, whose own RGB outputs were not published for this
one. So each readout is the least-squares solution, over all pixels of `--faces` faces, of

    features of a pixel (C) · weight (C × 3) + bias  ≈  RGB of the whole face, averaged to that size

and is judged on `--held-out` other faces: R² over all their pixels, and the mean absolute error in
256ths of the range.

    uv run python -m training.faces.readouts

writes inference/models/data/face_readouts.safetensors and prints the held-out errors as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from inference.models.stylegan import READOUT_SIZES, READOUTS, Generator
from training.faces import files

FACES, HELD_OUT = 160, 40
TRUNCATIONS = (0.5, 0.7, 1.0)  # ordinary faces and odd ones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faces", type=int, default=FACES)
    parser.add_argument("--held-out", type=int, default=HELD_OUT)
    parser.add_argument("--to", type=Path, default=READOUTS)
    asked = parser.parse_args()
    generator = Generator.from_files(files(), "cpu", readouts=False)
    weights = fit(generator, asked.faces)
    report = judge(generator, weights, range(asked.faces, asked.faces + asked.held_out))
    report["faces"] = asked.faces
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, asked.to, {"format": "pt", "report": json.dumps(report)})
    print(json.dumps(report, indent=2))


@torch.no_grad()
def samples(generator: Generator, seeds: range) -> Iterator[tuple[dict[int, Tensor], Tensor]]:
    """For each seed: features by size (P, C), and the face, (1, 3, 1024, 1024)."""
    for seed in seeds:
        truncation = TRUNCATIONS[seed % len(TRUNCATIONS)]
        seen: dict[int, Tensor] = {}
        hooks = [
            block.register_forward_hook(lambda _, __, x: seen.__setitem__(x.shape[-1], x))
            for block in generator.synthesis.blocks
        ]
        face = generator.synthesis(generator.style(seed, truncation))
        for hook in hooks:
            hook.remove()
        features = {
            size: x.permute(0, 2, 3, 1).flatten(0, 2)  # (P, C)
            for size, x in seen.items()
            if size in READOUT_SIZES
        }
        yield features, face


def averaged(face: Tensor, size: int) -> Tensor:
    """The face at `size` pixels, as rows of RGB: (size², 3)."""
    return F.adaptive_avg_pool2d(face, size).permute(0, 2, 3, 1).flatten(0, 2)


def with_one(x: Tensor) -> Tensor:
    """A column of ones beside the features, for the bias; double precision."""
    return torch.cat((x, torch.ones(len(x), 1)), dim=1).double()


def fit(generator: Generator, faces: int) -> dict[str, Tensor]:
    """The least-squares readouts, as a state of `Synthesis.readouts`."""
    squares: dict[int, Tensor] = {}
    products: dict[int, Tensor] = {}
    for features, face in samples(generator, range(faces)):
        for size, x in features.items():
            rows, wanted = with_one(x), averaged(face, size).double()
            squares[size] = squares.get(size, 0) + rows.T @ rows
            products[size] = products.get(size, 0) + rows.T @ wanted
    weights = {}
    for size in READOUT_SIZES:
        solution = torch.linalg.lstsq(squares[size], products[size]).solution.float()  # (C + 1, 3)
        weights[f"{size}.weight"] = solution[:-1].T[:, :, None, None].contiguous()
        weights[f"{size}.bias"] = solution[-1].contiguous()
    return weights


def judge(generator: Generator, weights: dict[str, Tensor], seeds: range) -> dict[str, object]:
    """R² and mean absolute error (of 255) on faces that were not fitted, by size."""
    errors = {size: torch.zeros(4, dtype=torch.double) for size in READOUT_SIZES}
    for features, face in samples(generator, seeds):
        for size, x in features.items():
            wanted = averaged(face, size)
            weight, bias = weights[f"{size}.weight"][:, :, 0, 0], weights[f"{size}.bias"]
            off = x @ weight.T + bias - wanted
            errors[size] += torch.tensor(
                [
                    off.square().sum(),
                    (wanted - wanted.mean(0)).square().sum(),
                    off.abs().sum() * 127.5,
                    off.numel(),
                ]
            )
    return {
        "held_out": len(seeds),
        **{
            str(size): {
                "r2": round(1 - (squared / spread).item(), 4),
                "mean_absolute_error_of_255": round((absolute / count).item(), 2),
            }
            for size, (squared, spread, absolute, count) in errors.items()
        },
    }


if __name__ == "__main__":
    main()
