"""`/detect`: what a person sees of it; with a scripted queue, and once with the real detector."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from handlers.kit import runner
from handlers.kit.progress import duration
from handlers.kit.reply import Reply, State
from handlers.kit.request import Picture, PictureRef, PictureTooLarge
from handlers.kit.services import Services
from inference.jobs import (
    JobTimeout,
    Loading,
    ModelFailed,
    ModelUnavailable,
    OutOfMemory,
    Queued,
    QueueFull,
    Started,
    TooLargeForDevice,
    WorkerLost,
)
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.detection import Box, DetectionInput, Detections
from inference.weights import WeightsError, WeightsStore
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, ScriptedQueue, done, picture, scripted, services


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PHOTO = encoded(Image.new("RGB", (800, 600), "grey"), "JPEG")


def boxes(*labels: str) -> tuple[Box, ...]:
    return tuple(
        Box(label, 0.9 - number / 100, 10.0 + 20 * number, 30.0, 60.0 + 20 * number, 200.0)
        for number, label in enumerate(labels)
    )


def finding(*labels: str) -> Callable[[DetectionInput], Any]:
    return lambda _: [done(Detections(boxes(*labels), 0.05), "YOLO26n")]


def world(script: Any, language: str = "en") -> tuple[FakePlatform, ScriptedQueue]:
    made, queue = scripted(detection=script)
    return FakePlatform(made, language), queue


def calls(platform: FakePlatform, reply: Reply) -> dict[str, Any]:
    """The reply's buttons: their words and the calls behind them."""
    labels = platform.labels(reply)
    return {label: b.call for label, b in zip(labels, reply.buttons, strict=True)}


# --- what was found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "english", "turkish"),
    [
        (["bus"], "one bus.", "bir otobüs."),
        (
            ["bus", "person", "person", "person", "person"],
            "four people and one bus.",
            "dört kişi ve bir otobüs.",
        ),
        (
            ["person", "traffic light", "car", "car"],
            "two cars, one person, and one traffic light.",
            "iki araba, bir kişi ve bir trafik ışığı.",
        ),
        (["sheep"] * 10, "ten sheep.", "on koyun."),
        (["sheep"] * 11, "11 sheep.", "11 koyun."),
    ],
)
async def test_things_are_counted_in_words(labels: list[str], english: str, turkish: str) -> None:
    for language, sentence in (("en", english), ("tr", turkish)):
        platform, _ = world(finding(*labels), language)
        reply = await platform.ask("detect", picture=picture(PHOTO))
        assert reply.state is State.FINAL and not reply.error
        assert sentence in platform.read(reply).splitlines()[0]


async def test_the_picture_comes_back_with_its_boxes_and_words_for_the_blind() -> None:
    platform, _ = world(finding("person", "dog"))
    reply = await platform.ask("detect", picture=picture(PHOTO))
    (image,) = reply.pictures
    drawn = Image.open(io.BytesIO(image.data))
    assert (drawn.format, drawn.size) == ("JPEG", (800, 600))
    assert drawn.convert("RGB").getcolors(800 * 600 + 1) != [(800 * 600, (128, 128, 128))]
    assert words("en")(image.alt) == "The photo with boxes around one person and one dog."
    assert words("tr")(image.alt).startswith("Fotoğrafta kutu içine alınanlar: bir")


