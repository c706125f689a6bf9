"""Pictures that strangers send: what is read, and what is refused with which word."""

from __future__ import annotations

import io
import pickle
import random
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from inference.pictures import MAX_SIDE, PictureError, decode, inspect

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def flag(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Four quarters, red and green above blue and white: no turn of it looks like another."""
    picture = Image.new("RGB", (width, height), RED)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=BLUE)
    draw.rectangle((width // 2, height // 2, width, height), fill=WHITE)
    return picture.convert(mode)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(picture: Image.Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters, row by row, rounded to steps of 51."""
    width, height = picture.size
    assert picture.mode == "RGB"
    spots = [(x, y) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    pixels = [picture.getpixel(spot) for spot in spots]
    return [tuple(51 * round(value / 51) for value in pixel) for pixel in pixels]  # type: ignore[union-attr]


FLAG = [RED, GREEN, BLUE, WHITE]


def refused(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode(data)
    with pytest.raises(PictureError) as again:
        inspect(data)
    assert caught.value.reason == again.value.reason
    return caught.value


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("PNG", {"interlace": 1}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {"quality": 95}),
    ],
)
def test_all_common_formats_are_read(kind: str, options: dict[str, Any]) -> None:
    data = encoded(flag(), kind, **options)
    assert quarters(decode(data)) == FLAG
    facts = inspect(data)
    assert (facts.width, facts.height, facts.format) == (64, 48, kind)
    assert facts.frames == 1 and not facts.turned


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "PNG"),
        ("1", "PNG"),
        ("P", "PNG"),
        ("LA", "PNG"),
        ("RGBA", "PNG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("L", "JPEG"),
        ("RGBA", "WEBP"),
        ("RGBA", "AVIF"),
    ],
)
def test_every_mode_becomes_rgb(mode: str, kind: str) -> None:
    picture = decode(encoded(flag(mode=mode), kind))
    grey = [tuple([51 * round(v / 51)] * 3) for v in (76, 150, 29, 255)]
    expected = {"L": grey, "LA": grey}.get(mode, FLAG)
    if mode == "1":
        assert set(quarters(picture)) <= {(0, 0, 0), WHITE}
    else:
        assert quarters(picture) == expected


