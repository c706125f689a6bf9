"""What happens when somebody uses a command, a menu, a button or a form.

First of all the interaction is acknowledged: Discord gives it up after three seconds. Everything
else (the language, the store, the work) comes after, and whatever comes of it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import discord

from bot.discord.deletion import delete_messages
from bot.discord.delivery import Answer, Delivery
from bot.discord.forms import Form
from bot.discord.limits import Budgets
from bot.discord.outlets import ChannelOutlet, InteractionOutlet, Outlet
from bot.discord.pictures import Shelf, pictures_of
from bot.discord.presenter import missing
from bot.discord.threads import may_open, open_thread
from bot.discord.visitors import (
    is_aside,
    is_foreign,
    moderates,
    names_around,
    room_of,
    visitor_of,
)
from bot.hub import Hub, NotYours, Visitor, raw_pictures
from bot.presenting import Presentation
from handlers.kit.errors import UserError, explain
from handlers.kit.parameters import echo
from handlers.kit.registry import Command, commands
from handlers.kit.request import Call, ReplyAddress, Request
from handlers.kit.runner import Run
from locales import Message, language_of, words

log = logging.getLogger(__name__)

ALREADY_ACKNOWLEDGED = 40060
REMEMBERED = 4096  # interactions that are recognised when they come again
FORM_SECONDS = 1.0  # that the store may take before a form is shown

Interaction = discord.Interaction[Any]
Arguments = Mapping[str, Any]
Begin = Callable[[Visitor], Awaitable[Run]]


class Desk:
    """Takes in interactions and hands them to the hub (`bot.discord.client.Doors`)."""

    def __init__(self, hub: Hub, shelf: Shelf, budgets: Budgets) -> None:
        self._hub = hub
        self._shelf = shelf
        self._budgets = budgets
        self._attended: set[asyncio.Task[Any]] = set()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._listing = asyncio.Lock()  # while a list is brought up to date
        self._closed = False

    # --- what people do

    async def slash(self, interaction: Interaction, command: Command, options: Arguments) -> None:
        """A slash command; `options` are raw, by canonical name, None where left out."""
        arguments = {
            name: self._shelved([value]) if isinstance(value, discord.Attachment) else value
            for name, value in options.items()
            if value is not None
        }
        call = Call(command.name, arguments)
        await self._attend(interaction, partial(self._call_or_ask, interaction, call))

    async def menu(
        self, interaction: Interaction, command: Command, message: discord.Message
    ) -> None:
        """A menu on a message: the command works on the message's pictures, and answers once."""
        attachments = pictures_of(message)
        if not attachments or command.picture is None:
            refusal = UserError("discord-no-picture")
            await self._attend(
                interaction, partial(self._refuse, interaction, command.name, refusal)
            )
            return
        pictures = self._shelved(attachments, message)
        call = Call(command.name, {command.picture.name: pictures})
        await self._attend(interaction, partial(self._call_or_ask, interaction, call))

    async def press(self, interaction: Interaction, token: str, *, private: bool) -> None:
        """A button; its answer is a new message, the old one stays as it is."""
        await self._attend(interaction, partial(self._press, interaction, token, private=private))

    async def delete(self, interaction: Interaction, owner: int, others: Sequence[int]) -> None:
        """The button that takes an answer away: its own message and `others`."""
        await self._attend(interaction, partial(self._delete, interaction, owner, others))

    async def ask(
        self, interaction: Interaction, token: str, command: str, names: Sequence[str]
    ) -> None:
        """A button whose call lacks `names`: a form asks for them."""
        await self._attend(interaction, partial(self._ask, interaction, token, command, names))

    async def outdated(self, interaction: Interaction) -> None:
        """A command that is no longer, or has other options now."""
        if not interaction.response.is_done():
            await _whisper(interaction, "discord-outdated")

    async def vanished(self, guild: int, channel: int) -> None:
        """A channel was deleted: its server's list names it no longer.

        The last one stays on it: without a list Tadım would answer in all the others.
        """
        memory = self._hub.services.memory
        room, place = room_of(guild), f"discord:{channel}"
        async with self._listing:  # one by one, or the last two would leave together
            listed = await memory.channels(room)
            if place in listed and len(listed) > 1:
                await memory.remove_channel(room, place)

    async def renamed(self, guild: int, channel: int, name: str) -> None:
        """A channel has another name: so has it on its server's list."""
        memory = self._hub.services.memory
        room, place = room_of(guild), f"discord:{channel}"
        async with self._listing:
            if place in await memory.channels(room):
                await memory.allow_channel(room, place, echo(name, 100))

    # --- opening and closing

    async def _attend(self, interaction: Interaction, work: Callable[[], Awaitable[Any]]) -> None:
        if interaction.id in self._seen:
            return  # Discord repeats itself where a connection was resumed
        self._seen[interaction.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
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
        await self._answer(interaction, call.command, begin, private=private)

    async def _press(self, interaction: Interaction, token: str, *, private: bool) -> None:
        begin = partial(_begin_press, self._hub, token, {}, names_around(interaction))
        await self._answer(interaction, "button", begin, private=private or is_aside(interaction))

    async def _delete(self, interaction: Interaction, owner: int, others: Sequence[int]) -> None:
        if not self._may_delete(interaction, owner):
            name = names_around(interaction).get(f"discord:{owner}", "")
            await self._refuse(interaction, "delete", NotYours(name))
            return
        in_time = await _acknowledge(interaction, thinking=False)
        try:
            await delete_messages(interaction, others, by_token=in_time)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("an answer was not deleted: %r", error)
            say = words(await self._language(visitor_of(interaction, private=True)))
            with contextlib.suppress(discord.HTTPException, aiohttp.ClientError, OSError):
                await interaction.followup.send(say(Message("discord-not-deleted")), ephemeral=True)

    def _may_delete(self, interaction: Interaction, owner: int) -> bool:
        person = interaction.user.id
        operator = f"discord:{person}" in self._hub.settings.admins
        return person == owner or operator or moderates(interaction)

    async def _ask(
        self, interaction: Interaction, token: str, command_name: str, names: Sequence[str]
    ) -> None:
        command = commands().get(command_name)
        # Nobody should fill in a form only to hear that the button is somebody else's.
        foreign = command is not None and not command.open and is_foreign(interaction)
        submit = partial(self._submit_press, token, command_name)
        if (
            command is None
            or foreign
            or not await self._open_form(interaction, command_name, names, submit)
        ):
            await self._press(interaction, token, private=foreign)

    async def _submit_call(self, call: Call, interaction: Interaction, values: Arguments) -> None:
        completed = Call(call.command, {**call.arguments, **values})
        await self._attend(interaction, partial(self._call, interaction, completed))

    async def _submit_press(
        self, token: str, command: str, interaction: Interaction, values: Arguments
    ) -> None:
        begin = partial(_begin_press, self._hub, token, values, names_around(interaction))
        private = _will_be_private(command, values) or is_aside(interaction)
        await self._attend(
            interaction, partial(self._answer, interaction, command, begin, private=private)
        )

    async def _open_form(
        self,
        interaction: Interaction,
        command_name: str,
        names: Sequence[str],
        submit: Callable[[Interaction, Arguments], Awaitable[None]],
    ) -> bool:
        """Answer with a form, or with why there is none; False where Discord does not take it (too
        late, for instance).
        """
        command = commands()[command_name]
        parameters = [p for p in command.parameters if p.name in names]
        try:
            language = await self._language_of_form(interaction, command_name)
        except UserError as refusal:
            await self._refuse(interaction, command_name, refusal)
            return True
        form = Form(command, parameters, language, self._shelf, submit)
        try:
            await interaction.response.send_modal(form)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.info("the form of /%s was not shown: %r", command_name, error)
            return False
        return True

    async def _language_of_form(self, interaction: Interaction, command: str) -> str:
        """The asker's language. The form is the acknowledgement, too: a store that is slow or fails
        is not waited for.

        Raises:
            UserError: the command would be refused here.
        """
        visitor = visitor_of(interaction, private=True)
        try:
            async with asyncio.timeout(FORM_SECONDS):
                return (await self._hub.request(visitor, Call(command))).language
        except UserError:
            raise
        except Exception:  # whatever the store's driver raises
            log.exception("the form of /%s is shown without the store", command)
            return _client_language(interaction) or self._hub.settings.language

    # --- from a run to an answer

    async def _refuse(self, interaction: Interaction, name: str, refusal: UserError) -> None:
        """Tell the asker alone why nothing is done."""
        begin = partial(_begin_refusal, refusal)
        await self._answer(interaction, name, begin, private=True)

    async def _answer(
        self, interaction: Interaction, name: str, begin: Begin, *, private: bool
    ) -> None:
        """Acknowledge, begin, and bring every state to the chat."""
        in_time = await _acknowledge(interaction, thinking=True, private=private)
        visitor = visitor_of(interaction, private)
        late = partial(self._late, interaction.client, visitor.address.place)
        outlet = InteractionOutlet(interaction, self._budgets) if in_time else late(None)
        services = self._hub.services
        answer = Answer(outlet, services.studio, interaction.user.id, private=private and in_time)
        visitor = replace(visitor, settle=partial(self._settle, interaction, answer))

        def delivery(language: str, chat: str) -> Delivery:
            presentation = Presentation(services.memory, language, visitor.user, chat)
            return Delivery(answer, presentation, name, services.studio, late)

        try:
            run = await begin(visitor)
        except Exception as error:  # noqa: BLE001 - boundary: whatever fails is told the asker
            language = await self._language(visitor)
            await delivery(language, visitor.chat).finish(explain(error, name))
            return
        await delivery(run.request.language, run.request.chat).follow(aiter(run))

    def _late(
        self, client: discord.Client, place: Mapping[str, Any], last: discord.Message | None
    ) -> Outlet:
        return ChannelOutlet(client, place, self._budgets, names_user=True, replies_to=last)

    async def _settle(self, interaction: Interaction, answer: Answer, request: Request) -> Request:
        """Move a conversation that wants a thread of its own into one, where there may be one."""
        wanted = commands()[request.command].thread and request.public
        if not wanted or not may_open(interaction):
            return request
        thread = await open_thread(interaction, answer, request)
        if thread is None:
            return request
        place = {**request.address.place, "channel": thread}
        answer.move(ChannelOutlet(interaction.client, place, self._budgets))
        return replace(
            request,
            chat=f"discord:{thread}",
            parent=request.chat,
            address=ReplyAddress("discord", place),
        )

    async def _language(self, visitor: Visitor) -> str:
        try:
            return await self._hub.language(visitor)
        except Exception:  # the store fails, and that is about to be told: in any language
            log.exception("the language could not be looked up")
            return language_of(visitor.client_language) or self._hub.settings.language

    def _shelved(
        self, attachments: Sequence[discord.Attachment], message: discord.Message | None = None
    ) -> dict[str, Any]:
        return raw_pictures([self._shelf.keep(attachment, message) for attachment in attachments])


async def _begin_call(hub: Hub, call: Call, visitor: Visitor) -> Run:
    return await hub.call(visitor, call)


async def _begin_press(
    hub: Hub, token: str, more: Arguments, names: Mapping[str, str], visitor: Visitor
) -> Run:
    return await hub.press(visitor, token, more, names)


async def _begin_refusal(refusal: UserError, visitor: Visitor) -> Run:
    raise refusal


async def _acknowledge(interaction: Interaction, *, thinking: bool, private: bool = False) -> bool:
    """Tell Discord that an answer will come, or (not `thinking`) that something is being done.

    Returns whether it still counts on that.
    """
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
