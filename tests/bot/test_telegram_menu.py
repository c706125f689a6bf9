"""The command menus: who is offered what, in which language, within what Telegram takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot
from telegram.error import TelegramError

from bot.telegram import menu
from bot.telegram.menu import Menu
from handlers.kit.registry import Command, commands
from locales import LANGUAGES
from tests.e2e.telegram_server import TOKEN, World, WorldRequest, too_many

READERS = {
    "private": ("all_private_chats",),
    "group": ("all_group_chats",),
    "administrator": ("all_chat_administrators", "all_group_chats"),
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.check()


@pytest.fixture
async def bot(world: World) -> AsyncIterator[Bot]:
    request = WorldRequest(world)
    async with Bot(TOKEN, request=request, get_updates_request=request) as bot:
        yield bot


class Worded(Command):
    """A command whose words are its own."""

    def title(self, language: str) -> str:
        return f"{self.name}-{language}"

    def description(self, language: str) -> str:
        return "açıklama " * 40


async def nothing(*_: Any) -> AsyncIterator[Any]:
    yield


@pytest.fixture
def with_moderators(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One more command, for those who look after a room."""
    more = {"rules": Worded("rules", nothing, "house", moderators=True)}
    monkeypatch.setattr(menu, "commands", lambda: {**commands(), **more})
    yield


def shown(world: World, reader: str, language: str) -> set[str]:
    return set(world.menu(language, *READERS[reader]))


@pytest.mark.parametrize(
    ("language", "own", "rules"),
    [
        ("en", {"detect", "cancel"}, "rules_en"),
        ("tr", {"algila", "iptal"}, "rules_tr"),
        ("de", {"algila", "iptal"}, "rules_tr"),  # the configured default
    ],
)
async def test_each_reader_is_offered_what_is_meant_for_them(
    world: World,
    bot: Bot,
    tmp_path: Path,
    with_moderators: None,
    language: str,
    own: set[str],
    rules: str,
) -> None:
    assert await menu.publish(bot, "tr", tmp_path)
    private, group, administrator = (shown(world, reader, language) for reader in READERS)
    about_oneself = {"privacy" if language == "en" else "gizlilik"}
    assert own <= private & group & administrator
    assert private - group == about_oneself
    assert administrator - group == {rules}
    assert group < administrator


async def test_nobody_is_shown_what_an_old_menu_holds(
    world: World, bot: Bot, tmp_path: Path
) -> None:
    stale = [{"command": "stale", "description": "of yesterday"}]
    for code in ("", *LANGUAGES):
        world.menus["default", code] = list(stale)
    await menu.publish(bot, "tr", tmp_path)
    assert world.menu("de", "chat") == []
    assert world.menu("tr", "chat") == []
    assert "stale" not in shown(world, "private", "tr") | shown(world, "group", "en")


async def test_menus_are_sent_again_only_when_something_changed(
    world: World, bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await menu.publish(bot, "tr", tmp_path)
    sent = len(world.calls)
    assert sent <= 20
    assert not await menu.publish(bot, "tr", tmp_path)
    assert len(world.calls) == sent
    assert await menu.publish(bot, "en", tmp_path), "the default speaks another language"
    fewer = dict(list(commands().items())[1:])
    monkeypatch.setattr(menu, "commands", lambda: fewer)
    assert await menu.publish(bot, "en", tmp_path)


async def test_what_was_not_taken_is_sent_next_time(world: World, bot: Bot, tmp_path: Path) -> None:
    world.faults["deleteMyCommands"].append(too_many(5))
    with pytest.raises(TelegramError):
        await menu.publish(bot, "tr", tmp_path)
    assert await menu.publish(bot, "tr", tmp_path)


# --- what Telegram takes -------------------------------------------------------------------------


def texts(each: Menu) -> list[str]:
    return [text for entry in each.entries for text in entry]


@pytest.mark.parametrize("default", LANGUAGES)
def test_every_menu_is_whole_and_within_the_limits(default: str) -> None:
    usual = {name for name, command in commands().items() if not command.moderators}
    for each in menu.menus(default):
        names = [name for name, _ in each.entries]
        assert len(names) == len(set(names)) >= len(usual - menu.PERSONAL)
        assert len(names) <= 100
        assert all(re.fullmatch("[a-z0-9_]{1,32}", name) for name in names)
        assert all(3 <= len(description) <= 256 for _, description in each.entries)
        assert sum(len(text.encode()) for text in texts(each)) <= menu.PAYLOAD
    for about in menu.abouts(default):
        assert 1 <= len(about.text) <= 512
        assert 1 <= len(about.short) <= 120


def test_a_menu_names_only_commands_that_there_are() -> None:
    assert set(commands()) >= menu.PERSONAL | menu.ELSEWHERE


def test_descriptions_of_today_are_not_cut() -> None:
    for each in menu.menus("tr"):
        if each.language_code:
            whole = {command.description(each.language_code) for command in commands().values()}
            assert {description for _, description in each.entries} <= whole


async def test_very_many_commands_are_fitted_in(
    world: World, bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {f"c{number}": Worded(f"c{number}", nothing, "house") for number in range(120)}
    monkeypatch.setattr(menu, "commands", lambda: many)
    assert await menu.publish(bot, "tr", tmp_path)
    entries = world.menus["all_private_chats", "tr"]
    assert [entry["command"] for entry in entries] == [f"c{number}_tr" for number in range(100)]
    assert len({len(entry["description"]) for entry in entries}) == 1
    assert sum(len("".join(entry.values()).encode()) for entry in entries) <= menu.PAYLOAD


def test_a_name_that_telegram_does_not_know_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {"x": Worded("o" * 40, nothing, "house"), "y": Worded("fine", nothing, "house")}
    monkeypatch.setattr(menu, "commands", lambda: odd)
    assert [name for name, _ in menu.menus("tr")[0].entries] == ["fine_tr"]
    assert "cannot be a Telegram command" in caplog.text
