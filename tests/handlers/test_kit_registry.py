"""The register: who is in it, in which order, and how a typed name finds its command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import handlers.kit.registry as registry
from handlers.kit import Command, Message, Picture, Reply, UserError
from locales import words


async def nothing(request: Any, services: Any) -> AsyncIterator[Reply]:
    yield Reply()


async def written(
    request: Any, services: Any, kind: int = 1, note: str = ""
) -> AsyncIterator[Reply]:
    yield Reply()


async def shown(request: Any, services: Any, picture: Picture) -> AsyncIterator[Reply]:
    yield Reply()


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A register of its own, with names that the real one does not have yet."""
    titles = {
        "fewshot": ("az-örnek", "few-shot"),
        "imagine": ("çiz", "imagine"),
        "classify": ("sınıflandır", "classify"),
        "zebra": ("zebra", "zebra"),
    }

    class Words:
        def __init__(self, language: str) -> None:
            self.column = 0 if language == "tr" else 1

        def __call__(self, message: Message) -> str:
            name = message.key.partition(".")[0]
            return "picks objects" if "." in message.key else titles[name][self.column]

        def has(self, key: str) -> bool:
            return key == "imagine-how"

    entries = {
        "zebra": Command("zebra", nothing, "house"),
        "imagine": Command("imagine", written, "generative", order=2),
        "classify": Command("classify", shown, "vision", order=9),
        "fewshot": Command("fewshot", nothing, "generative", order=1),
    }
    caches = (registry.commands, registry._names, registry._parameter_names)
    monkeypatch.setattr(registry, "words", Words)
    monkeypatch.setattr(registry, "_registered", entries)
    monkeypatch.setattr(registry.pkgutil, "iter_modules", lambda *_: [])
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_commands_stand_in_the_order_of_the_tour(invented: None) -> None:
    assert list(registry.commands()) == ["classify", "fewshot", "imagine", "zebra"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("fewshot", "fewshot"),
        ("Few-Shot", "fewshot"),
        ("few_shot", "fewshot"),
        ("/ÇİZ", "imagine"),
        ("AZ-ÖRNEK", "fewshot"),
        ("az_ornek", "fewshot"),
        ("SINIFLANDIR", "classify"),
        ("siniflandir", "classify"),
        (" ciz ", "imagine"),
        ("çiz\u200d", None),
        ("", None),
    ],
)
def test_a_typed_name_finds_its_command(invented: None, typed: str, name: str | None) -> None:
    found = registry.find(typed)
    assert (found.name if found else None) == name


def test_the_nearest_is_suggested_and_nothing_where_nothing_is_near(invented: None) -> None:
    assert registry.nearest("sinflandr") == registry.commands()["classify"]
    assert registry.nearest("qqqqqq") is None
    with pytest.raises(UserError) as caught:
        registry.require("/sinflandr")
    assert caught.value.message == Message(
        "error-command-meant", typed="sinflandr", command=Message("classify")
    )


def test_completion_puts_beginnings_first(invented: None) -> None:
    names = [entry.name for entry in registry.complete("z", "tr")]
    assert names == ["zebra", "fewshot", "imagine"], (
        "zebra begins with it, az-örnek and çiz hold it"
    )
    assert len(registry.complete("", "tr", limit=3)) == 3
    assert {entry.name for entry in registry.complete("objects", "en")} == set(registry.commands())
    assert registry.complete("q" * 100_000, "en") == []


def test_what_a_command_knows_of_itself(invented: None) -> None:
    imagine, classify, zebra = (
        registry.commands()[name] for name in ("imagine", "classify", "zebra")
    )
    assert imagine.first_text is not None
    assert (imagine.first_text.name, imagine.picture) == ("note", None)
    assert classify.picture is not None
    assert (classify.picture.name, classify.first_text) == ("picture", None)
    assert (zebra.parameters, imagine.explained, zebra.explained) == ((), True, False)


def test_two_handlers_of_one_name_and_unknown_stops_are_refused(invented: None) -> None:
    with pytest.raises(RuntimeError, match="two handlers for /zebra"):
        registry.command("zebra", stop="house")(nothing)
    with pytest.raises(ValueError, match="/new: no such stop: cellar"):
        registry.command("new", stop="cellar")


def test_the_real_commands_are_found_by_all_their_names() -> None:
    for entry in registry.commands().values():
        for language in ("tr", "en"):
            title = entry.title(language)
            assert registry.find(title) is entry
            assert registry.require("/" + title.upper().replace("İ", "i")) is entry
            assert entry in registry.complete(title[:3], language)
            for parameter in entry.parameters:
                assert registry.parameter_named(entry, parameter.title(language)) == parameter
        assert registry.parameter_named(entry, "no such name") is None
        assert entry.explained == words("en").has(f"{entry.name}-how")