@pytest.mark.parametrize(("language", "percent"), [("en", "person 87%"), ("tr", "kişi %87")])
async def test_labels_say_how_sure_the_model_is(
    language: str, percent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def draw(data: bytes, labelled: Any) -> bytes:
        written.extend(box.text for box in labelled)
        return data

    found = Detections((Box("person", 0.8749, 1, 1, 50, 50),), 0.05)
    platform, _ = world(lambda _: [done(found)], language)

    async def run(function: Any, *args: Any) -> Any:
        return draw(*args) if function.__name__ == "draw_boxes" else function(*args)

    monkeypatch.setattr(platform.services.studio, "run", run)
    await platform.ask("detect", picture=picture(PHOTO))
    assert written == [percent]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_nothing_found_is_said(language: str) -> None:
    platform, _ = world(finding(), language)
    reply = await platform.ask("detect", picture=picture(PHOTO))
    say = words(language)
    assert platform.read(reply).splitlines()[0] == say(Message("detect-nothing"))
    assert say(reply.pictures[0].alt) == say(Message("detect-alternative-nothing"))
    assert not reply.error


async def test_the_raw_result_is_there_as_json() -> None:
    platform, _ = world(finding("person"))
    reply = await platform.ask("detect", picture=picture(PHOTO), confidence="0.5")
    data = json.loads(json.dumps(dict(reply.data or {})))
    assert data["model"] == "YOLO26n"
    assert (data["width"], data["height"], data["confidence"]) == (800, 600, 0.5)
    assert data["boxes"][0]["label"] == "person"
    assert data["inference_seconds"] == 0.05


async def test_the_reply_names_the_model() -> None:
    for language in ("en", "tr"):
        platform, _ = world(finding("person"), language)
        reply = await platform.ask("detect", picture=picture(PHOTO))
        assert "YOLO26n" in platform.read(reply).splitlines()[-1]


# --- what the model is asked --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("0.4", 0.4), ("0,4", 0.4), (0.4, 0.4), (" 0,05 ", 0.05), ("0.95", 0.95), (".5", 0.5)],
)
async def test_confidence_may_be_typed_with_a_comma(typed: Any, meant: float) -> None:
    platform, queue = world(finding("person"))
    await platform.ask("detect", picture=picture(PHOTO), confidence=typed)
    (asked,) = queue.jobs
    assert asked.payload.confidence == meant
    assert (asked.owner.user, asked.owner.chat) == (platform.user, platform.chat)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("typed", ["1.5", "0", "-0.3", "nan", "inf", "yarım", "", "0,4,0"])
async def test_a_confidence_that_is_none_is_refused(typed: str, language: str) -> None:
    platform, queue = world(finding("person"), language)
    reply = await platform.ask("detect", picture=picture(PHOTO), confidence=typed)
    text = one_sentence(platform, reply)
    assert reply.error and ("güven" if language == "tr" else "confidence") in text
    if typed == "1.5":
        assert ("0,05" in text and "0,95" in text) == (language == "tr")
        assert ("0.05" in text and "0.95" in text) == (language == "en")
    assert not queue.jobs


