"""Pace, retries and thrift of what is sent to Discord, without a Discord."""

from __future__ import annotations

import asyncio
import io
import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import discord
import pytest
from PIL import Image

from bot.discord import delivery
from bot.discord.delivery import Answer, Delivery, paced
from bot.discord.outlets import Outlet
from bot.discord.presenter import deleted_ids
from bot.discord.shrinking import CannotShrink, shrink, shrink_animation
from bot.pace import Urgency
from bot.presenting import Presentation
from handlers.kit.reply import Button, File, Generated, Reply
from handlers.kit.reply import Image as Picture
from handlers.kit.request import Call
from locales import Message
from tests.bot.discord_doubles import InlineStudio
from tests.fakes import FakeMemory

PARTIAL = Reply.say("working-on").partial()
FINAL = Reply.say("cancelled")
ADA = 81


# --- pace ----------------------------------------------------------------------------------------


async def at_once(urgency: Urgency) -> None:
    """A budget that is never used up."""


async def states(*replies: Reply) -> AsyncIterator[Reply]:
    for reply in replies:
        await asyncio.sleep(0)
        yield reply


async def test_the_first_and_the_final_state_are_shown_whatever_the_pace() -> None:
    growing = [PARTIAL.plus() for _ in range(20)]
    shown = [reply async for reply in paced(states(*growing, FINAL), at_once, seconds=1e9)]
    assert shown == [growing[0], FINAL]


async def test_without_a_pace_every_state_is_shown_that_may_be() -> None:
    shown = asyncio.Event()

    async def patient() -> AsyncIterator[Reply]:
        for number in range(20):
            shown.clear()
            yield replace(PARTIAL, fraction=number / 20)
            await shown.wait()
        yield FINAL

    fractions = []
    async for reply in paced(patient(), at_once, seconds=0):
        fractions.append(reply.fraction)
        shown.set()
    assert fractions == [*(number / 20 for number in range(20)), None]


async def test_a_state_that_waits_for_its_permit_gives_way_to_a_newer_one() -> None:
    asked: list[Urgency] = []
    permitted = asyncio.Event()

    async def permit(urgency: Urgency) -> None:
        asked.append(urgency)
        await permitted.wait()

    async def growing() -> AsyncIterator[Reply]:
        for number in range(5):
            yield replace(PARTIAL, fraction=number / 5)
            await asyncio.sleep(0)
        permitted.set()
        await asyncio.Event().wait()

    stream = paced(growing(), permit, seconds=0)
    assert (await anext(stream)).fraction == 0.8
    await stream.aclose()
    assert asked == [Urgency.FIRST]


async def test_the_final_state_waits_for_no_permit_and_takes_none() -> None:
    given_up = asyncio.Event()

    async def never(urgency: Urgency) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    assert [reply async for reply in paced(states(PARTIAL, PARTIAL, FINAL), never)] == [FINAL]
    await given_up.wait()


async def test_later_states_are_less_urgent_than_the_first() -> None:
    asked: list[Urgency] = []

    async def permit(urgency: Urgency) -> None:
        asked.append(urgency)

    shown = asyncio.Event()

    async def patient() -> AsyncIterator[Reply]:
        for _ in range(3):
            shown.clear()
            yield PARTIAL
            await shown.wait()
        yield FINAL

    async for _ in paced(patient(), permit, seconds=0):
        shown.set()
    assert asked == [Urgency.FIRST, Urgency.EDIT, Urgency.EDIT]


async def test_a_state_that_waited_is_shown_when_its_time_comes() -> None:
    """Nothing newer comes, so the newest one is shown after the pause."""
    shown, goes_on = asyncio.Event(), asyncio.Event()

    async def stalling() -> AsyncIterator[Reply]:
        yield replace(PARTIAL, fraction=0.1)
        await shown.wait()
        yield replace(PARTIAL, fraction=0.2)
        await goes_on.wait()
        yield FINAL

    fractions = []
    async for reply in paced(stalling(), at_once, seconds=0.01):
        fractions.append(reply.fraction)
        shown.set()
        if reply.fraction == 0.2:
            goes_on.set()
    assert fractions == [0.1, 0.2, None]


