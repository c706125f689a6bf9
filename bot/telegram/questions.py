"""Questions that wait for an answer: the picture or the words that a command still lacks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from handlers.kit.parameters import Parameter
from handlers.kit.registry import commands
from handlers.kit.reply import Question
from handlers.kit.request import Call

LIFETIME = 15 * 60.0  # seconds
AT_MOST = 10_000  # questions; the oldest are forgotten first


@dataclass(frozen=True, slots=True)
class _Waiting:
    question: Question
    until: float


class Questions:
    """What was asked of whom in which chat: one open question for each, the newest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: OrderedDict[tuple[str, str], _Waiting] = OrderedDict()

    def ask(self, user: str, chat: str, question: Question) -> None:
        """Remember that this user was asked; an older question to them here is dropped."""
        self.drop(user, chat)
        self._waiting[user, chat] = _Waiting(question, self._clock() + LIFETIME)
        while len(self._waiting) > AT_MOST:
            self._waiting.popitem(last=False)

    def drop(self, user: str, chat: str) -> None:
        self._waiting.pop((user, chat), None)

    def open(self, user: str, chat: str) -> Question | None:
        """What this user was asked here and has not answered yet."""
        waiting = self._waiting.get((user, chat))
        return waiting.question if waiting and waiting.until >= self._clock() else None


def wanted(question: Question) -> Parameter:
    """The parameter that a question asks for."""
    parameters = commands()[question.call.command].parameters
    return next(p for p in parameters if p.name == question.parameter)


def answered(question: Question, value: object) -> Call:
    """The call with the value that was missing."""
    return Call(question.call.command, {**question.call.arguments, question.parameter: value})
