"""Wishes about a face: what people type is understood, and nothing else is taken for a wish.

The lists of wordings.toml are measured as `tests.benchmarks.wishes` measures them.
"""

from __future__ import annotations

import asyncio
import pickle
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.jobs import BadInput
from inference.models.face_wishes import ANCHORS, FaceWishes
from inference.models.wish_words import (
    Vocabulary,
    fold,
    lower,
    parts,
    phrase,
    words_of,
)
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.face_wishes import ATTRIBUTES, MAX_LENGTH, TASK, Wishes, WishInput
from inference.weights import WeightsStore
from tests.benchmarks.wishes import score, wordings
from tests.inference.fake_models import job

LISTS = [(name, language) for name, languages in wordings().items() for language in languages]


@pytest.fixture(scope="module")
def model() -> Iterator[FaceWishes]:
    made = FaceWishes({}, {})
    made.load("cpu")
    yield made
    made.close()


def ask(model: FaceWishes, text: str, **how: Any) -> Wishes:
    (answer,) = model.predict([WishInput(text, **how)])
    assert isinstance(answer, Wishes)
    return answer


def strengths(answer: Wishes) -> dict[str, int]:
    return {wish.attribute: wish.strength for wish in answer.wishes}


# --- the lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "language"), LISTS)
def test_the_lists_are_long_and_no_anchors(name: str, language: str) -> None:
    expected = wordings()[name][language]
    foreign = sum(wanted in ("unknown", "refused") for wanted in expected.values())
    assert foreign >= 20
    assert len(expected) - foreign >= 40
    named = {word[:-1] for wanted in expected.values() for word in wanted.split()}
    assert named - {"unknow", "refuse"} <= set(ATTRIBUTES)
    anchors = {fold(text) for _, text in anchor_texts()}
    typed = {fold(" ".join(words_of(lower(text)))) for text in expected}
    assert not typed & anchors, "an anchor is no test, with or without its Turkish dots"


def test_no_wording_is_in_two_lists() -> None:
    texts = [fold(lower(text)) for name, language in LISTS for text in wordings()[name][language]]
    twice = {text for text in texts if texts.count(text) > 1}
    assert twice <= {"hmm", "qwerty"}, "but for what is no word of either language"


@pytest.mark.parametrize(("name", "language"), LISTS)
def test_nine_of_ten_are_understood(model: FaceWishes, name: str, language: str) -> None:
    figures, errors = score(model, wordings()[name][language])
    assert figures["right"] >= 0.9, errors
    assert figures["false_acceptance"] <= 0.1, errors
    assert figures["refused"] >= 0.8, errors


# --- the anchors ----------------------------------------------------------------------------------


def anchor_texts() -> list[tuple[str, str]]:
    """(language, text) of all anchors, lower-cased, without marks."""
    table = tomllib.loads(ANCHORS.read_text(encoding="utf-8"))
    senses = [sense for ways in table["attributes"].values() for sense in ways.values()]
    return [
        (language, " ".join(words_of(lower(text))))
        for sense in [*senses, table["refused"], table["other"]]
        for language, texts in sense.items()
        for text in texts
    ]


def test_every_attribute_has_anchors_in_both_languages() -> None:
    table = tomllib.loads(ANCHORS.read_text(encoding="utf-8"))["attributes"]
    assert set(table) == set(ATTRIBUTES)
    for name, ways in table.items():
        assert set(ways) <= {"more", "less"}, name
        for way, languages in ways.items():
            assert set(languages) == {"en", "tr"}, (name, way)
    signed = {name for name, ways in table.items() if "less" in ways}
    assert set(ATTRIBUTES) - signed == {"surprise", "anger", "red_hair", "grey_hair"}


def test_no_anchor_stands_twice() -> None:
    texts = [text for _, text in anchor_texts()]
    assert {text for text in texts if texts.count(text) > 1} <= {"hindu"}, (
        "the same word in both languages"
    )