# --- thrift --------------------------------------------------------------------------------------


@dataclass
class FakeMessage:
    """A message that remembers what was done to it."""

    outlet: FakeOutlet
    content: dict[str, Any]
    id: int = field(default_factory=itertools.count(1).__next__)

    async def edit(self, **changes: Any) -> None:
        await self.outlet.take("edit", changes)

    async def delete(self) -> None:
        await self.outlet.take("delete", {})


@dataclass
class FakeOutlet(Outlet):
    limit: int = 10_000_000
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    expired: bool = False
    typed: int = 0
    last: Any = None

    @property
    def dead(self) -> bool:
        return self.expired

    async def take(self, what: str, content: dict[str, Any]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.done.append((what, content))

    async def post(self, private: bool, **content: Any) -> Any:
        await self.take("post", {"private": private, **content})
        return FakeMessage(self, content)

    async def show_typing(self) -> None:
        self.typed += 1

    @property
    def kinds(self) -> list[str]:
        return [what for what, _ in self.done]


class FakeResponse:
    def __init__(self, status: int) -> None:
        self.status, self.reason = status, "trouble"


def trouble(status: int, code: int) -> discord.HTTPException:
    kind = discord.NotFound if status == 404 else discord.HTTPException
    return kind(FakeResponse(status), {"code": code, "message": "trouble"})  # type: ignore[arg-type]


@pytest.fixture
def outlet() -> FakeOutlet:
    return FakeOutlet()


@pytest.fixture
def late() -> FakeOutlet:
    return FakeOutlet()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRIES", (0.0, 0.0, 0.0))


@pytest.fixture
def courier(outlet: FakeOutlet, late: FakeOutlet) -> Delivery:
    presentation = Presentation(FakeMemory(), "en", "discord:1", "discord:2")
    studio = InlineStudio()

    def turn(last: Any) -> FakeOutlet:
        late.last = last
        return late

    return Delivery(Answer(outlet, studio, ADA), presentation, "gpt", studio, turn)


async def test_an_equal_state_is_not_sent_again(courier: Delivery, outlet: FakeOutlet) -> None:
    for _ in range(3):
        await courier.finish(FINAL)
    assert outlet.kinds == ["post"]


async def test_only_what_changed_is_sent(courier: Delivery, outlet: FakeOutlet) -> None:
    picture = Picture(b"png", "a.png", Message("cancelled"))
    button = Button(Message("button-again"), Call("gpt", {"text": "x"}))
    first = replace(FINAL, pictures=(picture,), buttons=(button,))
    await courier.finish(first)
    await courier.finish(first.plus(Generated("more")))
    await courier.finish(replace(first, pictures=()))
    _, text, without = [content for _, content in outlet.done]
    assert set(text) == {"content", "allowed_mentions"}
    assert without["attachments"] == []
    assert "view" not in without


async def test_messages_that_are_no_longer_needed_go(courier: Delivery, outlet: FakeOutlet) -> None:
    await courier.finish(Reply(blocks=(Generated("A sentence. " * 400),)))
    await courier.finish(FINAL)
    assert outlet.kinds == ["post"] * 3 + ["edit", "delete", "delete"]


async def test_a_stream_edits_only_its_last_message(courier: Delivery, outlet: FakeOutlet) -> None:
    text = "A sentence that goes on for a while. " * 70
    for end in range(1000, len(text), 400):
        await courier.finish(Reply(blocks=(Generated(text[:end]),)))
    first_message_done = outlet.kinds.index("post", 1)
    edits_of_the_first = [c for k, c in outlet.done[first_message_done + 1 :] if k == "edit"]
    assert all(content["content"] != outlet.done[0][1]["content"] for content in edits_of_the_first)
    assert outlet.kinds.count("post") == 2


@pytest.mark.parametrize(("status", "code"), [(404, 10008), (429, 30046), (400, 50083)])
async def test_where_a_message_cannot_be_edited_the_answer_comes_as_a_new_one(
    courier: Delivery, outlet: FakeOutlet, status: int, code: int
) -> None:
    """It was deleted, it is old and edited often, or its thread has been archived."""
    await courier._glimpse(Reply.say("working-on").partial())
    outlet.troubles = [trouble(status, code)]
    await courier.finish(FINAL)
    assert outlet.kinds == ["post", "post"]
    await courier.finish(FINAL)
    assert outlet.kinds == ["post", "post"]


# --- taking it away ------------------------------------------------------------------------------


def deletes(content: dict[str, Any]) -> tuple[int, ...]:
    """What the *Delete* button of a message knows."""
    [item] = content["view"].children
    return deleted_ids(item.custom_id.removeprefix("d1:"))


DELETE = Button(Message("button-delete"), deletes=True)


async def test_delete_knows_the_owner_and_the_other_messages(
    courier: Delivery, outlet: FakeOutlet
) -> None:
    await courier.finish(Reply(blocks=(Generated("A sentence. " * 400),), buttons=(DELETE,)))
    *others, _ = courier.answer._posted
    assert deletes(outlet.done[-1][1]) == (ADA, *(posted.message.id for posted in others))


async def test_delete_learns_of_a_message_that_was_posted_anew(
    courier: Delivery, outlet: FakeOutlet
) -> None:
    story = "A sentence. " * 400
    await courier.finish(Reply(blocks=(Generated(story),), buttons=(DELETE,)))
    outlet.troubles = [trouble(404, 10008)]  # somebody deleted the first one
    await courier.finish(Reply(blocks=(Generated("New. " + story),), buttons=(DELETE,)))
    *others, _ = courier.answer._posted
    assert deletes(outlet.done[-1][1]) == (ADA, *(posted.message.id for posted in others))


async def test_what_one_person_sees_has_no_delete(courier: Delivery, outlet: FakeOutlet) -> None:
    courier.answer.private = True
    await courier.finish(replace(FINAL, buttons=(DELETE,)))
    assert "view" not in outlet.done[0][1]


# --- troubles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "passing",
    [aiohttp.ServerDisconnectedError(), OSError(104, "reset"), TimeoutError()],
    ids=lambda error: type(error).__name__,
)
async def test_the_final_state_is_tried_again(
    courier: Delivery, outlet: FakeOutlet, passing: Exception
) -> None:
    outlet.troubles = [passing] * 3
    await courier.finish(FINAL)
    assert outlet.kinds == ["post"]


