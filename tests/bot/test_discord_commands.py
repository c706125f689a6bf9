"""What Discord is told of the commands, held against its documented limits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.discord import commands
from bot.discord.client import PERMISSIONS, Client
from handlers.kit import registry
from tests.discord_payload import (
    ATTACHMENT,
    CHAT_INPUT,
    INTEGER,
    MESSAGE,
    STRING,
    problems,
)

Json = dict[str, Any]

LOCALES = ("en-US", "en-GB", "tr")


async def _nothing() -> None: ...


@pytest.fixture
async def client() -> Client:
    client = Client(_nothing)
    commands.declare(client)
    await client.tree.set_translator(commands.FluentTranslator())
    return client


@pytest.fixture
async def payload(client: Client) -> list[Json]:
    return await commands.payload(client)


def everything(payload: list[Json]) -> list[Json]:
    """All commands, their options and the options' choices."""
    options = [option for command in payload for option in command.get("options", ())]
    return [*payload, *options, *(c for option in options for c in option.get("choices", ()))]


def test_discord_takes_every_command_in_every_language(payload: list[Json]) -> None:
    assert problems(payload) == []
    kinds = [command["type"] for command in payload]
    assert kinds.count(CHAT_INPUT) == len(registry.commands())
    for thing in everything(payload):
        assert set(thing["name_localizations"]) == set(LOCALES), thing
        if thing.get("description"):
            assert set(thing["description_localizations"]) == set(LOCALES), thing


def command_of(**changes: Any) -> Json:
    return {
        "type": CHAT_INPUT,
        "name": "see",
        "name_localizations": {"tr": "gör"},
        "description": "Looks",
        "description_localizations": {"tr": "Bakar"},
        "options": [],
        **changes,
    }


def option_of(**changes: Any) -> Json:
    return {"type": STRING, "name": "text", "description": "Words", "required": False, **changes}


def choices_of(count: int, **changes: Any) -> list[Json]:
    return [{"name": f"{number}", "value": f"{number}", **changes} for number in range(count)]


