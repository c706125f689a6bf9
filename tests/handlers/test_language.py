"""/language: chosen once, spoken from then on; for oneself, or for everybody in a chat."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

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
async def test_without_a_choice_it_says_the_current_one_and_offers_all(
    world: Services, spoken: str, sentence: str
) -> None:
    platform = FakePlatform(world, language=spoken)
    reply = await platform.ask("language")
    assert platform.read(reply) == sentence
    automatic = {"tr": "Otomatik", "en": "Automatic"}[spoken]
    assert platform.labels(reply)[:3] == ["Türkçe", "English", automatic]
    assert [button.call for button in reply.buttons[:3]] == [
        Call("language", {"language": "tr"}),
        Call("language", {"language": "en"}),
        Call("language", {"language": "automatic"}),
    ]
    assert [button.deletes for button in reply.buttons[3:]] == [True]


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
    assert platform.read(reply) == "“dil” şunlardan biri olmalı: Türkçe, İngilizce veya otomatik."
    assert await world.memory.language(platform.user) is None


async def test_a_choice_can_be_taken_back(world: Services) -> None:
    platform = FakePlatform(world, language="tr")
    await platform.ask("language", language="en")
    reply = await platform.ask("language", language="otomatik")
    assert platform.read(reply) == "Tamam, bundan sonra uygulamanın ya da sohbetin diline uyacağım."
    assert reply.data == {"language": None}
    assert await world.memory.language(platform.user) is None


# --- for everybody --------------------------------------------------------------------------------

GROUP = {"public": True}
SERVER = {"public": True, "share": "fake:server", "channel": "general"}


@pytest.mark.parametrize(
    ("about", "line", "place", "sentence"),
    [
        (GROUP, {"scope": "sohbet"}, "fake:room", "I will answer everybody in this chat in E"),
        (GROUP, {"scope": "channel"}, "fake:room", "I will answer everybody in this chat in E"),
        (SERVER, {"scope": "chat"}, "fake:server", "I will answer everybody on this server in E"),
        (SERVER, {"scope": "kanal"}, "fake:room", "I will answer everybody in this channel in E"),
        (
            {**SERVER, "parent": "fake:above", "public": False},  # asked where nobody reads along
            {"scope": "channel"},
            "fake:above",
            "I will answer everybody in this channel in E",
        ),
    ],
)
async def test_a_moderator_chooses_for_everybody(
    world: Services, about: dict[str, Any], line: dict[str, str], place: str, sentence: str
) -> None:
    platform = FakePlatform(world, language="tr", moderates=True, about=about)
    reply = await platform.ask("language", language="en", **line)
    assert sentence in platform.read(reply), "in the new language"
    assert reply.data == {"language": "en", "chat": place}
    assert await world.memory.chat_language(place) == "en"
    assert await world.memory.language(platform.user) is None


@pytest.mark.parametrize(
    ("about", "scope", "place", "sentence"),
    [
        (GROUP, "chat", "fake:room", "I answer here in the language of whoever asks."),
        (SERVER, "chat", "fake:server", "this server’s own settings decide"),
        (SERVER, "channel", "fake:room", "here as on the rest of the server."),
    ],
)
async def test_a_moderator_takes_the_choice_back(
    world: Services, about: dict[str, Any], scope: str, place: str, sentence: str
) -> None:
    platform = FakePlatform(world, moderates=True, about=about)
    await platform.ask("language", language="tr", scope=scope)
    reply = await platform.ask("language", language="automatic", scope=scope)
    assert sentence in platform.read(reply)
    assert reply.data == {"language": None, "chat": place}
    assert await world.memory.chat_language("fake:room", "fake:server") is None


@pytest.mark.parametrize("about", [GROUP, SERVER])
@pytest.mark.parametrize("arguments", [{"language": "en"}, {"language": "automatic"}, {}])
async def test_others_are_told_who_may(
    world: Services, about: dict[str, Any], arguments: dict[str, str]
) -> None:
    platform = FakePlatform(world, about=about)
    reply = await platform.ask("language", scope="chat", **arguments)
    assert platform.read(reply, "en") == (
        "The language for everybody here is chosen by those who look after this chat. "
        "Your own you choose with /language."
    )
    assert "/dil" in platform.read(reply, "tr")
    assert reply.private
    assert reply.buttons == ()
    assert await world.memory.chat_language("fake:room", "fake:server") is None


async def test_asked_for_everybody_the_buttons_are_for_everybody(world: Services) -> None:
    platform = FakePlatform(world, moderates=True, about=SERVER)
    reply = await platform.ask("language", scope="channel")
    assert platform.read(reply) == "Which language shall I speak with everybody here?"
    call = reply.buttons[0].call
    assert call == Call("language", {"language": "tr", "scope": "channel"})
    await platform.ask(call.command, **call.arguments)
    assert await world.memory.chat_language("fake:room") == "tr"


async def test_alone_with_tadim_the_chat_is_oneself(world: Services) -> None:
    platform = FakePlatform(world)
    reply = await platform.ask("language", language="tr", scope="chat")
    assert platform.read(reply) == "Tamam, bundan sonra seninle Türkçe konuşacağım."
    assert await world.memory.language(platform.user) == "tr"
    assert await world.memory.chat_language(platform.chat) is None