async def test_a_turned_photo_is_looked_at_upright_and_the_reader_told() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(Image.new("RGB", (600, 400), "grey"), "JPEG", exif=exif)
    for language in LANGUAGES:
        note = words(language)(Message("note-picture-turned"))
        platform, queue = world(finding("person"), language)
        reply = await platform.ask("detect", picture=picture(turned))
        assert (queue.jobs[0].payload.width, queue.jobs[0].payload.height) == (400, 600)
        drawn = Image.open(io.BytesIO(reply.pictures[0].data))
        assert drawn.height > drawn.width
        assert note in platform.read(reply).splitlines()


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_of_an_animation_the_first_frame_is_taken_and_the_reader_told(kind: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    for language in LANGUAGES:
        note = words(language)(Message("note-picture-animated"))
        platform, _ = world(finding(), language)
        reply = await platform.ask("detect", picture=picture(data))
        assert note in platform.read(reply).splitlines()
        drawn = Image.open(io.BytesIO(reply.pictures[0].data)).convert("RGB")
        red, _, blue = drawn.getpixel((20, 20))  # type: ignore[misc]
        assert red > 200 > blue


async def test_an_ordinary_photo_has_no_notes() -> None:
    platform, _ = world(finding("person"))
    reply = await platform.ask("detect", picture=picture(PHOTO))
    assert len(platform.read(reply).splitlines()) == 2  # what was found, and by whom


# --- buttons ------------------------------------------------------------------------------------


async def test_the_bolder_button_asks_the_same_picture_with_a_lower_threshold() -> None:
    platform, queue = world(finding("person"))
    photo = picture(PHOTO, "the photo")
    reply = await platform.ask("detect", picture=photo, confidence="0,4")
    bolder = words("en")(Message("detect-bolder"))
    call = calls(platform, reply)[bolder]
    assert json.loads(json.dumps([call.command, dict(call.arguments)])) == [
        "detect",
        {"picture": {"picture": photo.ref.to_json()}, "confidence": 0.1},
    ]
    reply = await platform.ask(call.command, **{**call.arguments, "picture": photo})
    assert queue.jobs[-1].payload.confidence == 0.1
    assert queue.jobs[-1].payload.picture == PHOTO
    assert bolder not in platform.labels(reply)


async def test_again_repeats_what_was_asked() -> None:
    platform, _ = world(finding("person"), "tr")
    reply = await platform.ask("detect", picture=picture(PHOTO), confidence="0,4")
    again = calls(platform, reply)["Tekrar dene"]
    assert (again.command, again.arguments["confidence"]) == ("detect", "0,4")
    assert "Emin olmadıklarını da göster" in platform.labels(reply)
    assert "Nasıl çalışıyor?" in platform.labels(reply)


# --- on its way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_way_to_the_answer_is_told(language: str) -> None:
    def script(payload: Any) -> list[Any]:
        return [
            Queued(3, 3, None),
            Queued(2, 3, 4.2),
            Loading("YOLO26n", "download", 0.5, 5_544_453),
            Loading("YOLO26n", "load"),
            Started("YOLO26n"),
            *finding("person")(payload),
        ]

    platform, _ = world(script, language)
    await platform.ask("detect", picture=picture(PHOTO))
    *on_the_way, final = platform.states
    expected = (
        Message("queued", position=3),
        Message("queued-eta", position=2, duration=duration(4.2)),
        Message("downloading", model="YOLO26n", megabytes=6),
        Message("loading", model="YOLO26n"),
        Message("working", model="YOLO26n"),
    )
    assert [platform.read(state) for state in on_the_way] == [*map(words(language), expected)]
    assert all(state.state is State.PARTIAL for state in on_the_way)
    assert [state.fraction for state in on_the_way] == [None, None, 0.5, None, None]
    assert all(len(state.buttons) == 1 for state in on_the_way)  # cancel
    assert final.state is State.FINAL


async def test_cancelling_gives_the_job_back() -> None:
    platform, queue = world(lambda _: [Started("YOLO26n")])
    run = runner.start(platform.request("detect", picture=picture(PHOTO)), platform.services)
    async for _ in run:
        run.cancel()
    assert platform.read(await run.result()) == words("en")(Message("cancelled"))
    assert queue.cancelled


# --- what is refused ----------------------------------------------------------------------------


def one_sentence(platform: FakePlatform, reply: Reply) -> str:
    """The words of an error: a line, an instruction in it, nothing of the machine's."""
    text = platform.read(reply)
    assert "\n" not in text
    assert 1 <= len(re.findall(r"[.?](?:\s|$)", text)) <= 3
    assert not re.search(r"Error|Traceback|None|\{|\bPIL\b", text)
    return text


EXIF = Image.Exif()
NOISE = Image.effect_noise((100, 100), 90).convert("RGB")
BAD_PICTURES = {
    "empty": b"",
    "text": b"hello",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "pdf": b"%PDF-1.7\n" + bytes(100),
    "heic": b"\0\0\0\x18ftypheic" + bytes(100),
    "truncated": encoded(NOISE, "JPEG")[:2000],
    "bomb": encoded(Image.new("1", (30_000, 30_000))),
    "one pixel": encoded(Image.new("RGB", (1, 1))),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", BAD_PICTURES)
async def test_a_bad_picture_becomes_a_sentence_and_the_next_is_answered(
    name: str, language: str
) -> None:
    platform, queue = world(finding("person"), language)
    reply = await platform.ask("detect", picture=picture(BAD_PICTURES[name]))
    assert reply.error and reply.private and reply.error_id is None
    assert len(one_sentence(platform, reply)) > 20
    assert not reply.pictures and not queue.jobs
    assert platform.services.memory.usage[-1]["outcome"] == "failed"  # type: ignore[attr-defined]
    good = await platform.ask("detect", picture=picture(PHOTO))
    assert not good.error and good.pictures


async def test_each_bad_picture_has_a_sentence_of_its_own() -> None:
    platform, _ = world(finding("person"))
    said = {
        name: platform.read(await platform.ask("detect", picture=picture(data)))
        for name, data in BAD_PICTURES.items()
    }
    assert len(set(said.values())) == len(said)
    assert "64 megapixels" in said["bomb"]
    assert "PDF" in said["pdf"] and "SVG" in said["svg"] and "HEIC" in said["heic"]


async def test_too_many_bytes_are_refused_with_the_limit() -> None:
    async def fetch() -> bytes:
        raise PictureTooLarge(20_000_000)

    platform, queue = world(finding("person"), "tr")
    photo = Picture(PictureRef("fake", {}), fetch)
    reply = await platform.ask("detect", picture=photo)
    assert "20 MB" in one_sentence(platform, reply)
    assert not queue.jobs


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("arguments", [{}, {"picture": picture(None)}])
async def test_a_missing_picture_is_asked_for(language: str, arguments: Any) -> None:
    platform, queue = world(finding("person"), language)
    reply = await platform.ask("detect", confidence="0,4", **arguments)
    assert reply.state is State.QUESTION
    assert reply.question is not None
    assert reply.question.parameter == "picture"
    assert dict(reply.question.call.arguments) == {"confidence": "0,4"}
    assert one_sentence(platform, reply)
    assert not queue.jobs


async def test_what_is_no_picture_at_all_is_refused() -> None:
    platform, _ = world(finding("person"))
    reply = await platform.ask("detect", picture="photo.jpg")
    assert "“picture”" in one_sentence(platform, reply)


async def test_an_unknown_setting_is_named() -> None:
    platform, _ = world(finding("person"))
    reply = await platform.ask("detect", picture=picture(PHOTO), colour="red")
    assert "“colour”" in one_sentence(platform, reply)


def unavailable(reason: str, **facts: Any) -> ModelUnavailable:
    error = ModelUnavailable(f"YOLO26n: {reason}")
    error.__cause__ = WeightsError(reason, name="yolo26n", **facts)
    return error


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (QueueFull(100, 90.0), False),
        (QueueFull(20, None, "user"), False),
        (QueueFull(400, 90.0, "chat"), False),
        (QueueFull(31, None, "bytes"), False),
        (JobTimeout(60), True),
        (WorkerLost("ended with code -9"), True),
        (OutOfMemory("CUDA"), True),
        (unavailable("no-network"), True),
        (unavailable("no-space", megabytes=6), True),
        (unavailable("gone"), True),
        (unavailable("wrong-hash"), True),
        (ModelUnavailable("it does not load"), True),
        (TooLargeForDevice("YOLO26x", 6_800_000_000, 4_000_000_000), True),
        (ModelFailed("ValueError: something"), True),
    ],
    ids=lambda value: str(value),
)
async def test_a_failure_of_ours_is_told_kindly_with_its_number(
    error: Any, logged: bool, language: str, caplog: pytest.LogCaptureFixture
) -> None:
    platform, _ = world(lambda _: [error], language)
    reply = await platform.ask("detect", picture=picture(PHOTO))
    text = platform.read(reply)
    assert reply.error and "Error" not in text and "CUDA" not in text
    assert bool(reply.error_id) == logged
    if reply.error_id:
        assert reply.error_id in text and reply.error_id in caplog.text


