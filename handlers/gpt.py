"""`/gpt`: a language model answers, word by word (the talk's slides on GPT 1/2/3)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Annotated

from handlers.kit import (
    Button,
    Call,
    Credit,
    Generated,
    Message,
    Note,
    Range,
    Reply,
    Request,
    Seed,
    Services,
    Text,
    command,
    waiting,
)
from handlers.kit.reply import State
from inference.jobs import Token
from inference.tasks.text_generation import GeneratedText, TextInput

GREEDY, WILD = 0.0, 1.4  # the temperatures that the buttons offer to compare


@command("gpt", stop="language", order=10, again=True, next="detect")
async def gpt(
    request: Request,
    services: Services,
    text: Annotated[str, Text(longest=4000, long=True)],
    temperature: Annotated[float, Range(0, 2)] = 0.7,
    length: Annotated[int, Range(8, 512)] = 160,
    seed: Annotated[int | None, Seed()] = None,
) -> AsyncIterator[Reply]:
    """Stream the model's answer to `text`; at most `length` tokens."""
    variant = services.queue.variant("text-generation")
    note = _language_note(request, variant.options.get("languages", ()))
    drawn = seed is None
    seed = secrets.randbelow(2**31) if seed is None else seed
    shareable = not drawn or temperature == GREEDY
    payload = TextInput((("user", text),), length, temperature, seed, shareable)
    written = ""
    async with services.submit(request, "text-generation", payload) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                written += event.text
                yield Reply(blocks=(Generated(written), *note), state=State.PARTIAL)
            elif state := waiting(event):
                yield state.plus(*note)
    done = ticket.outcome
    result: GeneratedText = done.result
    blocks = (Generated(result.text.strip()),) if result.text.strip() else ()
    cut = (Note(Message("gpt-cut", tokens=result.tokens)),) if result.stopped == "length" else ()
    empty = () if blocks else (Note(Message("gpt-silent")),)
    yield Reply(
        blocks=(*blocks, *empty, *cut, *note),
        buttons=_other_temperatures(text, temperature, length, seed),
        credit=Credit(done.model, stand_in_for=variant.options.get("stands_in_for")),
        data={
            "model": done.model,
            "text": result.text,
            "temperature": temperature,
            "seed": seed if temperature > GREEDY else None,  # it decides nothing then
            "tokens": result.tokens,
            "tokens_per_second": result.tokens_per_second,
            "stopped": result.stopped,
        },
    )


def _language_note(request: Request, languages: tuple[str, ...]) -> tuple[Note, ...]:
    """Say so where the model does not speak the reader's language, and what would."""
    if not languages or request.language in languages:
        return ()
    return (Note(Message("gpt-speaks-english", command="tadim pull qwen2.5-coder-1.5b-instruct")),)


def _other_temperatures(
    text: str, temperature: float, length: int, seed: int
) -> tuple[Button, ...]:
    """The same question and seed, colder and warmer, to see what temperature does."""
    same = {"text": text, "length": length, "seed": seed}
    return tuple(
        Button(Message(label), Call("gpt", {**same, "temperature": value}))
        for label, value in (("gpt-greedy", GREEDY), ("gpt-wild", WILD))
        if value != temperature
    )
