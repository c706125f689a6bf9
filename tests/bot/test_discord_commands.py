"""What Discord is told of the commands, held against its documented limits."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.discord import commands
from bot.discord.client import PERMISSIONS, Client
from handlers.kit import registry

Json = dict[str, Any]

LOCALES = ("en-US", "en-GB", "tr")
# Letters, digits, - and _ of any script; 1 to 32; lower case wherever a letter has one.
CHAT_INPUT, MESSAGE = 1, 3
STRING, INTEGER, NUMBER, ATTACHMENT = 3, 4, 10, 11


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


def words_of(thing: Json, field: str) -> list[str]:
    """A field's default and all of its translations; every one of our locales must be there."""
    translations = thing[f"{field}_localizations"]
    assert set(translations) == set(LOCALES), thing
    return [thing[field], *translations.values()]


def assert_name(name: str) -> None:
    assert 1 <= len(name) <= 32, name
    assert all(sign in "-_" or unicodedata.category(sign)[0] in "LN" for sign in name), name
    assert name == name.lower(), name
    assert name == unicodedata.normalize("NFC", name), name


def assert_described(thing: Json) -> None:
    for text in words_of(thing, "description"):
        assert 1 <= len(text) <= 100, text


def longest(thing: Json, field: str) -> int:
    return max(map(len, words_of(thing, field)))


def size(thing: Json) -> int:
    """As Discord counts: of each field only the longest localisation, and values."""
    total = longest(thing, "name")
    total += longest(thing, "description") if "description" in thing else 0
    total += len(str(thing["value"])) if "value" in thing else 0
    return total + sum(size(x) for x in (*thing.get("options", ()), *thing.get("choices", ())))


def test_limits_of_all_commands(payload: list[Json]) -> None:
    kinds = [command["type"] for command in payload]
    assert kinds.count(CHAT_INPUT) == len(registry.commands()) <= 100
    assert 1 <= kinds.count(MESSAGE) <= 15
    for locale in ("default", *LOCALES):
        names = [
            (c["type"], c["name"] if locale == "default" else c["name_localizations"][locale])
            for c in payload
        ]
        assert len(set(names)) == len(names), locale


def test_limits_of_each_command(payload: list[Json]) -> None:
    for command in payload:
        assert size(command) <= 8000, command["name"]
        if command["type"] == MESSAGE:
            assert all(1 <= len(name) <= 32 for name in words_of(command, "name"))
            continue
        for name in words_of(command, "name"):
            assert_name(name)
        assert_described(command)
        assert len(command["options"]) <= 25
        for option in command["options"]:
            check_option(option)
        for locale in LOCALES:
            names = [option["name_localizations"][locale] for option in command["options"]]
            assert len(set(names)) == len(names), (command["name"], locale)
        required = [option["required"] for option in command["options"]]
        assert required == sorted(required, reverse=True), "required options come first"


def check_option(option: Json) -> None:
    for name in words_of(option, "name"):
        assert_name(name)
    assert_described(option)
    choices = option.get("choices", [])
    assert len(choices) <= 25
    for choice in choices:
        assert all(1 <= len(name) <= 100 for name in words_of(choice, "name"))
        assert 1 <= len(choice["value"]) <= 100
    if option["type"] == STRING and "max_length" in option:
        assert 0 <= option["min_length"] <= option["max_length"] <= 6000
        assert option["max_length"] >= 1
    if option["type"] in (INTEGER, NUMBER) and "max_value" in option:
        assert -(2**53) <= option["min_value"] <= option["max_value"] <= 2**53


def test_works_in_guilds_and_direct_messages_only(payload: list[Json]) -> None:
    assert all(command["contexts"] == [0, 1] for command in payload)
    assert all(command["integration_types"] == [0] for command in payload)


def test_detect(payload: list[Json]) -> None:
    detect = next(command for command in payload if command["name"] == "detect")
    assert detect["name_localizations"]["tr"] == "algıla"
    picture, confidence = detect["options"]
    assert picture["type"] == ATTACHMENT
    assert not picture["required"]  # a missing one is asked for by a form
    assert picture["name_localizations"]["tr"] == "resim"
    assert (confidence["min_value"], confidence["max_value"]) == (0.05, 0.95)


def test_menus_are_the_picture_commands(payload: list[Json]) -> None:
    menus = {c["name"]: c["name_localizations"]["tr"] for c in payload if c["type"] == MESSAGE}
    assert menus["Detect objects"] == "Algıla"
    assert len(menus) == len(commands.menu_commands())


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
    assert len(asked) == 5
    assert not asked & {"administrator", "mention_everyone", "manage_messages", "embed_links"}
