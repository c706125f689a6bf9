"""The program is killed in the middle of its work on both platforms, and started again."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from locales import Message, words
from tests.e2e import discord_server, telegram_server
from tests.e2e import discord_world as discord
from tests.e2e import telegram_server as telegram
from tests.e2e.test_program import environment

ROOT = Path(__file__).parents[2]
EFE = telegram.Person(43, "Efe", "en")


class Street:
    """Both platforms, and the program between them: Ada is on Discord, Efe on Telegram."""

    def __init__(self, folder: Path, addresses: tuple[str, str]) -> None:
        self.discord, self.telegram = discord.World(), telegram.World()
        self.ada = self.discord.person("Ada", locale="tr")
        self.addresses = addresses
        self._folder = folder

    @asynccontextmanager
    async def program(self) -> AsyncIterator[None]:
        """The program, connected to both; it is killed at the end, without a word to it."""
        before = self._connections
        tokens = {"DISCORD_TOKEN": discord.TOKEN, "TELEGRAM_TOKEN": telegram.TOKEN}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.e2e.program_at", *self.addresses),
            env=environment(self._folder, TADIM_WEB__ENABLED="false", NO_PROXY="*", **tokens),
            stdout=DEVNULL,
            cwd=ROOT,
        )
        try:
            await self.sees(
                lambda: all(now > old for now, old in zip(self._connections, before, strict=True))
            )
            yield
            assert process.returncode is None
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def _connections(self) -> tuple[int, int]:
        """How often the program has connected to Discord, and asked Telegram for updates."""
        polls = sum(call.method == "getUpdates" for call in self.telegram.calls)
        return self.discord.gateway.identified, polls  # type: ignore[attr-defined]

    async def sees(self, condition: Callable[[], Any]) -> Any:
        """Wait for what may come to pass on either platform."""
        async with asyncio.timeout(90):
            while not (seen := condition()):
                await asyncio.sleep(0.05)
        return seen

    async def answered(self, used: discord.Interaction, key: str) -> discord.Message:
        """The answer on Discord, once it says this or has this button."""
        [message] = await self.sees(
            lambda: [m for m in self.on_discord(key) if m in used.visible][-1:]
        )
        assert isinstance(message, discord.Message)
        return message

    def on_discord(self, key: str) -> list[discord.Message]:
        """The messages that say this, or have a button that does, in Ada's language."""
        messages = [m for m in self.discord.messages.values() if not m.deleted]
        return [m for m in messages if tr(key) in m.content or tr(key) in m.buttons]

    def on_telegram(self, key: str) -> list[telegram.Shown]:
        """The same in Efe's."""
        shown = self.telegram.visible(EFE.id)
        labels = [{button["text"] for button in each.buttons} for each in shown]
        return [
            s for s, of in zip(shown, labels, strict=True) if en(key) in s.text or en(key) in of
        ]


def tr(key: str) -> str:
    return words("tr")(Message(key, command=Message("xor")))


def en(key: str) -> str:
    return words("en")(Message(key, command=Message("xor")))


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path, ("", ""))
    async with (
        discord_server.serving(street.discord) as at_discord,
        telegram_server.serve(street.telegram) as at_telegram,
    ):
        street.addresses = at_discord, at_telegram
        yield street
    street.discord.check()
    street.telegram.check()


@pytest.mark.timeout(400)
async def test_killed_in_the_middle(street: Street) -> None:
    at_discord, at_telegram = street.discord, street.telegram
    async with street.program():
        quick = at_discord.slash(street.ada, "xor", adım=50)
        await at_telegram.says(EFE, "/xor steps:50")
        old = await street.answered(quick, "button-how")
        [old_shown] = await street.sees(lambda: street.on_telegram("button-how"))
        # Then work that is under way when the end comes, without a warning.
        long = at_discord.slash(street.ada, "xor", gizli=16, adım=5000)
        await at_telegram.says(EFE, "/xor hidden:16 steps:5000")
        await street.answered(long, "button-cancel")
        await street.sees(lambda: street.on_telegram("button-cancel"))
    assert not street.on_discord("interrupted")
    assert not street.on_telegram("interrupted")
    async with street.program():
        [told] = await street.sees(lambda: street.on_discord("interrupted"))
        [told_shown] = await street.sees(lambda: street.on_telegram("interrupted"))
        # The notices' buttons start the work again, and those of old answers do what they say.
        again = at_discord.press(street.ada, told, tr("interrupted-button"))
        await at_telegram.presses_button(EFE, told_shown, en("interrupted-button"))
        how = at_discord.press(street.ada, old, tr("button-how"))
        await at_telegram.presses_button(EFE, old_shown, en("button-how"))
        await street.answered(how, "xor-how")
        await street.sees(lambda: street.on_telegram("xor-how"))
        await street.answered(again, "button-how")
        await street.sees(lambda: len(street.on_telegram("button-how")) == 2)
    async with street.program():
        # What was told once is not told again.
        await street.answered(at_discord.slash(street.ada, "yardım"), "help-intro")
        await at_telegram.says(EFE, "/help")
        await street.sees(lambda: street.on_telegram("help-intro"))
    assert street.on_discord("interrupted") == [told]
    assert street.on_telegram("interrupted") == [told_shown]
