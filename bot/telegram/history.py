"""What was made of people's latest messages.

It is needed when one of them is edited, and when the rest of an album comes too late.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from telegram import Message

from bot.telegram.intake import Heard
from handlers.kit.reply import Question

AT_MOST = 1000  # messages; those that were heard first are forgotten first


@dataclass(slots=True)
class Deed:
    """What was made of a message or an album.

    `run` is the id of the run that it began. `question` is what it answered. `failed`: its answer
    told of a failure.
    """

    messages: tuple[Message, ...]
    heard: Heard
    run: str = ""
    question: Question | None = None
    failed: bool = False

    def edited(self, message: Message) -> tuple[Message, ...]:
        """Its messages, one of them edited."""
        ids = [each.message_id for each in self.messages]
        at = ids.index(message.message_id)
        return (*self.messages[:at], message, *self.messages[at + 1 :])


class History:
    """Finds deeds by message and by album."""

    def __init__(self) -> None:
        self._deeds: OrderedDict[tuple[int, int | str], Deed] = OrderedDict()

    def note(self, deed: Deed) -> None:
        for message in deed.messages:
            for key in _keys(message):
                self._deeds[key] = deed
                self._deeds.move_to_end(key)
        while len(self._deeds) > AT_MOST:
            self._deeds.popitem(last=False)

    def of(self, message: Message) -> Deed | None:
        """What was made of this message before it was edited."""
        return self._deeds.get((message.chat.id, message.message_id))

    def begun(self, message: Message) -> Deed | None:
        """What was made of the album that this message belongs to."""
        return self._deeds.get((message.chat.id, message.media_group_id or ""))


def _keys(message: Message) -> Iterator[tuple[int, int | str]]:
    yield message.chat.id, message.message_id
    if message.media_group_id is not None:
        yield message.chat.id, message.media_group_id
