"""Making a picture smaller in bytes. Runs in the studio: it decodes, and imports no Discord.

Where a picture tells which model made it, the smaller one does too.
"""

from __future__ import annotations

import io

from PIL import Image, ImageSequence

from handlers.drawing.canvas import encode_jpeg
from handlers.drawing.mark import made_of, told
from inference.pictures import decode

_QUALITIES = (90, 80, 70, 55)  # of JPEG, 1…95
_SCALES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1)


class CannotShrink(Exception):
    """Not even the smallest version fits."""


def shrink(data: bytes, limit: int) -> bytes:
    """The picture as a JPEG of at most `limit` bytes: the best quality, then the largest size.

    Raises:
        CannotShrink: it would have to be smaller than a tenth of its sides.
        PictureError: the bytes are no picture.
    """
    picture = decode(data)
    with Image.open(io.BytesIO(data)) as original:
        metadata = told("JPEG", made_of(original))
    for scale in _SCALES:
        scaled = _scaled(picture, scale)
        for quality in _QUALITIES:
            smaller = encode_jpeg(scaled, quality, subsampling=2, **metadata)
            if len(smaller) <= limit:
                return smaller
    raise CannotShrink


def shrink_animation(data: bytes, limit: int) -> bytes:
    """The GIF with smaller frames, at most `limit` bytes in all; its pace stays.

    Raises:
        CannotShrink: as `shrink`.
    """
    with Image.open(io.BytesIO(data)) as animation:
        loop = animation.info.get("loop", 0)
        metadata = told("GIF", made_of(animation))
        frames = [
            (_opaque(frame), frame.info.get("duration", 100))
            for frame in ImageSequence.Iterator(animation)
        ]
    for scale in _SCALES[1:]:
        first, *others = [_scaled(frame, scale).quantize() for frame, _ in frames]
        buffer = io.BytesIO()
        first.save(
            buffer,
            "GIF",
            save_all=True,
            append_images=others,
            duration=[duration for _, duration in frames],
            loop=loop,
            **metadata,
        )
        if buffer.tell() <= limit:
            return buffer.getvalue()
    raise CannotShrink


def _opaque(frame: Image.Image) -> Image.Image:
    """A frame as it is seen, without a word on which colour was transparent in the file."""
    seen = frame.convert("RGB")
    seen.info.pop("transparency", None)  # Pillow cannot save it with the new colours
    return seen


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    if scale == 1.0:
        return picture
    width, height = picture.size
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)
