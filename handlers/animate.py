"""`/animate`: a still face comes to life (the talk's link to singing portraits)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from handlers.drawing.faces import draw_film
from handlers.drawing.mark import Made
from handlers.kit import (
    Button,
    Call,
    Choice,
    Credit,
    Image,
    Message,
    Note,
    Picture,
    Reply,
    Request,
    Say,
    Seed,
    Services,
    check_output,
    command,
)
from handlers.kit.faces import Inversion, drawn, face_in, states
from handlers.kit.runner import call_of
from inference.tasks.face_film import Film, FilmInput
from inference.tasks.faces import MAX_SEED, Face

FRAMES = 24
MOTIONS = ("life", "smile", "turn", "age")
#: the poses of each motion: edits in standard deviations, and how much of them at each moment
POSES: dict[str, tuple[dict[str, float], ...]] = {
    "life": ({"smile": 1.2}, {"turn": 0.8}, {"eyes_open": -3.0}),
    "smile": ({"smile": 2.0}, {"smile": -1.5}),
    "turn": ({"turn": 1.6},),
    "age": ({"age": 2.0}, {"age": -1.5}),
}


@command("animate", stop="generative", order=60, again=True, menu=False)
async def animate(
    request: Request,
    services: Services,
    picture: Picture | None = None,
    seed: Annotated[int | None, Seed(MAX_SEED)] = None,
    motion: Annotated[str, Choice(MOTIONS)] = "life",
) -> AsyncIterator[Reply]:
    """A short loop of a made-up face, or of the one in a photo."""
    alt = Message("animate-alt")
    notes: tuple[Note, ...] = ()
    if picture is None:
        seed = drawn(seed)
        face = Face(seed)
    else:
        seed = None
        photo = await face_in(request, services, picture)
        inversion = Inversion(request, services, photo)
        async for state in inversion.states("face-searching", Message("face-alt-search")):
            yield state
        assert inversion.face is not None
        face = inversion.face
        notes = (Note(Message("face-not-the-photo")),)
    poses = POSES[motion]
    asked = FilmInput(
        (face, *(replace(face, edits=tuple(pose.items())) for pose in poses)),
        timeline(motion, len(poses)),
    )
    async with services.submit(request, "face-film", asked) as ticket:
        async for state in states(
            ticket, request, services, "animate-painting", alt, picture is not None
        ):
            yield state
    done = ticket.outcome
    result: Film = done.result
    made = Made(done.model, seed, edited=picture is not None)
    # A film of somebody's photo is theirs alone, and gone when they have it.
    key = ("animate", face, motion, request.language) if picture is None else None
    film, still = await services.studio.film(
        key, draw_film, result.frames, request.language, made, True
    )
    await check_output(request, services, film, still)
    settings = () if seed is None else (Note(Message("animate-settings", seed=str(seed))),)
    yield Reply(
        blocks=(Say(Message("animate-said")), *notes, *settings),
        pictures=(Image(film, "animate.gif", alt),),
        buttons=tuple(
            Button(
                Message(f"animate-button-{other}"),
                Call("animate", {**_same(request, seed), "motion": other}),
            )
            for other in MOTIONS
            if other != motion
        ),
        credit=Credit(done.model, stand_in_for="wombo.ai"),
        data={
            "model": done.model,
            "motion": motion,
            "seed": seed,
            "frames": len(result.frames),
            "inference_seconds": result.seconds,
        },
    )


def _same(request: Request, seed: int | None) -> dict[str, object]:
    """The arguments that lead to the same face again."""
    return dict(call_of(request).arguments) if seed is None else {"seed": seed}


def timeline(motion: str, poses: int) -> tuple[tuple[float, ...], ...]:
    """Weights of the still face and of each pose in each frame; the last meets the first."""
    frames = []
    for index in range(FRAMES):
        moment = index / FRAMES  # 0…1
        match motion:
            case "life":
                # It looks left and right, smiles in the middle, and blinks twice.
                shares = [
                    0.5 - 0.5 * math.cos(2 * math.pi * moment),
                    math.sin(2 * math.pi * moment),
                    _blink(moment, 0.25) + _blink(moment, 0.75),
                ]
            case "turn":
                shares = [math.sin(2 * math.pi * moment)]
            case _:
                wave = math.sin(2 * math.pi * moment)
                shares = [max(0.0, wave), max(0.0, -wave)]
        assert len(shares) == poses
        frames.append((1 - sum(shares), *shares))
    return tuple(frames)


def _blink(moment: float, at: float) -> float:
    """0…1: shut at one moment, for about three frames."""
    return max(0.0, 1 - abs(moment - at) * FRAMES / 1.8)
