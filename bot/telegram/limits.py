"""How often Telegram lets a bot speak: see its FAQ, "My bot is hitting limits"."""

from __future__ import annotations

from collections.abc import Callable

from bot.pace import Pace, Rate, Timer

# About one message a second in a private chat (short bursts pass), twenty a minute in a group.
# 5 at once and then one in 4 s: never more than 20 within a minute. Edits leave room for answers.
GROUP = Rate(4.0, 5, kept=(0, 2, 3))
PRIVATE = Rate(1.05, 3, kept=(0, 0, 1))
ALL_INTERVAL = 1 / 27  # seconds; thirty a second in all, less a little for what is not counted here


def telegram_pace(
    clock: Callable[[], float] | None = None,
    call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
) -> Pace:
    """The budgets of one bot. A group's id is negative."""
    return Pace(lambda chat: GROUP if chat < 0 else PRIVATE, ALL_INTERVAL, clock, call_later)
