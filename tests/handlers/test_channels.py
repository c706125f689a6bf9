"""/channels: those who look after a server say where Tadım answers; nobody locks anybody out."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.kit import Reply, Services
from tests.fakes import FakePlatform, services

SERVER = "fake:server"


@pytest.fixture
def world() -> Iterator[Services]:
    made = services(SimpleNamespace(waiting=0))
    yield made
    made.studio.close()


def moderator(world: Services, channel: str = "bots", **about: Any) -> FakePlatform:
    """Ada, who looks after the server, in one of its channels."""
    facts = {"share": SERVER, "channel": channel, **about}
    return FakePlatform(world, chat=f"fake:{channel}", moderates=True, about=facts)


def said(platform: FakePlatform, reply: Reply, language: str | None = None) -> list[str]:
    """The lines of the answer, without the small print that ends it."""
    return platform.read(reply, language).splitlines()[:-1]


async def test_without_a_list_it_is_everywhere(world: Services) -> None:
    ada = moderator(world)
    reply = await ada.ask("channels")
    assert ada.read(reply, "en").splitlines() == [
        "I answer in every channel of this server.",
        "Threads belong to the channel that they hang on. Whatever the list says, these work "
        "everywhere: /help, /queue, /cancel, /privacy, and /channels.",
    ]
    assert ada.read(reply, "tr").startswith("Bu sunucunun her kanalında cevap veriyorum.\n")
    assert "/yardım, /kuyruk, /iptal, /gizlilik ve /kanallar." in ada.read(reply, "tr")
    assert ada.labels(reply) == ["Answer only in #bots"]
    assert reply.private
    assert reply.data == {"channels": {}, "here": True}


async def test_the_buttons_lead_through_all_of_it(world: Services) -> None:
    """Allow here, then there too, take the first one off again, and drop the list."""
    bots, lab = moderator(world, "bots"), moderator(world, "lab")

    async def press(platform: FakePlatform, label: str) -> Reply:
        shown = await platform.ask("channels")
        (call,) = [
            button.call
            for button, text in zip(shown.buttons, platform.labels(shown), strict=True)
            if text == label
        ]
        assert call is not None
        return await platform.ask(call.command, **call.arguments)

    reply = await press(bots, "Answer only in #bots")
    assert said(bots, reply) == [
        "#bots is on the list.",
        "I answer in these channels only:",
        "• #bots",
    ]
    assert bots.labels(reply) == ["Answer everywhere"]

    reply = await press(lab, "Answer in #lab, too")
    assert said(lab, reply)[1:] == ["I answer in these channels only:", "• #bots", "• #lab"]
    assert lab.labels(reply) == ["No longer answer in #lab", "Answer everywhere"]

    reply = await press(bots, "No longer answer in #bots")
    assert said(bots, reply) == [
        "#bots is off the list; I no longer answer here.",
        "I answer in these channels only:",
        "• #lab",
    ]
    assert said(bots, reply, "tr") == [
        "Listeden çıktı: #bots. Artık burada cevap vermeyeceğim.",
        "Yalnızca şu kanallarda cevap veriyorum:",
        "• #lab",
    ]
    assert reply.data == {"channels": {"fake:lab": "lab"}, "here": False}

    reply = await press(bots, "Answer everywhere")
    assert said(bots, reply) == ["I answer in every channel of this server."]
    assert await world.memory.channels(SERVER) == {}


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("izin-ver", {"fake:bots": "bots", "fake:lab": "lab"}),
        ("KALDIR", {}),
        ("her-yerde", {}),
        ("göster", {"fake:bots": "bots"}),
    ],
)
async def test_actions_typed_in_turkish(world: Services, typed: str, left: dict[str, str]) -> None:
    await world.memory.allow_channel(SERVER, "fake:bots", "bots")
    ada = moderator(world, "lab" if typed == "izin-ver" else "bots")
    await ada.ask("channels", action=typed)
    assert await world.memory.channels(SERVER) == left


async def test_taking_off_the_last_one_says_what_that_means(world: Services) -> None:
    ada = moderator(world)
    await ada.ask("channels", action="allow")
    reply = await ada.ask("channels", action="remove")
    assert said(ada, reply) == [
        "#bots was the last channel on the list. Without a list there are no limits.",
        "I answer in every channel of this server.",
    ]


async def test_a_thread_is_its_parent_channel(world: Services) -> None:
    thread = FakePlatform(
        world,
        chat="fake:thread",
        moderates=True,
        about={"share": SERVER, "channel": "bots", "parent": "fake:bots"},
    )
    reply = await thread.ask("channels", action="allow")
    assert await world.memory.channels(SERVER) == {"fake:bots": "bots"}
    assert (reply.data or {})["here"] is True


async def test_a_renamed_channel_gets_its_new_name_when_allowed_again(world: Services) -> None:
    await moderator(world, "bots").ask("channels", action="allow")
    ada = moderator(world, "bots")
    ada.about = {**ada.about, "channel": "robots"}
    await ada.ask("channels", action="allow")
    assert await world.memory.channels(SERVER) == {"fake:bots": "robots"}


async def test_hostile_names_are_shown_harmlessly(world: Services) -> None:
    ada = moderator(world)
    ada.about = {**ada.about, "channel": "a\u202eb" + "c" * 5000}
    reply = await ada.ask("channels", action="allow")
    name = "a\N{REPLACEMENT CHARACTER}b" + "c" * 97
    assert f"• #{name}" in said(ada, reply)
    assert await world.memory.channels(SERVER) == {"fake:bots": name}
    assert all(len(label) <= 80 for label in ada.labels(await ada.ask("channels")))


async def test_a_long_list_is_shown_in_part_and_has_an_end(world: Services) -> None:
    for number in range(100):
        await world.memory.allow_channel(SERVER, f"fake:{number}", f"room-{number:02}")
    ada = moderator(world)
    reply = await ada.ask("channels")
    assert said(ada, reply)[1:] == [f"• #room-{n:02}" for n in range(20)] + ["• 80 more"]
    assert said(ada, reply, "tr")[-1] == "• 80 kanal daha"
    refused = await ada.ask("channels", action="allow")
    assert ada.read(refused).startswith("There are 100 channels on the list already")
    assert len(await world.memory.channels(SERVER)) == 100
    ada.chat = "fake:7"
    assert not (await ada.ask("channels", action="allow")).error, "it is on the list"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [False, True])
async def test_nothing_to_take_off(world: Services, listed: bool) -> None:
    if listed:
        await world.memory.allow_channel(SERVER, "fake:lab", "lab")
    ada = moderator(world)
    reply = await ada.ask("channels", action="remove")
    assert reply.error
    assert ada.read(reply) == (
        "#bots is not on the list; I do not answer here as it is."
        if listed
        else "There is no list yet: I answer in every channel. First allow those in which I shall "
        "answer."
    )
    assert len(await world.memory.channels(SERVER)) == listed


@pytest.mark.parametrize("action", ["show", "allow", "remove", "everywhere"])
async def test_only_those_who_look_after_the_server(world: Services, action: str) -> None:
    await world.memory.allow_channel(SERVER, "fake:lab", "lab")
    ada = moderator(world)
    ada.moderates = False
    reply = await ada.ask("channels", action=action)
    assert ada.read(reply, "en") == "Where I answer is chosen by those who look after this server."
    assert ada.read(reply, "tr") == "Nerede cevap vereceğimi bu sunucuyu yönetenler seçer."
    assert reply.private
    assert reply.error
    assert await world.memory.channels(SERVER) == {"fake:lab": "lab"}


async def test_an_operator_may_everywhere(world: Services) -> None:
    ada = moderator(world, operator=True)
    ada.moderates = False
    await ada.ask("channels", action="allow")
    assert await world.memory.channels(SERVER) == {"fake:bots": "bots"}


@pytest.mark.parametrize("action", ["show", "allow"])
async def test_where_there_are_no_channels(world: Services, action: str) -> None:
    ada = FakePlatform(world, moderates=True)
    reply = await ada.ask("channels", action=action)
    assert ada.read(reply) == "This is for servers with channels. Here I always answer."
    assert await world.memory.channels(ada.chat) == {}
