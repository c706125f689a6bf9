"""Making our pictures acceptable to Telegram.

`as_it_is` reads a picture's header only; `prepare` and `shrink` decode and encode, so they run in
the studio.

A photo may have at most 10 MB, width + height of 10,000 pixels and a ratio of sides of 20; other
files may have 50 MB. Animations are GIF or silent MP4.

Where a picture tells which model made it, what is made of it here does too.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from PIL import Image

from handlers.drawing.mark import Made, made_of, told

PHOTO_BYTES = 10_000_000
PHOTO_SIDES = 10_000  # pixels, width + height
PHOTO_RATIO = 20
FILE_BYTES = 50_000_000
SMALL_BYTES = 900_000  # of all photos in a message, where a server on the way takes no more
SMALLEST_SIDE = 64  # pixels, below which a photo is not made smaller


@dataclass(frozen=True, slots=True)
class Media:
    """A file and the way in which Telegram can show it."""

    kind: Literal["photo", "animation", "document"]
    data: bytes
    name: str


def as_it_is(data: bytes, name: str) -> Media | None:
    """A picture that Telegram takes as it is, which most are; None: it needs `prepare`."""
    if len(data) > PHOTO_BYTES or not name.endswith((".jpg", ".jpeg", ".png")):
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            fits = _fits(*picture.size) and getattr(picture, "n_frames", 1) == 1
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return Media("photo", data, name) if fits else None


def _fits(width: int, height: int) -> bool:
    narrow = max(width, height) > PHOTO_RATIO * min(width, height)
    return width + height <= PHOTO_SIDES and not narrow


def prepare(data: bytes, name: str) -> Media:
    """The best form in which Telegram will take a picture; never raises over its content."""
    if name.endswith(".mp4"):
        return Media("animation", data, name)
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if getattr(picture, "n_frames", 1) > 1 and picture.format in ("GIF", "WEBP", "PNG"):
                return _animation(picture, data, name)
            return _photo(picture, data, name)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        # Whatever Pillow cannot read may still be of use as a file.
        return Media("document", data, name)


def shrink(media: Media, most: int) -> Media:
    """A photo in at most so many bytes, with fewer pixels where need be; other media as they are.

    Raises:
        OSError: it is no picture.
    """
    if media.kind != "photo" or len(media.data) <= most:
        return media
    with Image.open(io.BytesIO(media.data)) as picture:
        pixels, made = _on_white(picture), made_of(picture)
    jpeg = _jpeg(pixels, 85, made)
    while len(jpeg) > most and max(pixels.size) > SMALLEST_SIDE:
        pixels = pixels.resize((max(1, pixels.width * 3 // 4), max(1, pixels.height * 3 // 4)))
        jpeg = _jpeg(pixels, 85, made)
    return Media("photo", jpeg, _named(media.name, ".jpg"))


def _animation(picture: Image.Image, data: bytes, name: str) -> Media:
    if picture.format == "GIF":
        return Media("animation", data, name)
    gif = io.BytesIO()
    picture.save(gif, "GIF", save_all=True, loop=0, **told("GIF", made_of(picture)))
    return Media("animation", gif.getvalue(), _named(name, ".gif"))


def _photo(picture: Image.Image, data: bytes, name: str) -> Media:
    width, height = picture.size
    if max(width, height) > PHOTO_RATIO * min(width, height):
        return Media("document", data, name)  # Telegram shows no strip
    small = width + height <= PHOTO_SIDES
    if small and len(data) <= PHOTO_BYTES and picture.format in ("JPEG", "PNG"):
        return Media("photo", data, name)
    pixels = _on_white(picture)
    if not small:
        scale = PHOTO_SIDES / (width + height)
        pixels = pixels.resize((max(1, int(width * scale)), max(1, int(height * scale))))
    for quality in (92, 85, 75):
        jpeg = _jpeg(pixels, quality, made_of(picture))
        if len(jpeg) <= PHOTO_BYTES:
            return Media("photo", jpeg, _named(name, ".jpg"))
    return Media("document", data, name)


def _jpeg(pixels: Image.Image, quality: int, made: Made | None) -> bytes:
    jpeg = io.BytesIO()
    subsampling = 0 if quality > 90 else 2
    pixels.save(jpeg, "JPEG", quality=quality, subsampling=subsampling, **told("JPEG", made))
    return jpeg.getvalue()


def _named(name: str, suffix: str) -> str:
    return str(PurePath(name).with_suffix(suffix))


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB pixels; JPEG knows no transparency."""
    if picture.mode in ("RGB", "L"):
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
