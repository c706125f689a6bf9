"""/help: every command is listed, and each page says enough to type the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from handlers.kit import UserError
from handlers.kit.parameters import bind
from handlers.kit.parsing import parse
from handlers.kit.registry import STOPS, commands
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, picture, services

SOURCE = "https://example.org/tadim"


@pytest.fixture(params=LANGUAGES)
def platform(request: pytest.FixtureRequest) -> Iterator[FakePlatform]:
    world = services(SimpleNamespace(waiting=0), source=SOURCE)
    yield FakePlatform(world, language=request.param)
    world.studio.close()


async def test_it_lists_every_command_under_its_stop_in_order(platform: FakePlatform) -> None:
    platform.moderates, platform.about = True, {"channel": "general"}
    reply = await platform.ask("help")
    text = platform.read(reply)
    lines = text.splitlines()
    say = words(platform.language)
    places = []
    for entry in commands().values():
        title, description = entry.title(platform.language), entry.description(platform.language)
        places.append(lines.index(f"/{title}: {description}"))
    assert places == sorted(places)
    used = [stop for stop in STOPS if any(c.stop == stop for c in commands().values())]
    halls = [lines.index(say(Message(f"help-stop-{stop}"))) for stop in used]
    assert halls == sorted(halls)
    assert all(any(hall < place for place in places) for hall in halls)
    assert "AGPL-3.0" in text
    assert SOURCE in text
    assert [button.url for button in reply.buttons] == [SOURCE]
    assert reply.private
    listed = json.loads(json.dumps(reply.data))["commands"]
    assert [entry["name"] for entry in listed] == list(commands())


async def test_moderators_commands_are_listed_to_moderators(platform: FakePlatform) -> None:
    listed = (await platform.ask("help")).data or {}
    names = [entry["name"] for entry in listed["commands"]]
    assert names == [entry.name for entry in commands().values() if not entry.moderators]
    assert "channels" not in names


async def test_without_a_web_address_there_is_no_link(platform: FakePlatform) -> None:
    platform.services.about = {"source": "ask the instructor"}
    reply = await platform.ask("help")
    assert reply.buttons == ()
    assert "ask the instructor" in platform.read(reply)


@pytest.mark.parametrize("name", list(commands()))
async def test_every_command_has_a_page_whose_example_works(
    platform: FakePlatform, name: str
) -> None:
    entry = commands()[name]
    reply = await platform.ask("help", command=entry.title(platform.language))
    text = platform.read(reply)
    assert not reply.error
    assert entry.description(platform.language) in text
    for parameter in entry.parameters:
        assert f"• {parameter.title(platform.language)}: " in text
    assert json.loads(json.dumps(reply.data))["name"] == name
    assert (platform.labels(reply) != []) == entry.explained

    example = text.splitlines()[-1].partition(": ")[2]
    hint = words(platform.language)(Message("help-example-picture"))
    typed = example.removesuffix(hint).strip()
    parsed = parse(typed)
    arguments: dict[str, object] = dict(parsed.arguments)
    if entry.picture:
        assert example.endswith(hint)
        arguments[entry.picture.name] = picture(b"")
    assert parsed.command is entry
    bind(entry.parameters, arguments, platform.language)  # raises where the example is wrong


async def test_a_page_in_turkish_word_by_word() -> None:
    world = services(SimpleNamespace(waiting=0))
    platform = FakePlatform(world, language="tr")
    text = platform.read(await platform.ask("help", command="algila"))
    assert "(sayı; en az 0,05, en çok 0,95; yazmazsan 0,25)" in text
    assert "(resim; gerekli)" in text
    assert text.endswith("Örnek: /algıla güven:0,25 (yanında bir resim)")
    text = platform.read(await platform.ask("help", command="/gizlilik"))
    assert "(şunlardan biri: göster, indir veya sil; yazmazsan göster)" in text
    assert "(evet ya da hayır; yazmazsan hayır)" in text


async def test_an_unknown_command_suggests_the_nearest(platform: FakePlatform) -> None:
    reply = await platform.ask("help", command="detekt")
    title = commands()["detect"].title(platform.language)
    assert reply.error
    assert f"/{title}" in platform.read(reply)


def test_a_line_asks_for_one_command_too() -> None:
    assert parse("/yardım algıla").arguments == {"command": "algıla"}
    assert parse("/help command:/detect").arguments == {"command": "/detect"}
    with pytest.raises(UserError):
        parse("/detect help me")
