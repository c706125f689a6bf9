"""Boxes on a photo, legible at any size: `/detect`'s picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from handlers.drawing.canvas import (
    Colour,
    Rectangle,
    draw_label,
    encode_jpeg,
    font,
    label_size,
    palette,
    text_colour,
    text_size,
)
from inference.pictures import decode

LONGEST_SIDE = 2560  # pixels; chats scale larger pictures down anyway
SHORTEST_SIDE = 640  # pixels; a smaller picture is enlarged, or its labels would hide it


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box in the pixels of the original picture, with its words; `group` picks the colour."""

    text: str
    group: int
    left: float
    top: float
    right: float
    bottom: float


def draw_boxes(picture: bytes, boxes: Sequence[LabelledBox]) -> bytes:
    """The picture with its boxes, as JPEG of at most `LONGEST_SIDE` pixels a side.

    Larger boxes are drawn first, so that small ones are not buried. A label stands above its box,
    or inside where there is no room, and moves down when it would cover another label.
    """
    image, scale = _fitted(decode(picture))
    draw = ImageDraw.Draw(image)
    width = max(2, round(max(image.size) / 320))
    face = font(text_size(*image.size), bold=True)
    taken: list[Rectangle] = []
    ordered = sorted(boxes, key=lambda box: -(box.right - box.left) * (box.bottom - box.top))
    frames = [_scaled(box, scale, image.size) for box in ordered]
    for box, frame in zip(ordered, frames, strict=True):
        _outline(draw, frame, palette(box.group), width)
    for box, frame in zip(ordered, frames, strict=True):
        size = label_size(box.text, face)
        corner = _free_corner(frame, size, taken, image.size)
        taken.append(draw_label(draw, corner, box.text, face, palette(box.group)))
    return encode_jpeg(image)


def _fitted(image: Image.Image) -> tuple[Image.Image, float]:
    """The image at a size fit for a chat, and the factor it was scaled by."""
    longest = max(image.size)
    scale = (
        min(1.0, LONGEST_SIDE / longest) if longest >= SHORTEST_SIDE else SHORTEST_SIDE / longest
    )
    if scale == 1.0:
        return image, 1.0
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS), scale


def _scaled(box: LabelledBox, scale: float, size: tuple[int, int]) -> Rectangle:
    width, height = size
    left, right = sorted((box.left * scale, box.right * scale))
    top, bottom = sorted((box.top * scale, box.bottom * scale))
    return max(0, left), max(0, top), min(width - 1, right), min(height - 1, bottom)


def _outline(draw: ImageDraw.ImageDraw, frame: Rectangle, colour: Colour, width: int) -> None:
    """A coloured frame with a thin edge of the opposite brightness, seen on any background."""
    halo = max(1, width // 2)
    outer = (frame[0] - halo, frame[1] - halo, frame[2] + halo, frame[3] + halo)
    draw.rectangle(outer, outline=text_colour(colour), width=width + 2 * halo)
    draw.rectangle(frame, outline=colour, width=width)


def _free_corner(
    frame: Rectangle, label: tuple[int, int], taken: Sequence[Rectangle], size: tuple[int, int]
) -> tuple[float, float]:
    """Top left for a label: above the frame, else inside it, else the first free place below."""
    width, height = label
    left = max(0, min(frame[0], size[0] - width))
    for top in (frame[1] - height, frame[1], frame[3] - height, frame[3]):
        if 0 <= top <= size[1] - height and not _covers(left, top, label, taken):
            return left, top
    top = max(0, frame[1] - height)
    while _covers(left, top, label, taken) and top + height < size[1]:
        top += height / 4
    return left, top


def _covers(left: float, top: float, label: tuple[int, int], taken: Sequence[Rectangle]) -> bool:
    return any(
        left < other[2]
        and other[0] < left + label[0]
        and top < other[3]
        and other[1] < top + label[1]
        for other in taken
    )
