"""Discord as a platform: connecting, disconnecting, fetching pictures, posting notices."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import aiohttp
import discord
from discord import app_commands

from bot.discord.buttons import AskButton, DeleteButton, PressButton
from bot.discord.client import Client, invitation
from bot.discord.commands import FluentTranslator, declare, sync_if_changed
from bot.discord.delivery import Answer, Delivery
from bot.discord.desk import Desk
from bot.discord.limits import Budgets, discord_budgets
from bot.discord.outlets import ChannelOutlet, Outlet
from bot.discord.pictures import Shelf
from bot.hub import Frontend, FrontendError, Hub
from bot.presenting import Presentation
from handlers.kit.reply import Reply
from handlers.kit.request import PictureRef, ReplyAddress

log = logging.getLogger(__name__)

CONNECT_SECONDS = 60.0  # until the gateway must have said that we are there
DRAIN_SECONDS = 10.0  # for answers on their way when the program ends
RECORD = "discord-commands.json"  # in the data folder: which commands Discord was told of

_PORTAL = "https://discord.com/developers/applications"


class DiscordFrontend(Frontend):
    """Discord, by one bot account. The token is kept in memory only, and never logged.

    `budgets` is for tests.
    """

    platform = "discord"

    def __init__(self, hub: Hub, token: str, *, budgets: Budgets | None = None) -> None:
        self._hub = hub
        self._token = token
        self._budgets = budgets or discord_budgets()
        self.client = Client(self._prepare)
        self._shelf = Shelf(self.client)
        self._desk = Desk(hub, self._shelf, self._budgets)
        self.client.doors = self._desk
        self.client.add_dynamic_items(PressButton, AskButton, DeleteButton)
        declare(self.client)
        self._connection: asyncio.Task[None] | None = None

    @property
    def record(self) -> Path:
        return self._hub.settings.data_folder / RECORD

    async def start(self) -> None:
        """Log in, tell Discord of the commands if they changed, connect; wait until it is done."""
        try:
            await self._log_in()
            await self._connect()
        except BaseException:  # also when the start is cancelled: leave no half-open connection
            await self._disconnect()
            raise

    async def stop(self) -> None:
        await self._desk.close(DRAIN_SECONDS)
        await self._disconnect()

    async def fetch(self, ref: PictureRef) -> bytes:
        return await self._shelf.fetch(ref)

    async def send(self, address: ReplyAddress, reply: Reply, language: str) -> None:
        services, place = self._hub.services, address.place
        user, chat = f"discord:{place.get('user')}", f"discord:{place['channel']}"

        def outlet(last: discord.Message | None = None) -> Outlet:
            return ChannelOutlet(
                self.client, place, self._budgets, names_user=True, replies_to=last
            )

        presentation = Presentation(services.memory, language, user, chat)
        answer = Answer(outlet(), services.studio, int(place.get("user") or 0))
        await Delivery(answer, presentation, "notice", services.studio, outlet).finish(reply)

    # --- connecting and disconnecting

    async def _prepare(self) -> None:
        """Called between logging in and connecting."""
        await self.client.tree.set_translator(FluentTranslator())
        await sync_if_changed(self.client, self.record)

    async def _log_in(self) -> None:
        try:
            await self.client.login(self._token)
        except (discord.LoginFailure, ValueError):
            # ValueError: the token holds characters that no HTTP header can.
            raise FrontendError(
                "DISCORD_TOKEN: Discord does not accept this token; "
                f"copy a new one from {_PORTAL} (Bot → Reset Token)."
            ) from None
        except app_commands.AppCommandError as error:
            raise FrontendError(f"Discord refuses the commands: {error}") from error
        except discord.HTTPException as error:
            raise FrontendError(
                f"Discord answers {error.status} at login; see https://discordstatus.com."
            ) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FrontendError("Discord cannot be reached; is there a network?") from error

    async def _connect(self) -> None:
        self._connection = asyncio.create_task(self.client.connect(), name="discord gateway")
        ready = asyncio.create_task(self.client.wait_until_ready())
        try:
            await asyncio.wait(
                {self._connection, ready},
                timeout=CONNECT_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            ready.cancel()
        if not self.client.is_ready():
            error = self._connection.exception() if self._connection.done() else None
            raise FrontendError("Discord's gateway cannot be reached.") from error
        self._connection.add_done_callback(_note_end)
        log.info("Discord: in %d servers as %s", len(self.client.guilds), self.client.user)
        if self.client.application_id is not None:
            log.info("Discord: add it to a server at %s", invitation(self.client.application_id))

    async def _disconnect(self) -> None:
        await self.client.close()
        if self._connection is not None:
            self._connection.cancel()  # it may be trying again and again to connect
            await asyncio.gather(self._connection, return_exceptions=True)


def _note_end(connection: asyncio.Task[None]) -> None:
    if not connection.cancelled() and connection.exception() is not None:
        log.error("the connection to Discord has ended: %r", connection.exception())
