"""MTCNN: faces and five landmarks of each, by a cascade of three small convolutional networks.

Zhang, Zhang, Li & Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23(10), 2016, arXiv:1604.02878.

P-Net looks at every window of 12 × 12 pixels of a pyramid of ever smaller pictures and proposes
boxes; R-Net looks at each proposal in 24 × 24 pixels and refuses most; O-Net looks at the rest in
48 × 48 and tells the landmarks. Each also says how its box must be moved to fit the face.

Weights: facenet-pytorch (Tim Esler, MIT), converted from David Sandberg's port of the authors'. The
steps between the networks follow that package: on the same pixels it finds the same faces.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.ops import batched_nms

from inference.model import OneStepModel
from inference.models.threads import one_thread
from inference.pictures import PictureError, decode
from inference.tasks.face_detection import Face, FaceInput, Faces, Landmarks

MIN_FACE = 20  # pixels; the smallest face that is looked for
SHRINK = 0.709  # from one level of the pyramid to the next; √½ halves the pixels
THRESHOLDS = (0.6, 0.7, 0.7)  # what P-Net, R-Net and O-Net must hold a window's probability for
WINDOWS = 2000  # of P-Net's, at most as many a picture go on; a class of 35 has 1,000, a photo 500
FACES = 100  # at most as many a picture are told of, the most probable
LOOKS = (0.9, 1.0, 1.1)  # when looking again: crops of so many times a face's box
MIRRORED = [1, 0, 2, 4, 3]  # which landmark each is in a mirror
CROPS = 512  # how many crops go through R-Net or O-Net at once; bounds the memory

# What a large picture is brought to before the cascade. P-Net's time goes with the pixels, while
# R-Net and O-Net see no more than 24² and 48² of a face, however large it is. Here a face of
# MIN_FACE is 1/37 of a 4:3 photo's width: smaller ones are hardly what a photo was sent for. By
# area, not by the longer side: a panorama is looked at as closely, in the same time.
MAX_AREA = 640 * 640
MIN_SIDE = 256  # pixels; a smaller picture (its longer side) is enlarged, else its faces are missed
# In a picture without faces they may hide behind a mosaic's blocks; we squint, more and more: the
# picture is reduced to so many pixels (its longer side) and enlarged again. Of 36 portraits made of
# 16² squares 35 are found so, 23 without; of 188 pictures without a face, none by it.
SQUINTS = (96, 40, 16)

Table = tuple[Tensor, Tensor, Tensor]  # boxes (n, 4), probabilities (n,), landmarks (n, 5, 2)


class PNet(nn.Module):
    """The proposal network: fully convolutional, one answer for every second pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, kernel_size=3)
        self.prelu1 = nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(10, 16, kernel_size=3)
        self.prelu2 = nn.PReLU(16)
        self.conv3 = nn.Conv2d(16, 32, kernel_size=3)
        self.prelu3 = nn.PReLU(32)
        self.conv4_1 = nn.Conv2d(32, 2, kernel_size=1)
        self.conv4_2 = nn.Conv2d(32, 4, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (1, 3, H, W) → a face's probability (h, w) and box offsets (h, w, 4), h ≈ H/2 - 5."""
        x = self.pool1(self.prelu1(self.conv1(x)))  # (1, 10, h + 4, w + 4)
        x = self.prelu2(self.conv2(x))  # (1, 16, h + 2, w + 2)
        x = self.prelu3(self.conv3(x))  # (1, 32, h, w)
        return self.conv4_1(x).softmax(1)[0, 1], self.conv4_2(x)[0].permute(1, 2, 0)


class RNet(nn.Module):
    """The refinement network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 28, kernel_size=3)
        self.prelu1 = nn.PReLU(28)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(28, 48, kernel_size=3)
        self.prelu2 = nn.PReLU(48)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3 = nn.Conv2d(48, 64, kernel_size=2)
        self.prelu3 = nn.PReLU(64)
        self.dense4 = nn.Linear(576, 128)
        self.prelu4 = nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.dense5_2 = nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (n, 3, 24, 24) → probabilities (n,) and box offsets (n, 4)."""
        x = self.pool1(self.prelu1(self.conv1(x)))  # (n, 28, 11, 11)
        x = self.pool2(self.prelu2(self.conv2(x)))  # (n, 48, 4, 4)
        x = self.prelu3(self.conv3(x))  # (n, 64, 3, 3)
        x = self.prelu4(self.dense4(_flat(x)))  # (n, 128)
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class ONet(nn.Module):
    """The output network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3)
        self.prelu1 = nn.PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.prelu2 = nn.PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3 = nn.Conv2d(64, 64, kernel_size=3)
        self.prelu3 = nn.PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4 = nn.Conv2d(64, 128, kernel_size=2)
        self.prelu4 = nn.PReLU(128)
        self.dense5 = nn.Linear(1152, 256)
        self.prelu5 = nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (n, 3, 48, 48) → probabilities (n,), box offsets (n, 4), landmarks (n, 5, 2).

        Landmarks are x and y in parts of the box.
        """
        x = self.pool1(self.prelu1(self.conv1(x)))  # (n, 32, 23, 23)
        x = self.pool2(self.prelu2(self.conv2(x)))  # (n, 64, 10, 10)
        x = self.pool3(self.prelu3(self.conv3(x)))  # (n, 64, 4, 4)
        x = self.prelu4(self.conv4(x))  # (n, 128, 3, 3)
        x = self.prelu5(self.dense5(_flat(x)))  # (n, 256)
        points = self.dense6_3(x).unflatten(1, (2, 5)).mT  # five x and five y → (n, 5, 2)
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), points


