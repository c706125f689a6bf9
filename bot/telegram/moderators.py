"""Who looks after a group: its creator, its administrators, also those who write anonymously."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from telegram import Bot
from telegram.constants import ChatMemberStatus
from telegram.error import TelegramError

from bot.telegram.intake import Place
from handlers.kit.request import nobody

log = logging.getLogger(__name__)

LIFETIME = 60.0  # seconds that an answer of Telegram's counts
AT_MOST = 1000  # answers that are remembered

_MODERATORS = (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)


class Moderators:
    """Asks Telegram who is one, when it matters, and remembers the answer for a minute."""

    def __init__(self, bot: Bot, clock: Callable[[], float] = time.monotonic) -> None:
        self._bot = bot
        self._clock = clock
        self._known: OrderedDict[tuple[int, int], tuple[bool, float]] = OrderedDict()

    def question(self, place: Place) -> Callable[[], Awaitable[bool]]:
        """A function that finds out whether the one who speaks there looks after that chat."""
        return partial(self._is_one, place.chat, place.user) if place.group else nobody

    async def _is_one(self, chat: int, user: int) -> bool:
        if user == chat:
            return True  # an anonymous administrator: see `intake.visitor`
        known, until = self._known.get((chat, user), (False, 0.0))
        if self._clock() < until:
            return known
        try:
            member = await self._bot.get_chat_member(chat, user)
        except TelegramError as error:
            log.info("Telegram does not say who looks after a group: %s", error)
            return False
        known = member.status in _MODERATORS
        self._known[chat, user] = known, self._clock() + LIFETIME
        self._known.move_to_end((chat, user))
        if len(self._known) > AT_MOST:
            self._known.popitem(last=False)
        return known
