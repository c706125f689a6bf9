"""`/edit`: change a face by a sentence (the talk's slide on StyleCLIP)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from handlers.drawing.faces import draw_pair
from handlers.drawing.mark import Made
from handlers.kit import (
    Button,
    Call,
    Credit,
    Image,
    Listing,
    Message,
    Note,
    Picture,
    Range,
    Reply,
    Request,
    Say,
    Seed,
    Services,
    Text,
    UserError,
    check_output,
    command,
    waiting,
)
from handlers.kit.faces import Inversion, drawn, face_in, states
from handlers.kit.parameters import echo
from handlers.kit.runner import call_of
from inference.tasks.face_wishes import MAX_LENGTH, Wish, Wishes, WishInput
from inference.tasks.faces import ATTRIBUTES, MAX_SEED, Face, FacesInput, Portraits

LESS, MORE = 0.5, 1.5  # what the slider buttons multiply the strength with
MAX_FACTOR = 3.0


@command("edit", stop="generative", order=50, again=True, next="animate")
async def edit(
    request: Request,
    services: Services,
    wish: Annotated[str, Text(longest=MAX_LENGTH)],
    picture: Picture | None = None,
    seed: Annotated[int | None, Seed(MAX_SEED)] = None,
    strength: Annotated[float, Range(0.1, MAX_FACTOR)] = 1.0,
) -> AsyncIterator[Reply]:
    """Grant a wish about a made-up face, or about the one in a photo."""
    understood = await _understand(request, services, wish)
    notes: list[Note] = [Note(_unknown(phrase)) for phrase in understood.unknown]
    notes += [Note(Message("edit-refused", phrase=echo(p, 60))) for p in understood.refused]
    alt = Message("edit-alt", wishes=_listed(understood.wishes))
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
        notes.append(Note(Message("face-not-the-photo")))
    edits = {each.attribute: _step(each, strength) for each in understood.wishes}
    asked = FacesInput((face, replace(face, edits=tuple(edits.items()))), 512)
    edited = picture is not None
    async with services.submit(request, "faces", asked) as ticket:
        async for state in states(ticket, request, services, "edit-painting", alt, edited):
            yield state
    done = ticket.outcome
    result: Portraits = done.result
    made = Made(done.model, seed, edited)
    pair, after = await services.studio.run(
        draw_pair, result.pixels[0], result.pixels[1], request.language, made
    )
    await check_output(request, services, after)
    settings = () if seed is None else (Note(Message("edit-settings", seed=str(seed))),)
    yield Reply(
        blocks=(
            Say(Message("edit-said", wishes=_listed(understood.wishes))),
            *notes,
            *settings,
        ),
        pictures=(Image(pair, "edit.jpg", alt),),
        buttons=_buttons(request, seed, strength),
        credit=Credit(done.model, stand_in_for="StyleCLIP"),
        data={
            "model": done.model,
            "wish": wish,
            "edits": edits,
            "unknown": list(understood.unknown),
            "refused": list(understood.refused),
            "seed": seed,
            "strength": strength,
            "inference_seconds": result.seconds,
        },
    )


async def _understand(request: Request, services: Services, wish: str) -> Wishes:
    """What is wished for.

    Raises:
        UserError: nothing that can be granted.
    """
    async with services.submit(
        request, "face-wishes", WishInput(wish, tuple(ATTRIBUTES))
    ) as ticket:
        async for event in ticket:
            if state := waiting(event):
                services.runs.tell(state)
    understood: Wishes = ticket.outcome.result
    if not understood.wishes:
        if understood.refused:
            raise UserError("edit-refused", phrase=echo(understood.refused[0], 60))
        senses = [f"{attribute}-more" for attribute in ATTRIBUTES]
        known = Listing([Message(f"edit-{sense}") for sense in senses], "or")
        raise UserError("edit-nothing", wishes=known)
    return understood


def _unknown(phrase: str) -> Message:
    return Message("edit-unknown", phrase=echo(phrase, 60))


def _listed(wishes: tuple[Wish, ...]) -> Listing:
    """*older, and with glasses*."""
    senses = [f"{wish.attribute}-{'more' if wish.strength > 0 else 'less'}" for wish in wishes]
    return Listing([Message(f"edit-{sense}") for sense in senses])


def _step(wish: Wish, strength: float) -> float:
    """Standard deviations, within what leaves a face whole."""
    low, high = ATTRIBUTES[wish.attribute]
    return max(low, min(high, wish.strength * strength))


def _buttons(request: Request, seed: int | None, strength: float) -> tuple[Button, ...]:
    """A slider: the same wish, weaker and stronger."""
    same: dict[str, Any] = dict(call_of(request).arguments)
    if seed is not None:
        same["seed"] = seed
    buttons = []
    for name, factor in (("weaker", LESS), ("stronger", MORE)):
        other = round(strength * factor, 2)
        if 0.1 <= other <= MAX_FACTOR:
            buttons.append(
                Button(Message(f"edit-{name}"), Call("edit", {**same, "strength": other}))
            )
    if seed is not None:
        buttons.append(Button(Message("person-animate"), Call("animate", {"seed": seed})))
    return tuple(buttons)
