"""Text that grows: by drafts in private where Telegram has them, by edits elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from telegram.error import NetworkError

from bot.settings import Settings
from inference.jobs import Done, Queued, Token
from inference.tasks.text_generation import GeneratedText
from tests.bot.telegram_doubles import Stage, on_stage
from tests.e2e.telegram_server import Person, Refusal, Shown, bad, too_many

ADA = Person(42, "Ada", "en")
EFE = Person(43, "Efe", "tr")
GROUP = -1001
NOT_FOUND = Refusal(404, "Not Found")  # what a Bot API server says of a method it does not know


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_folder=str(tmp_path), language="en", _env_file=None)
    async with on_stage(settings) as stage:
        yield stage


class Writer:
    """A model that writes a word at a time, each when the test says so."""

    def __init__(self, stage: Stage, *words: str) -> None:
        self._stage = stage
        self._gates = [asyncio.Event() for _ in words]
        whole = GeneratedText("".join(words), len(words), 30.0, "stop")
        steps = [each for pair in zip(self._gates, map(Token, words), strict=True) for each in pair]
        stage.queue.hold.clear()
        stage.queue.script = [*steps, Done(whole, "SmolLM2", 0.1)]  # type: ignore[list-item]

    async def writes(self, words: int = 1, seconds: float = 2.0) -> None:
        for gate in [gate for gate in self._gates if not gate.is_set()][:words]:
            gate.set()
            await self._stage.goes_on(seconds)

    async def ends(self) -> None:
        self._stage.queue.hold.set()
        await self._stage.goes_on(5)


def only(shown: list[Shown]) -> Shown:
    (one,) = shown
    return one


def drafts(stage: Stage) -> list[str]:
    """What the model had written in each; small print may follow it."""
    return [draft.text.partition("\n\n")[0] for draft in stage.world.drafts]


async def test_a_text_grows_in_a_draft_and_ends_as_a_message(stage: Stage) -> None:
    world, writer = stage.world, Writer(stage, "<Bir> ", "iki & ", "üç")
    asked = await world.says(EFE, "/gpt say")
    await stage.goes_on()
    await writer.writes(2)
    beside = only(world.visible(EFE.id))
    assert beside.text == "Yazıyorum…"
    assert beside.button("İptal")
    draft = world.draft(EFE.id)
    assert draft is not None
    assert draft.html.startswith("<blockquote>&lt;Bir&gt; iki &amp;</blockquote>")
    await writer.writes(1)
    await writer.ends()
    answer = only(world.visible(EFE.id))
    assert answer.id != beside.id
    assert answer.text.startswith("<Bir> iki & üç")
    assert (answer.edits, answer.reply_to) == (0, asked["message_id"])
    assert world.draft(EFE.id) is None
    assert len({draft.id for draft in world.drafts}) == 1
    assert drafts(stage) == ["<Bir>", "<Bir> iki &", "<Bir> iki & üç"]


async def test_each_answer_has_a_draft_of_its_own(stage: Stage) -> None:
    for _ in range(2):
        writer = Writer(stage, "one")
        await stage.world.says(ADA, "/gpt say")
        await stage.goes_on()
        await writer.writes()
        await writer.ends()
    first, second = stage.world.drafts
    assert 0 not in (first.id, second.id)
    assert first.id != second.id


async def test_a_status_that_was_there_says_that_text_is_written(stage: Stage) -> None:
    world, writer = stage.world, Writer(stage, "one", " two")
    stage.queue.script.insert(0, Queued(3, 5, 12.0))
    await world.says(ADA, "/gpt count")
    await stage.goes_on()
    status = only(world.visible(ADA.id))
    assert "number 3 in the queue" in status.text
    await writer.writes(2)
    assert status.text == "Writing…"
    assert status.edits == 1
    assert drafts(stage) == ["one", "one two"]
    await writer.ends()


async def test_cancel_is_within_reach_while_a_draft_grows(stage: Stage) -> None:
    world, writer = stage.world, Writer(stage, "one ", "two")
    await world.says(ADA, "/gpt count")
    await stage.goes_on()
    await writer.writes(1)
    await world.presses_button(ADA, only(world.visible(ADA.id)), "Cancel")
    await stage.goes_on(3)
    assert only(world.visible(ADA.id)).text == "Cancelled."
    assert world.draft(ADA.id) is None
    assert len(stage.queue.cancelled) == 1


async def test_in_a_group_a_text_grows_by_edits(stage: Stage) -> None:
    world, writer = stage.world, Writer(stage, "one ", "two")
    await world.says(ADA, "/gpt count", chat=GROUP)
    await stage.goes_on()
    await writer.writes(2, seconds=10)
    growing = only(world.visible(GROUP))
    assert "one two" in growing.text
    await writer.ends()
    assert world.visible(GROUP) == [growing]
    assert world.drafts == []


async def test_a_draft_belongs_to_the_topic(stage: Stage) -> None:
    writer = Writer(stage, "one")
    topic = {"message_thread_id": 7, "is_topic_message": True}
    await stage.world.says(ADA, "/gpt count", **topic)
    await stage.goes_on()
    await writer.writes()
    assert [draft.thread for draft in stage.world.drafts] == [7]
    await writer.ends()


async def test_a_long_text_shows_its_end(stage: Stage) -> None:
    writer = Writer(stage, *(f"<{number}> " * 100 for number in range(1000, 1020)))
    await stage.world.says(ADA, "/gpt count")
    await stage.goes_on()
    await writer.writes(20)
    draft = stage.world.draft(ADA.id)  # the world takes no longer ones
    assert draft is not None
    assert draft.text.startswith("…")
    assert draft.text.endswith("<1019>")
    await writer.ends()


async def test_drafts_keep_to_the_chat_s_pace(stage: Stage) -> None:
    """The world counts: they are paid as edits are. Every tenth of a second there is a new word."""
    writer = Writer(stage, *(f"{number} " for number in range(300)))
    await stage.world.says(ADA, "/gpt count")
    await stage.goes_on()
    await writer.writes(300, seconds=0.1)
    assert 20 <= len(stage.world.drafts) <= 30
    await writer.ends()
    assert " 299" in only(stage.world.visible(ADA.id)).text


# --- where there are none ------------------------------------------------------------------------


async def test_an_older_server_is_asked_once_and_texts_grow_by_edits(stage: Stage) -> None:
    world = stage.world
    world.faults["sendMessageDraft"].extend([NOT_FOUND, NOT_FOUND])
    for person in (ADA, EFE):
        writer = Writer(stage, "one ", "two ", "three")
        await world.says(person, "/gpt count")
        await stage.goes_on()
        await writer.writes(2, seconds=4)
        growing = only(world.visible(person.id))
        assert growing.text.startswith("one two")
        assert growing.buttons
        await writer.writes(1)
        await writer.ends()
        assert world.visible(person.id) == [growing]
        assert growing.text.startswith("one two three")
    assert len(world.faults["sendMessageDraft"]) == 1
    assert world.drafts == []


async def test_a_chat_that_takes_no_drafts_is_asked_once_and_others_are_asked(stage: Stage) -> None:
    world = stage.world
    world.faults["sendMessageDraft"].append(bad("TEXTDRAFT_PEER_INVALID"))
    for person, expected in ((ADA, 0), (ADA, 0), (EFE, 2)):
        writer = Writer(stage, "one ", "two")
        await world.says(person, "/gpt count")
        await stage.goes_on()
        await writer.writes(2, seconds=4)
        await writer.ends()
        assert len(world.drafts) == expected
        assert world.visible(person.id)[-1].text.startswith("one two")


@pytest.mark.parametrize("fault", [too_many(3), NetworkError("lost"), Refusal(502, "Bad Gateway")])
async def test_a_draft_that_does_not_get_through_costs_only_itself(
    stage: Stage, fault: Exception
) -> None:
    world, writer = stage.world, Writer(stage, "one ", "two ", "three")
    world.faults["sendMessageDraft"].append(fault)  # type: ignore[arg-type]
    await world.says(ADA, "/gpt count")
    await stage.goes_on()
    await writer.writes(3, seconds=4)
    assert drafts(stage)[-1] == "one two three"
    await writer.ends()
    assert only(world.visible(ADA.id)).text.startswith("one two three")


async def test_markup_that_telegram_cannot_read_is_drafted_plain(stage: Stage) -> None:
    world, writer = stage.world, Writer(stage, "one ")
    world.faults["sendMessageDraft"].append(bad("can't parse entities: whatever"))
    await world.says(ADA, "/gpt count")
    await stage.goes_on()
    await writer.writes(1)
    (draft,) = world.drafts
    assert draft.html == draft.text
    await writer.ends()


async def test_whoever_blocks_the_bot_while_it_writes_is_left_alone(stage: Stage) -> None:
    world, writer = stage.world, Writer(stage, "one ", "two")
    await world.says(ADA, "/gpt count")
    await stage.goes_on()
    await writer.writes(1)
    world.blocked.add(ADA.id)
    await writer.writes(1)
    assert len(stage.queue.cancelled) == 1