def test_cmyk_photos_of_adobe_are_not_negatives() -> None:
    # Adobe writes CMYK inverted and says so in an APP14 marker; Pillow writes the same marker.
    data = encoded(flag(mode="CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert quarters(decode(data)) == FLAG


def sixteen_bits(values: np.ndarray[Any, Any], colour: int, extra: bytes = b"") -> bytes:
    """A PNG of 16 bits a channel, where Pillow writes only grey. values: (h, w, channels)."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return png(chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(rows)))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6  # PNG's colour types


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None, :, None].repeat(16, axis=0)
    for data in (
        sixteen_bits(ramp, GREY),
        encoded(Image.fromarray(ramp[:, :, 0]), "PNG"),
        encoded(Image.fromarray(ramp[:, :, 0]), "TIFF"),
    ):
        got = np.asarray(decode(data))[8, :, 0].astype(int)
        assert np.abs(got - np.linspace(0, 255, 64)).max() <= 1


@pytest.mark.parametrize(("colour", "channels"), [(COLOUR, 3), (COLOUR_ALPHA, 4)])
def test_16_bit_colour(colour: int, channels: int) -> None:
    values = np.full((48, 64, 4), 65535, np.uint16)
    values[:, :, :3] = np.asarray(flag()).astype(np.uint16) * 257
    assert quarters(decode(sixteen_bits(values[:, :, :channels], colour))) == FLAG


def test_16_bit_transparency_lies_on_white() -> None:
    values = np.zeros((16, 16, 2), np.uint16)  # black, fully transparent
    assert set(quarters(decode(sixteen_bits(values, GREY_ALPHA)))) == {WHITE}
    clear = chunk(b"tRNS", struct.pack(">H", 0x1234))
    values[:] = 0x1234
    values[8:] = 0x8000
    assert quarters(decode(sixteen_bits(values[:, :, :1], GREY, clear)))[0] == WHITE


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_transparency_lies_on_white(kind: str) -> None:
    picture = flag(mode="RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 32, 24))  # the red quarter
    assert quarters(decode(encoded(picture, kind))) == [WHITE, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_lies_on_white(kind: str) -> None:
    picture = flag().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    red = picture.getpixel((1, 1))
    data = encoded(picture, kind, transparency=red)
    assert quarters(decode(data)) == [WHITE, GREEN, BLUE, WHITE]


def test_a_palette_with_alpha_for_each_entry_lies_on_white() -> None:
    picture = flag().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    alpha = bytearray([255] * 4)
    red = picture.getpixel((1, 1))
    assert isinstance(red, int)
    alpha[red] = 0
    data = encoded(picture, "PNG", transparency=bytes(alpha))
    assert quarters(decode(data)) == [WHITE, GREEN, BLUE, WHITE]


def test_one_transparent_colour_lies_on_white() -> None:
    data = encoded(flag(), "PNG", transparency=RED)
    assert quarters(decode(data)) == [WHITE, GREEN, BLUE, WHITE]


# --- the camera's orientation -------------------------------------------------------------------

#: what the camera must have stored for the flag to be upright under each orientation
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_pictures_are_turned_upright(orientation: int, kind: str) -> None:
    how = STORED[orientation]
    stored = flag() if how is None else flag().transpose(how)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, kind, exif=exif)
    assert quarters(decode(data)) == FLAG
    facts = inspect(data)
    assert (facts.width, facts.height) == (64, 48)
    assert facts.turned == (orientation != 1)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_orientations_that_do_not_exist_turn_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(flag(), "JPEG", quality=95, subsampling=0, exif=exif)
    assert quarters(decode(data)) == FLAG
    assert not inspect(data).turned


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0garbage that is no TIFF",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 200,
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abcd",  # orientation "abcd"
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\x08\0\0\0\0\0\0\0",  # x / 0
        b"Exif\0\0II*\0\x08\0\0\0\x02\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0",  # points at itself
        bytes(range(256)) * 100,
    ],
)
def test_a_good_picture_with_garbage_for_exif_is_read(garbage: bytes) -> None:
    data = encoded(flag(), "JPEG", quality=95, subsampling=0)
    marker = b"\xff\xe1" + struct.pack(">H", len(garbage) + 2) + garbage
    assert quarters(decode(data[:2] + marker + data[2:])) == FLAG


# --- animations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation_is_taken(kind: str) -> None:
    others = [Image.new("RGB", (64, 48), colour) for colour in (BLUE, GREEN)]
    data = encoded(flag(), kind, save_all=True, append_images=others, duration=100)
    assert quarters(decode(data)) == FLAG
    assert inspect(data).frames == 3


def test_an_animation_that_is_cut_off_later_still_has_its_first_frame() -> None:
    others = [Image.effect_noise((64, 48), n).convert("RGB") for n in (80, 90, 100)]
    data = encoded(flag(), "GIF", save_all=True, append_images=others, duration=100)
    assert quarters(decode(data[: len(data) - 2000])) == FLAG


def test_the_pages_of_a_tiff_are_no_animation() -> None:
    data = encoded(flag(), "TIFF", save_all=True, append_images=[flag(), flag()])
    assert inspect(data).frames == 1


def test_a_camera_s_two_in_one_picture_is_no_animation() -> None:
    data = encoded(flag(), "MPO", save_all=True, append_images=[flag()], quality=95, subsampling=0)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert quarters(decode(data)) == FLAG
    assert inspect(data).frames == 1


# --- what is refused ----------------------------------------------------------------------------

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
HEIC = b"\0\0\0\x18ftyp%s\0\0\0\0mif1" + bytes(100)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\0", "unknown"),
        (b"hello, I am a picture", "unknown"),
        (bytes(5000), "unknown"),
        (random.Random(1).randbytes(5000), "unknown"),
        (b"MZ\x90\0" + bytes(500), "unknown"),
        (b"PK\x03\x04" + bytes(500), "unknown"),
        (b"<html><body>not found</body></html>", "unknown"),
        (b'<?xml version="1.0"?><note/>', "unknown"),
        (SVG, "svg"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn -->\n' + SVG, "svg"),
        (b"<!-- Generator: a program -->\n" + SVG, "svg"),
        (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "">\n' + SVG, "svg"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(300), "pdf"),
        (b"\n\n%PDF-1.4\n" + bytes(300), "pdf"),
        (HEIC % b"heic", "heic"),
        (HEIC % b"heix", "heic"),
        (HEIC % b"hevc", "heic"),
        (HEIC % b"mif1", "heic"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unknown"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, reason: str) -> None:
    assert refused(data).reason == reason


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PCX", "SGI", "ICNS", "DDS", "JPEG2000"])
def test_formats_that_nobody_sends_are_not_opened(kind: str) -> None:
    assert refused(encoded(flag(), kind)).reason == "unknown"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.97])
def test_a_truncated_picture_is_broken(kind: str, share: float) -> None:
    picture = Image.effect_noise((64, 48), 90).convert("RGB")
    data = encoded(picture, kind)
    assert refused(data[: int(len(data) * share)]).reason in ("broken", "unknown")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 100), (100, 7)])
def test_a_picture_of_few_pixels_is_too_small(width: int, height: int) -> None:
    assert refused(encoded(Image.new("RGB", (width, height)))).reason == "too-small"


def test_the_smallest_and_the_longest_that_are_taken() -> None:
    assert decode(encoded(Image.new("RGB", (8, 8)))).size == (8, 8)
    assert decode(encoded(Image.new("1", (MAX_SIDE, 8)))).size == (MAX_SIDE, 8)
    assert refused(encoded(Image.new("1", (MAX_SIDE + 1, 8)))).reason == "too-many-pixels"


# --- bombs --------------------------------------------------------------------------------------


def header_of(kind: str, width: int, height: int) -> bytes:
    """A file that claims to be so large."""
    match kind:
        case "PNG":
            header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            return png(chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(100))))
        case "BMP":
            data = bytearray(encoded(flag(), "BMP"))
            data[18:26] = struct.pack("<ii", width, height)
            return bytes(data)
        case "GIF":
            data = bytearray(encoded(flag(), "GIF"))
            data[6:10] = struct.pack("<HH", width, height)
            return bytes(data)
        case "JPEG":
            data = bytearray(encoded(flag(), "JPEG"))
            start = data.index(b"\xff\xc0")
            data[start + 5 : start + 9] = struct.pack(">HH", height, width)
            return bytes(data)
        case _:
            tags = Image.Exif()
            tags[256], tags[257] = width, height
            data = bytearray(encoded(flag(), "TIFF"))
            old = struct.pack("<HHII", 256, 4, 1, 64), struct.pack("<HHII", 257, 4, 1, 48)
            new = struct.pack("<HHII", 256, 4, 1, width), struct.pack("<HHII", 257, 4, 1, height)
            for before, after in zip(old, new, strict=True):
                assert data.count(before) == 1
                data[:] = data.replace(before, after)
            return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG", "TIFF"])
@pytest.mark.parametrize("size", [(30_000, 30_000), (8_100, 8_100), (60_000, 10)])
def test_a_file_that_claims_to_be_huge_is_refused(kind: str, size: tuple[int, int]) -> None:
    error = refused(header_of(kind, *size))
    assert error.reason == "too-many-pixels"
    assert error.facts == {"megapixels": 64}


_MEASURED = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from inference.pictures import PictureError, decode

data = Path(sys.argv[1]).read_bytes()
before = getrusage(RUSAGE_SELF).ru_maxrss
try:
    decode(data)
    print("read", end=" ")
except PictureError as error:
    print(error.reason, end=" ")
print(getrusage(RUSAGE_SELF).ru_maxrss - before)
"""


def outcome_and_memory(data: bytes, folder: Path) -> tuple[str, int]:
    """What becomes of a picture in a fresh process, and the bytes by which that one grows."""
    pytest.importorskip("resource", reason="this system does not tell the memory's peak")
    (folder / "picture").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, folder / "picture"],
        capture_output=True,
        text=True,
        check=True,
    )
    outcome, grown = done.stdout.split()
    return outcome, int(grown) * (1 if sys.platform == "darwin" else 1024)


