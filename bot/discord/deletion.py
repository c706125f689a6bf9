"""Taking an answer away, whoever may; our own messages need no permission."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import discord

from bot.discord.outlets import UNKNOWN_MESSAGE


async def delete_messages(
    interaction: discord.Interaction[Any], others: Sequence[int], *, by_token: bool
) -> None:
    """Delete `others`, then the message of the button that was pressed.

    In this order, so that the button is still there to be pressed again if Discord refuses.
    `by_token`: the interaction has been acknowledged, so its token stands for the button's message.

    Raises:
        discord.HTTPException, aiohttp.ClientError, OSError: not everything is deleted.
    """
    channel = interaction.client.get_partial_messageable(interaction.channel_id)
    for other in others:
        await _gone(channel.get_partial_message(other).delete())
    if by_token:
        await _gone(interaction.delete_original_response())
    elif interaction.message is not None:
        await _gone(channel.get_partial_message(interaction.message.id).delete())


async def _gone(deleting: Awaitable[None]) -> None:
    """Somebody may have deleted the message already."""
    try:
        await deleting
    except discord.NotFound as error:
        if error.code != UNKNOWN_MESSAGE:
            raise
