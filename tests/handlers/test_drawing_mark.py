"""The mark on generated faces: legible, out of the way, and told to programs in IPTC's terms."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image, ImageChops

from bot.discord.shrinking import shrink, shrink_animation
from bot.telegram import media
from handlers.drawing.canvas import contrast, label_size
from handlers.drawing.mark import Made, encode_gif, encode_jpeg, encode_png, made_of, mark
from locales import LANGUAGES, Message, words

MADE = Made("MobileStyleGAN <FFHQ> & Co. 2.0", seed=7)
EDITED = Made("MobileStyleGAN", edited=True)
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
SIZES = [(1024, 1024), (512, 512), (256, 256), (128, 128), (640, 1138), (1600, 400)]


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int]:
    box = ImageChops.difference(before.convert("RGB"), after).getbbox()
    assert box is not None
    return box


def noise(side: int) -> Image.Image:
    return Image.effect_noise((side, side), 60).convert("RGB")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- for people -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_it_stands_in_the_bottom_right_corner_and_nowhere_else(
    size: tuple[int, int], edited: bool, language: str
) -> None:
    before = Image.new("RGB", size, (200, 160, 140))
    left, top, right, bottom = changed(before, mark(before, language, edited))
    assert right > 0.95 * size[0] - 2
    assert bottom > 0.95 * size[1] - 2
    assert top > 0.7 * size[1], "not over the chin"
    assert bottom - top >= 10, "legible"
    assert right - left <= max(0.61 * size[0], 62), "short"


@pytest.mark.parametrize("ground", ["white", "black", "grey", (255, 224, 189)])
def test_its_words_stand_out_on_any_ground(ground: str | tuple[int, int, int]) -> None:
    before = Image.new("RGB", (1024, 1024), ground)
    after = mark(before, "en")
    colours = after.crop(changed(before, after)).getcolors(100_000)
    assert colours is not None
    plate, letters = (
        [pixel for count, pixel in sorted(colours, reverse=True) if (pixel == (255,) * 3) is white]
        for white in (False, True)
    )
    assert letters
    assert contrast(plate[0], letters[0]) > 4.5


def test_what_a_photo_was_part_of_is_called_otherwise() -> None:
    before = Image.new("RGB", (512, 512))
    assert mark(before, "tr").tobytes() != mark(before, "tr", edited=True).tobytes()
    assert mark(before, "tr").tobytes() != mark(before, "en").tobytes()


def test_narrow_pictures_get_the_short_words() -> None:
    before = Image.new("RGB", (128, 128), "white")
    left, _, right, _ = changed(before, mark(before, "tr"))
    from handlers.drawing.canvas import font

    short = label_size(words("tr")(Message("mark-short")), font(10, bold=True))
    assert abs(right - left - short[0]) <= 2


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_any_picture_can_be_marked_and_stays_as_it_was(mode: str) -> None:
    before = Image.new("RGB", (300, 300), "teal").convert(mode)
    before.info["comment"] = b"at home, 41.0 N 29.0 E"
    kept = before.tobytes()
    after = mark(before, "en")
    assert after.mode == "RGB"
    assert before.tobytes() == kept
    assert not after.info, "what a photo tells of its owner is left behind"


# --- for programs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "term"),
    [(MADE, "trainedAlgorithmicMedia"), (EDITED, "compositeWithTrainedAlgorithmicMedia")],
)
@pytest.mark.parametrize("encode", [encode_jpeg, encode_png])
def test_the_xmp_is_what_iptc_asks_for(encode: object, made: Made, term: str) -> None:
    packet = opened(encode(noise(64), made)).info["xmp"]  # type: ignore[operator]
    description = ElementTree.fromstring(packet).find("rdf:RDF/rdf:Description", NAMES)
    assert description is not None
    assert description.findtext("ext:DigitalSourceType", None, NAMES) == TERMS + term
    assert description.findtext("ext:AISystemUsed", None, NAMES) == made.model
    assert description.findtext("xmp:CreatorTool", None, NAMES) == "Tadım"


def test_a_jpeg_tells_it_in_exif_too() -> None:
    exif = opened(encode_jpeg(noise(64), MADE)).getexif()
    assert exif[0x0131] == "Tadim"
    assert exif[0x010E].startswith("AI-generated. Model: MobileStyleGAN <FFHQ> & Co. 2.0. Seed: 7.")
    assert set(exif) == {0x0131, 0x010E}, "and nothing else"


def test_a_png_tells_it_in_words_too() -> None:
    text = opened(encode_png(noise(64), MADE)).text  # type: ignore[attr-defined]
    assert text["Description"] == MADE.text
    assert text["Software"] == "Tadım"


def test_a_film_tells_it_in_its_comment() -> None:
    film = opened(encode_gif([noise(64), noise(64)], 100, EDITED))
    assert film.n_frames == 2  # type: ignore[attr-defined]
    assert TERMS + "compositeWithTrainedAlgorithmicMedia" in film.info["comment"].decode()


@pytest.mark.parametrize("made", [MADE, EDITED, Made("A"), Made("U²-Net. Seed: 1", 0)])
def test_it_is_read_back_from_every_format(made: Made) -> None:
    for data in (
        encode_jpeg(noise(64), made),
        encode_png(noise(64), made),
        encode_gif([noise(64)], 100, made),
    ):
        assert made_of(opened(data)) == made


def test_other_peoples_comments_are_not_taken_for_ours() -> None:
    buffer = io.BytesIO()
    noise(64).save(buffer, "JPEG", comment=b"AI-generated. Model: x. at home, 41.0 N 29.0 E")
    assert made_of(opened(buffer.getvalue())) is None
    assert made_of(noise(64)) is None


# --- where platforms want other files -------------------------------------------------------------


def test_discords_smaller_pictures_tell_it_too() -> None:
    png = encode_png(noise(400), MADE)
    assert made_of(opened(shrink(png, len(png) // 4))) == MADE
    film = encode_gif([noise(200), noise(200)], 100, MADE)
    assert made_of(opened(shrink_animation(film, len(film) // 2))) == MADE


def test_telegrams_smaller_photos_tell_it_too() -> None:
    png = encode_png(noise(400), MADE)
    smaller = media.shrink(media.Media("photo", png, "face.png"), len(png) // 4)
    assert smaller.name == "face.jpg"
    assert made_of(opened(smaller.data)) == MADE


def test_telegrams_other_formats_tell_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "PHOTO_BYTES", 90_000)
    jpeg = encode_jpeg(noise(300), EDITED, quality=100)
    assert len(jpeg) > media.PHOTO_BYTES
    prepared = media.prepare(jpeg, "face.jpg")
    assert prepared.kind == "photo"
    assert made_of(opened(prepared.data)) == EDITED


def test_what_tells_nothing_stays_silent() -> None:
    buffer = io.BytesIO()
    noise(400).save(buffer, "PNG")
    smaller = opened(shrink(buffer.getvalue(), buffer.tell() // 4))
    assert "xmp" not in smaller.info
    assert not smaller.getexif()
