"""`/person`: this person does not exist (the talk's slides on StyleGAN)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from handlers.drawing.faces import draw_portrait, draw_row
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
from inference.tasks.faces import MAX_FACES, MAX_SEED, Face, FacesInput, Portraits

ORDINARY, ODD = 0.4, 1.0  # the truncations that the buttons offer to compare


@command("person", stop="generative", order=20, again=True, next="morph")
async def person(
    request: Request,
    services: Services,
    seed: Annotated[int | None, Seed(MAX_SEED)] = None,
    faces: Annotated[int, Range(1, MAX_FACES)] = 1,
    truncation: Annotated[float, Range(0, 1)] = 0.7,
) -> AsyncIterator[Reply]:
    """Paint `faces` faces of seeds that follow each other; `truncation` says how ordinary."""
    seed = drawn(seed)
    seeds = [(seed + index) % (MAX_SEED + 1) for index in range(faces)]
    asked = FacesInput(tuple(Face(each, truncation) for each in seeds), 1024 if faces == 1 else 512)
    async with services.submit(request, "faces", asked) as ticket:
        async for state in states(ticket, request, services, "person-painting", _alt(faces)):
            yield state
    done = ticket.outcome
    result: Portraits = done.result
    portraits = [
        await services.studio.run(draw_portrait, each, request.language, Made(done.model, number))
        for each, number in zip(result.pixels, seeds, strict=True)
    ]
    await check_output(request, services, *portraits)
    picture = portraits[0]
    if faces > 1:
        captions = [str(each) for each in seeds]
        picture = await services.studio.run(
            draw_row, list(result.pixels), captions, request.language, Made(done.model, seed)
        )
    yield Reply(
        blocks=(
            Say(Message("person-said", faces=faces)),
            Note(Message("person-settings", seed=str(seed), faces=faces, truncation=truncation)),
        ),
        pictures=(Image(picture, "person.jpg", _alt(faces)),),
        buttons=_buttons(seed, faces, truncation),
        credit=Credit(done.model),
        data={
            "model": done.model,
            "seed": seed,
            "seeds": seeds,
            "truncation": truncation,
            "inference_seconds": result.seconds,
        },
    )


def _alt(faces: int) -> Message:
    return Message("person-alt", faces=faces)


def _buttons(seed: int, faces: int, truncation: float) -> tuple[Button, ...]:
    """The same seed more ordinary or odder; four at once, or what can be done with the one."""
    same = {"seed": seed, "faces": faces}
    buttons = [
        Button(Message(f"person-{name}"), Call("person", {**same, "truncation": other}))
        for name, other in (("ordinary", ORDINARY), ("odd", ODD))
        if other != truncation
    ]
    if faces == 1:
        four = {"seed": seed, "faces": MAX_FACES, "truncation": truncation}
        buttons.append(Button(Message("person-four"), Call("person", four)))
        buttons.append(Button(Message("person-animate"), Call("animate", {"seed": seed})))
    return tuple(buttons)
