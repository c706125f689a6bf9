"""`/xor`: one line fails, a hidden layer learns (the talk's slides on XOR and representation)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Annotated, Any

from handlers.drawing.spaces import draw_run, draw_state
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
    command,
    waiting,
)
from handlers.kit.reply import State
from inference.jobs import Progress
from inference.tasks.xor import MAX_HIDDEN, MAX_SEED, MAX_STEPS, MIN_STEPS, XorInput, XorResult

LN_2 = math.log(2)
PREVIEW_EVERY = 1.0  # seconds between two pictures of a training under way


@command("xor", stop="what-is", order=1, again=True, next="gpt")
async def xor(
    request: Request,
    services: Services,
    hidden: Annotated[int, Range(1, MAX_HIDDEN)] = XorInput.hidden,
    steps: Annotated[int, Range(MIN_STEPS, MAX_STEPS)] = XorInput.steps,
    seed: Annotated[int, Seed(MAX_SEED)] = XorInput.seed,
) -> AsyncIterator[Reply]:
    """Train a perceptron and an MLP with `hidden` units on XOR, and show what they learned."""
    asked = XorInput(hidden, steps, seed)
    clock = asyncio.get_running_loop().time
    pictures: tuple[Image, ...] = ()
    next_picture: float | None = None
    async with services.submit(request, "xor", asked) as ticket:
        async for event in ticket:
            if isinstance(event, Progress):
                if next_picture is None:  # most runs are over before their first
                    next_picture = clock() + PREVIEW_EVERY
                elif clock() >= next_picture:
                    drawn = await services.studio.run(draw_state, event.preview, request.language)
                    pictures = (Image(drawn, "xor-live.png", Message("xor-alt-live")),)
                    next_picture = clock() + PREVIEW_EVERY
                yield _training(event, asked, pictures)
            elif state := waiting(event):
                yield state
    done = ticket.outcome
    result: XorResult = done.result
    yield Reply(
        blocks=(Say(Message("xor-drawing")),), pictures=pictures, state=State.PARTIAL, fraction=1.0
    )
    key = ("xor", asked, request.language)
    film, still = await services.studio.film(key, draw_run, result, request.language)
    yield Reply(
        blocks=tuple(_words(result)),
        pictures=(
            Image(film, "xor.gif", _alternative("xor-alt-film", result)),
            Image(still, "xor.png", _alternative("xor-alt-still", result)),
        ),
        buttons=tuple(_buttons(result)),
        credit=Credit(done.model),
        data=_data(result, done.model),
    )


def _training(event: Progress, asked: XorInput, pictures: tuple[Image, ...]) -> Reply:
    """The state of the answer while the networks learn."""
    now = event.preview
    message = Message(
        "xor-training",
        step=now.step,
        steps=asked.steps,
        perceptron=now.perceptron_loss,
        mlp=now.mlp_loss,
    )
    return Reply(
        blocks=(Say(message),), pictures=pictures, state=State.PARTIAL, fraction=event.fraction
    )


# --- what was seen --------------------------------------------------------------------------------


def _words(result: XorResult) -> list[Say | Note]:
    perceptron = Message(
        "xor-perceptron",
        best=int(result.perceptron_right.max()),
        loss=float(result.perceptron_losses[-1]),
    )
    settings = Message(
        "xor-settings", steps=result.steps, seed=str(result.seed), seconds=result.seconds
    )
    blocks: list[Say | Note] = [Say(perceptron), Say(_verdict(result))]
    if result.hidden > 2:
        blocks.append(Say(Message("xor-view", hidden=result.hidden, share=result.h_share)))
    return [*blocks, Note(settings)]


def _verdict(result: XorResult) -> Message:
    """How the MLP fared, and what would help where it did not learn."""
    return Message(
        f"xor-mlp-{_ending(result)}",
        hidden=result.hidden,
        right=int(result.mlp_right[-1]),
        step=result.learned_at or 0,
        loss=float(result.mlp_losses[-1]),
    )


def _ending(result: XorResult) -> str:
    """ "learned", "one-unit", "plateau", "falling" or "stuck"."""
    loss = float(result.mlp_losses[-1])
    if result.learned_at is not None:
        return "learned"
    if result.hidden == 1:
        return "one-unit"
    if loss > 0.95 * LN_2:
        return "plateau"
    # In a local minimum the last tenth of the steps brings next to nothing.
    earlier = float(result.mlp_losses[round(0.9 * result.steps)])
    return "falling" if loss < 0.97 * earlier else "stuck"


def _alternative(key: str, result: XorResult) -> Message:
    if result.learned_at is not None:
        ending = Message("xor-alt-learned")
    else:
        ending = Message("xor-alt-not-learned", right=int(result.mlp_right[-1]))
    return Message(key, loss=float(result.mlp_losses[-1]), ending=ending)


# --- what to try next -----------------------------------------------------------------------------


def _buttons(result: XorResult) -> list[Button]:
    """More hidden units, and what this run lacks (or the unit it can do without)."""
    hidden, steps, seed = result.hidden, result.steps, result.seed
    buttons = []
    if hidden < MAX_HIDDEN:
        more = min(MAX_HIDDEN, 2 * hidden)
        buttons.append(Button(Message("xor-button-hidden", hidden=more), _call(more, steps, seed)))
    if _ending(result) in ("plateau", "falling") and steps < MAX_STEPS:
        longer = min(MAX_STEPS, 2 * steps)
        buttons.append(
            Button(Message("xor-button-steps", steps=longer), _call(hidden, longer, seed))
        )
    elif hidden > 1:
        buttons.append(Button(Message("xor-button-hidden", hidden=1), _call(1, steps, seed)))
    return buttons


def _call(hidden: int, steps: int, seed: int) -> Call:
    return Call("xor", {"hidden": hidden, "steps": steps, "seed": seed})


# --- the raw result -------------------------------------------------------------------------------


def _data(result: XorResult, model: str) -> dict[str, Any]:
    """All numbers of the run but the grids, JSON-serialisable; the curves at the film's steps."""
    frames = result.frames
    return {
        "model": model,
        "hidden": result.hidden,
        "steps": result.steps,
        "seed": result.seed,
        "ending": _ending(result),
        "learned_at": result.learned_at,
        "perceptron": {
            "loss": float(result.perceptron_losses[-1]),
            "lowest_loss": float(result.perceptron_losses.min()),
            "best_right": int(result.perceptron_right.max()),
            "outputs": list(result.perceptron_outputs),
        },
        "mlp": {
            "loss": float(result.mlp_losses[-1]),
            "right": int(result.mlp_right[-1]),
            "accuracy": int(result.mlp_right[-1]) / 4,
            "outputs": list(result.mlp_outputs),
            "h_points": result.h_points[-1].tolist(),
            "h_share": result.h_share,
        },
        "curves": {
            "steps": frames.tolist(),
            "perceptron_loss": result.perceptron_losses[frames].tolist(),
            "mlp_loss": result.mlp_losses[frames].tolist(),
        },
        "weights": result.weights,
        "training_seconds": result.seconds,
    }
