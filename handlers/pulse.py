"""`/pulse`: which sharp faces would look like this pixelated one? (the talk's "Sansür!" slide)"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from handlers.drawing.faces import draw_search, shrink
from handlers.drawing.mark import Made
from handlers.kit import (
    Button,
    Call,
    Credit,
    Image,
    Message,
    Note,
    Picture,
    Range,
    Reply,
    Request,
    Say,
    Seed,
    Services,
    check_output,
    command,
)
from handlers.kit.faces import drawn, face_in, states
from handlers.kit.runner import call_of
from inference.tasks.face_search import EPSILON, Found, SearchInput
from inference.tasks.faces import MAX_SEED

COARSE, FINE = 16, 64  # pixels that the buttons offer to compare


@command("pulse", stop="generative", order=40, again=True, next="edit")
async def pulse(
    request: Request,
    services: Services,
    picture: Picture,
    pixels: Annotated[int, Range(COARSE, FINE)] = 32,
    seed: Annotated[int | None, Seed(MAX_SEED)] = None,
) -> AsyncIterator[Reply]:
    """Pixelate the face of a photo to `pixels` a side, and search for faces that fit the rest."""
    seed = drawn(seed)
    photo = await face_in(request, services, picture, pixels)
    small = await services.studio.run(shrink, photo.pixels, pixels)
    asked = SearchInput(small, pixels, seed)
    alt = Message("face-alt-search")
    async with services.submit(request, "face-search", asked) as ticket:
        async for state in states(ticket, request, services, "pulse-searching", alt):
            yield state
    done = ticket.outcome
    found: Found = done.result
    made = Made(done.model, seed, edited=True)
    sheet, faces = await services.studio.run(
        draw_search, small, pixels, [face.pixels for face in found.faces], request.language, made
    )
    await check_output(request, services, *faces)
    distances = [face.distance for face in found.faces]
    fitting = sum(distance <= EPSILON for distance in distances)
    yield Reply(
        blocks=(
            Say(Message("pulse-said", pixels=pixels, faces=len(distances), fitting=fitting)),
            Say(Message("pulse-not-the-person")),
            Note(
                Message(
                    "pulse-settings",
                    pixels=pixels,
                    seed=str(seed),
                    best=min(distances),
                    worst=max(distances),
                    fitting=fitting,
                    faces=len(distances),
                    epsilon=EPSILON,
                )
            ),
            *((Note(Message("face-others")),) if photo.others else ()),
        ),
        pictures=(Image(sheet, "pulse.jpg", Message("pulse-alt", pixels=pixels)),),
        buttons=tuple(
            Button(
                Message("pulse-pixels", pixels=other),
                Call("pulse", {**call_of(request).arguments, "pixels": other, "seed": seed}),
            )
            for other in (COARSE, 32, FINE)
            if other != pixels
        ),
        credit=Credit(done.model),
        data={
            "model": done.model,
            "pixels": pixels,
            "seed": seed,
            "distances": distances,
            "epsilon": EPSILON,
            "search_seconds": found.seconds,
        },
    )
