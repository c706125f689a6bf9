"""The mark on pictures that a model made of faces, for people and for programs.

For people: words in the bottom right corner. For programs: metadata as the IPTC Photo Metadata
Standard 2025.1 wants it, in XMP, beside plain text where each format keeps its descriptions. Some
platforms drop metadata; what is drawn stays. Nothing in it tells of the user.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from handlers.drawing import canvas
from handlers.drawing.canvas import BLACK, WHITE, font, label_size
from locales import Message, words

OPACITY = 0.62  # of the plate behind the words: white on it has a contrast of 5 even over white
WIDEST = 0.6  # of the picture's width, for the words in full

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_TOOL = "Tadım"
_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131  # tags of EXIF


@dataclass(frozen=True, slots=True)
class Made:
    """How a picture came about: by which `model`, with which `seed`.

    `edited`: a photo that somebody gave is part of it; else the model made all of it.
    """

    model: str
    seed: int | None = None
    edited: bool = False

    @property
    def source_type(self) -> str:
        """IPTC's term for it, as an address."""
        term = "compositeWithTrainedAlgorithmicMedia" if self.edited else "trainedAlgorithmicMedia"
        return _SOURCE_TYPES + term

    @property
    def text(self) -> str:
        """All of it in one line; `made_of` reads it back."""
        seed = "" if self.seed is None else f"Seed: {self.seed}. "
        return (
            f"{'AI-edited' if self.edited else 'AI-generated'}. Model: {self.model}. {seed}"
            f"Digital source type: {self.source_type}. Made with {_TOOL}."
        )

    @property
    def xmp(self) -> bytes:
        """An XMP packet."""
        return _PACKET.format(
            source_type=escape(self.source_type),
            model=escape(self.model),
            tool=_TOOL,
            text=escape(self.text),
        ).encode()

    @property
    def exif(self) -> bytes:
        """An EXIF block; its texts are ASCII."""
        exif = Image.Exif()
        for tag, text in ((_DESCRIPTION, self.text), (_SOFTWARE, _TOOL)):
            exif[tag] = text.replace("ı", "i").encode("ascii", "replace").decode()
        return exif.tobytes()


_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <Iptc4xmpExt:AISystemUsed>{model}</Iptc4xmpExt:AISystemUsed>
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""

_TEXT = re.compile(
    r"(AI-edited|AI-generated)\. Model: (.{1,200}?)\. (?:Seed: (\d{1,20})\. )?"
    rf"Digital source type: {re.escape(_SOURCE_TYPES)}\w+\. Made with {_TOOL}\."
)


# --- for people ---------------------------------------------------------------------------------


def mark(image: Image.Image, language: str, edited: bool = False) -> Image.Image:
    """A copy in RGB with the words in its bottom right corner; `edited` as of `Made`.

    Where pictures are put together, mark each of them: it may be cut out.
    """
    say = words(language)
    face = font(_size(*image.size), bold=True)
    key = "mark-edited" if edited else "mark-generated"
    text = say(Message(key))
    if label_size(text, face)[0] > WIDEST * image.width:
        text = say(Message("mark-short"))
    width, height = label_size(text, face)
    edge = round(face.size / 2)
    left, top = max(0, image.width - width - edge), max(0, image.height - height - edge)

    marked = image.convert("RGB")
    marked.info.clear()  # a photo's own metadata stays behind
    plate = Image.new("L", marked.size)
    box = (left, top, left + width, top + height)
    opacity = round(255 * OPACITY)
    ImageDraw.Draw(plate).rounded_rectangle(box, radius=height / 4, fill=opacity)
    marked = Image.composite(Image.new("RGB", marked.size, BLACK), marked, plate)
    middle = (left + width / 2, top + height / 2)
    ImageDraw.Draw(marked).text(middle, text, font=face, fill=WHITE, anchor="mm")
    return marked


def _size(width: int, height: int) -> int:
    """Pixels to the em: nine points on a phone that shows the picture 350 points wide."""
    return round(max(10, min(max(width, height) / 40, min(width, height) / 12)))


# --- for programs -------------------------------------------------------------------------------


def encode_jpeg(image: Image.Image, made: Made, quality: int = 90) -> bytes:
    """As `canvas.encode_jpeg`, and it says how it was made."""
    return canvas.encode_jpeg(image, quality, **told("JPEG", made))


def encode_png(image: Image.Image, made: Made) -> bytes:
    """As `canvas.encode_png`, and it says how it was made."""
    return canvas.encode_png(image, **told("PNG", made))


def encode_gif(
    frames: Sequence[Image.Image], durations_ms: Sequence[int] | int, made: Made, loop: int = 0
) -> bytes:
    """As `canvas.encode_gif`, and it says how it was made, in a comment: GIF has no more."""
    return canvas.encode_gif(frames, durations_ms, loop, **told("GIF", made))


def told(format: str, made: Made | None) -> dict[str, Any]:
    """What Pillow's `save` must be given for a format ("JPEG", "PNG", "GIF") to tell it."""
    if made is None:
        return {}
    match format:
        case "JPEG":
            return {"exif": made.exif, "xmp": made.xmp, "comment": made.text.encode()}
        case "PNG":
            chunks = PngInfo()
            chunks.add_itxt("Description", made.text)
            chunks.add_itxt("Software", _TOOL)
            chunks.add_itxt("XML:com.adobe.xmp", made.xmp.decode())
            return {"pnginfo": chunks}
        case "GIF":
            return {"comment": made.text.encode()}
        case _:
            raise ValueError(f"no metadata for {format}")


def made_of(image: Image.Image) -> Made | None:
    """What an opened picture of ours tells of how it was made, so that another encoding can, too.

    None: nothing, or it is not ours. Whatever else the file tells is left behind.
    """
    for place in ("comment", "Description"):  # of JPEG and GIF, of PNG
        found = image.info.get(place, b"")
        text = found if isinstance(found, str) else bytes(found).decode("utf-8", "replace")
        if match := _TEXT.fullmatch(text):
            kind, model, seed = match.groups()
            return Made(model, int(seed) if seed else None, kind == "AI-edited")
    return None
