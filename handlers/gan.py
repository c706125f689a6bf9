"""`/gan`: a forger and a detective train each other (the talk's slide on GAN)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from handlers.drawing.gan import draw_run, draw_state
from handlers.kit import (
    Button,
    Call,
    Choice,
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
    command,
    waiting,
)
from handlers.kit.reply import State
from inference.jobs import Progress
from inference.tasks.gan import (
    JUDGED,
    MAX_SEED,
    MAX_STEPS,
    MIN_STEPS,
    MODES,
    SLOWER,
    GanInput,
    GanResult,
    GanState,
)

PREVIEW_EVERY = 1.5  # seconds between two pictures of a training under way


@command("gan", stop="generative", order=10, again=True, next="person")
async def gan(
    request: Request,
    services: Services,
    data: Annotated[str, Choice(tuple(MODES))] = GanInput.data,
    collapse: bool = GanInput.collapse,
    steps: Annotated[int, Range(MIN_STEPS, MAX_STEPS)] = GanInput.steps,
    seed: Annotated[int, Seed(MAX_SEED)] = GanInput.seed,
) -> AsyncIterator[Reply]:
    """Train a GAN on `data`, well balanced or so that it collapses, and show how it went."""
    asked = GanInput(data, collapse, steps, seed)
    clock = asyncio.get_running_loop().time
    pictures: tuple[Image, ...] = ()
    next_picture = 0.0
    async with services.submit(request, "gan", asked) as ticket:
        async for event in ticket:
            if isinstance(event, Progress):
                if clock() >= next_picture:
                    pictures = (await _preview(event.preview, asked, request, services),)
                    next_picture = clock() + PREVIEW_EVERY
                yield _training(event, asked, pictures)
            elif state := waiting(event):
                yield state
    done = ticket.outcome
    result: GanResult = done.result
    yield Reply(
        blocks=(Say(Message("gan-drawing")),), pictures=pictures, state=State.PARTIAL, fraction=1.0
    )
    key = ("gan", asked, request.language)
    film, still = await services.studio.film(key, draw_run, result, request.language)
    yield Reply(
        blocks=tuple(_words(result)),
        pictures=(
            Image(film, "gan.gif", _alternative(result, film=True)),
            Image(still, "gan.png", _alternative(result, film=False)),
        ),
        buttons=tuple(_buttons(result)),
        credit=Credit(done.model),
        data=_data(result, done.model),
    )


async def _preview(state: GanState, asked: GanInput, request: Request, services: Services) -> Image:
    drawn = await services.studio.run(draw_state, state, asked, request.language)
    key = "gan-alt-live-digits" if asked.data == "digits" else "gan-alt-live-points"
    return Image(drawn, "gan-live.png", Message(key))


def _training(event: Progress, asked: GanInput, pictures: tuple[Image, ...]) -> Reply:
    """The state of the answer while the networks play."""
    now: GanState = event.preview
    discriminator, generator = now.losses
    message = Message(
        "gan-training",
        step=now.step,
        steps=asked.steps,
        discriminator=discriminator,
        generator=generator,
    )
    return Reply(
        blocks=(Say(message),), pictures=pictures, state=State.PARTIAL, fraction=event.fraction
    )


# --- what was seen --------------------------------------------------------------------------------


def _words(result: GanResult) -> list[Say | Note]:
    asked, end = result.asked, result.frames[-1]
    blocks: list[Say | Note] = [Say(_verdict(result))]
    if asked.collapse:
        key = "gan-why" if result.collapsed else "gan-why-not"
        blocks.append(Say(Message(key, slower=SLOWER[asked.data])))
    real, fake = end.outputs
    blocks.append(Say(Message("gan-balance", real=real, fake=fake)))
    if asked.data == "digits":
        blocks.append(Note(Message("gan-source")))
    settings = Message(
        "gan-settings", steps=asked.steps, seed=str(asked.seed), seconds=result.seconds
    )
    return [*blocks, Note(settings)]


def _verdict(result: GanResult) -> Message:
    """How the generator fared."""
    end = result.frames[-1]
    kind = "digits" if result.asked.data == "digits" else "points"
    said = f"{kind}-{_ending(result)}"
    return Message(
        f"gan-said-{said}",
        covered=end.covered,
        modes=len(end.found),
        good=end.good,
        judged=JUDGED,
        step=result.covered_since or 0,
        most=max(frame.covered for frame in result.later),
        visited=result.visited,
    )


def _ending(result: GanResult) -> str:
    """ "covered", "collapsed" or "gaps"."""
    if result.covered_since is not None:
        return "covered"
    return "collapsed" if result.collapsed else "gaps"


def _alternative(result: GanResult, film: bool) -> Message:
    end = result.frames[-1]
    if result.asked.data == "digits":
        key = "gan-alt-film-digits" if film else "gan-alt-still-digits"
    else:
        key = "gan-alt-film-points" if film else "gan-alt-still-points"
    return Message(key, covered=end.covered, modes=len(end.found), good=end.good)


# --- what to try next -----------------------------------------------------------------------------


def _buttons(result: GanResult) -> list[Button]:
    """The other balance, more steps where they may help, and other data."""
    asked = result.asked
    label = "gan-button-balance" if asked.collapse else "gan-button-collapse"
    buttons = [Button(Message(label), _call(asked, collapse=not asked.collapse))]
    if _ending(result) == "gaps" and asked.steps < MAX_STEPS:
        longer = min(MAX_STEPS, 2 * asked.steps)
        buttons.append(
            Button(Message("gan-button-steps", steps=longer), _call(asked, steps=longer))
        )
    for data, name in (
        ("ring", "gan-button-ring"),
        ("rings", "gan-button-rings"),
        ("digits", "gan-button-digits"),
    ):
        if data != asked.data:
            buttons.append(Button(Message(name), _call(asked, data=data)))
    return buttons


def _call(asked: GanInput, **other: Any) -> Call:
    same = {
        "data": asked.data,
        "collapse": asked.collapse,
        "steps": asked.steps,
        "seed": asked.seed,
    }
    return Call("gan", {**same, **other})


# --- the raw result -------------------------------------------------------------------------------


def _data(result: GanResult, model: str) -> dict[str, Any]:
    """All numbers of the run but samples and surfaces, JSON-serialisable; curves by frame."""
    asked, frames, end = result.asked, result.frames, result.frames[-1]
    return {
        "model": model,
        "data": asked.data,
        "collapse": asked.collapse,
        "discriminator_slower": SLOWER[asked.data] if asked.collapse else 1,
        "steps": asked.steps,
        "seed": asked.seed,
        "ending": _ending(result),
        "modes": len(end.found),
        "covered": end.covered,
        "covered_since": result.covered_since,
        "most_covered_later": max(frame.covered for frame in result.later),
        "visited": result.visited,
        "good": end.good,
        "found": end.found.tolist(),
        "spread": end.spread,
        "discriminator": {"loss": end.losses[0], "on_real": end.outputs[0]},
        "generator": {"loss": end.losses[1], "on_fake": end.outputs[1]},
        "curves": {
            "steps": [frame.step for frame in frames],
            "discriminator_loss": [frame.losses[0] for frame in frames],
            "generator_loss": [frame.losses[1] for frame in frames],
            "on_real": [frame.outputs[0] for frame in frames],
            "on_fake": [frame.outputs[1] for frame in frames],
            "covered": [frame.covered for frame in frames],
            "good": [frame.good for frame in frames],
            "spread": [frame.spread for frame in frames],
        },
        "training_seconds": result.seconds,
    }