async def test_at_last_it_is_given_up(
    courier: Delivery, outlet: FakeOutlet, caplog: pytest.LogCaptureFixture
) -> None:
    outlet.troubles = [OSError(104, "reset")] * 9
    await courier.finish(FINAL)
    assert outlet.kinds == []
    assert "was not shown" in caplog.text


async def test_what_discord_refuses_becomes_an_apology(
    courier: Delivery, outlet: FakeOutlet
) -> None:
    outlet.troubles = [trouble(400, 50035)]
    await courier.finish(FINAL)
    [(_, content)] = outlet.done
    assert "mention the number" in content["content"]


async def test_a_state_on_the_way_is_not_insisted_on(courier: Delivery, outlet: FakeOutlet) -> None:
    outlet.troubles = [OSError(104, "reset")]
    await courier.follow(states(PARTIAL, FINAL))
    assert [content["content"] for _, content in outlet.done] == ["Cancelled."]


@pytest.mark.parametrize("code", [10015, 50027])
async def test_a_dead_token_turns_to_the_channel(
    courier: Delivery, outlet: FakeOutlet, late: FakeOutlet, code: int
) -> None:
    outlet.troubles = [trouble(401, code), trouble(401, code)]
    await courier.follow(states(PARTIAL, FINAL))
    assert outlet.done == []
    assert late.kinds == ["post"]


