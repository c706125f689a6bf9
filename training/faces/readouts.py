"""Fits the readouts of MobileStyleGAN: RGB of 64, 128 and 256 pixels, linear in its features.

The published network paints at 1024 pixels only. Its features of each size already hold a picture
of that size, as the features of StyleGAN2 do, whose own RGB outputs were not published for this
one. So each readout is the least-squares solution, over all pixels of `--faces` faces, of

    features of a pixel (C) · pixel (C × 3) + style (512) · tone (512 × 3) + bias
        ≈  RGB of the whole face, averaged to that size

(with a ridge on the tone: there are fewer faces than pixels) and is judged on `--held-out` other
faces: R² over all their pixels, and the mean absolute error in 256ths of the range.

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

from inference.models.stylegan import READOUT_SIZES, READOUTS, STYLE, Generator
from training.faces import files

FACES, HELD_OUT = 240, 24
PIXELS = 16_384  # of each face that are fitted
RIDGE = 0.05  # on the tone, times the number of pixels
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
def samples(
    generator: Generator, seeds: range
) -> Iterator[tuple[dict[int, Tensor], Tensor, Tensor]]:
    """For each seed: features by size (P, C); the style (1, 512); the face (1, 3, 1024, 1024)."""
    for seed in seeds:
        style = generator.style(seed, TRUNCATIONS[seed % len(TRUNCATIONS)])
        seen: dict[int, Tensor] = {}

        def look(
            _block: object, _inputs: object, x: Tensor, seen: dict[int, Tensor] = seen
        ) -> None:
            seen[x.shape[-1]] = x

        hooks = [block.register_forward_hook(look) for block in generator.synthesis.blocks]
        face = generator.synthesis(style)
        for hook in hooks:
            hook.remove()
        features = {size: _rows(x) for size, x in seen.items() if size in READOUT_SIZES}
        yield features, style, face


def averaged(face: Tensor, size: int) -> Tensor:
    """The face at `size` pixels, as rows of RGB: (size², 3)."""
    return _rows(F.adaptive_avg_pool2d(face, size))


def _rows(x: Tensor) -> Tensor:  # (1, C, H, W)
    return x.permute(0, 2, 3, 1).flatten(0, 2)  # (H·W, C)


def fit(generator: Generator, faces: int) -> dict[str, Tensor]:
    """The least-squares readouts, as a state of `Synthesis.readouts`."""
    squares: dict[int, Tensor] = {}
    products: dict[int, Tensor] = {}
    for features, style, face in samples(generator, range(faces)):
        fixed = torch.cat((style - generator.mean, torch.ones(1, 1)), dim=1)  # (1, 513)
        for size, x in features.items():
            chosen = slice(None, None, max(1, len(x) // PIXELS))
            rows = torch.cat((x, fixed.expand(len(x), -1)), dim=1)[chosen]
            wanted = averaged(face, size)[chosen]
            squares[size] = squares.get(size, 0) + (rows.T @ rows).double()
            products[size] = products.get(size, 0) + (rows.T @ wanted).double()
    weights = {}
    for size in READOUT_SIZES:
        channels = len(squares[size]) - STYLE - 1
        ridge = torch.zeros(len(squares[size]), dtype=torch.double)
        ridge[channels:-1] = RIDGE * squares[size][-1, -1]
        ridge[:channels] = 1e-6 * squares[size].diagonal()[:channels].mean()
        solution = torch.linalg.solve(squares[size] + ridge.diag(), products[size]).float()
        pixel, tone, bias = solution.split((channels, STYLE, 1))
        weights[f"{size}.pixel.weight"] = pixel.T[:, :, None, None].contiguous()
        weights[f"{size}.tone.weight"] = tone.T.contiguous()
        weights[f"{size}.pixel.bias"] = (bias - generator.mean @ tone)[0].contiguous()
    return weights


@torch.no_grad()
def judge(generator: Generator, weights: dict[str, Tensor], seeds: range) -> dict[str, object]:
    """R² and mean absolute error (of 255) on faces that were not fitted, by size."""
    generator.synthesis.readouts.load_state_dict(weights)
    errors = {size: torch.zeros(4, dtype=torch.double) for size in READOUT_SIZES}
    for _, style, face in samples(generator, seeds):
        for size in READOUT_SIZES:
            wanted = averaged(face, size)
            off = _rows(generator.synthesis(style, size)) - wanted
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