# --- degree ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("make him older", 2),
        ("make him a little older", 1),
        ("a bit older", 1),
        ("slightly older please", 1),
        ("MUCH OLDER!!!", 3),
        ("make him very very old", 3),
        ("older, but not too much", 1),
        ("a lot younger", -3),
        ("he is too old", -2),
        ("not old enough", 2),
        ("less old", -2),
        ("yaşlandır", 2),
        ("biraz yaşlandır", 1),
        ("azıcık yaşlı olsun", 1),
        ("çok daha yaşlı yap", 3),
        ("iyice yaşlandır", 3),
        ("daha az yaşlı", -2),
        ("biraz daha az yaşlı olsun", -1),
        ("gencecik olsun", -3),
        ("yaşlandır ama abartmadan", 1),
    ],
)
def test_words_of_degree_set_the_strength(model: FaceWishes, text: str, strength: int) -> None:
    assert strengths(ask(model, text)) == {"age": strength}


def test_a_little_girl_is_not_a_little_of_a_girl(model: FaceWishes) -> None:
    assert strengths(ask(model, "as a little girl"))["age"] == -2


# --- negation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attribute", "sign"),
    [
        ("no glasses", "glasses", -1),
        ("without glasses", "glasses", -1),
        ("take his glasses off", "glasses", -1),
        ("take off the glasses", "glasses", -1),
        ("she shouldn't wear glasses", "glasses", -1),
        ("don't remove the glasses", "glasses", 1),
        ("gözlüksüz", "glasses", -1),
        ("gözlüğünü çıkar", "glasses", -1),
        ("gözlüğünü çıkarsın", "glasses", -1),
        ("gözlük takmasın", "glasses", -1),
        ("gözlük takma", "glasses", -1),
        ("gözlük istemiyorum", "glasses", -1),
        ("gözlük yok", "glasses", -1),
        ("without a beard", "beard", -1),
        ("sakalsız", "beard", -1),
        ("sakalını yok et", "beard", -1),
        ("sakal bırakmasın", "beard", -1),
        ("no makeup", "makeup", -1),
        ("makyajsız", "makeup", -1),
        ("makyaj yapmasın", "makeup", -1),
        ("stop smiling", "smile", -1),
        ("don't smile", "smile", -1),
        ("gülümsemesin", "smile", -1),
        ("gülme", "smile", -1),
        ("gülümsemesini sil", "smile", -1),
        ("kahkaha at", "smile", 1),  # "at" also means "throw away"
        ("başını kaldır", "nod", 1),  # "kaldır" also means "remove"
        ("take ten years off", "age", -1),
        ("not angry", "anger", -1),
        ("kızgın değil", "anger", -1),
        ("ağzını açmasın", "mouth_open", -1),
        ("kız değil erkek olsun", "femininity", -1),
    ],
)
def test_negations_and_opposites(model: FaceWishes, text: str, attribute: str, sign: int) -> None:
    assert strengths(ask(model, text)) == {attribute: 2 * sign}


# --- several wishes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("older, with glasses and a beard", {"age": 2, "glasses": 2, "beard": 2}),
        (
            "remove the glasses, the beard and the makeup",
            dict.fromkeys(("glasses", "beard", "makeup"), -2),
        ),
        ("without glasses or makeup", {"glasses": -2, "makeup": -2}),
        ("no glasses, a beard", {"glasses": -2, "beard": 2}),
        ("make the hair longer and darker", {"hair_length": 2, "hair_lightness": -2}),
        ("long and blond hair", {"hair_length": 2, "hair_lightness": 2}),
        ("long blond hair", {"hair_length": 2, "hair_lightness": 2}),
        ("close his eyes and mouth", {"eyes_open": -2, "mouth_open": -2}),
        ("a bit older & much happier", {"age": 1, "smile": 3}),
        ("yaşlandır, gözlük tak ve gülümset", {"age": 2, "glasses": 2, "smile": 2}),
        ("hem genç hem sarışın hem de gözlüklü", {"age": -2, "hair_lightness": 2, "glasses": 2}),
        ("gözlüğünü ve sakalını kaldır", {"glasses": -2, "beard": -2}),
        ("gözlerini ve ağzını kapat", {"eyes_open": -2, "mouth_open": -2}),
        ("saçı uzun ve sarı olsun", {"hair_length": 2, "hair_lightness": 2}),
        ("saçları kısa, biraz daha koyu olsun", {"hair_length": -2, "hair_lightness": -1}),
        ("uzun siyah saçlı", {"hair_length": 2, "hair_lightness": -2}),
        ("gülümseyen yaşlı bir adam", {"smile": 2, "age": 2}),
        ("the smiling woman should look older", {"smile": 2, "age": 2}),
    ],
)
def test_several_wishes(model: FaceWishes, text: str, expected: dict[str, int]) -> None:
    answer = ask(model, text)
    assert strengths(answer) == expected
    assert (answer.unknown, answer.refused) == ((), ())


