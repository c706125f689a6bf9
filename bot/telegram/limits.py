"""How often Telegram lets a bot speak: see its FAQ, "My bot is hitting limits"."""

from __future__ import annotations

from collections.abc import Callable

from bot.pace import Cap, Pace, Rate, Timer, Window

# About one message a second in a chat; short bursts pass. Edits leave room for answers.
PRIVATE = Rate(1.05, 3, kept=(0, 0, 1))
# Twenty a minute in a group beside that. Few of them go into states, so that answers need not wait.
GROUP = Rate(1.0, 4, kept=(0, 0, 1), cap=Cap(19, 60.0, kept=(0, 8, 13)))
# Thirty a second in all; seconds between two.
ALL_INTERVAL = 1 / 30
ALL = Window(30)


def telegram_pace(
    clock: Callable[[], float] | None = None,
    call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
) -> Pace:
    """The budgets of one bot. A group's id is negative."""

    def rate(chat: int) -> Rate:
        return GROUP if chat < 0 else PRIVATE

    return Pace(rate, ALL_INTERVAL, clock, call_later, ALL)