def _flat(x: Tensor) -> Tensor:
    """(n, c, h, w) → (n, w·h·c): column by column, as in MATLAB, where the weights were trained."""
    return x.permute(0, 3, 2, 1).flatten(1)


@dataclass(slots=True)
class Windows:
    """n boxes that may hold a face, in a list of pictures.

    `boxes` (n, 4): left, top, right, bottom in pixels. `scores` (n,): probabilities.
    `offsets` (n, 4): how its network would move each edge, in parts of the box's size.
    `owners` (n,): the index of the picture.
    """

    boxes: Tensor
    scores: Tensor
    offsets: Tensor
    owners: Tensor

    def __getitem__(self, which: Tensor) -> Windows:
        """Those that a mask or a list of indices names."""
        return Windows(
            self.boxes[which], self.scores[which], self.offsets[which], self.owners[which]
        )

    def unlike(self, overlap: float) -> Tensor:
        """Indices, best first, of windows no two of which overlap more (non-maximum suppression).

        `overlap` is intersection over union; only windows of one picture are compared.
        """
        best: Tensor = batched_nms(self.boxes, self.scores, self.owners, overlap)
        return best

    def moved(self, edge: int = 1) -> Tensor:
        """(n, 4) boxes with their offsets applied; 1 where they end on their last pixel."""
        size = self.boxes[:, 2:] - self.boxes[:, :2] + edge  # (n, 2)
        return self.boxes + self.offsets * size.repeat(1, 2)


