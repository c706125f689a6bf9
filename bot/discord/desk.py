"""What happens when somebody uses a command, a menu, a button or a form.

First of all the interaction is acknowledged: Discord gives it up after three seconds. Everything
else (the language, the store, the work) comes after, and whatever comes of it is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp
import discord

from bot.discord.delivery import Answer, Delivery
from bot.discord.forms import Form
from bot.discord.outlets import ChannelOutlet, InteractionOutlet, Outlet
from bot.discord.pictures import Shelf, first_picture
from bot.discord.presenter import missing
from bot.hub import Hub, Visitor
from bot.presenting import Presentation
from handlers.kit.errors import UserError, explain
from handlers.kit.registry import Command, commands
from handlers.kit.request import Call, ReplyAddress
from handlers.kit.runner import Run
from locales import Message, language_of, words

log = logging.getLogger(__name__)

ALREADY_ACKNOWLEDGED = 40060

Interaction = discord.Interaction[Any]
Arguments = Mapping[str, Any]
Begin = Callable[[Visitor], Awaitable[Run]]


class Desk:
    """Takes in interactions and hands them to the hub (`bot.discord.client.Doors`)."""

    def __init__(self, hub: Hub, shelf: Shelf) -> None:
        self._hub = hub
        self._shelf = shelf
        self._attended: set[asyncio.Task[Any]] = set()
        self._closed = False

    # --- what people do

    async def slash(self, interaction: Interaction, command: Command, options: Arguments) -> None:
        """A slash command; `options` are raw, by canonical name, None where left out."""
        arguments = {
            name: self._shelved(value) if isinstance(value, discord.Attachment) else value
            for name, value in options.items()
            if value is not None
        }
        call = Call(command.name, arguments)
        await self._attend(interaction, partial(self._call_or_ask, interaction, call))

    async def menu(
        self, interaction: Interaction, command: Command, message: discord.Message
    ) -> None:
        """A menu on a message: the command works on the message's first picture."""
        attachment = first_picture(message)
        if attachment is None or command.picture is None:
            await self._attend(interaction, partial(_whisper, interaction, "discord-no-picture"))
            return
        picture = self._shelved(attachment, message)
        call = Call(command.name, {command.picture.name: picture})
        await self._attend(interaction, partial(self._call_or_ask, interaction, call))

    async def press(self, interaction: Interaction, token: str) -> None:
        """A button; its answer is a new message, the old one stays as it is."""
        await self._attend(interaction, partial(self._press, interaction, token))

    async def ask(
        self, interaction: Interaction, token: str, command: str, names: Sequence[str]
    ) -> None:
        """A button whose call lacks `names`: a form asks for them."""
        await self._attend(interaction, partial(self._ask, interaction, token, command, names))

    async def outdated(self, interaction: Interaction) -> None:
        """A command that is no longer, or has other options now."""
        if not interaction.response.is_done():
            await _whisper(interaction, "discord-outdated")

    # --- opening and closing

    async def _attend(self, interaction: Interaction, work: Callable[[], Awaitable[Any]]) -> None:
        if self._closed:
            await _whisper(interaction, "discord-restarting")
            return
        task = asyncio.current_task()
        assert task is not None
        self._attended.add(task)
        try:
            await work()
        except Exception:
            # Boundary: what reaches the reader was told further in; the library would only log.
            log.exception("interaction %d failed", interaction.id)
        finally:
            self._attended.discard(task)

    async def close(self, seconds: float) -> None:
        """Take in nothing more; give the answers under way `seconds` to reach their chats."""
        self._closed = True
        if self._attended:
            _, unfinished = await asyncio.wait(self._attended, timeout=seconds)
            for task in unfinished:
                task.cancel()

    # --- from an interaction to a run

    async def _call_or_ask(self, interaction: Interaction, call: Call) -> None:
        names = missing(call)
        if names:
            submit = partial(self._submit_call, call)
            if await self._open_form(interaction, call.command, names, submit):
                return
        await self._call(interaction, call)

    async def _call(self, interaction: Interaction, call: Call) -> None:
        private = _will_be_private(call.command, call.arguments)
        begin = partial(_begin_call, self._hub, call)
        await self._answer(interaction, call.command, begin, thinking=True, private=private)

    async def _press(self, interaction: Interaction, token: str) -> None:
        # What is done to a message that only one person sees is for that person's eyes, too.
        private = interaction.message is not None and interaction.message.flags.ephemeral
        begin = partial(_begin_press, self._hub, token, {})
        await self._answer(interaction, "button", begin, thinking=False, private=private)

    async def _ask(
        self, interaction: Interaction, token: str, command: str, names: Sequence[str]
    ) -> None:
        submit = partial(self._submit_press, token, command)
        if command not in commands() or not await self._open_form(
            interaction, command, names, submit
        ):
            await self._press(interaction, token)

    async def _submit_call(self, call: Call, interaction: Interaction, values: Arguments) -> None:
        completed = Call(call.command, {**call.arguments, **values})
        await self._attend(interaction, partial(self._call, interaction, completed))

    async def _submit_press(
        self, token: str, command: str, interaction: Interaction, values: Arguments
    ) -> None:
        begin = partial(_begin_press, self._hub, token, values)
        private = _will_be_private(command, values)
        await self._attend(
            interaction,
            partial(self._answer, interaction, command, begin, thinking=True, private=private),
        )

    async def _open_form(
        self,
        interaction: Interaction,
        command_name: str,
        names: Sequence[str],
        submit: Callable[[Interaction, Arguments], Awaitable[None]],
    ) -> bool:
        """Answer with a form; False where Discord does not take it (too late, for instance)."""
        command = commands()[command_name]
        parameters = [p for p in command.parameters if p.name in names]
        language = _client_language(interaction) or self._hub.settings.language
        form = Form(command, parameters, language, self._shelf, submit)
        try:
            await interaction.response.send_modal(form)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.info("the form of /%s was not shown: %r", command_name, error)
            return False
        return True

    # --- from a run to an answer

    async def _answer(
        self, interaction: Interaction, name: str, begin: Begin, *, thinking: bool, private: bool
    ) -> None:
        """Acknowledge, begin, and bring every state to the chat."""
        in_time = await _acknowledge(interaction, thinking=thinking, private=private)
        visitor = self._visitor(interaction, private)
        late = partial(ChannelOutlet, interaction.client, visitor.address.place, names_user=True)
        outlet: Outlet = InteractionOutlet(interaction, thinking=thinking) if in_time else late()
        services = self._hub.services
        answer = Answer(outlet, services.studio, private=private and in_time)

        def delivery(language: str) -> Delivery:
            presentation = Presentation(services.memory, language, visitor.user, visitor.chat)
            return Delivery(answer, presentation, name, services.studio, late)

        try:
            run = await begin(visitor)
        except Exception as error:  # noqa: BLE001 - boundary: whatever fails is told the asker
            language = await self._language(visitor)
            await delivery(language).finish(explain(error, name))
            return
        await delivery(run.request.language).follow(aiter(run))

    async def _language(self, visitor: Visitor) -> str:
        try:
            return await self._hub.language(visitor)
        except Exception:  # the store fails, and that is about to be told: in any language
            log.exception("the language could not be looked up")
            return language_of(visitor.client_language) or self._hub.settings.language

    def _visitor(self, interaction: Interaction, private: bool) -> Visitor:
        guild, user = interaction.guild, interaction.user
        channel_id = interaction.channel_id or 0
        place = {
            "guild": interaction.guild_id,
            "channel": channel_id,
            "message": interaction.message.id if interaction.message else None,
            "user": user.id,
        }
        # Guilds that never chose a language say en-US; only Community guilds choose one.
        chooses = guild is not None and "COMMUNITY" in guild.features
        chat_locale = interaction.guild_locale if chooses else None
        # A server has one share of the device, however many channels it opens.
        share = f"discord:guild:{interaction.guild_id}" if interaction.guild_id else ""
        return Visitor(
            user=f"discord:{user.id}",
            chat=f"discord:{channel_id}",
            address=ReplyAddress("discord", place),
            user_name=user.display_name,
            client_language=interaction.locale.value,
            chat_tag=chat_locale.value if chat_locale else None,
            public=interaction.guild_id is not None and not private,
            share=share,
        )

    def _shelved(
        self, attachment: discord.Attachment, message: discord.Message | None = None
    ) -> dict[str, Any]:
        return {"picture": self._shelf.keep(attachment, message).to_json()}


