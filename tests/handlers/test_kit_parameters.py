"""Parameters: from a signature to a form, and from what strangers type to checked values."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any

import pytest

from handlers.kit import Choice, Picture, Range, Seed, Text, UserError
from handlers.kit.parameters import (
    REQUIRED,
    MissingParameter,
    Parameter,
    bind,
    echo,
    exact,
    parameters_of,
)
from locales import Message, words
from tests.fakes import picture

# Names that the locales know, so that the sentences can be rendered as a reader sees them.
CONFIDENCE = Parameter("detect", "confidence", "number", 0.25, range=Range(0.05, 0.95))
LENGTH = Parameter("gpt", "length", "integer", 160, range=Range(8, 100_000))
SEED = Parameter("gpt", "seed", "integer", None)
TEXT = Parameter("gpt", "text", "text", text=Text(longest=4000))
SURE = Parameter("privacy", "sure", "boolean", False)
ACTION = Parameter("privacy", "action", "choice", "show", choices=("show", "export", "delete"))
PICTURE = Parameter("detect", "picture", "picture")


def refusal(parameter: Parameter, raw: Any, language: str = "en") -> str:
    """The sentence a reader gets for a value that is refused."""
    with pytest.raises(UserError) as caught:
        parameter.convert(raw, language)
    return words(language)(caught.value.message)


# --- the declaration -----------------------------------------------------------------------------


async def example(
    request: object,
    services: object,
    picture: Picture,
    text: Annotated[str, Text(longest=9, long=True)],
    number: Annotated[float, Range(0, 1)] = 0.5,
    maybe: Annotated[int | None, Range(1, 3)] = None,
    outside: Annotated[int, Range(1, 3)] | None = None,
    choice: Annotated[str | None, Choice(("a", "b"))] = None,
    flag: bool = True,
    plain: str = "",
) -> None: ...


def test_a_signature_declares_the_parameters() -> None:
    found = parameters_of("example", example)
    assert [(p.name, p.kind) for p in found] == [
        ("picture", "picture"),
        ("text", "text"),
        ("number", "number"),
        ("maybe", "integer"),
        ("outside", "integer"),
        ("choice", "choice"),
        ("flag", "boolean"),
        ("plain", "text"),
    ]
    by_name = {p.name: p for p in found}
    assert [p.name for p in found if p.required] == ["picture", "text"]
    assert by_name["picture"].default is REQUIRED
    assert by_name["text"].text == Text(longest=9, long=True)
    assert by_name["plain"].text == Text()
    assert by_name["maybe"].range == by_name["outside"].range == Range(1, 3)
    assert by_name["choice"].choices == ("a", "b")


def test_an_annotation_without_a_form_is_noticed_at_once() -> None:
    async def wrong(request: object, services: object, when: complex = 0j) -> None: ...

    with pytest.raises(TypeError, match="/wrong: no form for parameter when"):
        parameters_of("wrong", wrong)


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("0.4", 0.4),
        ("0,4", 0.4),
        (" 0,40 ", 0.4),
        (",5", 0.5),
        ("5e-1", 0.5),
        ("٠٫٥".replace("٫", "."), 0.5),  # Arabic-Indic digits
        (0.5, 0.5),
    ],
)
def test_numbers_with_point_or_comma(raw: object, value: float) -> None:
    assert CONFIDENCE.convert(raw, "tr") == pytest.approx(value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("30", 30),
        ("+30", 30),
        ("30.0", 30),
        ("30,0", 30),
        ("1.000", 1000),  # Turkish grouping
        ("1,000", 1000),  # English grouping
        ("12.345", 12345),
        (30, 30),
        (30.0, 30),
    ],
)
def test_whole_numbers_and_their_grouping(raw: object, value: int) -> None:
    converted = LENGTH.convert(raw, "tr")
    assert converted == value
    assert type(converted) is int


def test_minus_signs() -> None:
    assert SEED.convert("-3", "en") == SEED.convert("\N{MINUS SIGN}3", "en") == -3


def test_a_whole_number_keeps_all_its_digits() -> None:
    assert SEED.convert("12345678901234567", "en") == 12345678901234567


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "abc",
        "nan",
        "inf",
        "-inf",
        "1_0",
        "0x10",
        "1 2",
        "1,2,3",
        "½",
        "9" * 41,
        "9" * 100000,
        "1e999",
        "\x00",
        "0.5\u202e",
        True,
        None,
        [0.5],
        {"a": 1},
        math.nan,
        math.inf,
        10**400,
    ],
)
def test_what_is_no_number(raw: object) -> None:
    assert refusal(CONFIDENCE, raw) == "“confidence” must be a number, such as 0.5."
    assert refusal(LENGTH, raw).startswith("“length” must be a whole number")


@pytest.mark.parametrize("raw", ["8.5", "8,5", 8.5, "0.500", "8.25", 8.125])
def test_a_fraction_is_no_whole_number(raw: object) -> None:
    free = Parameter("gpt", "length", "integer")
    assert refusal(free, raw, "tr") == "“uzunluk” bir tam sayı olmalı; örneğin 3."


@pytest.mark.parametrize("raw", ["0.049", "0.951", "-1", "5", 1, "1e30"])
def test_a_number_out_of_range_is_told_the_range(raw: object) -> None:
    assert refusal(CONFIDENCE, raw, "en") == "“confidence” must lie between 0.05 and 0.95."
    assert refusal(CONFIDENCE, raw, "tr") == "“güven” en az 0,05, en çok 0,95 olabilir."


def test_bounds_are_written_as_the_language_does_and_with_all_digits() -> None:
    assert refusal(LENGTH, 7, "tr") == "“uzunluk” en az 8, en çok 100.000 olabilir."
    rate = Parameter("gpt", "temperature", "number", range=Range(0.00001, 1))
    assert refusal(rate, 2, "tr") == "“sıcaklık” en az 0,00001, en çok 1 olabilir."
    assert float(exact(0.25)) == 0.25


@pytest.mark.parametrize("raw", ["0.05", "0,95", 0.05])
def test_bounds_are_inclusive(raw: object) -> None:
    assert CONFIDENCE.convert(raw, "tr") in (0.05, 0.95)


# --- text ----------------------------------------------------------------------------------------


def test_text_is_composed_and_trimmed_and_keeps_its_lines() -> None:
    decomposed = unicodedata.normalize("NFD", "  görüntü\r\nüç\tşişe ")
    assert TEXT.convert(decomposed, "tr") == "görüntü\nüç\tşişe"


def test_joiners_and_right_to_left_letters_are_text() -> None:
    family = "👩\u200d👩\u200d👧 می\u200cخواهم \u200eabc"
    assert TEXT.convert(family, "en") == family


@pytest.mark.parametrize("raw", ["", "   ", "\n\t", "\u200b\u2060\ufeff", "\u00a0\u3000\u200e"])
def test_text_with_nothing_to_see_is_empty(raw: str) -> None:
    assert refusal(TEXT, raw, "tr") == "“metin” boş. Oraya bir şey yaz."


def test_a_text_that_may_be_empty_is_let_be() -> None:
    assert Parameter("gpt", "text", "text", "", text=Text(shortest=0)).convert(" ", "en") == ""


@pytest.mark.parametrize(
    "raw",
    ["a\x00b", "a\x1b[31mb", "a\u202eb", "a\u2066b", "a\u2069b", "a\rb", "a\ud800b", "a\x7fb"],
)
def test_control_and_bidi_characters_are_refused(raw: str) -> None:
    assert refusal(TEXT, raw).startswith("“text” contains invisible control characters.")


@pytest.mark.parametrize("raw", ["a" * 100_000, "ü" * 4001, "word " * 20_000, "\u0301" * 100_000])
def test_a_long_text_is_told_how_long_it_is(raw: str) -> None:
    sentence = refusal(TEXT, raw, "tr")
    assert sentence.endswith("en çok 4.000 karakter sığıyor. Lütfen kısalt.")
    assert words("tr")(
        Message("error-text-too-long", parameter="", length=100_000, longest=0)
    ).count("100.000")


def test_the_longest_text_passes() -> None:
    assert len(TEXT.convert("ü" * 4000, "tr")) == 4000
    decomposed = unicodedata.normalize("NFD", "ü" * 4000)
    assert len(decomposed) == 8000
    assert TEXT.convert(decomposed, "tr") == "ü" * 4000, "counted as a reader counts"


def test_piled_up_marks_are_thinned_before_they_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalising n marks in a row takes n² steps; 100,000 would hold the loop for seconds."""
    long = Parameter("gpt", "text", "text", text=Text(longest=100_000))
    seen: list[str] = []
    real = unicodedata.normalize

    def watched(form: Any, text: str) -> str:
        seen.append(text)
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", watched)
    hidden = "a" + "\u0316\u0301" * 49_000 + "b" + "\u0f73\u0f71" * 900
    assert len(long.convert(hidden, "en")) < 200
    assert max(map(len, seen)) < 200
    assert long.convert("z\u0316\u0301\u0300", "en") == real("NFC", "z\u0316\u0301\u0300")


