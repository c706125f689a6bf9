"""Threads: a conversation that wants one of its own is answered there, where there may be one."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import discord

from bot.discord import markup
from bot.discord.delivery import Answer
from bot.discord.presenter import Page
from handlers.kit.parameters import echo
from handlers.kit.registry import commands
from handlers.kit.request import Request
from locales import Message, words

log = logging.getLogger(__name__)

NAME_LIMIT = 100  # characters of a thread's name


def may_open(interaction: discord.Interaction[Any]) -> bool:
    """Whether a thread can be opened where something was used: Discord tells what we may do there.

    Threads and direct messages have no threads of their own.
    """
    kinds = (discord.ChannelType.text, discord.ChannelType.news)
    allowed = interaction.app_permissions
    return (
        interaction.channel is not None
        and interaction.channel.type in kinds
        and allowed.create_public_threads
        and allowed.send_messages_in_threads
    )


async def open_thread(
    interaction: discord.Interaction[Any], answer: Answer, request: Request
) -> int | None:
    """Open a public thread under the answer, which then says where it goes on; gives its id.

    Where Discord refuses, the answer is given in place: None.
    """
    command, say = commands()[request.command], words(request.language)
    sentence = markup.say(say(Message("discord-thread")))
    quiet = discord.AllowedMentions.none()
    channel = interaction.client.get_partial_messageable(
        interaction.channel_id, guild_id=interaction.guild_id
    )
    try:
        message = await answer.outlet.post(False, content=sentence, allowed_mentions=quiet)
        answer.adopt(message, Page(sentence))
        starter = channel.get_partial_message(message.id)
        name = f"/{command.title(request.language)} · {echo(request.user_name)}"[:NAME_LIMIT]
        thread: discord.Thread = await starter.create_thread(name=name)
    except (discord.HTTPException, aiohttp.ClientError, OSError, ValueError) as error:
        # ValueError: the server's owner has added the commands, but not the bot.
        log.info("/%s: no thread was opened: %r", request.command, error)
        return None
    try:
        link = f"{sentence} {thread.mention}"
        await answer.outlet.edit(message, content=link, allowed_mentions=quiet)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        log.info("/%s: the thread is not linked: %r", request.command, error)
    return thread.id