async def _begin_call(hub: Hub, call: Call, visitor: Visitor) -> Run:
    return await hub.call(visitor, call)


async def _begin_press(hub: Hub, token: str, more: Arguments, visitor: Visitor) -> Run:
    return await hub.press(visitor, token, more)


async def _acknowledge(interaction: Interaction, *, thinking: bool, private: bool) -> bool:
    """Tell Discord that an answer will come. Returns whether it still counts on one."""
    try:
        await interaction.response.defer(thinking=thinking, ephemeral=private)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        if isinstance(error, discord.HTTPException) and error.code == ALREADY_ACKNOWLEDGED:
            # The library repeats a request whose answer was lost: the first one has arrived.
            return True
        log.warning("interaction %d was not acknowledged: %r", interaction.id, error)
        return False
    return True


def _will_be_private(name: str, arguments: Arguments) -> bool:
    """Whether the answer is for the asker alone: so is the command, or a value given is wrong."""
    command = commands().get(name)
    if command is None or command.private:
        return True
    try:
        for parameter in command.parameters:
            if parameter.kind != "picture" and arguments.get(parameter.name) is not None:
                parameter.convert(arguments[parameter.name], "en")
    except UserError:
        return True
    return False


def _client_language(interaction: Interaction) -> str | None:
    return language_of(interaction.locale.value)


async def _whisper(interaction: Interaction, key: str) -> None:
    """Answer at once with one sentence, for the asker alone."""
    language = _client_language(interaction) or "en"
    try:
        await interaction.response.send_message(words(language)(Message(key)), ephemeral=True)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        log.info("interaction %d was not answered: %r", interaction.id, error)