# --- with the real detector ---------------------------------------------------------------------

one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything(
    weights_store: WeightsStore, pulled: Callable[[str], Path]
) -> AsyncIterator[Services]:
    pulled("yolo26n")
    tasks = {"detection": all_tasks()["detection"]}
    queue = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), tasks=tasks))
    made = services(queue)
    yield made
    made.studio.close()
    await queue.close()


@pytest.fixture
def bus(bus_photo: bytes) -> bytes:
    return bus_photo


@pytest.mark.weights
@one_loop
@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "four people and one bus."),
        ("tr", "dört kişi ve bir otobüs."),
    ],
)
async def test_a_photo_goes_in_and_comes_back_annotated(
    everything: Services, bus: bytes, language: str, sentence: str
) -> None:
    platform = FakePlatform(everything, language)
    reply = await platform.ask("detect", picture=picture(bus))
    found, credit = platform.read(reply).splitlines()
    assert sentence in found and "YOLO26n" in credit
    drawn = Image.open(io.BytesIO(reply.pictures[0].data))
    assert drawn.size == (810, 1080)
    assert reply.data is not None and len(reply.data["boxes"]) == 5


@pytest.mark.weights
@one_loop
async def test_one_bad_picture_among_many_harms_nobody(everything: Services, bus: bytes) -> None:
    people = [FakePlatform(everything, user=f"fake:{number}") for number in range(6)]
    photos = [bus, BAD_PICTURES["truncated"], bus, b"", PHOTO, bus]
    replies = await asyncio.gather(
        *(
            person.ask("detect", picture=picture(photo))
            for person, photo in zip(people, photos, strict=True)
        )
    )
    assert [reply.error for reply in replies] == [False, True, False, True, False, False]
    assert "four people and one bus" in people[5].read(replies[5])
