"""How often Discord lets a bot speak.

Documented is one number (developers/topics/rate-limits): fifty requests a second for all that
carries the bot's token; what is done with an interaction's token is exempt. The limits of single
routes stand in the headers of answers. The library obeys those: requests then wait in its line, the
states of one answer before the final of another. So we stay below what people have observed:

- 5 messages or edits in 5 seconds in a channel (discord-api-docs#20, discord.py#6073),
- 5 requests in 2 seconds with one interaction's token (discord-api-docs#2701); an answer's own
  pace is slower,
- 30 further messages a minute in a channel, all its interactions together (discord-api-docs#2701,
  #3763, #7243). No header tells of it beforehand. The response itself and its edits do not count.

States on the way have a budget of their own. Discord does not limit the edits of many interactions
together, but everybody's client in the channel draws each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.pace import Pace, Rate, Timer

# Never more than 5 in 5 seconds, whenever those begin; edits in a thread leave room for answers.
MESSAGES = Rate(1.3, 2, kept=(0, 0, 1))
MESSAGES_INTERVAL = 1 / 45  # seconds; less than fifty a second, for what is not counted here
# 15 at once and then one in 4 seconds: never more than 30 within a minute.
FURTHER = Rate(4.0, 15, kept=(0, 0, 0))
# First words come before newer states of what others see already.
STATES = Rate(0.2, 5, kept=(0, 0, 2))
STATES_INTERVAL = 1 / 25


@dataclass(frozen=True)
class Budgets:
    """What may be sent by one bot, by the id of the channel.

    `messages`: ordinary ones, and their edits. `further`: messages of an interaction after its
    response. `states`: those on the way that are edited into a response.
    """

    messages: Pace
    further: Pace
    states: Pace


def discord_budgets(
    clock: Callable[[], float] | None = None,
    call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
) -> Budgets:
    """The budgets of one bot."""

    def pace(rate: Rate, interval: float) -> Pace:
        return Pace(lambda channel: rate, interval, clock, call_later)

    return Budgets(
        messages=pace(MESSAGES, MESSAGES_INTERVAL),
        further=pace(FURTHER, 0.0),
        states=pace(STATES, STATES_INTERVAL),
    )
