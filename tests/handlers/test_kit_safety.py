"""The picture safety check as a command meets it: refused, let through, or impossible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fluent.runtime import FluentResource

from handlers.kit import (
    Image,
    Message,
    Picture,
    Reply,
    Request,
    Services,
    UserError,
    check_output,
    check_upload,
    command,
    registry,
)
from handlers.kit.safety import FRAMES, SafetyRules
from inference.jobs import (
    Loading,
    ModelUnavailable,
    Queued,
    QueueFull,
    Started,
    TooLargeForDevice,
    WorkerLost,
)
from inference.tasks.safety import SafetyInput, Verdict
from inference.weights import WeightsError
from locales import words
from tests.fakes import FakePlatform, Script, done, photo, picture, scripted

WORDS = """
twin = twin
    .description = Shows a picture that looks like yours
    .picture = picture
    .picture-description = Which picture
twin-alternative = A twin.
"""
MADE = photo(32, 32)


@pytest.fixture(autouse=True)
def twin() -> Iterator[None]:
    """A command as those on faces are: a picture comes in, another goes out."""
    known = dict(registry.commands())

    async def handler(
        request: Request, services: Services, picture: Picture
    ) -> AsyncIterator[Reply]:
        opened = await services.open_picture(picture)
        await check_upload(request, services, opened)
        await check_output(request, services, MADE)
        yield Reply(pictures=(Image(MADE, "twin.jpg", Message("twin-alternative")),))

    try:
        command("twin", stop="generative", again=True)(handler)
        _forget_caches()
        for language in ("en", "tr"):
            words(language)._bundle.add_resource(FluentResource(WORDS))
        yield
    finally:
        registry._registered.clear()
        registry._registered.update(known)
        _forget_caches()


def _forget_caches() -> None:
    for cached in (registry.commands, registry._names, words):
        cached.cache_clear()


def verdicts(**scores: float) -> Any:
    """A script by whether the upload or the output is looked at."""

    def look(payload: SafetyInput) -> Script:
        kind = "output" if payload.pictures == (MADE,) else "upload"
        return [done(Verdict((scores.get(kind, 0.0),), 0.02), "OpenNSFW")]

    return look


async def asked(look: Any, **rules: Any) -> tuple[Reply, FakePlatform, list[SafetyInput]]:
    services, queue = scripted(picture_safety=look)
    platform = FakePlatform(replace(services, safety=SafetyRules(**rules)))
    reply = await platform.ask("twin", picture=picture(photo()))
    return reply, platform, [job.payload for job in queue.jobs]


async def test_what_is_harmless_passes_both_ways_in_the_askers_name() -> None:
    services, queue = scripted(picture_safety=verdicts(upload=0.49, output=0.49))
    platform = FakePlatform(services)
    reply = await platform.ask("twin", picture=picture(photo()))
    assert [image.data for image in reply.pictures] == [MADE]
    assert [(job.task, job.owner.user) for job in queue.jobs] == [
        ("picture-safety", "fake:ada"),
        ("picture-safety", "fake:ada"),
    ]
    upload, output = (job.payload for job in queue.jobs)
    assert (upload.pictures, upload.frames) == ((photo(),), 1)
    assert (output.pictures, output.frames) == ((MADE,), FRAMES)
    assert upload.digest
    assert output.digest
    assert upload.digest != output.digest


@pytest.mark.parametrize(
    ("kind", "english", "turkish", "looked_at"),
    [
        ("upload", "I would rather not work on this picture", "Bu resimle çalışmayayım", 1),
        ("output", "The picture that came out", "Ortaya çıkan resim", 2),
    ],
)
async def test_what_is_not_is_refused_kindly(
    kind: str, english: str, turkish: str, looked_at: int
) -> None:
    reply, platform, payloads = await asked(verdicts(**{kind: 0.5}))
    assert reply.error
    assert reply.private, "nobody is shown up before others"
    assert not reply.pictures
    assert english in platform.read(reply, "en")
    assert turkish in platform.read(reply, "tr")
    assert not reply.buttons, "the same again would be refused again"
    assert len(payloads) == looked_at, "what is refused at the door costs no work"


async def test_the_threshold_is_the_configurations() -> None:
    strict, _, _ = await asked(verdicts(output=0.3), threshold=0.2)
    lenient, _, _ = await asked(verdicts(upload=0.8, output=0.8), threshold=0.9)
    assert strict.error
    assert not lenient.error


async def test_where_it_is_switched_off_nothing_is_looked_at() -> None:
    reply, _, payloads = await asked(verdicts(upload=1.0, output=1.0), enabled=False)
    assert reply.pictures
    assert not payloads


@pytest.mark.parametrize(
    "trouble",
    [ModelUnavailable("no weights"), TooLargeForDevice("OpenNSFW", 200, 100)],
)
async def test_where_nothing_can_be_checked_nothing_is_shown(
    trouble: ModelUnavailable, caplog: pytest.LogCaptureFixture
) -> None:
    trouble.__cause__ = WeightsError("no-network", name="opennsfw")
    reply, platform, _ = await asked(lambda payload: [trouble])
    assert reply.error
    assert not reply.pictures
    assert "without the check" in platform.read(reply, "en")
    assert "denetim olmadan" in platform.read(reply, "tr")
    assert "cannot be checked" in caplog.text, "the operator learns of it"


@pytest.mark.parametrize("trouble", [WorkerLost("died"), QueueFull(3, 9.0)])
async def test_no_other_failure_lets_a_picture_through(trouble: Exception) -> None:
    reply, _, _ = await asked(lambda payload: [trouble])
    assert reply.error
    assert not reply.pictures


async def test_whoever_waits_for_the_check_sees_for_how_long() -> None:
    let_go = asyncio.Event()

    def look(payload: SafetyInput) -> Script:
        return [
            Queued(7, 9, 20.0),
            Loading("OpenNSFW", "download", 0.5, 24_000_000),
            Started("OpenNSFW"),
            let_go,
            done(Verdict((0.0,), 0.02)),
        ]

    services, _ = scripted(picture_safety=look)
    platform = FakePlatform(services)
    asking = asyncio.create_task(platform.ask("twin", picture=picture(photo())))
    while len(platform.states) < 2:
        await asyncio.sleep(0)
    shown = [platform.read(state) for state in platform.states]
    assert any("You are number 7" in each for each in shown)
    assert "Fetching the model OpenNSFW (24 MB)" in shown[-1]
    assert "at work" not in " ".join(shown), "a fraction of a second is not worth a word"
    assert platform.labels(platform.states[-1]) == ["Cancel"]
    let_go.set()
    assert (await asking).pictures


async def test_a_mosaic_is_judged_by_its_pixels_where_no_more_are_used() -> None:
    services, queue = scripted()
    platform = FakePlatform(services)
    opened = await services.open_picture(picture(photo()))
    await check_upload(platform.request("twin"), services, opened, pixels=32)
    assert queue.jobs[0].payload.pixels == 32


async def test_several_pictures_are_one_job_and_the_worst_counts() -> None:
    look = [done(Verdict((0.1, 0.7), 0.02))]
    services, queue = scripted(picture_safety=lambda payload: look)
    platform = FakePlatform(services)
    with pytest.raises(UserError) as refused:
        await check_output(platform.request("twin"), services, photo(), MADE)
    assert refused.value.message.key == "safety-output"
    assert queue.jobs[0].payload.pictures == (photo(), MADE)
