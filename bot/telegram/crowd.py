"""Groups where more is asked than twenty messages a minute can answer.

Once a minute one message says so there, with a link to the private chat: whoever opens it gets
there, at once, all of their answers that wait in groups. The others get theirs in turn, a few
seconds later: a message in the group to somebody who is about to open the link would be missing
for somebody who is not, and who might then wait for the next minute's. While so
much is to be sent, nobody is told that work has begun: that would cost a message more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from bot.pace import Pace
from bot.telegram.intake import Place

LONG = 20.0  # seconds that an answer may wait for its group's budget
NOTICES = 60.0  # seconds between two notices in a group
HELD = 4.0  # seconds after a notice in which people can follow its link
LINK = "answers"  # what the link makes the reader's client send after /start


class Waiting(Protocol):
    """An answer on its way."""

    @property
    def place(self) -> Place: ...

    @property
    def sends(self) -> int:
        """The messages that it takes; 0 while that is not known."""

    @property
    def waits(self) -> bool:
        """Whether it is finished, and not being sent."""

    def move(self, place: Place) -> bool:
        """Send it elsewhere instead, if it waits; says whether that will be done."""


class Crowd:
    """The answers on their way to groups."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._answers: defaultdict[int, dict[Waiting, None]] = defaultdict(dict)
        self._told: dict[int, float] = {}  # when a group was told last
        self._here: dict[int, Place] = {}  # where people wait for answers not yet finished

    @contextmanager
    def among(self, answer: Waiting) -> Iterator[None]:
        """Count an answer in while it is on its way."""
        place = answer.place
        if not place.group:
            yield
            return
        self._answers[place.chat][answer] = None
        try:
            yield
        finally:
            self._leave(place, answer)

    def full(self, chat: int) -> bool:
        """Whether all that is on its way in a chat, finished or not, takes long to be sent."""
        coming = sum(max(1, answer.sends) for answer in self._answers.get(chat, ()))
        return self._pace.delay(chat, coming) > LONG

    def notice_due(self, chat: int) -> bool:
        """Whether to tell a group now: answers wait long there, and it was not told lately."""
        if self._pace.clock() < self._told.get(chat, -math.inf) + NOTICES:
            return False
        waiting = sum(answer.sends for answer in self._answers.get(chat, ()) if answer.waits)
        return self._pace.delay(chat, waiting) > LONG

    def noticed(self, chat: int) -> None:
        """Note that a group has been told; what waits there is held back for those who stay."""
        now = self._pace.clock()
        self._told = {each: at for each, at in self._told.items() if now - at < NOTICES}
        self._told[chat] = now
        self._pace.hold(chat, HELD)

    def fetch(self, user: int, place: Place) -> tuple[int, int]:
        """Send to `place` what waits for somebody in groups; gives how many answers do.

        The second number is of those that are not finished; they will be sent there, too.
        """
        theirs = [each for each in self._all() if each.place.user == user]
        moved = [each for each in theirs if self._moved(each, place)]
        later = [each for each in theirs if each.sends == 0 and self.full(each.place.chat)]
        if later:
            self._here[user] = place
        return len(moved), len(later)

    def met(self, answer: Waiting) -> None:
        """Move an answer, if it waits, to where its reader waits for it."""
        place = self._here.get(answer.place.user)
        if place is not None and answer.place.group:
            self._moved(answer, place)

    def _moved(self, answer: Waiting, place: Place) -> bool:
        before = answer.place
        if not answer.move(place):
            return False
        self._leave(before, answer)
        return True

    def _leave(self, place: Place, answer: Waiting) -> None:
        answers = self._answers.get(place.chat, {})
        answers.pop(answer, None)
        if not answers:
            self._answers.pop(place.chat, None)
        if place.user in self._here and all(each.place.user != place.user for each in self._all()):
            del self._here[place.user]

    def _all(self) -> Iterator[Waiting]:
        for answers in self._answers.values():
            yield from answers