FAULTS = {
    "101 slash commands": [command_of(name=f"c{n}", name_localizations={}) for n in range(101)],
    "6 menus": [{"type": MESSAGE, "name": f"Menu {n}"} for n in range(6)],
    "menu.* name of 33": [
        {"type": MESSAGE, "name": "menu", "name_localizations": {"tr": "x" * 33}}
    ],
    "two commands are called gör": [command_of(), command_of(name="look")],
    "'See'": [command_of(name="See")],
    "'a b'": [command_of(name="a b")],
    "tr name 'Gör'": [command_of(name_localizations={"tr": "Gör"})],
    "name 'x{33}'": [command_of(name="x" * 33)],
    "name 'go\u0308r'": [command_of(name_localizations={"tr": "go\u0308r"})],
    "default description of 0": [command_of(description="")],
    "tr description of 101": [command_of(description_localizations={"tr": "x" * 101})],
    "26 options": [command_of(options=[option_of(name=f"o{n}") for n in range(26)])],
    "required option after": [
        command_of(options=[option_of(), option_of(name="more", required=True)])
    ],
    "two options of the same name": [
        command_of(options=[option_of(), option_of(name="b", name_localizations={"tr": "text"})])
    ],
    "26 choices": [command_of(options=[option_of(choices=choices_of(26))])],
    "tr choice of 101": [
        command_of(options=[option_of(choices=choices_of(1, name_localizations={"tr": "x" * 101}))])
    ],
    "value of 101": [command_of(options=[option_of(choices=choices_of(1, value="x" * 101))])],
    "0 to 6001": [command_of(options=[option_of(max_length=6001)])],
    "a range, but no number": [command_of(options=[option_of(max_value=3)])],
    # 3 + 5 + 25 options of 3 + 97 + 11 choices of 19, and 12 for the values
    "8033 characters": [
        command_of(
            name_localizations={},
            description_localizations={},
            options=[
                option_of(
                    name=f"o{n:02}",
                    description_localizations={"tr": "x" * 97},
                    choices=choices_of(11, name_localizations={"tr": "y" * 19}),
                )
                for n in range(25)
            ],
        )
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_discord_would_refuse_is_noticed(fault: str) -> None:
    assert any(re.search(fault, line) for line in problems(FAULTS[fault])), problems(FAULTS[fault])


def test_works_in_guilds_and_direct_messages_only(payload: list[Json]) -> None:
    for command in payload:
        moderators = command["type"] == CHAT_INPUT and registered(command).moderators
        assert command["contexts"] == ([0] if moderators else [0, 1]), command["name"]
    assert all(command["integration_types"] == [0] for command in payload)


def test_what_is_for_moderators_is_shown_to_them_only(payload: list[Json]) -> None:
    slash = [command for command in payload if command["type"] == CHAT_INPUT]
    asked = {c["name"] for c in slash if c["default_member_permissions"] is not None}
    assert asked == {c.name for c in registry.commands().values() if c.moderators}
    assert "channels" in asked
    for command in slash:
        if command["name"] in asked:
            manage = discord.Permissions(manage_guild=True).value
            assert int(command["default_member_permissions"]) == manage


def registered(command: Json) -> registry.Command:
    return registry.commands()[command["name"]]


def test_detect(payload: list[Json]) -> None:
    detect = next(command for command in payload if command["name"] == "detect")
    assert detect["name_localizations"]["tr"] == "algıla"
    picture, confidence = detect["options"]
    assert picture["type"] == ATTACHMENT
    assert not picture["required"]  # a missing one is asked for by a form
    assert picture["name_localizations"]["tr"] == "resim"
    assert (confidence["min_value"], confidence["max_value"]) == (0.05, 0.95)


def test_menus_are_at_most_five_and_need_one_picture_only(payload: list[Json]) -> None:
    menus = {c["name"]: c["name_localizations"]["tr"] for c in payload if c["type"] == MESSAGE}
    assert menus["Detect objects"] == "Algıla"
    chosen = [command for command in registry.commands().values() if command.menu]
    assert len(menus) == len(chosen) <= 5
    for command in chosen:
        assert [p.kind for p in command.parameters if p.required] == ["picture"], command.name


def test_a_long_text_may_be_left_out(payload: list[Json]) -> None:
    """A form asks for it: an option takes no line breaks."""
    gpt = next(command for command in payload if command["name"] == "gpt")
    text = next(option for option in gpt["options"] if option["name"] == "text")
    assert not text["required"]
    assert text["max_length"] == 4000


def test_a_seed_is_a_whole_number(payload: list[Json]) -> None:
    seeds = [
        option
        for command in payload
        if command["type"] == CHAT_INPUT
        for option, parameter in zip(
            sorted(command["options"], key=lambda o: str(o["name"])),
            sorted(registered(command).parameters, key=lambda p: p.name),
            strict=True,
        )
        if parameter.seed
    ]
    assert len(seeds) >= 2
    for option in seeds:
        assert option["type"] == INTEGER
        assert not option["required"]
        assert option["min_value"] == 0 < option["max_value"]


def test_commands_are_completed_where_a_command_is_asked_for(payload: list[Json]) -> None:
    for command in payload:
        for option in command.get("options", []):
            completes = option["name"] == "command" and option["type"] == STRING
            assert option.get("autocomplete", False) == completes


# --- telling Discord only what is new ------------------------------------------------------------


class SyncedClient(Client):
    """Counts how often Discord is told."""

    application_id = 42  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(_nothing)
        self.told = 0
        self.tree.sync = self._sync  # type: ignore[method-assign]

    async def _sync(self, *, guild: Any = None) -> list[Any]:
        self.told += 1
        return []


async def synced_client() -> SyncedClient:
    client = SyncedClient()
    commands.declare(client)
    await client.tree.set_translator(commands.FluentTranslator())
    return client


async def test_discord_is_told_once(tmp_path: Path) -> None:
    record = tmp_path / "new folder" / "discord-commands.json"
    client = await synced_client()
    assert await commands.sync_if_changed(client, record)
    assert not await commands.sync_if_changed(client, record)
    assert client.told == 1
    assert list(json.loads(record.read_text())) == ["42"]


async def test_discord_is_told_of_changes(tmp_path: Path) -> None:
    record = tmp_path / "discord-commands.json"
    client = await synced_client()
    await commands.sync_if_changed(client, record)
    client.tree.remove_command("gpt")
    assert await commands.sync_if_changed(client, record)
    assert client.told == 2


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"42": "old", "7": "another"}'])
async def test_a_useless_record_is_replaced(tmp_path: Path, content: str) -> None:
    record = tmp_path / "discord-commands.json"
    record.write_text(content)
    client = await synced_client()
    assert await commands.sync_if_changed(client, record)
    known = json.loads(record.read_text())
    assert known["42"] != "old"
    assert known.get("7") == ("another" if "another" in content else None)


async def test_a_record_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert await commands.sync_if_changed(await synced_client(), blocked / "record.json")


# --- autocompletion ------------------------------------------------------------------------------


class Asker:
    """As much of an interaction as completion looks at."""

    def __init__(self, locale: discord.Locale) -> None:
        self.locale = locale


async def test_completion_needs_no_turkish_letters() -> None:
    asker: Any = Asker(discord.Locale.turkish)
    [choice, *_] = await commands._complete_command(asker, "algi")
    assert choice.value == "detect"
    assert choice.name.startswith("/algıla")
    assert len(choice.name) <= 100


async def test_completion_offers_at_most_25() -> None:
    asker: Any = Asker(discord.Locale.german)
    choices = await commands._complete_command(asker, "")
    assert 1 <= len(choices) <= 25
    assert "/detect" in [choice.name.split(" ")[0] for choice in choices]


# --- the papers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["discord.md", "discord.tr.md"])
def test_the_papers_ask_for_the_permissions_that_the_program_asks_for(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8")
    assert f"&permissions={PERMISSIONS.value}" in page


def test_no_permission_to_mention_everyone_or_more() -> None:
    asked = {permission for permission, given in PERMISSIONS if given}
    assert len(asked) == 6
    assert not asked & {"administrator", "mention_everyone", "manage_messages", "embed_links"}
