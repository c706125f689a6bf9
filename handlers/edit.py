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
from inference.tasks.face_guidance import MAX_TEXT, GuidanceInput, GuidedFace
from inference.tasks.face_guidance import TASK as GUIDANCE
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
    guided = _can_be_guided(services, understood)
    notes: list[Note] = []
    if not guided:
        notes += [Note(_unknown(phrase)) for phrase in understood.unknown]
    notes += [Note(Message("edit-refused", phrase=echo(p, 60))) for p in understood.refused]
    wishes = _listed(understood, guided)
    alt = Message("edit-alt", wishes=wishes)
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
    edits = _edits(understood.wishes, strength)
    after_edits = replace(face, edits=tuple(edits.items()))
    edited = picture is not None
    guidance: GuidedFace | None = None
    if guided:
        sentence = ", ".join(understood.unknown)[:MAX_TEXT]
        job = GuidanceInput(after_edits, sentence, strength, descend=edited)
        async with services.submit(request, GUIDANCE.name, job) as ticket:
            async for state in states(ticket, request, services, "edit-guiding", alt, edited):
                yield state
        guidance = ticket.outcome.result
        after_edits = guidance.face
        notes.append(Note(_guided(understood, guidance)))
    asked = FacesInput((face, after_edits), 512)
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
            Say(Message("edit-said", wishes=wishes)),
            *notes,
            *settings,
        ),
        pictures=(Image(pair, "edit.jpg", alt),),
        buttons=_buttons(request, understood.wishes, seed, strength, guided),
        credit=_credit(services, done.model, guided),
        data={
            "model": done.model,
            "wish": wish,
            "edits": edits,
            "unknown": list(understood.unknown),
            "refused": list(understood.refused),
            "seed": seed,
            "strength": strength,
            "likeness": [guidance.before, guidance.after] if guidance else None,
            "inference_seconds": result.seconds + (guidance.seconds if guidance else 0.0),
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
    if not understood.wishes and not _can_be_guided(services, understood):
        if understood.refused:
            raise UserError("edit-refused", phrase=echo(understood.refused[0], 60))
        senses = [f"{attribute}-more" for attribute in ATTRIBUTES]
        known = Listing([Message(f"edit-{sense}") for sense in senses], "or")
        raise UserError("edit-nothing", wishes=known)
    return understood


def _can_be_guided(services: Services, understood: Wishes) -> bool:
    """Whether something is wished for that no direction grants, and there is another way to it."""
    return bool(understood.unknown) and services.queue.offers(GUIDANCE.name)


def _unknown(phrase: str) -> Message:
    return Message("edit-unknown", phrase=echo(phrase, 60))


def _guided(understood: Wishes, found: GuidedFace) -> Message:
    phrase = echo(", ".join(understood.unknown), 60)
    return Message("edit-guided", phrase=phrase, before=found.before, after=found.after)


def _credit(services: Services, painter: str, guided: bool) -> Credit:
    if guided:
        return Credit(services.queue.variant(GUIDANCE.name).name)
    return Credit(painter, stand_in_for="StyleCLIP")


def _listed(understood: Wishes, guided: bool) -> Listing:
    """*older, with glasses and “a mohawk”*."""
    listed = []
    for wish in understood.wishes:
        sense = f"{wish.attribute}-{'more' if wish.strength > 0 else 'less'}"
        listed.append(Message(f"edit-{sense}"))
    if guided:
        quoted = [Message("edit-quoted", phrase=echo(each, 60)) for each in understood.unknown]
        listed += quoted
    return Listing(listed)


def _edits(wishes: tuple[Wish, ...], strength: float) -> dict[str, float]:
    """Standard deviations of each attribute, within what leaves a face whole."""
    edits = {}
    for wish in wishes:
        low, high = ATTRIBUTES[wish.attribute]
        edits[wish.attribute] = max(low, min(high, wish.strength * strength))
    return edits


def _buttons(
    request: Request, wishes: tuple[Wish, ...], seed: int | None, strength: float, guided: bool
) -> tuple[Button, ...]:
    """A slider: the same wish, weaker and stronger, where that changes something.

    `guided`: a wish has no limit that is known.
    """
    same: dict[str, Any] = dict(call_of(request).arguments)
    if seed is not None:
        same["seed"] = seed
    buttons = []
    for name, factor in (("weaker", LESS), ("stronger", MORE)):
        other = round(strength * factor, 2)
        while (
            not guided
            and 0.1 <= other <= MAX_FACTOR
            and _edits(wishes, other) == _edits(wishes, strength)
        ):
            other = round(other * factor, 2)  # both are beyond what leaves a face whole
        if 0.1 <= other <= MAX_FACTOR:
            buttons.append(
                Button(Message(f"edit-{name}"), Call("edit", {**same, "strength": other}))
            )
    if seed is not None:
        buttons.append(Button(Message("person-animate"), Call("animate", {"seed": seed})))
    return tuple(buttons)
