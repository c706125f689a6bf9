"""How often Telegram lets a bot speak: see its FAQ, "My bot is hitting limits"."""

from __future__ import annotations

from collections.abc import Callable

from bot.pace import Cap, Pace, Rate, Timer

# About one message a second in a chat; short bursts pass. Edits leave room for answers.
PRIVATE = Rate(1.05, 3, kept=(0, 0, 1))
# Twenty a minute in a group beside that. Few of them go into states, so that answers need not wait.
GROUP = Rate(1.0, 4, kept=(0, 0, 1), cap=Cap(19, 60.0, kept=(0, 8, 13)))
ALL_INTERVAL = 1 / 27  # seconds; thirty a second in all, less a little for what is not counted here


def telegram_pace(
    clock: Callable[[], float] | None = None,
    call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
) -> Pace:
    """The budgets of one bot. A group's id is negative."""
    return Pace(lambda chat: GROUP if chat < 0 else PRIVATE, ALL_INTERVAL, clock, call_later)
