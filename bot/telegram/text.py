"""Plain text for Telegram: its length, its cleaning, its division and its markup.

Telegram counts UTF-16 code units of the text *after* markup is taken away, so everything here
divides plain text first and dresses the pieces afterwards; markup is then whole in every piece.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate

from bot.presenting import RenderedBlock
from handlers.kit.registry import find
from locales import LANGUAGES, fold

MESSAGE_LIMIT = 4096  # UTF-16 units
CAPTION_LIMIT = 1024  # UTF-16 units
GAP = "\n\n"  # between two blocks

Page = tuple[RenderedBlock, ...]  # the blocks of one message


def units(text: str) -> int:
    """The length of a text as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def length(blocks: Iterable[RenderedBlock]) -> int:
    """UTF-16 units of blocks in one message, gaps included."""
    return units(GAP.join(block.text for block in blocks))


# --- cleaning ------------------------------------------------------------------------------------

# Control characters but tab and newline, and halves of surrogate pairs, which cannot be sent.
_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_MENTION = re.compile(r"@(?=\w)")
_COMMAND = re.compile(r"(?<![\w/.:])/([^\W\d_][\w-]{0,31})(?![\w/])")


def sendable(text: str) -> str:
    """The text without what Telegram refuses."""
    return _UNSENDABLE.sub("", text.replace("\r\n", "\n"))


def clean(block: RenderedBlock) -> RenderedBlock:
    """The block without what cannot be sent, and without anything that would ping somebody.

    Telegram makes a mention of every `@name` outside preformatted text; an invisible word joiner
    after the sign prevents that.
    """
    text = sendable(block.text).strip("\n")
    text = text if block.kind == "code" else _MENTION.sub("@\u2060", text.strip())
    if block.kind in ("say", "note"):
        text = _COMMAND.sub(_tappable, text)
    return replace(block, text=text)


def _tappable(match: re.Match[str]) -> str:
    """`/algıla` as `/algila`: Telegram links only commands spelled with Latin letters."""
    command = find(match[1])
    if command is None:
        return match[0]
    titles = (command.title(language) for language in LANGUAGES)
    typed = next((title for title in titles if fold(title) == fold(match[1])), command.name)
    return f"/{command_name(typed)}"


def command_name(title: str) -> str:
    """A command's title as Telegram allows it, a–z 0–9 _: `az-örnek` → `az_ornek`."""
    return fold(title).replace("-", "_")


# --- division ------------------------------------------------------------------------------------

# Where a text may be divided, best first. A match ends where the next piece may begin.
_BREAKS = (
    re.compile(r"\n\s*\n"),  # paragraphs
    re.compile(r"(?<=[.!?…])[”\"’')\]]*\s+|\n"),  # sentences, lines
    re.compile(r"\s+"),  # words
)
_LINES = (re.compile(r"\n"), re.compile(r"\s+"))
_JOINER = "\u200d"


def divide(blocks: Iterable[RenderedBlock], limit: int = MESSAGE_LIMIT) -> list[Page]:
    """Clean blocks as pages of at most `limit` UTF-16 units; empty blocks are dropped."""
    pages: list[list[RenderedBlock]] = [[]]
    for whole in blocks:
        block = clean(whole)
        while block.text:
            room = limit - length(pages[-1]) - (units(GAP) if pages[-1] else 0)
            if units(block.text) <= room:
                pages[-1].append(block)
                break
            if pages[-1] and room < limit // 2:
                pages.append([])  # a short beginning would look torn off
                continue
            piece, rest = _cut(block.text, room, _LINES if block.kind == "code" else _BREAKS)
            if piece:
                pages[-1].append(replace(block, text=piece))
            pages.append([])
            block = replace(block, text=rest)
    return [tuple(page) for page in pages if page]


def tail(blocks: Iterable[RenderedBlock], limit: int = MESSAGE_LIMIT) -> Page:
    """One page for a text that is still growing: its end, after an ellipsis where it is long."""
    page = [block for block in map(clean, blocks) if block.text]
    while len(page) > 1 and length(page[1:]) > limit // 2:
        del page[0]
    excess = length(page) - limit
    if excess > 0:
        first = page[0]
        room = units(first.text) - excess - 1
        if room < 1:
            return tail(page[1:], limit)
        page[0] = replace(first, text="…" + _suffix(first.text, room))
    return tuple(page)


def _cut(text: str, room: int, breaks: tuple[re.Pattern[str], ...]) -> tuple[str, str]:
    """Divide at the best place within `room` units, in its later half where there is one."""
    longest = _fitting(text, room)
    for pattern in breaks:
        ends = [match.end() for match in pattern.finditer(text, longest // 2, longest + 1)]
        if ends:
            return text[: ends[-1]].rstrip(), text[ends[-1] :].lstrip("\n")
    while longest > 1 and _inside_a_letter(text, longest):
        longest -= 1
    return text[:longest], text[longest:]


def _fitting(text: str, room: int) -> int:
    """How many leading code points fit into `room` UTF-16 units (at least one)."""
    lengths = accumulate(2 if ord(letter) > 0xFFFF else 1 for letter in text[:room])
    return max(1, sum(1 for total in lengths if total <= room))


def _suffix(text: str, room: int) -> str:
    """The last code points of a text, at most `room` UTF-16 units."""
    return text[len(text) - _fitting(text[::-1], room) :]


def _inside_a_letter(text: str, index: int) -> bool:
    """Whether a cut before `text[index]` would tear a composed letter or an emoji apart."""
    following = text[index : index + 1]
    if not following:
        return False
    return (
        unicodedata.combining(following) != 0
        or following in (_JOINER, "\ufe0e", "\ufe0f")
        or text[index - 1] == _JOINER
        or "\U0001f3fb" <= following <= "\U0001f3ff"  # skin tones
    )


# --- markup --------------------------------------------------------------------------------------

_LANGUAGE_HINT = re.compile(r"[A-Za-z0-9+#-]{1,20}")


def markup(page: Page) -> str:
    """A page in Telegram's HTML."""
    return GAP.join(_dress(block) for block in page)


def _dress(block: RenderedBlock) -> str:
    text = html.escape(block.text, quote=False)
    match block.kind:
        case "note":
            return f"<i>{text}</i>"
        case "generated":
            return f"<blockquote>{text}</blockquote>"
        case "code" if _LANGUAGE_HINT.fullmatch(block.code_language):
            return f'<pre><code class="language-{block.code_language}">{text}</code></pre>'
        case "code":
            return f"<pre>{text}</pre>"
        case _:
            return text
