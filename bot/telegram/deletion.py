"""The Delete button: whose answer it takes away, and which of its messages.

All of that stands in the button itself, so it works after a restart and needs no store:
`d1:OWNER:NEWEST.GAP.GAP…`, all numbers to base 36, with the answer's other messages from the newest
back. The message with the button is known when it is pressed.
"""

from __future__ import annotations

import logging
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Bot, CallbackQuery, Message
from telegram.error import BadRequest, Forbidden, TelegramError

log = logging.getLogger(__name__)

PREFIX = "d1:"  # d: deletes; 1: the version of this format
DATA_BYTES = 64  # of a button's data
_DIGITS = string.digits + string.ascii_lowercase
_FORMAT = re.compile(r"(-?[0-9a-z]{1,12}):((?:[0-9a-z]{1,8}(?:\.[0-9a-z]{1,8})*)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a pressed Delete button asks for. `owner` is the one who got the answer."""

    owner: int
    messages: tuple[int, ...]


def deletion_data(owner: int, others: Sequence[int]) -> str:
    """The data of a Delete button; of the other messages the newest, as many as fit."""
    data = f"{PREFIX}{_base36(owner)}:"
    previous = 0
    for message in sorted(others, reverse=True):
        number = f".{_base36(previous - message)}" if previous else _base36(message)
        if len(data) + len(number) > DATA_BYTES:
            break
        data += number
        previous = message
    return data


def deletion_of(query: CallbackQuery) -> Deletion | None:
    """What a pressed button deletes; None where it is another button, or none of ours.

    A client may send whatever it likes in the name of a button, so the message must really have it.
    """
    data, message = query.data or "", query.message
    match = _FORMAT.fullmatch(data.removeprefix(PREFIX))
    if not data.startswith(PREFIX) or match is None or not isinstance(message, Message):
        return None
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    if not any(button.callback_data == data for row in rows for button in row):
        return None
    messages, at = [message.message_id], 0
    for number in match[2].split(".") if match[2] else ():
        at = at - int(number, 36) if at else int(number, 36)
        messages.append(at)
    return Deletion(int(match[1], 36), tuple(messages))


async def delete(bot: Bot, chat: int, messages: Sequence[int]) -> str | None:
    """Delete messages of ours; gives the key of the sentence that says why not, if so."""
    try:
        await bot.delete_messages(chat, messages)
    except (BadRequest, Forbidden) as error:
        log.info("an answer was not deleted: %s", error)
        return "telegram-not-deleted"
    except TelegramError as error:
        log.info("an answer was not deleted: %s", error)
        return "telegram-delete-later"
    return None


def _base36(number: int) -> str:
    digits, rest = "", abs(number)
    while rest or not digits:
        rest, digit = divmod(rest, 36)
        digits = _DIGITS[digit] + digits
    return f"-{digits}" if number < 0 else digits