class Cascade(nn.Module):
    """The three networks and what happens between them."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()

    @torch.inference_mode()
    def forward(self, pictures: Sequence[Tensor]) -> list[Table]:
        """Faces of each picture, (3, height, width) with values 0…255, sizes as they come.

        For each: boxes (n, 4), probabilities (n,), landmarks (n, 5, 2), most probable first.
        """
        found = _joined([self._proposals(picture, n) for n, picture in enumerate(pictures)])
        found, crops = _crops(pictures, _squares(found.moved(edge=0)), found, 24)
        found.scores, found.offsets = _in_parts(self.rnet, crops)
        found = found[found.scores > THRESHOLDS[1]]
        found = found[found.unlike(0.7)]

        found, crops = _crops(pictures, _squares(found.moved()), found, 48)
        found.scores, found.offsets, points = _in_parts(self.onet, crops)
        sure = found.scores > THRESHOLDS[2]
        found, points = found[sure], points[sure]
        corner, last = found.boxes[:, None, :2], found.boxes[:, None, 2:]  # (n, 1, 2) both
        points = corner - 1 + (last - corner + 1) * points  # in pixels; the authors count from 1
        boxes = found.moved()

        faces = []
        for owner in range(len(pictures)):
            (own,) = (found.owners == owner).nonzero(as_tuple=True)
            own = own[_not_nested(boxes[own], found.scores[own], 0.7)]
            faces.append((boxes[own], found.scores[own], points[own]))
        return faces

    @torch.inference_mode()
    def look_again(self, picture: Tensor, boxes: Tensor) -> Tensor:
        """Landmarks (n, 5, 2) of the faces in boxes (n, 4) of a picture (3, height, width).

        O-Net's points differ a little with how a face lies in its crop. So it looks at each face
        in crops of several sizes and in their mirror images; the mean scatters by a third less.
        """
        height, width = picture.shape[1:]
        places, crops = [], []
        for left, top, right, bottom in boxes.tolist():
            x, y, side = (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top)
            for reach in (side * size / 2 for size in LOOKS):
                x0, x1 = _span(x - reach, x + reach, width)
                y0, y1 = _span(y - reach, y + reach, height)
                places.append((x0, y0, x1 - x0, y1 - y0))
                crops.append(_resized(picture[:, y0:y1, x0:x1], 48, 48))
        if not crops:
            return boxes.new_empty((0, 5, 2))
        plain = torch.cat(crops)  # (n · looks, 3, 48, 48)
        (_, _, points), (_, _, mirrored) = (
            _in_parts(self.onet, seen) for seen in (plain, plain.flip(3))
        )
        mirrored = mirrored[:, MIRRORED] * mirrored.new_tensor([-1, 1])
        points = (points + mirrored + mirrored.new_tensor([1, 0])) / 2  # (n · looks, 5, 2)
        place = torch.tensor(places).to(boxes)[:, None]  # (n · looks, 1, 4)
        points = place[..., :2] + place[..., 2:] * points  # in pixels
        mean: Tensor = points.reshape(len(boxes), len(LOOKS), 5, 2).mean(1)
        return mean

    def _proposals(self, picture: Tensor, owner: int) -> Windows:
        """What P-Net takes for faces in one picture, from MIN_FACE pixels to all of it."""
        height, width = picture.shape[1:]
        levels = [_none(picture)]
        scale = 12 / MIN_FACE  # P-Net's window then covers the smallest face
        while min(height, width) * scale >= 12:
            size = int(height * scale + 1), int(width * scale + 1)
            scores, offsets = self.pnet(_resized(picture, *size))
            likely = scores >= THRESHOLDS[0]  # (h, w)
            corner = 2 * likely.nonzero().flip(1)  # (n, 2) x, y; the stride is 2
            boxes = (torch.cat((corner + 1, corner + 12), dim=1) / scale).floor()  # (n, 4)
            owners = torch.full_like(corner[:, 0], owner)
            level = Windows(boxes, scores[likely], offsets[likely], owners)
            levels.append(level[level.unlike(0.5)])
            scale *= SHRINK
        found = _joined(levels)
        return found[found.unlike(0.7)[:WINDOWS]]


def _resized(picture: Tensor, height: int, width: int) -> Tensor:
    """(3, h, w) with values 0…255 → (1, 3, height, width) with values -1…1, as networks want it."""
    pixels = (interpolate(picture[None], (height, width), mode="area") - 127.5) / 128
    # In this order on a CPU, pooling takes a third of the time.
    return pixels.contiguous(memory_format=torch.channels_last)


def _span(low: float, high: float, end: int) -> tuple[int, int]:
    """Whole pixels from `low` to `high` in 0…`end`, at least one."""
    first = min(max(round(low), 0), end - 1)
    return first, max(min(round(high), end), first + 1)


def _none(picture: Tensor) -> Windows:
    """No window, of the picture's type and device."""
    boxes, scores = picture.new_empty((0, 4)), picture.new_empty(0)
    return Windows(boxes, scores, boxes, scores.long())


def _joined(parts: Sequence[Windows]) -> Windows:
    return Windows(
        torch.cat([part.boxes for part in parts]),
        torch.cat([part.scores for part in parts]),
        torch.cat([part.offsets for part in parts]),
        torch.cat([part.owners for part in parts]),
    )


def _squares(boxes: Tensor) -> Tensor:
    """(n, 4) → (n, 4): squares of the longer sides around the same centres."""
    size = boxes[:, 2:] - boxes[:, :2]  # (n, 2)
    side = size.amax(1, keepdim=True)  # (n, 1)
    corner = boxes[:, :2] + size / 2 - side / 2
    return torch.cat((corner, corner + side), dim=1)


def _crops(
    pictures: Sequence[Tensor], boxes: Tensor, windows: Windows, side: int
) -> tuple[Windows, Tensor]:
    """The windows moved to `boxes` (n, 4), and their pixels, (n, 3, side, side).

    A box ends where its picture ends, and is stretched; one that lies outside is dropped.
    """
    inside, crops = [], []
    whole = boxes.trunc().int().tolist()
    for n, (owner, (left, top, right, bottom)) in enumerate(
        zip(windows.owners.tolist(), whole, strict=True)
    ):
        # Pixels are counted from 1, and the last belongs to the box.
        crop = pictures[owner][
            :, max(top, 1) - 1 : max(bottom, 0), max(left, 1) - 1 : max(right, 0)
        ]
        if crop.numel():
            inside.append(n)
            crops.append(_resized(crop, side, side))
    kept = windows[torch.tensor(inside, dtype=torch.long, device=boxes.device)]
    kept.boxes = boxes[inside]
    return kept, torch.cat([boxes.new_empty((0, 3, side, side)), *crops])


def _in_parts(network: nn.Module, crops: Tensor) -> list[Tensor]:
    """The network's outputs for any number of crops."""
    outputs = [network(part) for part in torch.split(crops, CROPS)]
    return [torch.cat(parts) for parts in zip(*outputs, strict=True)]


