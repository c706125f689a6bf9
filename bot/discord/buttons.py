"""Buttons that survive a restart: all they know stands in their `custom_id`."""

from __future__ import annotations

import re
from typing import Any, Self, cast

import discord

from bot.discord.presenter import Key, deleted_ids

Plain = discord.ui.Button[Any]


class _Kept(discord.ui.DynamicItem[Plain], template=""):
    """A button that is made anew from its `custom_id` when it is pressed."""

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Self:
        return cls(cast(Plain, item))

    @property
    def _told(self) -> re.Match[str]:
        """What stands in the `custom_id`."""
        match = self.template.fullmatch(self.custom_id)
        assert match is not None
        return match


class PressButton(_Kept, template=r"(?P<kind>[tp])1:(?P<token>[\w-]+)"):
    """Runs the stored call; of kind "p", for the eyes of whoever presses it."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        token, private = self._told["token"], self._told["kind"] == "p"
        await interaction.client.doors.press(interaction, token, private=private)


class AskButton(_Kept, template=r"a1:(?P<token>[\w-]+):(?P<command>[\w-]+):(?P<names>[\w,]+)"):
    """Opens the form for what the stored call lacks."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        token, command, names = self._told.group("token", "command", "names")
        await interaction.client.doors.ask(interaction, token, command, names.split(","))


class DeleteButton(_Kept, template=r"d1:(?P<ids>[\w-]{11,86})"):
    """Takes the answer away, all messages of it."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        owner, *others = deleted_ids(self._told["ids"])
        await interaction.client.doors.delete(interaction, owner, others)


def button(key: Key) -> discord.ui.Item[Any]:
    """The library's button for a key."""
    if key.url is not None:
        return discord.ui.Button(label=key.label, url=key.url)
    style = discord.ButtonStyle.primary if key.asks else discord.ButtonStyle.secondary
    plain: Plain = discord.ui.Button(label=key.label, custom_id=key.custom_id, style=style)
    if key.deletes:
        return DeleteButton(plain)
    return AskButton(plain) if key.asks else PressButton(plain)
