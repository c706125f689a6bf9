"""Albums: one command over several pictures, one answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bot.hub import Hub, Visitor, raw_pictures
from bot.settings import Settings
from handlers.kit import runner
from handlers.kit.reply import Say, State
from handlers.kit.request import Album, Call, PictureRef, ReplyAddress
from handlers.kit.services import Services
from inference.jobs import QueueFull, Started
from inference.tasks.detection import Box, DetectionInput, Detections
from tests.fakes import FakePlatform, Script, done, photo, picture, scripted

SIZES = (40, 50, 60)


def as_many_dogs_as_its_width_says(payload: DetectionInput) -> Script:
    """10 pixels a dog above 30, so that every picture has an answer of its own."""
    dogs = (Box("dog", 0.9, 0, 0, 9, 9),) * ((payload.width - 30) // 10)
    return [Started("YOLO26n"), done(Detections(dogs, 0.1), "YOLO26n")]


def pictures(*sizes: int) -> Album:
    return Album(tuple(picture(photo(width=size), str(size)) for size in sizes))


@pytest.fixture
def world() -> Services:
    return scripted(detection=as_many_dogs_as_its_width_says)[0]


async def test_one_answer_for_all_pictures_in_their_order(world: Services) -> None:
    platform = FakePlatform(world)
    reply = await platform.ask("detect", picture=pictures(*SIZES))
    text = platform.read(reply)
    assert text.index("1. ") < text.index("one dog") < text.index("2. ") < text.index("two dogs")
    assert "3. " in text and "three dogs" in text
    assert text.count("Model: YOLO26n") == 1
    assert [image.alt.arguments["number"] for image in reply.pictures] == [1, 2, 3]
    assert [len(each["boxes"]) for each in (reply.data or {})["pictures"]] == [1, 2, 3]
    assert json.dumps(reply.data)
    assert not reply.error


async def test_it_counts_what_is_done_and_one_button_cancels_all(world: Services) -> None:
    waits = asyncio.Event()
    services, queue = scripted(
        detection=lambda payload: [
            Started("YOLO26n"),
            *([] if payload.width == 40 else [waits]),
            *as_many_dogs_as_its_width_says(payload)[1:],
        ]
    )
    platform = FakePlatform(services)
    run = runner.start(platform.request("detect", picture=pictures(*SIZES)), services)
    async for state in run:
        if "1 of 3" in platform.read(state):
            break
    assert state.fraction == pytest.approx(1 / 3)
    assert services.runs.of(platform.user) == [run], "its parts are nobody's business"
    assert len(run.tickets) == 2
    [cancel] = [button for button in state.buttons if button.call]
    assert cancel.call == Call("cancel", {"run": run.id})
    await platform.ask("cancel", run=run.id)
    assert platform.read(await run.result()) == "Cancelled."
    for _ in range(10):  # its parts are on their way out
        await asyncio.sleep(0)
    assert {job.payload.width for job in queue.cancelled} == {50, 60}
    assert services.runs.by_id == {}


async def test_a_picture_that_cannot_be_read_harms_no_other(world: Services) -> None:
    album = Album((*pictures(40).pictures, picture(b"%PDF-1.7"), *pictures(60).pictures))
    platform = FakePlatform(world)
    reply = await platform.ask("detect", picture=album)
    lines = platform.read(reply).splitlines()
    assert [line[:2] for line in lines[:3]] == ["1.", "2.", "3."]
    assert "PDF" in lines[1]
    assert len(reply.pictures) == 2
    assert not reply.error


async def test_what_goes_wrong_with_all_of_them_is_said_once(world: Services) -> None:
    platform = FakePlatform(world)
    album = Album((picture(b"%PDF-1.7"), picture(b"%PDF-1.7")))
    reply = await platform.ask("detect", picture=album)
    assert reply.error
    assert platform.read(reply).count("PDF") == 1
    wrong = await platform.ask("detect", picture=pictures(*SIZES), confidence="lots")
    assert wrong.error
    assert len([block for block in wrong.blocks if isinstance(block, Say)]) == 1


async def test_what_may_be_tried_again_is_tried_with_all_of_them() -> None:
    services, _ = scripted(detection=lambda payload: [QueueFull(20, None, "user")])
    platform = FakePlatform(services)
    reply = await platform.ask("detect", picture=pictures(*SIZES))
    [again] = [button.call for button in reply.buttons if button.label.key == "button-again"]
    assert again is not None
    assert len(again.arguments["picture"]["album"]) == len(SIZES)


async def test_pictures_that_are_all_gone_are_asked_for_again(world: Services) -> None:
    platform = FakePlatform(world)
    album = Album((picture(None), picture(None)))
    reply = await platform.ask("detect", picture=album, confidence=0.4)
    assert reply.state is State.QUESTION
    assert reply.private
    assert platform.read(reply) == "I no longer have that picture. Send it again."
    assert reply.question is not None
    assert reply.question.call == Call("detect", {"confidence": 0.4})


async def test_where_nothing_came_of_any_picture_the_asker_alone_is_told(world: Services) -> None:
    platform = FakePlatform(world)
    album = Album((picture(b"%PDF-1.7"), picture(b""), picture(None)))
    reply = await platform.ask("detect", picture=album)
    assert reply.private
    assert reply.error
    assert [line[:2] for line in platform.read(reply).splitlines()] == ["1.", "2.", "3."]


async def test_it_is_one_command_to_the_memory(world: Services) -> None:
    await FakePlatform(world).ask("detect", picture=pictures(*SIZES))
    assert [entry["outcome"] for entry in world.memory.usage] == ["done"]  # type: ignore[attr-defined]


async def test_the_button_again_holds_the_whole_album(world: Services) -> None:
    held = {str(size): photo(width=size) for size in SIZES}

    class Shelf:
        async def fetch(self, ref: PictureRef) -> bytes:
            return held[ref.place["name"]]

    hub = Hub(world, Settings(), {"fake": Shelf()})  # type: ignore[dict-item]
    visitor = Visitor(user="fake:ada", chat="fake:room", address=ReplyAddress("fake", {}))
    references = [PictureRef("fake", {"name": name}) for name in held]
    first = await (await hub.line(visitor, "/detect", references)).result()
    again = next(b.call for b in first.buttons if b.label.key == "button-again")
    assert again is not None
    stored: Any = json.loads(json.dumps(again.arguments))
    second = await (await hub.call(visitor, Call("detect", stored))).result()
    assert [image.data for image in second.pictures] == [image.data for image in first.pictures]


def test_a_single_picture_is_no_album() -> None:
    one = PictureRef("fake", {"name": "a"})
    assert raw_pictures([one]) == {"picture": one.to_json()}
    assert len(raw_pictures([one] * 12)["album"]) == 10


async def test_the_states_end_with_the_final_one(world: Services) -> None:
    platform = FakePlatform(world)
    await platform.ask("detect", picture=pictures(*SIZES))
    assert [state.state for state in platform.states[:-1]] == [State.PARTIAL] * (
        len(platform.states) - 1
    )
    assert platform.states[-1].state is State.FINAL
