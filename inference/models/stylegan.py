"""MobileStyleGAN: faces of people who do not exist, 1024 × 1024 pixels.

- T. Karras, S. Laine, T. Aila, "A Style-Based Generator Architecture for Generative Adversarial
  Networks" (StyleGAN), CVPR 2019, arXiv:1812.04948: a *mapping network* turns noise z into a style
  w; a *synthesis network* paints, coarse to fine, and w scales its channels at every layer.
- T. Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (StyleGAN2), CVPR 2020,
  arXiv:1912.04958: styles scale the convolutions' inputs (*modulation*).
- S. Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image
  Synthesis", 2021, arXiv:2104.04767: distilled from StyleGAN2 on FFHQ. Convolutions are split into
  depthwise and pointwise ones, and each doubling of the size is an inverse wavelet transform, so
  the last layer paints wavelet coefficients of 512 × 512 instead of pixels.

Source and weights: Belousov's own package random-face (Apache-2.0), as OpenVINO graphs; the data,
Flickr-Faces-HQ, is for non-commercial use. The graphs are read for their constants only. They are
computed here by torch, which gives gradients: that is what PULSE and edits need. The noise that
StyleGAN2 adds to its features was frozen by the author, one map a layer: a style is always the same
face.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from inference.openvino_ir import Graph, Node

STYLE = 512  # size of z and of w
SIZE = 1024  # pixels of a whole face
#: the styles that the synthesis network takes, from coarse to fine: one for the first convolution,
#: three for each of seven blocks (upsampling, two convolutions), one for the head
LAYERS = 1 + 3 * 7 + 1
SLOPE = 0.2  # of the leaky ReLU
READOUT_SIZES = (64, 128, 256)  # pixels; see `Synthesis.forward`
OFFSET_SIZE = 16  # pixels of the features to which an offset can be added
OFFSET = (512, OFFSET_SIZE, OFFSET_SIZE)  # its shape


class Mapping8(nn.Module):
    """The mapping network: z, normalised, through eight layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(STYLE, STYLE) for _ in range(8))

    def forward(self, z: Tensor) -> Tensor:  # (N, 512)
        """w of standard-normal z."""
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            w = 2**0.5 * F.leaky_relu(layer(w), SLOPE)
        return w  # (N, 512)


def inverse_wavelet(bands: Tensor) -> Tensor:
    """The inverse Haar transform: (N, 4·C, H, W) → (N, C, 2·H, 2·W).

    Of the 4·C channels the first C are the averages of 2 × 2 pixels; three follow for each: how the
    rows, the columns and the diagonals of the four differ.
    """
    channels = bands.shape[1] // 4
    average, details = bands[:, :channels], bands[:, channels:]
    rows, columns, diagonal = torch.unflatten(details, 1, (channels, 3)).unbind(2)  # (N, C, H, W)
    top, bottom = average + rows, average - rows
    right, left = columns + diagonal, columns - diagonal
    pixels = torch.stack((top + right, top - right, bottom + left, bottom - left), dim=2)
    return F.pixel_shuffle(pixels.flatten(1, 2) / 2, 2)