def test_phrases_are_told_as_typed(model: FaceWishes) -> None:
    answer = ask(model, "  Make him OLDER; şapka tak!  Turn her CHINESE, and a Beard. ")
    assert [(wish.attribute, wish.phrase) for wish in answer.wishes] == [
        ("age", "Make him OLDER"),
        ("beard", "a Beard"),
    ]
    assert answer.unknown == ("şapka tak",)
    assert answer.refused == ("Turn her CHINESE",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("older, much older", {"age": 3}),
        ("much older, older", {"age": 3}),
        ("younger, no, older", {"age": 2}),
        ("yaşlandır, yok, gençleştir", {"age": -2}),
    ],
)
def test_each_attribute_is_told_once(
    model: FaceWishes, text: str, expected: dict[str, int]
) -> None:
    assert strengths(ask(model, text)) == expected


# --- spelling -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("GÜLÜMSET", "smile"),
        ("GULUMSET", "smile"),
        ("gulumset", "smile"),
        ("gülümest", "smile"),
        ("SIRIT", "smile"),
        ("İHTİYAR", "age"),
        ("IHTIYAR", "age"),
        ("ihtiyar", "age"),
        ("KIZGIN", "anger"),
        ("kizgin", "anger"),
        ("kızgın".encode().decode(), "anger"),
        ("s\u0327as\u0327kin", "surprise"),  # decomposed: s and a cedilla
        ("gozluk", "glasses"),
        ("gözllük", "glasses"),
        ("glases", "glasses"),
        ("GLASSES", "glasses"),
        ("oldre", "age"),
        ("SMILING", "smile"),
    ],
)
def test_dots_capitals_and_slips(model: FaceWishes, text: str, attribute: str) -> None:
    assert strengths(ask(model, text)) == {attribute: 2}


def test_a_word_that_the_encoder_knows_is_not_mended() -> None:
    words = Vocabulary(["glasses"], ["gözlük"], knows=lambda word: word == "classes")
    assert words.restored("glases", "en") == "glasses"
    assert words.restored("classes", "en") == "classes"


def test_endings_get_the_vowels_that_follow_from_their_stem() -> None:
    words = Vocabulary([], ["saçlar", "gözlük", "sinirlen", "açık"], knows=lambda word: False)
    restored = {
        word: words.restored(word, "tr")
        for word in ("saclarini", "gozlugu", "gozluklu", "sinirlenmis", "aciklastir", "gözlüklü")
    }
    assert restored == {
        "saclarini": "saçlarını",
        "gozlugu": "gözlüğü",
        "gozluklu": "gözlüklü",
        "sinirlenmis": "sinirlenmiş",
        "aciklastir": "açıklaştır",
        "gözlüklü": "gözlüklü",
    }


def test_the_language_is_told_by_the_words() -> None:
    words = Vocabulary(["make her smile"], ["gülümset", "gözlük tak"], knows=lambda word: False)
    assert words.language(["make", "him", "smile"]) == "en"
    assert words.language(["gozluk", "tak"]) == "tr"
    assert words.language(["ışık"]) == "tr"
    assert words.language(["xyz"]) == "en"
    assert words.language([]) == "en"


# --- what is not granted --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "make him fly",
        "add a hat",
        "şapka tak",
        "uçur",
        "kıvırcık saç",
        "mavi saç",
        "blue eyes",
        "123",
    ],
)
def test_what_is_not_on_offer_is_unknown(model: FaceWishes, text: str) -> None:
    answer = ask(model, text)
    assert (answer.wishes, answer.unknown, answer.refused) == ((), (text,), ())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "ten rengini değiştir",
            "make her Chinese",
            "teni koyu olsun",
            "Çinli yap",
            "make him black",
        ),
        *("lighter skin", "zenci yap", "change the race", "siyahi bir kadın", "a happy Korean man"),
    ],
)
def test_skin_and_origin_are_refused(model: FaceWishes, text: str) -> None:
    answer = ask(model, text)
    assert (answer.wishes, answer.unknown, answer.refused) == ((), (), (text,))


@pytest.mark.parametrize(
    "text", ["black hair", "siyah saç", "white beard", "beyaz saç", "koyu ruj"]
)
def test_the_colours_of_other_things_are_not(model: FaceWishes, text: str) -> None:
    answer = ask(model, text)
    assert answer.refused == ()
    assert len(answer.wishes) == 1


