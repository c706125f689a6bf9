"""/edit: what is understood is done and told, what is not is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.tasks.face_guidance import GuidanceInput, GuidedFace
from inference.tasks.face_wishes import Wish, Wishes, WishInput
from inference.tasks.faces import ATTRIBUTES, Face, FacesInput, Portraits
from tests.fakes import FakePlatform, Script, done, photo, picture, scripted
from tests.handlers.test_faces import one_face, search

OLDER = Wish("age", 2, "older")
GUIDED = Face(style=bytes(2 * 23 * 512))


def understood(*wishes: Wish, unknown: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> Any:
    return lambda payload: [done(Wishes(wishes, unknown, refused, 0.01), "Encoder")]


def paint(payload: FacesInput) -> Script:
    pixels = np.full((len(payload.faces), payload.size, payload.size, 3), 90, np.uint8)
    return [done(Portraits(pixels, 0.5), "MobileStyleGAN (FFHQ)")]


async def test_a_wish_about_a_made_up_face() -> None:
    services, queue = scripted(face_wishes=understood(OLDER), faces=paint)
    platform = FakePlatform(services)
    reply = await platform.ask("edit", wish="make her older", seed=4)
    wished, painted, _ = (job.payload for job in queue.jobs)
    assert wished == WishInput("make her older", tuple(ATTRIBUTES))
    assert painted == FacesInput((Face(4), Face(4, edits=(("age", 2.0),))), 512)
    assert "older" in platform.read(reply)
    assert reply.pictures[0].name == "edit.jpg"


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0, 3.0])
async def test_the_slider_stays_within_what_leaves_a_face_whole(strength: float) -> None:
    services, queue = scripted(face_wishes=understood(Wish("age", -3, "a baby")), faces=paint)
    reply = await FakePlatform(services).ask("edit", wish="a baby", seed=4, strength=strength)
    (edits,) = queue.jobs[1].payload.faces[1].edits
    assert edits == ("age", max(ATTRIBUTES["age"][0], -3 * strength))
    offered = [  # beside "again"
        button.call.arguments["strength"]
        for button in reply.buttons
        if button.call
        and button.call.command == "edit"
        and button.call.arguments.get("strength", strength) != strength
    ]
    assert offered
    for other in offered:
        assert 0.1 <= other <= 3.0
        assert max(ATTRIBUTES["age"][0], -3 * other) != edits[1], "it would change nothing"


async def test_what_was_not_understood_is_told() -> None:
    wishes = understood(OLDER, unknown=("make him fly",), refused=("change her skin",))
    services, _ = scripted(face_wishes=wishes, faces=paint)
    platform = FakePlatform(services)
    text = platform.read(await platform.ask("edit", wish="…", seed=1))
    assert "I do not know how to do this: “make him fly”" in text
    assert "“change her skin”: I change neither" in text


@pytest.mark.parametrize("language", ["en", "tr"])
async def test_nothing_understood_names_what_there_is(language: str) -> None:
    services, queue = scripted(face_wishes=understood(unknown=("uç",)))
    platform = FakePlatform(services, language)
    reply = await platform.ask("edit", wish="uç")
    assert reply.error
    assert {"en": "with glasses", "tr": "gözlüklü"}[language] in platform.read(reply)
    assert [job.task for job in queue.jobs] == ["face-wishes"]


async def test_a_wish_that_is_refused() -> None:
    services, _ = scripted(face_wishes=understood(refused=("lighter skin",)))
    platform = FakePlatform(services)
    reply = await platform.ask("edit", wish="lighter skin")
    assert reply.error
    assert "neither the colour of a skin" in platform.read(reply)


async def test_a_photo_is_searched_for_first() -> None:
    services, queue = scripted(
        face_wishes=understood(OLDER),
        faces=paint,
        face_search=search,
        face_detection=one_face,
    )
    platform = FakePlatform(services)
    reply = await platform.ask("edit", wish="older", picture=picture(photo()))
    before, after = next(job for job in queue.jobs if job.task == "faces").payload.faces
    assert before.style and before.offset
    assert after == replace(before, edits=after.edits)
    assert after.edits == (("age", 2.0),)
    assert "not the photo" in platform.read(reply)


def guided(payload: GuidanceInput) -> Script:
    return [done(GuidedFace(GUIDED, 0.211, 0.262, 1.5), "StyleCLIP")]


async def test_the_full_edition_follows_sentences_that_no_direction_was_fitted_for() -> None:
    wishes = understood(OLDER, unknown=("with a mohawk",))
    services, queue = scripted(face_wishes=wishes, faces=paint, face_guidance=guided)
    queue.profile = "full"
    platform = FakePlatform(services)
    reply = await platform.ask("edit", wish="older, with a mohawk", seed=4, strength=0.5)
    _, steered, painted, _ = (job.payload for job in queue.jobs)
    base = Face(4, edits=(("age", 1.0),))
    assert steered == GuidanceInput(base, "with a mohawk", 0.5)
    assert painted.faces == (Face(4), GUIDED)
    text = platform.read(reply)
    assert "older and “with a mohawk”" in text
    assert "0.21" in text
    assert "0.26" in text
    assert "do not know" not in text
    assert reply.credit is not None
    assert "SigLIP" in reply.credit.model
    assert reply.credit.stand_in_for is None


async def test_the_full_edition_needs_no_wish_that_it_knows() -> None:
    services, queue = scripted(
        face_wishes=understood(unknown=("mor saçlı",)), faces=paint, face_guidance=guided
    )
    queue.profile = "full"
    platform = FakePlatform(services, "tr")
    reply = await platform.ask("edit", wish="mor saçlı", seed=4)
    assert not reply.error
    assert "“mor saçlı”" in platform.read(reply)


async def test_what_is_refused_does_not_reach_the_comparing_network() -> None:
    wishes = understood(unknown=("with a mohawk",), refused=("lighter skin",))
    services, queue = scripted(face_wishes=wishes, faces=paint, face_guidance=guided)
    queue.profile = "full"
    await FakePlatform(services).ask("edit", wish="with a mohawk, lighter skin", seed=4)
    assert queue.jobs[1].payload.text == "with a mohawk"
