"""Exactly one answer to each command, whatever its people, and Telegram, do meanwhile.

A class asks in private and in two groups, sends albums, edits, cancels, deletes and fetches its
answers, Telegram repeats itself and asks for pauses, all at random. In the end answers are counted.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import Settings
from tests.bot.telegram_doubles import Stage, on_stage, photo
from tests.e2e.telegram_server import Json, Person, Shown, too_many

GROUPS = (-1001, -1002)
TOPIC = {"message_thread_id": 7, "is_topic_message": True}
FINAL = ("Model: YOLO26n", "Cancelled.", "You edited the message")  # one of them in each answer


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        yield stage


class Class:
    """People who do one thing after the other at random; `commands` is how many they gave."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.commands = 0
        self._stage = stage
        self._chance = random.Random(seed)
        self._people = [Person(100 + n, f"Pupil {n}") for n in range(self._chance.choice((3, 25)))]
        self._asked: list[tuple[Person, Json]] = []

    async def acts(self, times: int) -> None:
        deeds = (self.asks, self.sends_an_album, self.edits, self.cancels, self.deletes)
        others = (self.fetches, self.stutters, self.floods, self.holds)
        for deed in self._chance.choices((*deeds, *others), (9, 1, 2, 2, 1, 2, 1, 1, 2), k=times):
            await deed()
            await self._stage.goes_on(self._chance.choice((0, 0, 0.05, 0.3, 1, 4, 15)))

    async def asks(self) -> None:
        person, where = self._somebody()
        message = await self._stage.world.shows(person, photo(), "/detect", **where)
        self._asked.append((person, message))
        self.commands += 1

    async def sends_an_album(self) -> None:
        person, where = self._somebody()
        count = self._chance.randint(2, 4)
        captions = {self._chance.randrange(count): "/detect"}
        order = self._chance.sample(range(count), count)
        photos = [photo(80 + number) for number in range(count)]
        await self._stage.world.shows_album(person, photos, captions, arriving=order, **where)
        self.commands += 1

    async def edits(self) -> None:
        if not self._asked:
            return
        at = self._chance.randrange(len(self._asked))
        person, message = self._asked[at]
        caption = f"/detect confidence:0.{self._chance.randint(1, 9)}"
        self.commands += caption != message["caption"]
        edited = await self._stage.world.edits(message, caption=caption)
        self._asked[at] = person, edited

    async def cancels(self) -> None:
        if status := self._status():
            asked = self._stage.world._written[status.chat, status.reply_to or 0]
            owner = Person(asked["from"]["id"])
            await self._stage.world.presses_button(owner, status, "Cancel")

    async def deletes(self) -> None:
        if status := self._status():
            status.deleted = True

    async def fetches(self) -> None:
        await self._stage.world.says(self._chance.choice(self._people), "/start answers")

    async def stutters(self) -> None:
        if self._asked:
            await self._stage.world.repeat_last_update()

    async def floods(self) -> None:
        methods = ("sendMessage", "sendPhoto", "sendMediaGroup", "editMessageText")
        self._stage.world.faults[self._chance.choice(methods)].append(too_many(3))

    async def holds(self) -> None:
        hold = self._stage.queue.hold
        self._chance.choice((hold.set, hold.clear))()

    def _somebody(self) -> tuple[Person, Json]:
        where: list[Json] = [{}, {"chat": GROUPS[0]}, {"chat": GROUPS[0]}, {"chat": GROUPS[1]}]
        where.append({"chat": GROUPS[1], **TOPIC})
        return self._chance.choice(self._people), self._chance.choice(where)

    def _status(self) -> Shown | None:
        """One that is shown, at random."""
        shown = on_their_way(self._stage)
        return self._chance.choice(shown) if shown else None


def on_their_way(stage: Stage) -> list[Shown]:
    return [
        shown
        for shown in stage.world.messages
        if not shown.deleted and any(button["text"] == "Cancel" for button in shown.buttons)
    ]


def answers(stage: Stage) -> list[Shown]:
    return [
        s for s in stage.world.messages if not s.deleted and any(end in s.text for end in FINAL)
    ]


@pytest.mark.parametrize("seed", range(8))
async def test_each_command_has_one_answer(stage: Stage, seed: int) -> None:
    pupils = Class(stage, seed)
    stage.queue.hold.clear()
    await pupils.acts(60)
    stage.queue.hold.set()
    await stage.goes_on(1200)
    assert len(answers(stage)) == pupils.commands
    assert on_their_way(stage) == []
    frontend = stage.frontend
    assert not frontend._tasks
    crowd, lanes = frontend._conversation._crowd, frontend._lanes
    kept = (crowd._answers, crowd._here, lanes._last, frontend._albums._open)
    assert not any(kept), "nothing is kept of what is over"
    assert not frontend._conversation._answers