class Modulation(nn.Module):
    """One scale for each channel, read off the style."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.style = nn.Linear(STYLE, channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:  # (N, C, H, W), (N, 512)
        scales: Tensor = self.style(w)[:, :, None, None]
        return x * scales


class StyledConvolution(nn.Module):
    """Modulation, convolution, noise, bias, leaky ReLU."""

    def __init__(self, channels: int, out: int, size: int, separable: bool = True) -> None:
        super().__init__()
        self.modulation = Modulation(channels)
        if separable:
            self.convolution: nn.Module = nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
                nn.Conv2d(channels, out, 1, bias=False),
            )
        else:
            self.convolution = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        # One tensor: the bias of a channel and the frozen noise of a pixel only ever come together.
        self.bias = nn.Parameter(torch.zeros(1, out, 1, 1))
        self.noise = nn.Parameter(torch.zeros(1, 1, size, size))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:  # (N, C, H, W), (N, 512)
        x = self.convolution(self.modulation(x, w))
        # (N, out, H, W)
        return F.leaky_relu(x + self.noise + self.bias, SLOPE)


class Block(nn.Module):
    """Twice the size by an inverse wavelet transform, then two convolutions."""

    def __init__(self, channels: int, out: int, size: int) -> None:
        super().__init__()
        self.upsample = Modulation(channels)
        self.first = StyledConvolution(channels // 4, out, size)
        self.second = StyledConvolution(out, out, size)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:  # (N, C, H, W), (N, 3, 512)
        x = inverse_wavelet(self.upsample(x, w[:, 0]))  # (N, C/4, 2·H, 2·W)
        x = self.first(x, w[:, 1])
        return cast(Tensor, self.second(x, w[:, 2]))  # (N, out, 2·H, 2·W)


class Readout(nn.Module):
    """A picture read off features of its own size: linear in them and in the style.

    The layers that follow see the style again and set the tone of the whole face by it, which the
    features alone do not tell.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pixel = nn.Conv2d(channels, 3, 1)
        self.tone = nn.Linear(STYLE, 3, bias=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:  # (N, C, H, W), (N, layers, 512)
        tone: Tensor = self.tone(w.mean(1))[:, :, None, None]
        return cast(Tensor, self.pixel(x)) + tone  # (N, 3, H, W)


class Synthesis(nn.Module):
    """The synthesis network: a learnt constant of 4 × 4 grows to a face."""

    CHANNELS: Mapping[int, int] = {  # features at each size, in pixels
        4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64,
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        sizes = list(self.CHANNELS)
        self.constant = nn.Parameter(torch.zeros(1, self.CHANNELS[4], 4, 4))
        self.first = StyledConvolution(self.CHANNELS[4], self.CHANNELS[4], 4, separable=False)
        self.blocks = nn.ModuleList(
            Block(self.CHANNELS[before], self.CHANNELS[size], size)
            for before, size in pairwise(sizes)
        )
        self.head = Modulation(self.CHANNELS[512])
        self.to_bands = nn.Conv2d(self.CHANNELS[512], 12, 1)
        # Not the author's: fitted by training/faces/readouts.py.
        self.readouts = nn.ModuleDict(
            {str(size): Readout(self.CHANNELS[size]) for size in READOUT_SIZES}
        )

    @property
    def dtype(self) -> torch.dtype:
        """In which it computes."""
        return self.constant.dtype

    def forward(self, w: Tensor, size: int = SIZE, offset: Tensor | None = None) -> Tensor:
        """Faces of styles: (N, 512) or (N, 1, 512), or (N, LAYERS, 512) with one for each layer.

        Returns (N, 3, size, size), RGB from -1 to 1 (a little beyond, unclipped). `size` is 1024;
        512, the averages that the wavelet head paints, at the same cost; or one of READOUT_SIZES,
        read linearly off the features of that size: a little softer, many times cheaper.

        `offset`, (N, *OFFSET), is added to the features of its size, for pictures with what no
        style paints: other surroundings, a light from the side. Both may be of any precision.
        """
        styles = (w if w.dim() == 3 else w[:, None]).expand(-1, LAYERS, -1).to(self.dtype)
        for index, x in enumerate(self._features(styles, offset)):
            if x.shape[-1] == size and size in READOUT_SIZES:
                # The readout stands for the layers that are left, so it takes their styles.
                return cast(Tensor, self.readouts[str(size)](x, styles[:, 1 + 3 * index :]))
        bands = self.to_bands(self.head(x, styles[:, -1]))  # (N, 12, 512, 512)
        if size == SIZE // 2:
            # An average of four pixels stands there times two.
            return cast(Tensor, bands[:, :3] / 2)
        return inverse_wavelet(bands)

    def features(self, w: Tensor, size: int) -> Tensor:  # (N, LAYERS, 512)
        """Features of one of the sizes in CHANNELS, (N, C, size, size)."""
        return next(x for x in self._features(w.to(self.dtype), None) if x.shape[-1] == size)

    def _features(self, styles: Tensor, offset: Tensor | None) -> Iterator[Tensor]:
        """From 4 × 4 to 512 × 512 pixels."""
        x = self.first(self.constant.expand(len(styles), -1, -1, -1), styles[:, 0])
        yield x
        for index, block in enumerate(self.blocks):
            x = block(x, styles[:, 1 + 3 * index : 4 + 3 * index])
            if offset is not None and x.shape[-1] == OFFSET_SIZE:
                x = x + offset.to(x.dtype)
            yield x


READOUTS = Path(__file__).parent / "data" / "face_readouts.safetensors"
MEAN_OF = 4096  # styles whose mean is "the average face"


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 and is faster for it.

    On CPUs without such instructions it is emulated and several times slower.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())  # as Linux tells them
    except OSError:
        return False
    return not flags.isdisjoint({"amx_bf16", "avx512_bf16"})


def covariance_factor(samples: Tensor) -> Tensor:  # (N, C)
    """The Cholesky factor, (C, C), that turns white noise into noise of the samples' covariance."""
    # Doubles: some directions hardly vary, and rounding could make the covariance indefinite.
    covariance = samples.double().cpu().T.cov()
    covariance.diagonal().add_(1e-6 * covariance.diagonal().mean())
    factor: Tensor = torch.linalg.cholesky(covariance)
    return factor.to(samples)


class Generator:
    """Both networks on one device, and the mean style.

    Half precision on a GPU; on a CPU it would be slower.
    """

    def __init__(self, mapping: Mapping8, synthesis: Synthesis, device: str) -> None:
        self.device = torch.device(device)
        self.mapping = mapping.to(self.device)
        half = self.device.type == "cuda"
        self.synthesis = synthesis.to(self.device, torch.float16 if half else torch.float32)
        z = torch.randn(MEAN_OF, STYLE, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            self.mean = self.mapping(z.to(self.device)).mean(0)  # (512,)

    @classmethod
    def from_files(cls, files: Mapping[str, Path], device: str, readouts: bool = True) -> Generator:
        """From the weights' files by their names in weights.toml."""
        mapping, synthesis = (
            load(files[f"mobilestylegan-{part}-xml"], files[f"mobilestylegan-{part}-bin"])
            for part, load in (("mapping", load_mapping), ("synthesis", load_synthesis))
        )
        assert isinstance(mapping, Mapping8) and isinstance(synthesis, Synthesis)
        if readouts:
            synthesis.readouts.load_state_dict(load_file(READOUTS))
        return cls(mapping, synthesis, device)

    def quick(self) -> Synthesis:
        """The synthesis network as it is fastest here; where that costs precision, in bfloat16.

        Its colours are off by less than one of 255 in the mean. Good enough for films, and for
        gradients: those of float16 would vanish, bfloat16 has the range of float32.
        """
        if not has_fast_bfloat16(self.device):
            return self.synthesis
        network = copy.deepcopy(self.synthesis).bfloat16()
        # Keyword arguments: torch's stubs know this call only so.
        return network.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def style(self, seed: int, truncation: float = 1.0) -> Tensor:
        """The style (1, 512) of a seed, the same on every device.

        `truncation` (the paper's ψ): 1 takes the style as it is, 0 is the average face; in between
        faces are more ordinary and have fewer flaws.
        """
        z = torch.randn(1, STYLE, generator=torch.Generator().manual_seed(seed))
        w: Tensor = self.mapping(z.to(self.device))
        return cast(Tensor, self.mean + truncation * (w - self.mean))


# --- from the author's files ----------------------------------------------------------------------


def load_mapping(xml: Path, binary: Path) -> Mapping8:
    """The mapping network with the weights of an IR graph."""
    network = Mapping8()
    with torch.no_grad():
        for layer, node in zip(network.layers, Graph(xml, binary).of_type("MatMul"), strict=True):
            assert isinstance(layer, nn.Linear)
            _fill(layer.weight, node.inputs[1])
            _fill(layer.bias, _added(node)[0])
    return network.requires_grad_(False)


def load_synthesis(xml: Path, binary: Path) -> Synthesis:
    """The synthesis network with the weights of an IR graph; the readouts are still empty."""
    network = Synthesis()
    graph = Graph(xml, binary)
    convolutions = graph.of_type("Convolution", "GroupConvolution")
    # A wavelet block begins where channels are first split in averages and details.
    splits = (node for node in graph.of_type("VariadicSplit") if node.inputs[0].type == "Multiply")
    with torch.no_grad():
        _fill(network.constant, next(_constants_of_shape(graph, (1, STYLE, 4, 4))))
        _fill_styled(network.first, convolutions)
        for block in network.blocks:
            assert isinstance(block, Block)
            _fill_modulation(block.upsample, next(splits).inputs[0])
            _fill_styled(block.first, convolutions)
            _fill_styled(block.second, convolutions)
        last = next(convolutions)
        _fill_modulation(network.head, last.inputs[0])
        _fill(network.to_bands.weight, last.inputs[1])
        _fill(cast(Tensor, network.to_bands.bias), _added(last)[0])
    return network.requires_grad_(False)


def _fill_styled(layer: StyledConvolution, convolutions: Iterator[Node]) -> None:
    parts = (
        layer.convolution if isinstance(layer.convolution, nn.Sequential) else [layer.convolution]
    )
    for index, part in enumerate(parts):
        node = next(convolutions)
        if index == 0:
            _fill_modulation(layer.modulation, node.inputs[0])
        _fill(cast(nn.Conv2d, part).weight, node.inputs[1])
    noise, bias = _added(node)
    _fill(layer.noise, noise)
    _fill(layer.bias, bias)


def _fill_modulation(layer: Modulation, product: Node) -> None:
    """`product` is x · scales; the scales are a linear layer of the style, times a constant."""
    scales, factor = _scales(product), 1.0
    if scales.type == "Multiply":
        factor = next(each.constant.item() for each in scales.inputs if each.is_constant)
        scales = _scales(scales)
    added = _behind_reshapes(scales)
    product, bias = added.inputs
    _fill(layer.style.weight, product.inputs[1], factor)
    _fill(layer.style.bias, bias, factor)


def _scales(product: Node) -> Node:
    """The operand of a product that comes from the style alone."""
    return next(each for each in product.inputs if _comes_from_style(each))


def _comes_from_style(node: Node) -> bool:
    node = _behind_reshapes(node)
    if node.type == "Multiply":
        inner = [_behind_reshapes(each) for each in node.inputs]
        return any(each.is_constant for each in inner) and any(map(_is_linear, inner))
    return _is_linear(node)


def _is_linear(node: Node) -> bool:
    return node.type == "Add" and node.inputs[0].type == "MatMul"


def _behind_reshapes(node: Node) -> Node:
    while node.type == "Reshape":
        node = node.inputs[0]
    return node


def _added(node: Node) -> list[Node]:
    """The constants that are added one after the other to what `node` computes."""
    found = []
    while sums := [user for user in node.users if user.type == "Add"]:
        (total,) = sums
        found += [other for other in total.inputs if other is not node]
        node = total
    return found


def _constants_of_shape(graph: Graph, shape: tuple[int, ...]) -> Iterator[Node]:
    return (node for node in graph.of_type("Const") if node.constant.shape == shape)


def _fill(parameter: Tensor, node: Node, factor: float = 1.0) -> None:
    value = np.asarray(node.constant, np.float32) * factor
    # Grouped convolutions carry a dimension more, linear biases one.
    parameter.copy_(torch.from_numpy(value.reshape(parameter.shape)))