def test_a_bomb_is_refused_before_its_pixels_are_unpacked(tmp_path: Path) -> None:
    # A real one: 30,000 × 30,000 pixels of one bit, 110 kB that become 900 MB.
    rows = (b"\0" + bytes(30_000 // 8)) * 30_000
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, GREY, 0, 0, 0)
    bomb = png(chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)))
    outcome, grown = outcome_and_memory(bomb, tmp_path)
    assert outcome == "too-many-pixels"
    assert grown < 10_000_000


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_and_profiles_that_unpack_to_megabytes_are_not_unpacked(
    kind: bytes, tmp_path: Path
) -> None:
    packed = zlib.compress(bytes(200_000_000))
    packed = {
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": b"Comment\0\x01\0\0\0" + packed,
        b"iCCP": b"profile\0\0" + packed,
    }[kind]
    data = encoded(flag())
    outcome, grown = outcome_and_memory(data[:33] + chunk(kind, packed) + data[33:], tmp_path)
    assert outcome in ("read", "broken")
    assert grown < 20_000_000


def test_a_huge_colour_profile_is_borne() -> None:
    profile = random.Random(2).randbytes(900_000)
    assert quarters(decode(encoded(flag(), "PNG", icc_profile=profile))) == FLAG
    data = encoded(flag(), "JPEG", quality=95, subsampling=0, icc_profile=profile)
    assert quarters(decode(data)) == FLAG