def test_a_noun_is_not_lent_to_what_has_its_own(model: FaceWishes) -> None:
    answer = ask(model, "make her skin lighter and her hair longer")
    assert strengths(answer) == {"hair_length": 2}
    assert answer.refused == ("make her skin lighter",)


def test_only_what_is_offered_is_granted(model: FaceWishes) -> None:
    answer = ask(model, "older, red hair and glasses", offered=("age", "glasses", "hair_lightness"))
    assert strengths(answer) == {"age": 2, "glasses": 2}, "red is not taken for the next colour"
    assert answer.unknown == ("red hair",)
    assert ask(model, "older", offered=()).unknown == ("older",)


# --- any text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "...", "😀", ":-)", "\0", "\n\n", "—", "and", "ve, ve"])
def test_where_no_word_is_nothing_is_wished(model: FaceWishes, text: str) -> None:
    answer = ask(model, text)
    assert (answer.wishes, answer.unknown, answer.refused) == ((), (), ())


def test_what_is_too_long_fails_alone(model: FaceWishes) -> None:
    long, right = model.predict([WishInput("x" * (MAX_LENGTH + 1)), WishInput("older")])
    assert isinstance(long, BadInput)
    assert long.reason == "too-long"
    assert isinstance(right, Wishes)
    assert strengths(right) == {"age": 2}


PIECES = st.sampled_from(
    (
        *("older", "and", "no", "with", "a bit", "hair", "take", "off", "not", "too", "years"),
        *("ve", "gözlük", "-sız", "İ", "ı", "biraz", "saç", "yaşında", "kaldır", "değil", "yok"),
        *("\ud800", "’", "https://x.y", ",", "%s", "${}", "\u202e", "99"),
    )
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=24).map(" ".join)))
def test_any_text_is_answered_in_its_own_words(model: FaceWishes, text: str) -> None:
    answer = ask(model, text[:MAX_LENGTH])
    for wish in answer.wishes:
        assert wish.attribute in ATTRIBUTES
        assert 1 <= abs(wish.strength) <= 3
        assert words_of(wish.phrase)
    attributes = [wish.attribute for wish in answer.wishes]
    assert len(attributes) == len(set(attributes))
    assert pickle.loads(pickle.dumps(answer)) == answer


@given(st.text(max_size=80))
def test_lowering_keeps_every_character_in_its_place(text: str) -> None:
    assert len(lower(text)) == len(text)
    for part in parts(lower(text)):
        assert 0 <= part.start < part.end <= len(text)


def test_a_worst_case_does_not_take_for_ever() -> None:
    words = Vocabulary(["older"], ["yaşlı"], knows=lambda word: False)
    for text in (
        "m" * 300,
        "ama" * 100,
        "a m " * 75,
        "take off " * 33,
        "s" * 299 + "z",
        "1 " * 150,
    ):
        for language in ("en", "tr"):
            phrase([words.restored(word, language) for word in text.split()], language, words)


# --- together with others -------------------------------------------------------------------------


def test_who_else_asks_changes_nothing(model: FaceWishes) -> None:
    texts = ["older", "gözlük tak ve gülümset", "add a hat", "make her skin darker", "", "x" * 300]
    together = model.predict([WishInput(text) for text in texts])
    for text, answer in zip(texts, together, strict=True):
        alone = ask(model, text)
        assert isinstance(answer, Wishes)
        assert (answer.wishes, answer.unknown, answer.refused) == (
            alone.wishes,
            alone.unknown,
            alone.refused,
        )


async def test_through_the_queue(weights_store: WeightsStore) -> None:
    queue = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), workers=1))
    await queue.start()
    try:
        async with asyncio.timeout(150):
            async with queue.submit(job(TASK.name, WishInput("biraz yaşlandır"))) as ticket:
                answer: Wishes = await ticket.result()
            with pytest.raises(BadInput):
                async with queue.submit(job(TASK.name, WishInput("x" * 301))) as ticket:
                    await ticket.result()
    finally:
        await queue.close()
    assert strengths(answer) == {"age": 1}


def test_equal_wishes_share_a_run() -> None:
    key = all_tasks()["face-wishes"].share_key
    assert key(WishInput("older")) == key(WishInput("older"))
    assert key(WishInput("older")) != key(WishInput("older", ("age",)))
