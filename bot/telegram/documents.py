"""Text files: which of a command's parameters they are, and from their bytes to words.

Anybody can rename anything, so what says that it is a text is decoded strictly.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Awaitable, Callable, Collection, Sequence

from bot.telegram.intake import File
from handlers.kit.errors import UserError
from handlers.kit.parameters import Parameter
from handlers.kit.registry import Command
from handlers.kit.request import PictureGone, PictureRef, PictureTooLarge

LIMIT = 1_000_000  # bytes of a text file

# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TURKISH = "windows-1254"  # what Windows wrote in Turkish before it wrote UTF-8
_DOS_END = "\x1a"
_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def parameter_for(command: Command, given: Collection[str]) -> Parameter | None:
    """The parameter whose value a text file is: the first text that was not given."""
    texts = (p for p in command.parameters if p.kind == "text" and p.name not in given)
    return next(texts, None)


async def words_of(files: Sequence[File], fetch: Callable[[PictureRef], Awaitable[bytes]]) -> str:
    """The words of the one text file that came.

    Raises:
        UserError: there are several, it is too large, no text, or gone.
    """
    if not all(file.text for file in files):
        raise UserError("telegram-document-not-text")
    if len(files) > 1:
        raise UserError("telegram-document-one")
    reference = files[0].ref
    if (reference.place.get("size") or 0) > LIMIT:
        raise _too_large()
    try:
        data = await fetch(reference)
    except PictureTooLarge:
        raise _too_large() from None
    except PictureGone:
        raise UserError("telegram-document-gone") from None
    if len(data) > LIMIT:
        raise _too_large()
    return await asyncio.to_thread(decode, data)


def decode(data: bytes) -> str:
    """The words of a text file, in whichever encoding it was written.

    A mark at its beginning decides. Without one it is UTF-8, UTF-16 or Windows' Turkish.

    Raises:
        UserError: it is no text.
    """
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        text = _BREAKS.sub("\n", text.removesuffix(_DOS_END))
        if not _CONTROLS.search(text):
            return text
    raise UserError("telegram-document-not-text")


def _encodings(data: bytes) -> tuple[str, ...]:
    """What a text may be written in, the likeliest first."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return (encoding,)
    # Of Latin letters in UTF-16 every other byte is zero.
    first, second = data[::2].count(0), data[1::2].count(0)
    if max(first, second) * 4 > len(data):
        return ("utf-16-be" if first > second else "utf-16-le",)
    return ("utf-8", _TURKISH)


def _too_large() -> UserError:
    return UserError("telegram-document-too-large", megabytes=LIMIT // 1_000_000)
