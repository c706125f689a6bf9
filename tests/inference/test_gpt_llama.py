"""The text engine on llama.cpp, with the real SmolLM2."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from inference.jobs import BadInput, Token
from inference.model import Result, Session
from inference.models.gpt import LlamaCpp, chunk_on_cpu, physical_cores_but_one
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.text_generation import GeneratedText, TextInput
from inference.weights import WeightsStore
from tests.inference.fake_models import job

pytestmark = pytest.mark.weights

WEIGHTS = "smollm2-135m-instruct"
CONTEXT = 1024
SLOTS = 2
#: takes the small model some seconds to read
LONG = "The cat sat on the mat. " * 120


@pytest.fixture(scope="module")
def model(pulled: Callable[[str], Path]) -> Iterator[LlamaCpp]:
    made = LlamaCpp({"context": CONTEXT, "slots": SLOTS}, {WEIGHTS: pulled(WEIGHTS)})
    made.load("cpu")
    yield made
    made.close()


def asking(text: str, tokens: int = 24, temperature: float = 0.0, seed: int | None = None) -> Any:
    return TextInput((("user", text),), tokens, temperature, seed)


def finish(session: Session, outcomes: dict[int, Any] | None = None) -> dict[int, Any]:
    """Step a session to its end; the outcome of each job."""
    outcomes = {} if outcomes is None else outcomes
    while session.jobs:
        for number, event in session.step():
            if not isinstance(event, Token):
                outcomes[number] = event.value if isinstance(event, Result) else event
    return outcomes


def write(model: LlamaCpp, batch: Mapping[int, TextInput]) -> dict[int, Any]:
    return finish(model.start(batch))


def text(model: LlamaCpp, wanted: TextInput) -> GeneratedText:
    outcome = write(model, {0: wanted})[0]
    assert isinstance(outcome, GeneratedText), outcome
    return outcome


# --- what it writes -----------------------------------------------------------------------------


def test_it_knows_the_sky(model: LlamaCpp) -> None:
    said = text(model, asking("What colour is the sky?"))
    assert "blue" in said.text
    assert said.tokens_per_second > 0


def test_pieces_are_streamed_and_add_up(model: LlamaCpp) -> None:
    session = model.start({0: asking("Count from one to ten in words.", 40)})
    pieces: list[str] = []
    while session.jobs:
        for _, event in session.step():
            match event:
                case Token(piece):
                    pieces.append(piece)
                case Result():
                    result = event.value
    assert len(pieces) > 5
    assert "".join(pieces) == result.text


def test_it_stops_at_the_limit_or_by_itself(model: LlamaCpp) -> None:
    cut = text(model, asking("Tell me a long story about the sea.", 8))
    assert (cut.tokens, cut.stopped) == (8, "length")
    whole = text(model, asking("Count from one to five.", 200))
    assert whole.stopped == "stop"
    assert whole.tokens < 200


def test_a_seed_gives_the_same_text_again(model: LlamaCpp) -> None:
    wanted = asking("Write a line about winter.", 30, 1.0, seed=11)
    first = text(model, wanted)
    text(model, asking("Something else in between."))
    assert text(model, wanted).text == first.text
    assert text(model, asking("Write a line about winter.", 30, 1.0, seed=12)).text != first.text


def test_without_a_seed_each_text_is_another(model: LlamaCpp) -> None:
    wanted = asking("Write a line about winter.", 30, 1.5)
    assert text(model, wanted).text != text(model, wanted).text


def test_temperature_zero_is_the_same_whatever_the_seed(model: LlamaCpp) -> None:
    said = [text(model, asking("Name three colours.", 20, 0.0, seed)) for seed in (1, 2, None)]
    assert len({each.text for each in said}) == 1


@pytest.mark.parametrize(
    "word", ["köşe, ığdır, ŞİİR", "🧵👩‍👩‍👧‍👦", "日本語", "عربي", "\u200b\ufeff"]
)
def test_any_script_goes_in_and_valid_text_comes_out(model: LlamaCpp, word: str) -> None:
    said = text(model, asking(f"Repeat exactly: {word}", 30))
    assert said.text.encode("utf-8").decode("utf-8") == said.text
    assert "\ufffd" not in said.text


def test_an_empty_text_gets_an_answer_or_a_refusal_and_nothing_breaks(model: LlamaCpp) -> None:
    outcome = write(model, {0: asking("", 5)})[0]
    assert isinstance(outcome, GeneratedText | BadInput)
    assert text(model, asking("Hello", 3)).tokens == 3


# --- company ------------------------------------------------------------------------------------


def test_more_texts_than_slots_are_all_written(model: LlamaCpp) -> None:
    batch = {n: asking(f"What is {n} plus {n}?", 8) for n in range(2 * SLOTS + 1)}
    outcomes = write(model, batch)
    assert sorted(outcomes) == sorted(batch)
    assert all(isinstance(each, GeneratedText) for each in outcomes.values())


def test_a_newcomer_overtakes_a_long_text(model: LlamaCpp) -> None:
    session = model.start({1: asking("Tell me a long story about the sea.", 300)})
    while not any(isinstance(event, Token) for _, event in session.step()):
        pass
    session.admit({2: asking("What is the capital of France?", 5)})
    outcomes: dict[int, Any] = {}
    while 2 in session.jobs:
        outcomes |= {n: e for n, e in session.step() if not isinstance(e, Token)}
    assert 1 in session.jobs
    assert outcomes[2].value.tokens == 5
    session.close()


# --- what is refused, what is cancelled ---------------------------------------------------------


def test_a_prompt_longer_than_the_context_is_too_long_for_itself_alone(model: LlamaCpp) -> None:
    outcomes = write(model, {0: asking(LONG * 4), 1: asking("What colour is the sky?")})
    assert isinstance(outcomes[0], BadInput) and outcomes[0].reason == "too-long"
    assert "blue" in outcomes[1].text


def test_a_prompt_that_fills_the_context_is_cut_where_that_ends(model: LlamaCpp) -> None:
    said = text(model, asking(LONG + LONG[: len(LONG) // 8], 2000))
    assert said.stopped == "length"
    assert said.tokens < 200


def test_a_cancelled_text_falls_silent_and_frees_its_slot(model: LlamaCpp) -> None:
    batch = {n: asking("Tell me a long story about the sea.", 900, 1.0) for n in range(SLOTS)}
    session = model.start(batch)
    heard: set[int] = set()
    while heard != set(batch):
        heard |= {number for number, event in session.step() if isinstance(event, Token)}
    for number in batch:
        session.cancel(number)
    assert not session.jobs and not list(session.step())
    # All slots were taken; that this is answered shows that they are free.
    assert text(model, asking("Hello", 3)).tokens == 3


def test_cancelling_while_the_prompt_is_read_frees_the_slot(model: LlamaCpp) -> None:
    # All slots read prompts; another text waits for one to be free.
    prompts = [f"Story {n}. " + LONG for n in range(SLOTS)]  # else the server would remember
    session = model.start({n: asking(prompt, 1) for n, prompt in enumerate(prompts)})
    while len(busy_slots(model)) < SLOTS:
        assert not list(session.step())
    session.admit({99: asking("Hello", 3)})
    for number in range(SLOTS):
        session.cancel(number)
    assert list(finish(session)) == [99]
    assert not busy_slots(model)
    # What was read of a cancelled prompt is still remembered: it was not the whole.
    again = timings(model, prompts[0])
    assert again["prompt_n"] > again["cache_n"]


def test_that_slot_is_freed_beside_others_too(model: LlamaCpp) -> None:
    session = model.start({1: asking("Tell me a long story about the sea.", 900, 1.0, 5)})
    while not any(isinstance(event, Token) for _, event in session.step()):
        pass
    prompt = "One more story. " + LONG
    session.admit({2: asking(prompt, 1)})
    while len(busy_slots(model)) < SLOTS:
        list(session.step())
    session.admit({99: asking("Hello", 3)})
    session.cancel(2)
    while 99 in session.jobs:
        list(session.step())
    assert 1 in session.jobs  # it wrote all the time: had it ended, that would have freed a slot
    session.close()
    again = timings(model, prompt)
    assert again["prompt_n"] > again["cache_n"]


# Sizes of the manifest's files, and the slots of their variants.
@pytest.mark.parametrize(
    ("size", "slots", "chunk"),
    [
        (98_362_432, 8, 64),  # SmolLM2-135M
        (491_400_064, 4, 13),  # Qwen2.5-Coder-0.5B
        (1_117_320_768, 4, 8),  # Qwen2.5-Coder-1.5B
        (1_117_320_768, 8, 16),  # eight texts would leave a chunk of 8 no room for prompts
        (9_000_000_000, 4, 8),
    ],
)
def test_larger_models_read_prompts_in_shorter_chunks(size: int, slots: int, chunk: int) -> None:
    assert chunk_on_cpu(size, slots) == chunk


def test_the_server_reads_prompts_in_those_chunks(
    pulled: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pulled(WEIGHTS)
    monkeypatch.setattr("inference.models.gpt.CHUNK_WORK", 24 * path.stat().st_size)
    made = LlamaCpp({"context": CONTEXT, "slots": SLOTS}, {WEIGHTS: path})
    made.load("cpu")
    connection = made.connect()
    message = {"role": "user", "content": LONG[: len(LONG) // 5]}
    body = {"messages": [message], "max_tokens": 1, "stream": True, "return_progress": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), made.headers)
    lines = connection.getresponse().read().decode().splitlines()
    said = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    read = [each["prompt_progress"]["processed"] for each in said if "prompt_progress" in each]
    assert len(read) > 3
    assert {later - earlier for earlier, later in itertools.pairwise(read[:-1])} == {24}
    connection.close()
    made.close()


def test_streams_go_on_while_a_long_prompt_is_read(model: LlamaCpp) -> None:
    session = model.start({1: asking("Tell me a long story about the sea.", 300)})
    while not any(isinstance(event, Token) for _, event in session.step()):
        pass
    session.admit({2: asking("A new story. " + LONG, 1)})
    pieces = 0
    while 2 in session.jobs:
        pieces += sum(number == 1 for number, _ in session.step())
    assert pieces >= 5  # one for each chunk of the prompt, if nobody else needs the CPU
    session.close()


def server(model: LlamaCpp, method: str, path: str, body: Any = None) -> Any:
    """Ask the server itself."""
    connection = model.connect()
    connection.request(method, path, json.dumps(body), model.headers)
    told = json.loads(connection.getresponse().read())
    connection.close()
    return told


def busy_slots(model: LlamaCpp) -> list[Any]:
    return [slot for slot in server(model, "GET", "/slots") if slot["is_processing"]]


def timings(model: LlamaCpp, prompt: str) -> Any:
    """How many tokens of a prompt it had read before (`cache_n`) and had to read (`prompt_n`)."""
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 1}
    return server(model, "POST", "/v1/chat/completions", body)["timings"]


def test_cancelling_before_the_request_is_out_is_harmless(model: LlamaCpp) -> None:
    for _ in range(20):
        session = model.start({0: asking("Hello", 500)})
        session.cancel(0)
        session.close()
    assert text(model, asking("Hello", 3)).tokens == 3


def test_its_server_answers_nobody_without_the_key(model: LlamaCpp) -> None:
    connection = model.connect()
    assert connection.host == "127.0.0.1"
    connection.request("POST", "/v1/chat/completions", '{"messages": []}')
    assert connection.getresponse().status == 401
    connection.close()


def test_it_leaves_a_core_to_the_others() -> None:
    assert physical_cores_but_one() >= 1


# --- through the queue --------------------------------------------------------------------------

one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def q(
    weights_store: WeightsStore, pulled: Callable[[str], Path]
) -> AsyncIterator[InferenceQueue]:
    pulled(WEIGHTS)
    tasks = {"text-generation": all_tasks()["text-generation"]}
    made = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), tasks=tasks))
    yield made
    await made.close()


async def told(q: InferenceQueue, wanted: TextInput) -> tuple[str, GeneratedText]:
    streamed = ""
    async with q.submit(job("text-generation", wanted)) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                streamed += event.text
        return streamed, ticket.outcome.result


@one_loop
async def test_eight_at_once_through_the_queue(q: InferenceQueue) -> None:
    wanted = [asking(f"Write one sentence about the number {n}.", 16, 0.7, n) for n in range(8)]
    together = await asyncio.gather(*(told(q, each) for each in wanted))
    assert all(streamed == result.text and result.tokens for streamed, result in together)


@one_loop
async def test_one_that_is_too_long_harms_nobody_in_the_queue(q: InferenceQueue) -> None:
    wanted = [asking("Hello", 8), asking(LONG * 8), asking("Good evening", 8)]
    outcomes: list[Any] = await asyncio.gather(
        *(told(q, each) for each in wanted), return_exceptions=True
    )
    assert isinstance(outcomes[1], BadInput)
    assert outcomes[0][1].tokens == outcomes[2][1].tokens == 8


@one_loop
async def test_a_reader_who_leaves_stops_the_writing(q: InferenceQueue) -> None:
    async with q.submit(job("text-generation", asking("Tell me a long story.", 2000))) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                break
    assert q.running == 0
    assert (await told(q, asking("Hello there", 4)))[1].tokens == 4
