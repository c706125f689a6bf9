"""Reading pictures that strangers sent. The one place where bytes become pixels.

`decode` is used wherever a picture is opened (the check at the door, the model, the drawing), so
all of them see the same upright RGB pixels.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 64_000_000  # a 64-megapixel photo is 192 MB as RGB; more is refused
MAX_SIDE = 20_000  # pixels
# Pillow opens MPO, the cameras' two-in-one format, by way of JPEG and knows no reader of that name.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


class PictureError(Exception):
    """The bytes cannot be used as a picture.

    `reason` is one of "empty", "svg", "pdf", "heic", "unknown", "broken", "too-many-pixels",
    "too-small"; `facts` are numbers for the sentence.
    """

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.reason, self.facts)


def _rebuild(reason: str, facts: dict[str, Any]) -> PictureError:
    return PictureError(reason, **facts)


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What the check found. `width` × `height` are pixels after turning it upright.

    `digest` is the SHA-256 of the bytes, in hexadecimal.
    """

    width: int
    height: int
    format: str
    frames: int = 1
    turned: bool = False  # the camera's orientation was applied
    digest: str = ""


def decode(data: bytes, at_least: int = 0) -> Image.Image:
    """Upright RGB pixels of the first frame; transparency lies on white.

    `at_least`: pixels a side that are enough; 0: all. A large JPEG is then read at a half, a
    quarter or an eighth of its size, which saves most of the time; others come as they are.

    Raises:
        PictureError: for anything that is not a whole, reasonably sized picture.
    """
    return _open(data, at_least)[0]


def decode_frames(data: bytes, count: int, at_least: int = 0) -> list[Image.Image]:
    """As `decode`, but up to `count` frames of an animation: the first, the last, some between.

    It decodes what lies between them too: for animations of our own making.

    Raises:
        PictureError: as `decode`.
    """
    first, facts = _open(data, at_least)
    last = facts.frames - 1
    wanted = sorted({round(number * last / (count - 1)) for number in range(1, count)} - {0})
    if not wanted:
        return [first]
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return [first, *(_to_rgb(_frame(picture, number)) for number in wanted)]
    except Exception as error:  # as in `_open`
        raise PictureError("broken") from error


def _frame(picture: Image.Image, number: int) -> Image.Image:
    picture.seek(number)
    return picture.copy()  # the next one is decoded into the same memory


def inspect(data: bytes) -> PictureFacts:
    """Decode the whole picture once and say what it is.

    Raises:
        PictureError: as `decode`.
    """
    _, facts = _open(data)
    return replace(facts, digest=hashlib.sha256(data).hexdigest())


def _open(data: bytes, at_least: int = 0) -> tuple[Image.Image, PictureFacts]:
    if not data:
        raise PictureError("empty")
    try:
        with warnings.catch_warnings():
            # Of bombs at half its limit (ours is checked below, before any pixel), and of flaws in
            # a file that it can live with.
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            _check_size(picture)
            frames = _frames(picture)
            turned = _orientation(picture) is not None
            picture.seek(0)
            if at_least:
                picture.draft(None, (at_least, at_least))
            picture.load()
            rgb = _to_rgb(_upright(picture))
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels", megapixels=MAX_PIXELS // 1_000_000) from error
    except UnidentifiedImageError as error:
        raise PictureError(_what_else(data)) from error
    except PictureError:
        raise
    except Exception as error:
        # On damaged files Pillow's decoders raise whatever their code meets: OSError and
        # SyntaxError, but also struct.error, KeyError, TypeError, RuntimeError, MemoryError.
        raise PictureError("broken") from error
    facts = PictureFacts(rgb.width, rgb.height, picture.format or "", frames, turned)
    return rgb, facts


def _frames(picture: Image.Image) -> int:
    """How many frames an animation has; 1 for the pages of a TIFF and the halves of an MPO."""
    if picture.format in ("TIFF", "MPO"):
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # noqa: BLE001 (see above)
        return 2  # a damaged one, but there is a second


#: EXIF orientation → what turns such a picture upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(picture: Image.Image) -> Image.Transpose | None:
    """What turns it upright. EXIF that cannot be read is no reason to refuse a picture."""
    try:
        return _TURNS.get(picture.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 (see above)
        return None


def _upright(picture: Image.Image) -> Image.Image:
    # Read again: while loading it, Pillow itself has turned a TIFF, and dropped the tag.
    turn = _orientation(picture)
    return picture if turn is None else picture.transpose(turn)


def _check_size(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise PictureError("too-many-pixels", megapixels=MAX_PIXELS // 1_000_000)
    if min(width, height) < 8:
        raise PictureError("too-small")


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling.
        clear = picture.info.get("transparency")
        picture = picture.convert("I").point(lambda value: value / 257).convert("L")
        if clear is not None:
            picture.info["transparency"] = clear // 257
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        alpha = picture.convert("RGBA")
        white = Image.new("RGBA", alpha.size, "white")
        return Image.alpha_composite(white, alpha).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _what_else(data: bytes) -> str:
    """What a file that is no picture seems to be, so that the sentence can help."""
    head = data[:4096].lower()
    if b"%pdf-" in head[:1024]:  # a PDF may begin with other bytes
        return "pdf"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and b"<svg" in head:
        return "svg"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return "heic"
    return "unknown"


_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