def test_much_text_is_borne() -> None:
    text = PngImagePlugin.PngInfo()
    for number in range(50):
        text.add_text(f"key{number}", "x" * 10_000)
    assert quarters(decode(encoded(flag(), pnginfo=text))) == FLAG


def gif(screen: tuple[int, int], *frames: tuple[int, int, int, int]) -> bytes:
    """A GIF whose frames (left, top, width, height) need not fit its screen."""
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes([255, 0, 0, 0, 0, 255])
    for frame in frames:
        data += b"," + struct.pack("<HHHHB", *frame, 0)
        data += b"\x02\x03\x44\x01\x05\0"  # LZW: a few pixels, then the end
    return data + b";"


@pytest.mark.parametrize(
    "frames",
    [
        [(0, 0, 65535, 65535)],
        [(65535, 65535, 65535, 65535)],
        [(0, 0, 0, 0)],
        [(60_000, 0, 16, 16)],
        [(0, 0, 16, 16), (0, 0, 65535, 65535)],
        [(0, 0, 16, 16), (65535, 65535, 1, 1)],
        [],
    ],
)
def test_gif_frames_of_absurd_sizes(
    frames: list[tuple[int, int, int, int]], tmp_path: Path
) -> None:
    outcome, grown = outcome_and_memory(gif((16, 16), *frames), tmp_path)
    assert outcome in ("read", "broken", "too-many-pixels", "unknown")
    assert grown < 20_000_000


def test_ten_thousand_gif_frames_are_counted_without_being_drawn() -> None:
    data = gif((16, 16), *[(0, 0, 16, 16)] * 10_000)
    with pytest.raises(PictureError):  # the frames hold too few pixels
        inspect(data)


# --- any bytes ----------------------------------------------------------------------------------


def corruptions(data: bytes, count: int, seed: int) -> Any:
    """Copies with some bytes changed, cut out, doubled, or the end missing."""
    draw = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(draw.choice((1, 1, 2, 5, 30))):
            at = draw.randrange(len(copy))
            match draw.randrange(5):
                case 0 | 1:
                    copy[at] = draw.randrange(256)
                case 2:
                    copy[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
                case 3:
                    del copy[at : at + draw.randrange(1, 9)]
                case 4:
                    copy[at:at] = copy[at : at + draw.randrange(1, 40)]
            if len(copy) < 2:
                break
        if draw.random() < 0.1:
            del copy[draw.randrange(len(copy)) :]
        yield bytes(copy)


def _animated(kind: str) -> bytes:
    return encoded(flag(), kind, save_all=True, append_images=[flag(mode="L")], duration=9)


def _with_exif(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Tadım", "2026:01:01 00:00:00"
    return encoded(flag(), kind, exif=exif)


SEEDS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: _with_exif("JPEG"),
    "progressive jpeg": lambda: encoded(flag(), "JPEG", progressive=True),
    "cmyk jpeg": lambda: encoded(flag(mode="CMYK"), "JPEG"),
    "mpo": lambda: encoded(flag(), "MPO", save_all=True, append_images=[flag()]),
    "png": lambda: _with_exif("PNG"),
    "interlaced png": lambda: encoded(flag(mode="P"), "PNG", interlace=1, transparency=0),
    "animated png": lambda: _animated("PNG"),
    "webp": lambda: _with_exif("WEBP"),
    "animated webp": lambda: _animated("WEBP"),
    "gif": lambda: encoded(flag(mode="P"), "GIF", transparency=1),
    "animated gif": lambda: _animated("GIF"),
    "bmp": lambda: encoded(flag(), "BMP"),
    "tiff": lambda: _with_exif("TIFF"),
    "packed tiff": lambda: encoded(flag(), "TIFF", compression="tiff_adobe_deflate"),
    "avif": lambda: encoded(flag(), "AVIF"),
}


@pytest.mark.parametrize("name", SEEDS)
def test_whatever_bytes_come_nothing_but_a_picture_error_is_raised(name: str) -> None:
    good = SEEDS[name]()
    outcomes = {"read": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of much that it can mend
        for number, data in enumerate(corruptions(good, 500, seed=len(name))):
            try:
                facts = inspect(data)
                assert facts.width >= 8 and facts.height >= 8
                outcomes["read"] += 1
            except PictureError as error:
                outcomes[error.reason] = outcomes.get(error.reason, 0) + 1
            except BaseException as error:
                raise AssertionError(f"corruption {number} of {name}: {error!r}") from error
    assert len(outcomes) > 1  # some were refused


def test_the_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(PictureError("too-many-pixels", megapixels=64)))
    assert (error.reason, error.facts) == ("too-many-pixels", {"megapixels": 64})
