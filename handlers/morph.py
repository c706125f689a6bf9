"""`/morph`: one made-up face becomes another (the talk's slides on StyleGAN's latent space)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from handlers.drawing.faces import draw_film
from handlers.drawing.mark import Made
from handlers.kit import (
    Button,
    Call,
    Credit,
    Image,
    Message,
    Note,
    Range,
    Reply,
    Request,
    Say,
    Seed,
    Services,
    check_output,
    command,
)
from handlers.kit.faces import drawn, states
from inference.tasks.face_film import Film, FilmInput
from inference.tasks.faces import MAX_SEED, Face

STEPS = 16  # frames from one face to the next
STRIDE = 7919  # between the seeds of one film: its faces should not be those of /person's grid


@command("morph", stop="generative", order=30, again=True, next="pulse")
async def morph(
    request: Request,
    services: Services,
    seed: Annotated[int | None, Seed(MAX_SEED)] = None,
    to: Annotated[int | None, Range(0, MAX_SEED)] = None,
    faces: Annotated[int, Range(2, 4)] = 2,
    truncation: Annotated[float, Range(0, 1)] = 0.7,
) -> AsyncIterator[Reply]:
    """A film from face to face; `to` names the second one, further ones follow from `seed`."""
    seed = drawn(seed)
    seeds = [(seed + index * STRIDE) % (MAX_SEED + 1) for index in range(faces)]
    if to is not None:
        seeds[1] = to
    asked = FilmInput(tuple(Face(each, truncation) for each in seeds), path(faces))
    alt = Message("morph-alt", faces=faces)
    async with services.submit(request, "face-film", asked) as ticket:
        async for state in states(ticket, request, services, "morph-painting", alt):
            yield state
    done = ticket.outcome
    result: Film = done.result
    made = Made(done.model, seed)
    key = ("morph", asked, request.language)
    film, still = await services.studio.film(
        key, draw_film, result.frames, request.language, made, faces > 2
    )
    await check_output(request, services, film, still)
    yield Reply(
        blocks=(
            Say(Message("morph-said", faces=faces)),
            Note(
                Message(
                    "morph-settings",
                    seeds=" → ".join(str(each) for each in seeds),
                    truncation=truncation,
                )
            ),
        ),
        pictures=(Image(film, "morph.gif", alt),),
        buttons=_buttons(seed, seeds, faces, truncation),
        credit=Credit(done.model),
        data={
            "model": done.model,
            "seed": seed,
            "seeds": seeds,
            "truncation": truncation,
            "frames": len(result.frames),
            "inference_seconds": result.seconds,
        },
    )


def path(faces: int) -> tuple[tuple[float, ...], ...]:
    """Weights of each face in each frame: slow at the faces, quick between them.

    Two faces make a film that is shown to and fro; more of them, one that goes round.
    """
    legs = [(0, 1)] if faces == 2 else [(leg, (leg + 1) % faces) for leg in range(faces)]
    frames = []
    for start, end in legs:
        last = STEPS - 1 if faces == 2 else STEPS
        for step in range(STEPS):
            part = step / last
            eased = part * part * (3 - 2 * part)
            weights = [0.0] * faces
            weights[start], weights[end] = 1 - eased, eased
            frames.append(tuple(weights))
    return tuple(frames)


def _buttons(seed: int, seeds: list[int], faces: int, truncation: float) -> tuple[Button, ...]:
    """On from where this one ended; and a longer way."""
    onward = {"seed": seeds[-1], "truncation": truncation}
    buttons = [Button(Message("morph-on"), Call("morph", onward))]
    if faces < 4:
        longer = {"seed": seed, "faces": 4, "truncation": truncation}
        buttons.append(Button(Message("morph-four"), Call("morph", longer)))
    return tuple(buttons)