def _not_nested(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Indices, best first, of boxes that hardly lie in one another.

    As non-maximum suppression, but the common area counts in parts of the smaller box: of a face
    and its middle only one is kept.
    """
    left, top, right, bottom = boxes.unbind(1)
    areas = (right - left + 1) * (bottom - top + 1)
    order = scores.argsort(descending=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        width = torch.minimum(right[best], right[rest]) - torch.maximum(left[best], left[rest]) + 1
        height = torch.minimum(bottom[best], bottom[rest]) - torch.maximum(top[best], top[rest]) + 1
        common = width.clamp(min=0) * height.clamp(min=0)
        order = rest[common / torch.minimum(areas[best], areas[rest]) <= overlap]
    return torch.stack(kept) if kept else order


class Mtcnn(OneStepModel):
    """Finds faces in batches of pictures of any sizes."""

    def load(self, device: str) -> None:
        cascade = Cascade()
        for name in ("pnet", "rnet", "onet"):
            weights = torch.load(self.files[f"mtcnn-{name}"], "cpu", weights_only=True)
            getattr(cascade, name).load_state_dict(weights)
        self._cascade = cascade.eval().to(device).to(memory_format=torch.channels_last)
        self._device = device
        # The first pass allocates; nobody should wait for that.
        with one_thread():
            self._find([Image.effect_noise((MIN_SIDE, MIN_SIDE), 100).convert("RGB")])

    def predict(self, inputs: Sequence[FaceInput]) -> Sequence[Faces | PictureError]:
        """The faces of each picture; a damaged picture fails alone."""
        pictures: dict[int, Image.Image] = {}
        results: list[Any] = [None] * len(inputs)
        for index, wanted in enumerate(inputs):
            try:
                pictures[index] = _prepared(wanted)
            except PictureError as error:
                results[index] = error
        began = time.perf_counter()
        found: dict[int, tuple[Face, ...]] = dict.fromkeys(pictures, ())
        with one_thread():
            for pixels in (None, *SQUINTS):
                left = [index for index in pictures if not found[index]]
                if not left:
                    break
                views = [_squinted(pictures[index], pixels) for index in left]
                for index, view, table in zip(left, views, self._find(views), strict=True):
                    found[index] = _faces(table, view.size, inputs[index])
        seconds = time.perf_counter() - began
        for index, faces in found.items():
            results[index] = Faces(faces, seconds)
        return results

    def _find(self, views: Sequence[Image.Image]) -> list[Table]:
        """Boxes, probabilities and landmarks of each RGB picture, in its own pixels."""
        pixels = [
            torch.from_numpy(np.array(view)).to(self._device).permute(2, 0, 1).float()
            for view in views
        ]
        tables = []
        for picture, (boxes, scores, _) in zip(pixels, self._cascade(pixels), strict=True):
            boxes, scores = boxes[:FACES], scores[:FACES]
            tables.append((boxes, scores, self._cascade.look_again(picture, boxes)))
        return tables


def _prepared(wanted: FaceInput) -> Image.Image:
    """The picture in the size in which it is looked at."""
    scale = min(1.0, math.sqrt(MAX_AREA / (wanted.width * wanted.height)))
    scale = max(scale, MIN_SIDE / max(wanted.width, wanted.height))
    size = max(1, round(wanted.width * scale)), max(1, round(wanted.height * scale))
    picture = decode(wanted.picture, at_least=max(size))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _squinted(picture: Image.Image, pixels: int | None) -> Image.Image:
    """The picture without what is smaller than its longer side's part in `pixels`."""
    if pixels is None:
        return picture
    scale = pixels / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    larger = size[0] * MIN_SIDE // pixels, size[1] * MIN_SIDE // pixels
    return picture.resize(size, Image.Resampling.BICUBIC).resize(larger, Image.Resampling.BICUBIC)


def _faces(table: Table, size: tuple[int, int], wanted: FaceInput) -> tuple[Face, ...]:
    """The cascade's answer for a view of `size` pixels, in pixels of the picture, largest first."""
    boxes, scores, points = (part.cpu().double() for part in table)
    scale = torch.tensor([wanted.width / size[0], wanted.height / size[1]]).double()
    points = points * scale  # (n, 5, 2)
    corners = (boxes.reshape(-1, 2, 2) * scale).clamp(min=0)  # (n, 2, 2)
    corners = corners.minimum(torch.tensor([wanted.width, wanted.height]).double())
    faces = [
        Face(tuple(box), score, Landmarks(*map(tuple, five)))
        for box, score, five in zip(
            corners.flatten(1).tolist(), scores.tolist(), points.tolist(), strict=True
        )
        if score >= wanted.confidence
    ]
    return tuple(sorted(faces, key=lambda face: face.area, reverse=True))
