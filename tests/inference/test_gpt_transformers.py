"""The text engine on transformers, with checkpoints made here and loaded as from the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch

from inference.jobs import BadInput, ModelUnavailable, Token
from inference.model import Result, Session
from inference.models.gpt_transformers import Engine, GumbelSampler, Transformers
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import Task, Variant
from inference.tasks.text_generation import GeneratedText, TextInput
from tests.inference import tiny_checkpoints
from tests.inference.fake_models import NoWeights, job
from tests.inference.tiny_checkpoints import CONTEXT, END, SENTENCE

PROMPTS = ("a", "Merhaba dünya, " * 5, "1, 2, 3,", "?")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = (tiny_checkpoints.parrot, tiny_checkpoints.babbler, tiny_checkpoints.llama)
    return {each.__name__: each(tmp_path_factory.mktemp(each.__name__)) for each in made}


def loaded(checkpoint: Path, **options: Any) -> Transformers:
    model = Transformers({"checkpoint": str(checkpoint), **options}, {})
    model.load("cpu")
    return model


@pytest.fixture(scope="module")
def parrot(checkpoints: dict[str, Path]) -> Iterator[Transformers]:
    model = loaded(checkpoints["parrot"])
    yield model
    model.close()


@pytest.fixture(scope="module")
def babbler(checkpoints: dict[str, Path]) -> Iterator[Transformers]:
    model = loaded(checkpoints["babbler"])
    yield model
    model.close()


def asking(text: str, tokens: int = 40, temperature: float = 0.0, seed: int | None = None) -> Any:
    return TextInput((("user", text),), tokens, temperature, seed)


def run(
    model: Transformers, batch: Mapping[int, TextInput]
) -> tuple[dict[int, Any], dict[int, list[str]]]:
    """The outcome of each job, and the pieces that were streamed for it."""
    session = model.start(batch)
    outcomes: dict[int, Any] = {}
    pieces: dict[int, list[str]] = {number: [] for number in batch}
    while session.jobs:
        for number, event in session.step():
            match event:
                case Token(text):
                    pieces[number].append(text)
                case Result():
                    outcomes[number] = event.value
                case _:
                    outcomes[number] = event
    return outcomes, pieces


def write(model: Transformers, wanted: TextInput) -> GeneratedText:
    outcome = run(model, {0: wanted})[0][0]
    assert isinstance(outcome, GeneratedText), outcome
    return outcome


def rest_of(session: Session, only: int) -> dict[int, str]:
    """The texts of a session to its end, in which nobody but `only` is heard of any more."""
    texts = {}
    while session.jobs:
        for number, event in session.step():
            assert number == only
            if isinstance(event, Result):
                texts[number] = event.value.text
    return texts


# --- what it writes -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["parrot", "babbler", "llama"])
def test_greedy_texts_are_those_of_generate(checkpoints: dict[str, Path], name: str) -> None:
    model = loaded(checkpoints[name])
    outcomes, pieces = run(model, {n: asking(text) for n, text in enumerate(PROMPTS)})
    model.close()
    reference = loaded(checkpoints[name])
    for number, text in enumerate(PROMPTS):
        prompt = reference._prompt((("user", text),))
        written = reference._network.generate(
            torch.tensor([prompt]), max_new_tokens=40, do_sample=False, pad_token_id=0
        )[0, len(prompt) :]
        assert outcomes[number].tokens == len(written)
        expected = reference.tokenizer.decode(written, skip_special_tokens=True)
        # Bytes at the end that are no whole character are not shown.
        assert outcomes[number].text == expected.rstrip("\ufffd")
        assert "".join(pieces[number]) == outcomes[number].text


def test_reading_prompts_in_chunks_changes_nothing_and_holds_nobody_up(
    checkpoints: dict[str, Path], babbler: Transformers, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = {0: asking("bir", 30), 1: asking("uzun " * 20, 10), 2: asking("iki " * 20, 10)}
    expected, _ = run(babbler, batch)
    monkeypatch.setattr("inference.models.gpt_transformers.CHUNK_TOKENS", 16)
    model = loaded(checkpoints["babbler"])
    session = model.start(batch)
    heard = [0, 0, 0]
    while not heard[1]:
        list(session.step())
        heard = [text._heard for text in model._texts.values()]
    assert heard[0] > 5  # it went on while the others were being read
    session.close()
    outcomes, _ = run(model, batch)
    assert [outcomes[n].text for n in batch] == [expected[n].text for n in batch]
    model.close()


def test_it_ends_where_the_model_ends(parrot: Transformers) -> None:
    said = write(parrot, asking(SENTENCE[:5], 100))
    assert said.text == SENTENCE[5:]
    assert said.stopped == "stop"


def test_streamed_pieces_are_whole_characters(parrot: Transformers) -> None:
    outcomes, pieces = run(parrot, {0: asking(SENTENCE[:5], 100)})
    assert "".join(pieces[0]) == outcomes[0].text
    assert "🧵" in pieces[0] and "ş" in pieces[0]
    assert not any("\ufffd" in piece for piece in pieces[0])


def test_a_text_cut_off_anywhere_ends_with_a_whole_character(parrot: Transformers) -> None:
    tokens = len(parrot.tokenizer(SENTENCE[5:])["input_ids"])
    outcomes, _ = run(parrot, {n: asking(SENTENCE[:5], n) for n in range(1, tokens)})
    for length, said in outcomes.items():
        assert said.tokens == length
        assert SENTENCE[5:].startswith(said.text)
        assert said.stopped == "length"
    assert outcomes[tokens - 1].text == SENTENCE[5:-1]


def test_it_writes_in_half_precision_too(checkpoints: dict[str, Path]) -> None:
    model = loaded(checkpoints["parrot"], dtype="bfloat16")
    assert write(model, asking(SENTENCE[:5], 100)).text == SENTENCE[5:]
    model.close()


def test_special_tokens_that_somebody_types_are_letters(parrot: Transformers) -> None:
    assert (
        parrot._prompt((("user", END),))
        == parrot.tokenizer(END[:1] + END[1:2])["input_ids"]
        + (parrot.tokenizer(END[2:])["input_ids"])
    )


def test_a_chat_template_is_used_where_there_is_one(checkpoints: dict[str, Path]) -> None:
    model = loaded(checkpoints["llama"])
    prompt = model._prompt((("system", "Kısa yaz."), ("user", "Merhaba")))
    assert model.tokenizer.decode(prompt) == "s:Kısa yaz.\nu:Merhaba\na:"
    model.close()


# --- seeds --------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_text_alone_and_in_company(babbler: Transformers) -> None:
    wanted = asking("bir", 60, 1.0, seed=7)
    alone = write(babbler, wanted)
    company = {n: asking("iki " * n, 30 + n, 1.3, seed=n) for n in range(1, 7)}
    crowded, _ = run(babbler, {**company, 0: wanted})
    again = write(babbler, wanted)
    assert alone.text == crowded[0].text == again.text


def test_other_seeds_and_no_seed_give_other_texts(babbler: Transformers) -> None:
    seeds = (1, 2, 2**31 - 1, None, None)
    outcomes, _ = run(babbler, {n: asking("bir", 40, 1.0, s) for n, s in enumerate(seeds)})
    assert len({outcome.text for outcome in outcomes.values()}) == len(seeds)


def test_each_text_has_its_own_temperature(babbler: Transformers) -> None:
    cold = write(babbler, asking("bir", 40))
    outcomes, _ = run(babbler, {0: asking("bir", 40), 1: asking("bir", 40, 2.0, 5)})
    assert outcomes[0].text == cold.text != outcomes[1].text


def sampled(scores: torch.Tensor, temperature: float, draws: int, top_k: int = 0) -> torch.Tensor:
    """How often each token is drawn, as fractions."""
    sampler = GumbelSampler(top_k)
    asked = {"temperature": temperature, "generator": torch.Generator().manual_seed(1)}
    sampler._asked = [asked] * draws
    nothing = torch.empty(0)
    drawn = sampler(nothing, scores.repeat(draws, 1), nothing).argmax(-1)
    return torch.bincount(drawn, minlength=len(scores)) / draws


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_tokens_are_drawn_with_the_probabilities_of_softmax(temperature: float) -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5, -30.0])
    expected = torch.softmax(scores / temperature, 0)
    # 20,000 draws: one standard deviation is at most 0.0036.
    assert torch.allclose(sampled(scores, temperature, 20_000), expected, atol=0.015)


def test_top_k_draws_from_the_k_likeliest_only() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5])
    fractions = sampled(scores, 2.0, 5_000, top_k=3)
    assert fractions[[0, 3]].tolist() == [0, 0]
    assert (fractions[[1, 2, 4]] > 0.1).all()


# --- company ------------------------------------------------------------------------------------


def test_a_step_is_one_token_for_all(babbler: Transformers) -> None:
    session = babbler.start({n: asking("bir", 10, seed=n) for n in range(3)})
    list(session.step())
    before = {text.name: text._heard for text in babbler._texts.values()}
    list(session.step())
    after = {text.name: text._heard for text in babbler._texts.values()}
    assert {name: heard + 1 for name, heard in before.items()} == after
    session.close()


def test_as_many_texts_as_slots_advance_together(checkpoints: dict[str, Path]) -> None:
    model = loaded(checkpoints["babbler"], slots=8)
    session = model.start({n: asking("bir", 100, seed=n) for n in range(8)})
    list(session.step())
    list(session.step())
    assert [text._heard for text in model._texts.values()] == [2] * 8
    model.close()


def test_newcomers_join_between_two_tokens(babbler: Transformers) -> None:
    wanted = {1: asking("bir", 60), 2: asking("iki", 5)}
    expected = {n: write(babbler, each).text for n, each in wanted.items()}
    session = babbler.start({1: wanted[1]})
    outcomes: dict[int, str] = {}
    for turn in range(1000):
        if turn == 10:
            session.admit({2: wanted[2]})
        for number, event in session.step():
            if isinstance(event, Result):
                outcomes[number] = event.value.text
        if not session.jobs:
            break
    assert list(outcomes) == [2, 1]  # the newcomer was not made to wait
    assert outcomes == expected


def test_a_cancelled_text_is_silent_and_harms_nobody(babbler: Transformers) -> None:
    wanted = asking("bir", 30)
    expected = write(babbler, wanted).text
    session = babbler.start({1: asking("iki", 100), 2: wanted})
    for _ in range(5):
        list(session.step())
    session.cancel(1)
    assert rest_of(session, 2) == {2: expected}


def test_cancelling_frees_pages_and_slots(checkpoints: dict[str, Path]) -> None:
    model = loaded(checkpoints["babbler"], slots=2)
    for _ in range(5):  # two slots, two pages: were they not freed, the third round would starve
        session = model.start({n: asking("bir", 100) for n in range(2)})
        list(session.step())
        list(session.step())
        session.close()
    assert write(model, asking("bir", 5)).tokens == 5
    assert not model._texts
    model.close()


def test_more_texts_than_slots_are_all_written(checkpoints: dict[str, Path]) -> None:
    model = loaded(checkpoints["babbler"], slots=2)
    outcomes, _ = run(model, {n: asking("bir", 5 + n) for n in range(7)})
    assert [outcomes[n].tokens for n in range(7)] == [5 + n for n in range(7)]
    model.close()


# --- what is refused, what breaks ---------------------------------------------------------------


def test_a_prompt_that_leaves_no_room_is_too_long(babbler: Transformers) -> None:
    outcomes, _ = run(
        babbler,
        {0: asking("x" * CONTEXT), 1: asking("bir", 5), 2: asking("x" * (CONTEXT - 1), 50)},
    )
    assert isinstance(outcomes[0], BadInput) and outcomes[0].reason == "too-long"
    assert outcomes[1].tokens == 5
    assert (outcomes[2].tokens, outcomes[2].stopped) == (1, "length")


def test_the_context_can_be_set_lower_but_not_higher(checkpoints: dict[str, Path]) -> None:
    lower = loaded(checkpoints["babbler"], context=20)
    assert write(lower, asking("x" * 15, 50)).tokens == 5
    lower.close()
    higher = loaded(checkpoints["babbler"], context=10 * CONTEXT)
    assert write(higher, asking("x" * 100, 500)).tokens == CONTEXT - 100
    higher.close()


def test_nothing_to_continue_is_refused(babbler: Transformers) -> None:
    outcomes, _ = run(babbler, {0: asking(""), 1: asking("bir", 3)})
    assert isinstance(outcomes[0], BadInput) and outcomes[0].reason == "empty"
    assert outcomes[1].tokens == 3


def test_a_refused_text_that_is_cancelled_first_stays_silent(babbler: Transformers) -> None:
    session = babbler.start({0: asking("")})
    session.cancel(0)
    assert not session.jobs and not list(session.step())


def test_a_message_that_the_chat_template_refuses_fails_alone(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(checkpoints["llama"])
    refuses = "{% if messages[0].content == 'no' %}{{ raise_exception('no') }}{% endif %}yes"
    monkeypatch.setattr(model.tokenizer, "chat_template", refuses)
    outcomes, _ = run(model, {0: asking("no"), 1: asking("yes", 3)})
    assert isinstance(outcomes[0], Exception)
    assert outcomes[1].tokens == 3
    model.close()


def test_after_a_failed_step_it_goes_on_with_a_new_engine(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(checkpoints["babbler"])
    expected = write(model, asking("bir", 20)).text
    session = model.start({0: asking("bir", 20)})
    list(session.step())
    with monkeypatch.context() as broken:
        broken.setattr(model._network.transformer.h[1], "forward", _raise_out_of_memory)
        with pytest.raises(MemoryError):
            list(session.step())
    session.close()
    assert write(model, asking("bir", 20)).text == expected
    model.close()


def _raise_out_of_memory(*args: Any, **kwargs: Any) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("CUDA error: unknown error")],
    ids=repr,
)
def test_an_engine_that_cannot_be_made_is_nobodys_own_fault(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*args: Any) -> None:
        raise error

    model = loaded(checkpoints["babbler"])
    model._engine = None  # as after a failed step
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "__init__", refuse)
        with pytest.raises(type(error)):
            model.start({0: asking(""), 1: asking("bir", 5)})
    assert not model._texts
    assert write(model, asking("bir", 5)).tokens == 5
    model.close()


def test_newcomers_join_all_or_none(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(checkpoints["babbler"])
    expected = write(model, asking("bir", 20)).text
    session = model.start({0: asking("bir", 20)})
    list(session.step())
    add = Engine.add
    added: list[str] = []

    def second_fails(self: Engine, name: str, *args: Any) -> None:
        if added:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        add(self, name, *args)
        added.append(name)

    with monkeypatch.context() as broken:
        broken.setattr(Engine, "add", second_fails)
        with pytest.raises(torch.OutOfMemoryError):
            session.admit({1: asking("", 5), 2: asking("iki", 5), 3: asking("üç", 5)})
    assert added and session.jobs == {0}
    assert len(model._texts) == 1
    assert rest_of(session, 0) == {0: expected}
    model.close()


def test_pickled_weights_are_not_loaded(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    for file in checkpoints["babbler"].iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(tiny_checkpoints.gpt2().state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        loaded(tmp_path)


def test_code_in_a_checkpoint_is_not_run(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    for file in checkpoints["babbler"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = (tmp_path / "config.json").read_text(encoding="utf-8")
    mapped = '{"auto_map": {"AutoConfig": "evil.Config"}, "model_type": "evil",'
    config = config.replace('"model_type": "gpt2",', "").replace("{", mapped, 1)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')", encoding="utf-8")
    with pytest.raises(ValueError, match="trust_remote_code"):
        loaded(tmp_path)
    assert not ran.exists()


# --- through the queue --------------------------------------------------------------------------


# One queue and one worker for all of these: importing transformers takes longer than they do.
one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def q(checkpoints: dict[str, Path]) -> AsyncIterator[InferenceQueue]:
    def task(name: str, checkpoint: Path) -> Task:
        variant = Variant(
            name=name,
            entry="inference.models.gpt_transformers:Transformers",
            max_batch=4,
            options={"checkpoint": str(checkpoint), "slots": 4},
        )
        return Task(name=name, variants={"embedded": variant}, room="text", continuous=True)

    tasks = [task(name, path) for name, path in checkpoints.items()]
    tasks.append(task("nowhere", checkpoints["parrot"] / "nowhere"))
    options = QueueOptions(devices=("cpu",), tasks={each.name: each for each in tasks})
    made = InferenceQueue(NoWeights(), options)
    yield made
    await made.close()


async def told(q: InferenceQueue, task: str, wanted: TextInput) -> tuple[str, GeneratedText]:
    """What was streamed, and the result."""
    streamed = ""
    async with q.submit(job(task, wanted)) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                streamed += event.text
        return streamed, ticket.outcome.result


@one_loop
async def test_the_queue_streams_it(q: InferenceQueue) -> None:
    streamed, result = await told(q, "parrot", asking(SENTENCE[:5], 100))
    assert streamed == result.text == SENTENCE[5:]


@one_loop
async def test_many_at_once_through_the_queue(q: InferenceQueue) -> None:
    wanted = [asking("bir" * n, 40, 1.0, n) for n in range(1, 9)]
    alone = [await told(q, "babbler", each) for each in wanted[:2]]
    together = await asyncio.gather(*(told(q, "babbler", each) for each in wanted))
    assert [result.text for _, result in together[:2]] == [result.text for _, result in alone]
    assert all(streamed == result.text for streamed, result in together)


@one_loop
async def test_one_that_is_too_long_harms_nobody_in_the_queue(q: InferenceQueue) -> None:
    wanted = [asking("bir", 30), asking("x" * 500), asking("iki", 30)]
    outcomes: list[Any] = await asyncio.gather(
        *(told(q, "babbler", each) for each in wanted), return_exceptions=True
    )
    assert isinstance(outcomes[1], BadInput)
    assert outcomes[0][1].tokens == outcomes[2][1].tokens == 30


@one_loop
async def test_a_reader_who_leaves_stops_the_writing(q: InferenceQueue) -> None:
    async with q.submit(job("babbler", asking("bir", 2000))) as ticket:
        async for event in ticket:
            if isinstance(event, Token):
                break
    assert q.running == 0
    assert (await told(q, "babbler", asking("bir", 5)))[1].tokens == 5


@one_loop
async def test_a_checkpoint_that_cannot_be_had_is_unavailable(q: InferenceQueue) -> None:
    with pytest.raises(ModelUnavailable):
        await told(q, "nowhere", asking("bir"))
    assert (await told(q, "parrot", asking(SENTENCE[:5], 100)))[1].stopped == "stop"