@pytest.mark.parametrize("raw", [picture(b""), {"picture": {}}, ["a"], None])
def test_what_is_no_text(raw: object) -> None:
    assert refusal(TEXT, raw, "tr") == "“metin” bir metin olmalı."


def test_a_number_may_stand_for_its_text() -> None:
    assert TEXT.convert(42, "en") == "42"


# --- yes and no, choices, pictures ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (True, True),
        (False, False),
        ("yes", True),
        ("no", False),
        ("EVET", True),
        ("hayır", False),
        ("HAYIR", False),
        ("hayir", False),
        ("açık", True),
        ("Doğru", True),
        ("YANLIŞ", False),
        ("1", True),
        (0, False),
        (" on ", True),
        (unicodedata.normalize("NFD", "açık"), True),
    ],
)
def test_words_for_yes_and_no(raw: object, value: bool) -> None:
    assert SURE.convert(raw, "tr") is value


@pytest.mark.parametrize("raw", ["", "maybe", "yesno", "\u0301" * 100_000, 2, None, []])
def test_neither_yes_nor_no(raw: object) -> None:
    assert refusal(SURE, raw, "tr") == "“eminim” için evet ya da hayır yaz."


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("show", "show"),
        ("GÖSTER", "show"),
        ("goster", "show"),
        ("indir", "export"),
        ("İNDİR", "export"),
        ("Export ", "export"),
        ("sil", "delete"),
        ("SİL", "delete"),
    ],
)
def test_choices_in_either_language_with_or_without_dots(raw: str, value: str) -> None:
    assert ACTION.convert(raw, "tr") == value


