"""The hub: which language is spoken, and in which of a server's channels Tadım answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bot.hub import Elsewhere, Hub, Visitor
from bot.settings import Settings
from handlers.kit import Call, UserError
from handlers.kit.errors import explain
from handlers.kit.registry import commands
from handlers.kit.request import ReplyAddress
from locales import words
from tests.fakes import FakeMemory, services, standing

SERVER = "discord:guild:1"
IN_BOTS = Visitor(
    user="discord:7",
    chat="discord:11",
    address=ReplyAddress("discord", {}),
    public=True,
    share=SERVER,
    channel="bots",
)
IN_LAB = replace(IN_BOTS, chat="discord:12", channel="lab")
IN_A_THREAD_OF_LAB = replace(IN_LAB, chat="discord:99", parent="discord:12")
IN_PRIVATE = replace(IN_BOTS, chat="discord:50", public=False, share="", channel="")


@pytest.fixture
def hub() -> Iterator[Hub]:
    world = services(SimpleNamespace(waiting=0, overview=standing))
    yield Hub(world, Settings())
    world.studio.close()


@pytest.fixture
def memory(hub: Hub) -> FakeMemory:
    assert isinstance(hub.services.memory, FakeMemory)
    return hub.services.memory


# --- languages ------------------------------------------------------------------------------------


async def test_a_channels_language_goes_before_its_rooms(hub: Hub, memory: FakeMemory) -> None:
    visitor = replace(IN_LAB, client_language="tr", chat_tag="tr")
    assert await hub.language(visitor) == "tr"
    memory.chats[SERVER] = "en"
    assert await hub.language(visitor) == "en", "what was chosen goes before the platform's"
    memory.chats["discord:12"] = "tr"
    assert await hub.language(visitor) == "tr"
    assert await hub.language(IN_BOTS) == "en", "the other channels follow the room"
    assert await hub.language(replace(visitor, public=False, client_language="en")) == "en"
    memory.languages["discord:7"] = "en"
    assert await hub.language(visitor) == "en", "a person's choice goes before everything"


async def test_a_thread_speaks_its_channels_language(hub: Hub, memory: FakeMemory) -> None:
    memory.chats |= {SERVER: "tr", "discord:12": "en"}
    assert await hub.language(IN_A_THREAD_OF_LAB) == "en"


# --- where Tadım answers --------------------------------------------------------------------------


async def answered(hub: Hub, visitor: Visitor) -> bool:
    try:
        await (await hub.call(visitor, Call("language"))).result()
    except Elsewhere:
        return False
    return True


async def test_without_a_list_it_answers_everywhere(hub: Hub) -> None:
    for visitor in (IN_BOTS, IN_LAB, IN_A_THREAD_OF_LAB, IN_PRIVATE):
        assert await answered(hub, visitor)


async def test_with_a_list_it_answers_there_in_threads_there_and_in_private(
    hub: Hub, memory: FakeMemory
) -> None:
    memory.lists[SERVER] = {"discord:12": "lab"}
    assert await answered(hub, IN_LAB)
    assert await answered(hub, IN_A_THREAD_OF_LAB)
    assert await answered(hub, IN_PRIVATE)
    assert await answered(hub, replace(IN_BOTS, share="discord:guild:2")), "another server"
    assert not await answered(hub, IN_BOTS)
    assert not await answered(hub, replace(IN_BOTS, chat="discord:98", parent="discord:11"))


async def test_typed_lines_and_buttons_are_refused_alike_before_anything_runs(
    hub: Hub, memory: FakeMemory
) -> None:
    memory.lists[SERVER] = {"discord:12": "lab"}
    [token] = await memory.save_buttons([Call("language")], IN_BOTS.user, IN_BOTS.chat)
    for attempt in (
        hub.line(IN_BOTS, "/dil english"),
        hub.press(IN_BOTS, token),
        hub.press(IN_BOTS, token, {"language": "en"}),
        hub.call(IN_BOTS, Call("gpt", {"text": "hi"})),
    ):
        with pytest.raises(Elsewhere):
            await attempt
    assert hub.services.runs.by_id == {}
    assert memory.usage == []
    assert memory.languages == {}


async def test_the_refusal_is_private_and_says_where_to_go(hub: Hub, memory: FakeMemory) -> None:
    memory.lists[SERVER] = {f"discord:{n}": f"room-{n}" for n in (12, 13)}
    with pytest.raises(UserError) as caught:
        await hub.call(IN_BOTS, Call("gpt"))
    reply = explain(caught.value, "gpt")
    assert reply.private
    assert words("en")(caught.value.message) == (
        "I do not answer in this channel. You will find me in #room-12 and #room-13."
    )
    assert words("tr")(caught.value.message) == (
        "Bu kanalda cevap vermiyorum. Beni bulabileceğin yerler: #room-12 ve #room-13."
    )
    memory.lists[SERVER] |= {f"discord:{n}": f"room-{n}" for n in range(14, 20)}
    with pytest.raises(UserError) as caught:
        await hub.call(IN_BOTS, Call("gpt"))
    assert words("tr")(caught.value.message).endswith("#room-15, #room-16 ve 3 kanal daha.")


async def test_channels_that_the_asker_cannot_see_are_not_named(
    hub: Hub, memory: FakeMemory
) -> None:
    memory.lists[SERVER] = {"discord:12": "lab", "discord:13": "secret"}
    for seen, said in (({"discord:12"}, "find me in #lab."), (set[str](), "A moderator can tell")):
        with pytest.raises(Elsewhere) as caught:
            await hub.call(replace(IN_BOTS, sees=seen.__contains__), Call("gpt"))
        sentence = words("en")(caught.value.message)
        assert said in sentence
        assert "secret" not in sentence


@pytest.mark.parametrize("name", ["help", "queue", "cancel", "privacy", "channels"])
async def test_what_concerns_oneself_works_everywhere(
    hub: Hub, memory: FakeMemory, name: str
) -> None:
    memory.lists[SERVER] = {"discord:12": "lab"}
    reply = await (await hub.call(IN_BOTS, Call(name))).result()
    assert reply.private


def test_what_works_everywhere_is_the_house_and_private() -> None:
    everywhere = {entry.name for entry in commands().values() if entry.everywhere}
    assert everywhere == {"help", "queue", "cancel", "privacy", "channels"}


async def test_a_moderator_opens_a_channel_from_within_it(hub: Hub, memory: FakeMemory) -> None:
    """Nobody locks themselves out: /channels works where nothing else does."""

    async def yes() -> bool:
        return True

    memory.lists[SERVER] = {"discord:1": "deleted"}
    assert not await answered(hub, IN_BOTS)
    await (await hub.line(replace(IN_BOTS, moderator=yes), "/kanallar izin-ver")).result()
    assert await answered(hub, IN_BOTS)


async def test_a_room_without_channels_is_not_looked_up(hub: Hub, memory: FakeMemory) -> None:
    memory.lists["discord:50"] = {"discord:12": "lab"}
    assert await answered(hub, IN_PRIVATE)
