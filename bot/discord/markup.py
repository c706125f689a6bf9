"""Discord's markup: escaping it, dressing blocks in it, cutting long text into what fits.

Text from outside is escaped so that it is shown as it is. Cutting happens before dressing, so that
no escape sequence, quotation or code block is ever cut in two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Dress = Callable[[str], str]

#: marks that mean something anywhere in a line
_INLINE = re.compile(r"[\\*_~|`<\[\]]")
#: marks that mean something at the start of a line: headings, lists, quotations, small print
_LINE_START = re.compile(r"^([ \t]*)([#>+-])", re.MULTILINE)
_NUMBERED = re.compile(r"^([ \t]*\d+)([.)])(?=\s)", re.MULTILINE)
_MENTION = re.compile(r"@(?=everyone|here|[!&]?\d)")
_LINK = re.compile(r"https?://[^\s<>]*[^\s<>.,:;!?)\]}'\"”’]")
_SCHEME = re.compile(r"(https?:)(//)", re.IGNORECASE)
_SECOND_BACKTICK = re.compile(r"(?<=`)`")
_ZERO_WIDTH_SPACE = "\u200b"

# A sentence ends at its mark, unless what follows goes on in lower case ("3. sıradasın").
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*\s+(?=[^\s\da-zçğıöşü])")
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_LINE_END = re.compile(r"\n")
_WORD_END = re.compile(r"\s+")


def length(text: str) -> int:
    """Length in UTF-16 units: never less than what Discord counts, whichever way it counts."""
    return len(text.encode("utf-16-le")) // 2


def escape(text: str) -> str:
    """The text so that Discord shows every character as it is; mentions mention nobody."""
    escaped = _INLINE.sub(r"\\\g<0>", text)
    escaped = _LINE_START.sub(r"\1\\\2", escaped)
    escaped = _NUMBERED.sub(r"\1\\\2", escaped)
    escaped = _SCHEME.sub(r"\1\\\2", escaped)
    return _MENTION.sub("@" + _ZERO_WIDTH_SPACE, escaped)


def say(text: str) -> str:
    """A sentence of ours: its links work, but show no preview."""
    dressed, end = [], 0
    for link in _LINK.finditer(text):
        dressed += [escape(text[end : link.start()]), f"<{link[0]}>"]
        end = link.end()
    return "".join([*dressed, escape(text[end:])])


def note(text: str) -> str:
    """Small print."""
    return "\n".join(f"-# {say(line)}" for line in text.splitlines() if line.strip())


def quote(text: str) -> str:
    """Generated text: a quotation in which nothing is interpreted, not even links."""
    return "\n".join(f"> {line}" for line in escape(text).split("\n"))


def code(language: str) -> Dress:
    """Dresses preformatted text; backticks inside cannot end the block."""
    hint = language if re.fullmatch(r"[a-z0-9+#-]{1,20}", language) else ""

    def dress(text: str) -> str:
        safe = _SECOND_BACKTICK.sub(_ZERO_WIDTH_SPACE + "`", text)
        return f"```{hint}\n{safe}\n```"

    return dress


def pieces(text: str, dress: Dress, first_room: int, room: int) -> Iterator[str]:
    """Dressed pieces of a text: the first at most `first_room` units long, the others `room`."""
    rest = text.strip("\n")
    limit = first_room
    while rest:
        end = _end_of_piece(rest, dress, limit)
        yield dress(rest[:end].rstrip())
        rest = rest[end:].lstrip("\n ") if dress in _PROSE else rest[end:].lstrip("\n")
        limit = room


def _end_of_piece(text: str, dress: Dress, room: int) -> int:
    """Where to end the longest piece of `text` that fits into `room` units when dressed."""
    end = min(len(text), room)
    while end > 1 and (size := length(dress(text[:end]))) > room:
        end = min(end - 1, end * room // size)
    if end == len(text):
        return end
    ends = (_PARAGRAPH_END, _SENTENCE_END, _LINE_END, _WORD_END)
    for pattern in ends if dress in _PROSE else (_LINE_END,):
        # One more character is looked at, for what follows the end of a sentence.
        found = [m.end() for m in pattern.finditer(text[: end + 1]) if m.end() <= end]
        if found and found[-1] > end // 2:
            return found[-1]
    return max(end, 1)


_PROSE: tuple[Dress, ...] = (say, note, quote)