@pytest.mark.parametrize("raw", ["", "all", "\u0301" * 100_000, None, 3])
def test_no_such_choice(raw: object) -> None:
    assert refusal(ACTION, raw, "tr") == "“işlem” şunlardan biri olmalı: göster, indir veya sil."


def test_a_picture_must_be_one() -> None:
    given = picture(b"pixels")
    assert PICTURE.convert(given, "en") is given
    for raw in ("photo.jpg", b"pixels", {"platform": "web"}):
        assert refusal(PICTURE, raw) == "“picture” must be a picture."


# --- binding -------------------------------------------------------------------------------------

PARAMETERS = (TEXT, CONFIDENCE, LENGTH)


def test_binding_fills_in_the_defaults() -> None:
    assert bind(PARAMETERS, {"text": "hi", "length": None}, "en") == {
        "text": "hi",
        "confidence": 0.25,
        "length": 160,
    }


def test_binding_asks_for_what_is_missing_after_checking_what_is_there() -> None:
    with pytest.raises(MissingParameter) as caught:
        bind(PARAMETERS, {}, "tr")
    assert caught.value.parameter is TEXT
    assert words("tr")(caught.value.message).startswith("/gpt için “metin” gerekiyor.")
    with pytest.raises(MissingParameter) as caught:
        bind((PICTURE,), {}, "en")
    assert words("en")(caught.value.message).startswith("/detect needs a picture.")
    with pytest.raises(UserError) as wrong:
        bind(PARAMETERS, {"length": "many"}, "en")
    assert wrong.value.message.key == "error-number-whole"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *(("colour", "colour"), ("x" * 99, "x" * 40), ("a\x00\u202eb", "a\ufffd\ufffdb")),
        *(("a\n\u2028\t b\r\n", "a b"), (" " * 99 + "x" * 99, "x" * 40)),
    ],
)
def test_a_name_that_no_parameter_has_is_echoed_harmlessly(name: str, shown: str) -> None:
    with pytest.raises(UserError) as caught:
        bind(PARAMETERS, {"text": "hi", name: 1}, "en")
    assert words("en")(caught.value.message) == f"This command has no setting called “{shown}”."
    assert echo(name) == shown


@pytest.mark.parametrize("word", ["random", "Rastgele", " RANDOM "])
def test_a_seed_may_be_left_to_chance(word: str) -> None:
    async def handler(request: Any, services: Any, seed: Annotated[int, Seed(9)] = 3) -> None: ...

    (seed,) = parameters_of("test", handler)
    assert (seed.kind, seed.range, seed.seed) == ("integer", Range(0, 9), True)
    drawn = {seed.convert(word, "en") for _ in range(300)}
    assert drawn == set(range(10))
    assert seed.convert("4", "en") == 4
    with pytest.raises(UserError, match="error-number-range"):
        seed.convert("10", "en")
