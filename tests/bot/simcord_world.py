"""A Discord that simcord simulates, with Tadım in it; the fixtures are in `conftest.py`."""

from __future__ import annotations

import asyncio
from typing import Any

import simcord

from bot.discord.frontend import DiscordFrontend
from bot.discord.limits import Budgets
from bot.hub import Hub
from bot.pace import Pace, Rate
from handlers.kit.runner import Runs
from handlers.kit.services import Services


class World:
    """A Discord with one guild and one channel, and Tadım in it."""

    def __init__(self, env: simcord.Env, frontend: DiscordFrontend) -> None:
        self.env, self.frontend = env, frontend
        self.guild = env.create_guild()
        self.channel = self.guild.create_text_channel("derslik")
        self.ada = self.guild.add_member(env.create_user("ada"))
        self.alan = self.guild.add_member(env.create_user("alan"))

    async def first_message(self) -> Any:
        """The channel's message, as soon as it says something."""
        for _ in range(1000):
            for message in self.env.backend.messages.get(self.channel.id, {}).values():
                if message.content:
                    return message
            await asyncio.sleep(0)
        raise AssertionError("nothing was said")

    async def restart(self) -> None:
        """The program ends and starts anew; only the store (the memory) lives on."""
        hub = self.frontend._hub
        services = hub.services
        again = Services(services.queue, services.memory, services.studio, Runs())
        self.frontend = build(Hub(again, hub.settings))
        await self.env.restart_bot(self.frontend.client)


def build(hub: Hub) -> DiscordFrontend:
    frontend = DiscordFrontend(hub, "not-a-token", budgets=unlimited())
    hub.frontends["discord"] = frontend
    return frontend


def labels(message: Any) -> list[str]:
    return [item["label"] for row in message.components for item in row["components"]]


def unlimited() -> Budgets:
    """simcord is not made for short timers; how often we speak is tested on a clock of our own."""
    return Budgets(*[Pace(lambda channel: Rate(0.0, 1, (0, 0, 0)), 0.0) for _ in range(3)])