async def test_a_late_answer_hangs_on_the_last_state_and_shows_that_it_is_coming(
    courier: Delivery, outlet: FakeOutlet, late: FakeOutlet
) -> None:
    await courier.answer.show(await courier.presentation.render(PARTIAL), "en")
    shown = courier.answer.last
    assert shown is not None
    outlet.expired = True

    async def slow() -> AsyncIterator[Reply]:
        yield replace(PARTIAL, fraction=0.5)
        while not late.typed:
            await asyncio.sleep(0)
        yield FINAL

    await courier.follow(slow())
    assert late.last is shown
    assert late.kinds == ["post"]  # no states, only the final


async def test_a_late_answer_hangs_on_nothing_that_only_one_person_sees(
    courier: Delivery, outlet: FakeOutlet, late: FakeOutlet
) -> None:
    courier.answer.private = True
    await courier.answer.show(await courier.presentation.render(PARTIAL), "en")
    outlet.expired = True
    await courier.finish(FINAL)
    assert late.kinds == ["post"]
    assert late.last is None


async def test_an_error_after_the_deadline_is_no_secret(
    courier: Delivery, outlet: FakeOutlet, late: FakeOutlet
) -> None:
    outlet.expired = True
    late.whispers = False
    await courier.finish(replace(FINAL, private=True, error=True))
    assert late.done[0][1]["private"] is False


async def test_a_secret_after_the_deadline_stays_one(
    courier: Delivery, outlet: FakeOutlet, late: FakeOutlet
) -> None:
    outlet.expired = True
    late.whispers = False
    await courier.finish(replace(FINAL, private=True))
    assert late.done[0][1]["private"] is True


async def test_a_secret_takes_back_what_was_public(courier: Delivery, outlet: FakeOutlet) -> None:
    await courier.answer.show(await courier.presentation.render(PARTIAL), "en")
    await courier.finish(replace(FINAL, private=True))
    assert outlet.kinds == ["post", "delete", "post"]
    assert [c.get("private") for k, c in outlet.done if k == "post"] == [False, True]


# --- making pictures smaller ---------------------------------------------------------------------


def noise(side: int) -> Image.Image:
    return Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3))


def encoded(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("limit", [150_000, 40_000, 8_000])
def test_shrink(limit: int) -> None:
    data = encoded(noise(500), format="PNG")
    smaller = shrink(data, limit)
    assert len(smaller) <= limit < len(data)
    assert Image.open(io.BytesIO(smaller)).format == "JPEG"


def test_shrink_keeps_the_size_where_quality_will_do() -> None:
    data = encoded(noise(500), format="JPEG", quality=98)
    assert Image.open(io.BytesIO(shrink(data, len(data) // 2))).size == (500, 500)


def test_shrink_gives_up() -> None:
    with pytest.raises(CannotShrink):
        shrink(encoded(noise(500), format="PNG"), 100)


def test_shrink_animation_keeps_its_frames_and_pace() -> None:
    first, *others = [noise(200).rotate(angle) for angle in (0, 90, 180)]
    data = encoded(first, format="GIF", save_all=True, append_images=others, duration=[40, 80, 120])
    with Image.open(io.BytesIO(shrink_animation(data, len(data) // 3))) as smaller:
        durations = []
        for frame in range(smaller.n_frames):
            smaller.seek(frame)
            durations.append(smaller.info["duration"])
        assert durations == [40, 80, 120]
        assert smaller.width < 200


async def test_a_file_that_does_not_fit_is_left_out_with_a_sentence(
    courier: Delivery, outlet: FakeOutlet
) -> None:
    outlet.limit = 2_000_000
    await courier.finish(replace(FINAL, files=(File(b"x" * 3_000_000, "data.csv"),)))
    [(_, content)] = outlet.done
    assert "files" not in content
    assert "left out" in content["content"]
