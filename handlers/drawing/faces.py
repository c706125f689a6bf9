"""Faces as they are shown: marked, encoded, side by side, as films.

Pixels are (height, width, 3) RGB arrays as the models give them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from handlers.drawing import canvas
from handlers.drawing.canvas import BLACK, Colour, draw_label, font, shorten, text_size
from handlers.drawing.mark import Made, encode_gif, encode_jpeg, mark
from inference.alignment import align
from inference.pictures import decode
from inference.tasks.face_detection import Landmarks
from locales import Message, words

Pixels = NDArray[np.uint8]

PAGE: Colour = (250, 250, 250)
GAP = 12  # pixels between two pictures
FILM = 400  # pixels of a film's frames
FRAME_MS, PAUSE_MS = 70, 600  # how long a frame is shown; the ends of a film, longer
LIVE = 256  # pixels of a picture of work under way


def cut_face(photo: bytes, landmarks: Landmarks, size: int) -> Pixels:
    """The face with these landmarks as FFHQ would show it, (size, size, 3)."""
    return np.asarray(align(decode(photo), landmarks, size))


def shrink(face: Pixels, side: int) -> bytes:
    """RGB bytes of the face at `side` × `side` pixels; bicubic with antialiasing, as PULSE does."""
    return Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC).tobytes()


def draw_portrait(face: Pixels, language: str, made: Made) -> bytes:
    """One face, as JPEG."""
    return encode_jpeg(mark(Image.fromarray(face), language, made.edited), made)


def draw_row(
    faces: Sequence[Pixels],
    captions: Sequence[str],
    language: str,
    made: Made,
    columns: int = 2,
    plain: frozenset[int] = frozenset(),
) -> bytes:
    """Faces of one size in rows of `columns`, a caption on each, as JPEG.

    `plain`: the indices of pictures that no model made; they carry no mark.
    """
    height, width = faces[0].shape[:2]
    columns = min(columns, len(faces))
    rows = -(-len(faces) // columns)
    page = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), PAGE)
    for index, (face, caption) in enumerate(zip(faces, captions, strict=True)):
        left, top = index % columns * (width + GAP), index // columns * (height + GAP)
        tile = Image.fromarray(face)
        if index not in plain:
            tile = mark(tile, language, made.edited)
        page.paste(tile, (left, top))
        _caption(page, caption, left, top, width)
    return encode_jpeg(page, made)


def _caption(page: Image.Image, text: str, left: int, top: int, width: int) -> None:
    """Words in the top left corner of a tile: the mark stands in the bottom right one."""
    if text:
        face = font(text_size(width, width), bold=True)
        text = shorten(text, face, 0.9 * width)
        draw_label(ImageDraw.Draw(page), (left, top), text, face, BLACK)


def draw_live(face: Pixels, language: str, edited: bool = False) -> bytes:
    """A face of work under way, small, as JPEG."""
    small = Image.fromarray(face)
    small.thumbnail((LIVE, LIVE), Image.Resampling.BOX)
    return canvas.encode_jpeg(mark(small, language, edited), 85)


def draw_film(frames: Pixels, language: str, made: Made, loop: bool) -> tuple[bytes, bytes]:
    """A film (F, h, w, 3) as GIF, and its first frame as JPEG.

    `loop`: its end meets its beginning; otherwise it runs back the way it came.
    """
    still = draw_portrait(frames[0], language, made)
    small = [
        mark(
            Image.fromarray(frame).resize((FILM, FILM), Image.Resampling.BOX, reducing_gap=2.0),
            language,
            made.edited,
        )
        for frame in frames
    ]
    durations = [FRAME_MS] * len(small)
    if not loop:
        durations[0] = durations[-1] = PAUSE_MS
        small += small[-2:0:-1]
        durations += durations[-2:0:-1]
    return encode_gif(small, durations, made), still


SEARCHED = 384  # pixels of each face on the sheet of a search


def draw_search(
    small: bytes, side: int, faces: Sequence[Pixels], language: str, made: Made
) -> tuple[bytes, list[bytes]]:
    """What a search found, on one sheet; and each of the faces, for the safety check. JPEG all.

    Above: the picture that was searched for (RGB bytes, `side` × `side`), the best face, and that
    face made as small. Below: the others.
    """
    say = words(language)
    best = faces[0]
    tiles = [
        Image.frombytes("RGB", (side, side), small),
        Image.fromarray(best),
        Image.frombytes("RGB", (side, side), shrink(best, side)),
        *(Image.fromarray(face) for face in faces[1:]),
    ]
    sized = []
    for tile in tiles:
        # Pixels stay pixels: that is what the picture is about.
        kernel = Image.Resampling.NEAREST if tile.width == side else Image.Resampling.LANCZOS
        sized.append(np.asarray(tile.resize((SEARCHED, SEARCHED), kernel)))
    captions = [
        say(Message("pulse-picture-input", pixels=side)),
        say(Message("pulse-picture-found")),
        say(Message("pulse-picture-small")),
        *(say(Message("pulse-picture-other")) for _ in faces[1:]),
    ]
    sheet = draw_row(sized, captions, language, made, columns=3, plain=frozenset({0}))
    return sheet, [canvas.encode_jpeg(Image.fromarray(face)) for face in faces]


def draw_pair(before: Pixels, after: Pixels, language: str, made: Made) -> tuple[bytes, bytes]:
    """Before and after side by side; and the latter alone, for the safety check. JPEG both."""
    say = words(language)
    captions = [say(Message("edit-picture-before")), say(Message("edit-picture-after"))]
    pair = draw_row([before, after], captions, language, made)
    return pair, canvas.encode_jpeg(Image.fromarray(after))
