"""Escaping Discord's markup and cutting long texts."""

from __future__ import annotations

import re

import pytest

from bot.discord import markup


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**bold** _it_ ~~no~~ ||spoiler||", r"\*\*bold\*\* \_it\_ \~\~no\~\~ \|\|spoiler\|\|"),
        ("# heading", r"\# heading"),
        ("-# small", r"\-# small"),
        ("> quote", r"\> quote"),
        ("- a\n  - b", "\\- a\n  \\- b"),
        ("1. one\n2) two", "1\\. one\n2\\) two"),
        ("a - b, 3 > 2, C#", "a - b, 3 > 2, C#"),
        ("[text](https://evil.example)", r"\[text\](https:\//evil.example)"),
        ("`code`", r"\`code\`"),
        ("back\\slash", r"back\\slash"),
        ("<#123> <:x:1> <t:1> </help:1>", r"\<#123> \<:x:1> \<t:1> \</help:1>"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert markup.escape(text) == shown


@pytest.mark.parametrize("text", ["@everyone", "@here", "<@123456789012345678>", "<@&1>", "<@!2>"])
def test_mentions_mention_nobody(text: str) -> None:
    escaped = markup.escape(text)
    assert not re.search(r"@(everyone|here|[!&]?\d)", escaped)
    assert escaped.replace("\u200b", "").replace("\\", "") == text


def test_say_keeps_links_but_shows_no_preview() -> None:
    said = markup.say("Source: https://example.org/a_b-c_d. See *it*.")
    assert said == r"Source: <https://example.org/a_b-c_d>. See \*it\*."


def test_note_is_small_on_every_line() -> None:
    assert markup.note("one\n\ntwo") == "-# one\n-# two"


def test_quote_has_its_mark_on_every_line() -> None:
    assert markup.quote("one\n\n# two") == "> one\n> \n> \\# two"


def test_code_cannot_be_ended_from_inside() -> None:
    dressed = markup.code("python")("x = '```'\n````")
    assert dressed.startswith("```python\n")
    assert dressed.endswith("\n```")
    assert "``" not in dressed.removeprefix("```python\n").removesuffix("\n```")


def test_code_language_is_a_plain_word() -> None:
    assert markup.code("evil\n**")("x") == "```\nx\n```"


def test_length_counts_utf_16_units() -> None:
    assert markup.length("aş😀") == 4


# --- cutting -------------------------------------------------------------------------------------

STORY = " ".join(f"Sentence number {n} says nothing new!" for n in range(200))


def test_pieces_end_where_sentences_end() -> None:
    found = list(markup.pieces(STORY, markup.quote, 500, 900))
    assert len(found[0]) <= 500
    assert all(len(piece) <= 900 for piece in found)
    assert all(piece.endswith("new!") for piece in found)
    assert " ".join(piece.removeprefix("> ") for piece in found) == STORY


def test_pieces_of_a_growing_text_stay_the_same() -> None:
    """What streams in is edited in its last message only."""
    whole = list(markup.pieces(STORY, markup.quote, 900, 900))
    half = list(markup.pieces(STORY[: len(STORY) // 2], markup.quote, 900, 900))
    assert whole[: len(half) - 1] == half[:-1]


def test_turkish_ordinals_do_not_end_a_sentence() -> None:
    text = "Birinci cümle burada biter. Kuyrukta 3. sıradasın ve bekliyorsun"
    first, second = markup.pieces(text, markup.say, 45, 45)
    assert first == "Birinci cümle burada biter."
    assert second == "Kuyrukta 3. sıradasın ve bekliyorsun"


def test_code_is_cut_at_lines_and_every_piece_is_a_block() -> None:
    code = "\n".join(f"    line_{n} = {n}" for n in range(100))
    dress = markup.code("python")
    found = list(markup.pieces(code, dress, 300, 300))
    inside = [piece.removeprefix("```python\n").removesuffix("\n```") for piece in found]
    assert all(len(piece) <= 300 for piece in found)
    assert "\n".join(inside) == code


def test_no_escape_sequence_is_cut_in_two() -> None:
    found = list(markup.pieces("*" * 500, markup.say, 101, 101))
    assert all(len(piece) <= 101 for piece in found)
    assert all(piece == r"\*" * (len(piece) // 2) for piece in found)
    assert sum(len(piece) for piece in found) == 1000


@pytest.mark.parametrize(
    "text", ["", "\n\n", " ", "\n" * 5000, "x" * 5000, "😀" * 3000, "> " * 3000]
)
@pytest.mark.parametrize("dress", [markup.say, markup.note, markup.quote, markup.code("")])
def test_any_text_is_cut(text: str, dress: markup.Dress) -> None:
    for piece in markup.pieces(text, dress, 400, 2000):
        assert markup.length(piece) <= 2000
