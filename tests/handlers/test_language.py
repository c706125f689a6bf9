"""/language: chosen once, spoken from then on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bot.hub import Hub, Visitor
from bot.settings import Settings
from handlers.kit import Call, Services
from handlers.kit.request import ReplyAddress
from tests.fakes import FakePlatform, services


@pytest.fixture
def world() -> Iterator[Services]:
    made = services(SimpleNamespace(waiting=0))
    yield made
    made.studio.close()


@pytest.mark.parametrize(
    ("spoken", "sentence"),
    [
        ("tr", "Şu anda Türkçe konuşuyoruz. Hangi dili istersin?"),
        ("en", "We are speaking English. Which language would you like?"),
    ],
)
async def test_without_a_choice_it_says_the_current_one_and_offers_both(
    world: Services, spoken: str, sentence: str
) -> None:
    platform = FakePlatform(world, language=spoken)
    reply = await platform.ask("language")
    assert platform.read(reply) == sentence
    assert platform.labels(reply) == ["Türkçe", "English"]
    assert [button.call for button in reply.buttons] == [
        Call("language", {"language": "tr"}),
        Call("language", {"language": "en"}),
    ]


@pytest.mark.parametrize(
    ("spoken", "typed", "chosen", "sentence"),
    [
        ("tr", "en", "en", "All right, from now on I will speak English with you."),
        ("tr", "İngilizce", "en", "All right, from now on I will speak English with you."),
        ("en", "TÜRKÇE", "tr", "Tamam, bundan sonra seninle Türkçe konuşacağım."),
        ("en", "turkish", "tr", "Tamam, bundan sonra seninle Türkçe konuşacağım."),
    ],
)
async def test_a_choice_is_remembered_and_confirmed_in_the_new_language(
    world: Services, spoken: str, typed: str, chosen: str, sentence: str
) -> None:
    platform = FakePlatform(world, language=spoken)
    reply = await platform.ask("language", language=typed)
    assert platform.read(reply) == sentence
    assert await world.memory.language(platform.user) == chosen
    assert reply.data == {"language": chosen}


async def test_the_next_command_is_answered_in_it(world: Services) -> None:
    hub = Hub(world, Settings())
    visitor = Visitor(
        user="fake:ada",
        chat="fake:room",
        address=ReplyAddress("fake", {}),
        client_language="tr-TR",
        chat_tag="tr",
        public=True,
    )
    assert await hub.language(visitor) == "tr"
    await (await hub.line(visitor, "/dil english")).result()
    assert await hub.language(visitor) == "en"


async def test_another_language_is_refused_kindly(world: Services) -> None:
    platform = FakePlatform(world, language="tr")
    reply = await platform.ask("language", language="Klingon")
    assert platform.read(reply) == "“dil” şunlardan biri olmalı: Türkçe veya İngilizce."
    assert await world.memory.language(platform.user) is None
