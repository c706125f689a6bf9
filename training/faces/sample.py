"""Paints the faces that the edit directions are fitted on, and keeps them for the labellers.

    uv run --with openvino python -m training.faces.sample --to DIR --seeds 100000 101500

writes DIR/styles.npz (`seeds` (N,), `styles` (N, 512)) and DIR/SEED.jpg, 256 × 256 pixels, averaged
down from the 512 × 512 averages that the generator's last layer paints. A seed whose picture is
there already is left alone, so a stopped run goes on. OpenVINO, where it can be imported, paints
several times faster than torch on a CPU; the faces are the same to 2e-5 of the range.

Few faces wear glasses. With `--lean glasses 5` all styles are moved by five times a direction that
was fitted before, so that about half of them do, and tell much more about glasses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from inference.models import stylegan
from inference.models.stylegan import LAYERS, SIZE, STYLE, Generator
from training.faces import files

DIRECTIONS = Path(stylegan.__file__).parent / "data" / "face_directions.safetensors"
TRUNCATION = 0.8  # varied enough to label, few enough flaws
PIXELS = 256  # of the kept pictures


class _Shrunk(nn.Module):
    """The synthesis network with a picture of PIXELS pixels at its end."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.synthesis = generator.synthesis

    def forward(self, styles: Tensor) -> Tensor:  # (1, LAYERS, 512)
        return F.avg_pool2d(self.synthesis(styles, SIZE // 2), SIZE // 2 // PIXELS)


class Renderer:
    """Styles to pictures, one at a time, on one thread."""

    def __init__(self, generator: Generator) -> None:
        torch.set_num_threads(1)
        network = _Shrunk(generator)
        self._paint: Callable[[Tensor], Any] = network
        try:
            import openvino  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            return
        example = torch.zeros(1, LAYERS, STYLE)
        graph = openvino.convert_model(network, example_input=example, input=[example.shape])
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        compiled = openvino.compile_model(graph, "CPU", settings)
        self._paint = lambda styles: next(iter(compiled([styles.numpy()]).values()))

    @torch.no_grad()
    def __call__(self, style: Tensor) -> npt.NDArray[np.uint8]:
        """(LAYERS, 512), or (512,) for all layers, to RGB (PIXELS, PIXELS, 3)."""
        styles = style.expand(1, LAYERS, STYLE) if style.dim() == 1 else style[None]
        face = np.asarray(self._paint(styles.contiguous()))[0].transpose(1, 2, 0)
        pixels: npt.NDArray[np.uint8] = np.rint((face.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
        return pixels


def save(face: npt.NDArray[np.uint8], path: Path) -> None:
    """As a JPEG that no labeller can tell from the picture itself; whole or not at all."""
    unfinished = path.with_suffix(".part")
    Image.fromarray(face).save(unfinished, "JPEG", quality=93, subsampling=0)
    unfinished.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "BEHIND"))
    parser.add_argument("--lean", nargs=2, metavar=("NAME", "STRENGTH"))
    asked = parser.parse_args()
    generator = Generator.from_files(files(), "cpu", readouts=False)
    seeds = range(*asked.seeds)
    styles = torch.cat([generator.style(seed, TRUNCATION) for seed in seeds])
    if asked.lean:
        name, strength = asked.lean
        styles += float(strength) * load_file(DIRECTIONS)[f"{name}.direction"]
    asked.to.mkdir(parents=True, exist_ok=True)
    np.savez(asked.to / "styles.npz", seeds=np.array(seeds), styles=styles.numpy())
    renderer = Renderer(generator)
    for seed, style in zip(seeds, styles, strict=True):
        path = asked.to / f"{seed}.jpg"
        if not path.exists():
            save(renderer(style), path)


if __name__ == "__main__":
    main()
