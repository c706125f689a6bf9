"""/person, /morph and /animate: made-up faces, films of them, and faces of photos."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handlers.animate import MOTIONS, POSES, timeline
from handlers.drawing.mark import made_of
from handlers.kit import faces as face_kit
from handlers.kit.reply import State
from handlers.morph import STEPS, path
from inference.jobs import Progress
from inference.tasks.face_detection import Face as Detected
from inference.tasks.face_detection import Faces, Landmarks
from inference.tasks.face_film import Film, FilmInput
from inference.tasks.face_search import Found, FoundFace, SearchInput, SearchState
from inference.tasks.faces import Face, FacesInput, Portraits
from inference.tasks.safety import Verdict
from tests.fakes import FakePlatform, Script, done, photo, picture, scripted

LANDMARKS = Landmarks((24, 18), (40, 18), (32, 26), (26, 34), (38, 34))
MODEL = "MobileStyleGAN (FFHQ)"
FOUND = Face(style=b"\1\0" * 23 * 512, offset=b"\2\0" * 512 * 16 * 16)


def grey(count: int, size: int, value: int = 120) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((count, size, size, 3), value, np.uint8)


def paint(payload: FacesInput) -> Script:
    return [done(Portraits(grey(len(payload.faces), payload.size), 0.5), MODEL)]


def film(payload: FilmInput) -> Script:
    frames = grey(len(payload.frames), 64)
    return [
        Progress(0.5, frames[0]),
        done(Film(frames, 3.0), MODEL),
    ]


def one_face(payload: Any) -> Script:
    return [done(Faces((Detected((16, 8, 48, 44), 0.99, LANDMARKS),), 0.1), "MTCNN")]


def no_face(payload: Any) -> Script:
    return [done(Faces((), 0.1), "MTCNN")]


def search(payload: SearchInput) -> Script:
    face = grey(1, 512)[0]
    found = tuple(FoundFace(FOUND, 0.001 * (1 + index), face) for index in range(payload.starts))
    state = SearchState(grey(payload.starts, 64), (0.1,) * payload.starts)
    return [Progress(0.3, state), done(Found(found, 9.0), f"PULSE + {MODEL}")]


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    face_kit._kept = face_kit.KeptFaces()
    yield


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- /person --------------------------------------------------------------------------------------


async def test_a_face_of_a_seed() -> None:
    services, queue = scripted(faces=paint)
    platform = FakePlatform(services)
    reply = await platform.ask("person", seed=7)
    (job,) = [job for job in queue.jobs if job.task == "faces"]
    assert job.payload == FacesInput((Face(7, 0.7),), 1024)
    shown = opened(reply.pictures[0].data)
    assert shown.size == (1024, 1024)
    made = made_of(shown)
    assert made is not None and made.seed == 7 and not made.edited
    assert "does not exist" in platform.read(reply)
    assert reply.data is not None and reply.data["seed"] == 7


async def test_without_a_seed_one_is_drawn_and_told() -> None:
    services, _ = scripted(faces=paint)
    platform = FakePlatform(services)
    first, second = [await platform.ask("person") for _ in range(2)]
    assert first.data is not None and second.data is not None
    assert first.data["seed"] != second.data["seed"]
    assert str(first.data["seed"]) in platform.read(first)


@pytest.mark.parametrize("language", ["en", "tr"])
async def test_four_faces_carry_their_seeds(language: str) -> None:
    services, queue = scripted(faces=paint)
    platform = FakePlatform(services, language)
    reply = await platform.ask("person", seed=999_998, faces=4)
    seeds = [face.seed for face in queue.jobs[0].payload.faces]
    assert seeds == [999_998, 999_999, 0, 1]  # they go round
    assert opened(reply.pictures[0].data).size == (1036, 1036)
    (checked,) = [job for job in queue.jobs if job.task == "picture-safety"]
    assert len(checked.payload.pictures) == 4  # one by one


async def test_what_is_not_fit_for_a_chat_is_not_shown() -> None:
    def unsafe(payload: Any) -> Script:
        return [done(Verdict((0.9,) * len(payload.pictures), 0.1))]

    services, _ = scripted(faces=paint, picture_safety=unsafe)
    reply = await FakePlatform(services).ask("person", seed=1)
    assert reply.error and not reply.pictures


# --- /morph ---------------------------------------------------------------------------------------


async def test_a_film_from_face_to_face() -> None:
    services, queue = scripted(face_film=film)
    platform = FakePlatform(services)
    reply = await platform.ask("morph", seed=3, to=99)
    asked: FilmInput = queue.jobs[0].payload
    assert [face.seed for face in asked.faces] == [3, 99]
    shown = opened(reply.pictures[0].data)
    assert shown.format == "GIF"
    assert shown.size == (400, 400)
    partial = [state for state in platform.states if state.state is State.PARTIAL]
    assert any(state.pictures for state in partial)
    assert "3 → 99" in platform.read(reply)


@pytest.mark.parametrize("faces", [2, 3, 4])
def test_the_way_passes_all_faces(faces: int) -> None:
    frames = np.array(path(faces))
    assert np.allclose(frames.sum(1), 1)
    assert (frames >= 0).all()
    assert (frames.max(0) == 1).all()  # it reaches each of them
    assert len(frames) == (STEPS if faces == 2 else STEPS * faces)
    if faces > 2:  # and goes round: the last step leads to the first face
        assert frames[-1].argmax() == 0


# --- /animate -------------------------------------------------------------------------------------


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_loop_has_no_jump(motion: str) -> None:
    frames = np.array(timeline(motion, len(POSES[motion])))
    assert np.allclose(frames.sum(1), 1)
    steps = np.abs(np.diff(np.vstack([frames, frames[:1]]), axis=0)).max(1)
    assert steps[-1] <= steps.max()
    assert steps.max() < 0.75


async def test_a_made_up_face_moves() -> None:
    services, queue = scripted(face_film=film)
    reply = await FakePlatform(services).ask("animate", seed=5, motion="turn")
    asked: FilmInput = queue.jobs[0].payload
    assert asked.faces == (Face(5), Face(5, edits=tuple(POSES["turn"][0].items())))
    assert reply.pictures[0].name == "animate.gif"
    others = [button.call.arguments for button in reply.buttons if button.call]
    assert {"seed": 5, "motion": "smile"} in others


async def test_a_photo_is_searched_for_once() -> None:
    services, queue = scripted(face_film=film, face_search=search, face_detection=one_face)
    platform = FakePlatform(services)
    reply = await platform.ask("animate", picture=picture(photo()))
    await platform.ask("animate", picture=picture(photo()), motion="smile")
    tasks = [job.task for job in queue.jobs]
    assert tasks.count("face-search") == 1
    assert tasks.count("face-film") == 2
    assert "not the photo" in platform.read(reply)
    made = made_of(opened(reply.pictures[0].data))
    assert made is not None and made.edited


async def test_a_film_of_a_photo_is_not_remembered_as_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services, _ = scripted(face_film=film, face_search=search, face_detection=one_face)
    keys = []
    draw = services.studio.film

    async def noted(key: Any, *args: Any) -> Any:
        keys.append(key)
        return await draw(key, *args)

    monkeypatch.setattr(services.studio, "film", noted)
    platform = FakePlatform(services)
    await platform.ask("animate", seed=1)
    await platform.ask("animate", picture=picture(photo()))
    assert keys[0] is not None and keys[1] is None


async def test_whoever_wants_to_be_forgotten_is() -> None:
    services, queue = scripted(face_film=film, face_search=search, face_detection=one_face)
    platform = FakePlatform(services)
    await platform.ask("animate", picture=picture(photo()))
    await services.forget(platform.user)
    await platform.ask("animate", picture=picture(photo()))
    assert [job.task for job in queue.jobs].count("face-search") == 2


async def test_found_faces_are_kept_for_a_while_and_not_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(face_kit.time, "monotonic", lambda: now)
    kept = face_kit.KeptFaces()
    kept.keep("a", "1", FOUND)
    assert kept.of("a", "1") == FOUND
    assert kept.of("b", "1") is None  # nobody else's
    now = face_kit.KEPT
    assert kept.of("a", "1") is None
    for number in range(face_kit.KEPT_FACES + 5):
        kept.keep("a", str(number), FOUND)
    assert kept.of("a", "4") is None and kept.of("a", "5") == FOUND


async def test_a_found_face_goes_when_its_time_is_over_and_not_when_somebody_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(face_kit, "KEPT", 0.02)
    kept = face_kit.KeptFaces()
    kept.keep("a", "1", FOUND)
    async with asyncio.timeout(30):
        while kept._faces:
            await asyncio.sleep(0.05)


async def test_no_face_is_said() -> None:
    services, _ = scripted(face_detection=no_face)
    platform = FakePlatform(services, "tr")
    reply = await platform.ask("animate", picture=picture(photo()))
    assert reply.error
    assert "yüz bulamadım" in platform.read(reply)


# --- /pulse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "tr"])
async def test_a_pixelated_face_is_searched_for(language: str) -> None:
    services, queue = scripted(face_search=search, face_detection=one_face)
    platform = FakePlatform(services, language)
    reply = await platform.ask("pulse", picture=picture(photo()), pixels=24, seed=11)
    (asked,) = [job.payload for job in queue.jobs if job.task == "face-search"]
    assert (asked.side, asked.seed, len(asked.pixels)) == (24, 11, 24 * 24 * 3)
    sheet = opened(reply.pictures[0].data)
    assert sheet.size == (3 * 384 + 2 * 12, 2 * 384 + 12)
    assert reply.data is not None
    assert reply.data["distances"] == [0.001, 0.002, 0.003, 0.004]
    text = platform.read(reply)
    assert {"en": "None of them is the person", "tr": "Hiçbiri resimdeki kişi değil"}[
        language
    ] in text
    assert {"en": "2 of 4", "tr": "2/4"}[language] in text  # within ε = 0.002


async def test_a_photo_that_should_not_be_worked_on() -> None:
    def unsafe(payload: Any) -> Script:
        return [done(Verdict((0.9,), 0.1))]

    services, queue = scripted(picture_safety=unsafe)
    reply = await FakePlatform(services).ask("pulse", picture=picture(photo()))
    assert reply.error
    assert [job.task for job in queue.jobs] == ["picture-safety"]
