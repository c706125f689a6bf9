"""/how: the idea, the paper, the link."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from handlers.kit.registry import commands
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, services

EXPLAINED = [name for name, entry in commands().items() if entry.explained]


@pytest.fixture(params=LANGUAGES)
def platform(request: pytest.FixtureRequest) -> Iterator[FakePlatform]:
    world = services(SimpleNamespace(waiting=0))
    yield FakePlatform(world, language=request.param)
    world.studio.close()


@pytest.mark.parametrize("name", EXPLAINED)
async def test_every_idea_with_its_paper(platform: FakePlatform, name: str) -> None:
    say = words(platform.language)
    reply = await platform.ask("how", command=commands()[name].title(platform.language))
    text = platform.read(reply)
    assert text.startswith(say(Message(f"{name}-how")))
    paper = say(Message(f"{name}-paper"))
    assert text.endswith(paper)
    link, _ = reply.buttons
    assert link.url is not None
    assert link.url.startswith("https://")
    assert platform.labels(reply)[0] == say(Message("button-paper"))
    assert reply.data == {"command": name, "paper": paper, "url": link.url}
    assert not reply.private, "in a class the answer is for everybody"


def test_the_stops_of_the_tour_are_explained() -> None:
    assert {"detect", "gpt"} <= set(EXPLAINED)


async def test_a_command_without_an_idea(platform: FakePlatform) -> None:
    reply = await platform.ask("how", command="queue")
    title = commands()["queue"].title(platform.language)
    assert reply.error
    assert f"/{title}" in platform.read(reply)


async def test_an_unknown_command(platform: FakePlatform) -> None:
    near = platform.read(await platform.ask("how", command="detekt"))
    far = platform.read(await platform.ask("how", command="qqqqqq"))
    assert f"/{commands()['detect'].title(platform.language)}?" in near
    assert "/qqqqqq" in far


async def test_without_a_command_it_asks(platform: FakePlatform) -> None:
    reply = await platform.ask("how")
    assert reply.question is not None
    assert reply.question.parameter == "command"
