"""Text generation: messages go in, tokens stream out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from inference.tasks import Task, Variant


@dataclass(frozen=True, slots=True)
class TextInput:
    """`messages`: (role, text) pairs, roles "system", "user", "assistant".

    `max_tokens`: 1…2048. `temperature`: 0 (greedy) … 2. `seed`: None draws a new one each time.
    `shareable`: whether others may ask for the very same; not where the seed was just drawn.
    """

    messages: tuple[tuple[str, str], ...]
    max_tokens: int = 160
    temperature: float = 0.7
    seed: int | None = None
    shareable: bool = True


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """`stopped`: "stop" when the model ended by itself, "length" at `max_tokens`.

    `tokens_per_second` is the engine's own figure for this stream, prompt reading apart.
    """

    text: str
    tokens: int
    tokens_per_second: float
    stopped: str


def _share_key(payload: TextInput) -> Hashable:
    # Greedy decoding gives the same text every time; sampling does so only with a seed.
    if not payload.shareable:
        return None
    return payload if payload.seed is not None or payload.temperature == 0 else None


def _units(payload: TextInput) -> float:
    return payload.max_tokens


TASK = Task(
    name="text-generation",
    room="text",
    continuous=True,
    timeout=300,
    variants={
        "embedded": Variant(
            name="SmolLM2-135M-Instruct",
            entry="inference.models.gpt:LlamaCpp",
            weights=("smollm2-135m-instruct",),
            memory=400_000_000,
            max_batch=8,
            options={"languages": ("en",), "context": 2048, "stands_in_for": "GPT-2"},
        ),
        "embedded-large": Variant(
            name="Qwen2.5-Coder-1.5B-Instruct",
            entry="inference.models.gpt:LlamaCpp",
            weights=("qwen2.5-coder-1.5b-instruct",),
            memory=2_000_000_000,
            max_batch=4,
            options={
                "languages": ("en", "tr"),
                "context": 4096,
                "slots": 4,
                "stands_in_for": "GPT-2",
            },
        ),
        "full": Variant(
            name="GPT-2 large",
            entry="inference.models.gpt_transformers:Transformers",
            # 3.1 GB of weights and as much again for the keys and values of eight full contexts.
            memory=6_800_000_000,
            max_batch=8,
            options={
                "languages": ("en",),
                "checkpoint": "openai-community/gpt2-large",
                "revision": "32b71b12589c2f8d625668d2335a01cac3249519",
                "dtype": "float32",  # a seeded text must not depend on who else is served
                "context": 1024,
                "slots": 8,
                "top_k": 40,  # as in the paper
            },
        ),
    },
    share_key=_share_key,
    units=_units,
)
