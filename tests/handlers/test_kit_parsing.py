"""Typed lines: what becomes the command, what its parameters, what the free text."""

from __future__ import annotations

import unicodedata

import pytest

from handlers.kit import UserError
from handlers.kit.parsing import parse
from locales import words


def read(line: str) -> tuple[str, dict[str, str]]:
    parsed = parse(line)
    return parsed.command.name, parsed.arguments


def refusal(line: str, language: str = "en") -> str:
    with pytest.raises(UserError) as caught:
        parse(line)
    return words(language)(caught.value.message)


# --- the command's name --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "/detect",
        "  /detect  ",
        "/algıla",
        "/algila",
        "/ALGILA",
        "/Algıla",
        "/DETECT",
        "/detect@tadim_bot",
        "/algila@TadimBot",
        unicodedata.normalize("NFD", "/algıla"),
    ],
)
def test_a_name_in_either_language_however_typed(line: str) -> None:
    assert read(line) == ("detect", {})


@pytest.mark.parametrize(
    "line", ["", " ", "detect", "hello /detect", "/", "/ detect", "//", "/@bot"]
)
def test_what_is_no_command(line: str) -> None:
    if line in ("/", "//"):
        assert refusal(line) == "Type a command after the slash; /help lists them all."
    else:
        assert refusal(line) == "Type a command that starts with a slash; /help lists them all."


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/algla", "/algla diye bir komut yok. Şunu mu demek istedin: /algıla?"),
        ("/algıl@bot güven:1", "/algıl diye bir komut yok. Şunu mu demek istedin: /algıla?"),
        ("/detekt", "/detekt diye bir komut yok. Şunu mu demek istedin: /algıla?"),
        ("/qqqq", "/qqqq diye bir komut yok. Bütün komutlar için /yardım yaz."),
    ],
)
def test_an_unknown_command_suggests_the_nearest(line: str, sentence: str) -> None:
    assert refusal(line, "tr") == sentence


@pytest.mark.parametrize("name", ["x" * 100_000, "\u0301" * 100_000, "\x00\u202e"])
def test_a_hostile_name_is_cut_and_made_visible(name: str) -> None:
    sentence = refusal("/" + name)
    assert len(sentence) < 120
    assert not set(sentence) & {"\x00", "\u202e"}


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("/detect confidence:0.4", {"confidence": "0.4"}),
        ("/algıla güven:0,4", {"confidence": "0,4"}),
        ("/algila guven:0,4", {"confidence": "0,4"}),
        ("/algıla GÜVEN:0,4", {"confidence": "0,4"}),
        (unicodedata.normalize("NFD", "/algıla güven:0,4"), {"confidence": "0,4"}),
        ("/detect@tadim_bot confidence:.4\n", {"confidence": ".4"}),
        ("/detect güven:1 confidence:2", {"confidence": "2"}),
        ('/detect confidence:"0.4"', {"confidence": "0.4"}),
        ('/detect confidence:""', {"confidence": ""}),
    ],
)
def test_named_parameters_in_either_language(line: str, arguments: dict[str, str]) -> None:
    assert read(line) == ("detect", arguments)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("once upon a time", "once upon a time"),
        ("text:hello", "hello"),
        ("metin:bir varmış bir yokmuş", "bir varmış bir yokmuş"),
        ('text:"bir varmış"', "bir varmış"),
        ("text:“bir varmış”", "bir varmış"),  # phones curl the quotation marks
        ("see https://x.org/a:b?c=d now", "see https://x.org/a:b?c=d now"),
        ("https://x", "https://x"),
        ("text:https://x", "https://x"),
        ("at 12:30 note: this", "at 12:30 note: this"),
        ("colour:red is no setting", "colour:red is no setting"),
        ('she said "hi: there"', 'she said "hi: there"'),
        ("two\nlines\n\nand more", "two\nlines\n\nand more"),
        ("  much  space  ", "much  space"),
        ('text:"never closed', 'text:"never closed'),
        ("a/b /detect c", "a/b /detect c"),
        ("prefix-text:x", "prefix-text:x"),
        ("ad@tadim_bot x", "ad@tadim_bot x"),
    ],
)
def test_everything_else_is_the_text(typed: str, text: str) -> None:
    assert read(f"/gpt {typed}") == ("gpt", {"text": text})


@pytest.mark.parametrize(
    ("typed", "arguments"),
    [
        ("seed:3 once upon", {"seed": "3", "text": "once upon"}),
        ("once seed:3 upon", {"seed": "3", "text": "once upon"}),
        ("once upon seed:3", {"seed": "3", "text": "once upon"}),
        ("once\nseed:3\nupon", {"seed": "3", "text": "once\n\nupon"}),
        (
            "tohum:3 metin:bir varmış sıcaklık:0,7",
            {"seed": "3", "temperature": "0,7", "text": "bir varmış"},
        ),
    ],
)
def test_settings_may_stand_anywhere_around_the_text(typed: str, arguments: dict[str, str]) -> None:
    assert read(f"/gpt {typed}") == ("gpt", arguments)


def test_free_text_goes_to_a_choice_where_there_is_no_text() -> None:
    assert read("/gizlilik sil eminim:evet") == ("privacy", {"action": "sil", "sure": "evet"})
    assert read("/dil İngilizce") == ("language", {"language": "İngilizce"})


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("/detect what is this", "what is this"),
        ("/detect güven: 0,4", "güven: 0,4"),
        ("/detect picture:photo.jpg", "picture:photo.jpg"),
        ('/gpt text:"hello" world', "world"),
        ("/detect " + "x" * 100_000, "x" * 40),
        ("/detect a\x00\u202eb", "a\ufffd\ufffdb"),
    ],
)
def test_text_that_no_parameter_takes_is_never_dropped_in_silence(line: str, text: str) -> None:
    assert refusal(line).startswith(f"I do not know what to do with “{text}” here.")


def test_a_hundred_thousand_characters_stay_what_they_are() -> None:
    for text in (
        "kelime " * 14_000,
        "a:" * 50_000,
        "x:“" * 33_000,
        "x:“ " * 25_000,
        'x:" ' * 25_000,
    ):
        assert read(f"/gpt {text}") == ("gpt", {"text": text.strip()})


def test_a_long_text_full_of_colons_is_text_after_a_while() -> None:
    text = " ".join(["ab:c"] * 300)
    assert read(f"/gpt {text}") == ("gpt", {"text": text})
    late = " ".join(["ab:c"] * 64) + " temperature:1"
    assert read(f"/gpt {late}") == ("gpt", {"text": late})
