"""`/gpt`: what a person sees of it; with a scripted queue, and once with the real model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from handlers.kit import runner
from handlers.kit.progress import duration
from handlers.kit.reply import Generated, Reply, Say, State
from handlers.kit.services import Services
from inference.jobs import BadInput, Queued, Started, Token, WorkerLost
from inference.queue import InferenceQueue, QueueOptions
from inference.tasks import all_tasks
from inference.tasks.text_generation import GeneratedText, TextInput
from inference.weights import WeightsStore
from locales import LANGUAGES, Message, words
from tests.fakes import FakePlatform, ScriptedQueue, done, scripted, services

MODEL = "SmolLM2-135M-Instruct"


def writing(*pieces: str, stopped: str = "stop") -> Callable[[TextInput], Any]:
    result = GeneratedText("".join(pieces), len(pieces), 50.0, stopped)
    return lambda _: [Started(MODEL), *map(Token, pieces), done(result, MODEL)]


def world(
    script: Any, language: str = "en", profile: str = "embedded"
) -> tuple[FakePlatform, ScriptedQueue]:
    made, queue = scripted(profile, text_generation=script)
    return FakePlatform(made, language), queue


def generated(reply: Reply) -> list[str]:
    return [block.text for block in reply.blocks if isinstance(block, Generated)]


def calls(platform: FakePlatform, reply: Reply) -> dict[str, Any]:
    labels = platform.labels(reply)
    return {label: b.call for label, b in zip(labels, reply.buttons, strict=True)}


# --- the answer ---------------------------------------------------------------------------------


async def test_the_text_grows_and_ends() -> None:
    platform, _ = world(writing("The ", "sky ", "is ", "blue."))
    reply = await platform.ask("gpt", text="What colour is the sky?")
    *on_the_way, final = platform.states
    grown = [generated(state)[0] for state in on_the_way if generated(state)]
    assert grown == ["The ", "The sky ", "The sky is ", "The sky is blue."]
    assert all(state.state is State.PARTIAL for state in on_the_way)
    assert platform.read(on_the_way[0]) == words("en")(Message("working", model=MODEL))
    assert final is reply and reply.state is State.FINAL
    assert generated(reply) == ["The sky is blue."]


async def test_white_space_around_the_answer_is_cut() -> None:
    platform, _ = world(writing("\n\n ", "Yes.\n", "\nNo.", "\n"))
    reply = await platform.ask("gpt", text="?")
    assert generated(reply) == ["Yes.\n\nNo."]


@pytest.mark.parametrize("profile", ["embedded", "embedded-large"])
async def test_a_stand_in_says_that_it_is_one(profile: str) -> None:
    for language in LANGUAGES:
        platform, _ = world(writing("Hi"), language, profile)
        reply = await platform.ask("gpt", text="Hello")
        line = words(language)(Message("credit-stand-in", model=MODEL, original="GPT-2"))
        assert platform.read(reply).splitlines()[-1] == line


async def test_gpt_2_stands_for_itself() -> None:
    platform, _ = world(writing("Hi"), profile="full")
    reply = await platform.ask("gpt", text="Hello")
    assert platform.read(reply).splitlines()[-1] == words("en")(Message("credit", model=MODEL))


@pytest.mark.parametrize(
    ("profile", "language", "noted"),
    [
        ("embedded", "tr", True),
        ("embedded", "en", False),
        ("embedded-large", "tr", False),
        ("full", "tr", True),
    ],
)
async def test_a_reader_of_turkish_is_told_that_the_model_speaks_english_only(
    profile: str, language: str, noted: bool
) -> None:
    platform, _ = world(writing("Hello"), language, profile)
    await platform.ask("gpt", text="Merhaba")
    pull = "tadim pull qwen2.5-coder-1.5b-instruct"
    note = words(language)(Message("gpt-speaks-english", command=pull))
    # From the first state on: who waits for the answer should know.
    assert [note in platform.read(state) for state in platform.states] == [noted] * len(
        platform.states
    )


async def test_a_text_that_was_cut_off_says_where() -> None:
    for language in LANGUAGES:
        platform, _ = world(writing("Once ", "upon", stopped="length"), language)
        note = words(language)(Message("gpt-cut", tokens=2))
        assert note in platform.read(await platform.ask("gpt", text="A tale")).splitlines()


@pytest.mark.parametrize("pieces", [(), (" \n", "\n")])
async def test_silence_is_said(pieces: tuple[str, ...]) -> None:
    platform, _ = world(writing(*pieces))
    reply = await platform.ask("gpt", text="?")
    assert generated(reply) == []
    assert words("en")(Message("gpt-silent")) in platform.read(reply)
    assert not reply.error


async def test_what_the_model_writes_is_marked_as_such() -> None:
    # Presenters escape generated text and ping nobody with it; here it only has to stay apart.
    text = "@everyone <b>bold</b> {$model} /cancel *x* https://example.org"
    platform, _ = world(writing(text))
    assert generated(await platform.ask("gpt", text="?")) == [text]


async def test_the_raw_result_is_there_as_json() -> None:
    platform, _ = world(writing("a", "b", stopped="length"))
    reply = await platform.ask("gpt", text="?", temperature="0,5", length=8, seed="12")
    data = json.loads(json.dumps(dict(reply.data or {})))
    assert data == {
        "model": MODEL,
        "text": "ab",
        "temperature": 0.5,
        "seed": 12,
        "tokens": 2,
        "tokens_per_second": 50.0,
        "stopped": "length",
    }


# --- what the model is asked --------------------------------------------------------------------


async def test_the_text_and_its_settings_reach_the_model() -> None:
    platform, queue = world(writing("ok"))
    await platform.ask("gpt", text="  Köşede ne var?  ", temperature="1,25", length="64", seed=7)
    (asked,) = queue.jobs
    assert asked.payload == TextInput((("user", "Köşede ne var?"),), 64, 1.25, 7)
    assert (asked.task, asked.owner.user) == ("text-generation", platform.user)


async def test_each_question_gets_a_seed_of_its_own_and_tells_it() -> None:
    platform, queue = world(writing("ok"))
    replies = [await platform.ask("gpt", text="?") for _ in range(5)]
    seeds = [asked.payload.seed for asked in queue.jobs]
    assert len(set(seeds)) == 5
    assert [reply.data["seed"] for reply in replies if reply.data] == seeds
    assert all(0 <= seed <= 2**31 - 1 for seed in seeds)  # may be asked for again


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"text": ""}, "error-text-empty"),
        ({"text": " \n\t "}, "error-text-empty"),
        ({"text": "\u200b\ufeff"}, "error-text-empty"),
        ({"text": "x" * 4001}, "error-text-too-long"),
        ({"text": "x" * 100_000}, "error-text-too-long"),
        ({"text": "a\0b"}, "error-text-invisible"),
        ({"text": "a\u202eb"}, "error-text-invisible"),
        ({"text": "?", "temperature": "2,1"}, "error-number-range"),
        ({"text": "?", "temperature": "hot"}, "error-number-expected"),
        ({"text": "?", "length": "7"}, "error-number-range"),
        ({"text": "?", "length": 513}, "error-number-range"),
        ({"text": "?", "length": "9,5"}, "error-number-whole"),
        ({"text": "?", "seed": "-1"}, "error-number-range"),
        ({"text": "?", "model": "x"}, "error-parameter-unknown"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_refused_is_refused_in_one_sentence(
    arguments: dict[str, Any], key: str, language: str
) -> None:
    platform, queue = world(writing("ok"), language)
    reply = await platform.ask("gpt", **arguments)
    (said,) = reply.blocks
    assert reply.error and isinstance(said, Say) and said.message.key == key
    assert "\n" not in platform.read(reply)
    assert not queue.jobs
    good = await platform.ask("gpt", text="?")
    assert generated(good) == ["ok"]


async def test_numbers_in_a_refusal_are_written_as_the_reader_does() -> None:
    for language, number in (("en", "100,000"), ("tr", "100.000")):
        platform, _ = world(writing("ok"), language)
        assert number in platform.read(await platform.ask("gpt", text="x" * 100_000))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_missing_text_is_asked_for(language: str) -> None:
    platform, _ = world(writing("ok"), language)
    reply = await platform.ask("gpt", temperature="0,5")
    assert reply.state is State.QUESTION and reply.question is not None
    assert reply.question.parameter == "text"
    assert dict(reply.question.call.arguments) == {"temperature": "0,5"}


# --- buttons ------------------------------------------------------------------------------------


async def test_the_buttons_compare_temperatures_with_the_same_seed() -> None:
    platform, queue = world(writing("ok"))
    reply = await platform.ask("gpt", text="Tell me", length=32)
    seed = queue.jobs[0].payload.seed
    offered = calls(platform, reply)
    cold_label, wild_label = (words("en")(Message(f"gpt-{key}")) for key in ("greedy", "wild"))
    cold, wild = offered[cold_label], offered[wild_label]
    assert dict(cold.arguments) == {
        "text": "Tell me",
        "length": 32,
        "seed": seed,
        "temperature": 0.0,
    }
    assert dict(wild.arguments) == {**cold.arguments, "temperature": 1.4}
    assert json.loads(json.dumps(dict(wild.arguments))) == dict(wild.arguments)
    colder = await platform.ask(cold.command, **cold.arguments)
    assert queue.jobs[-1].payload == TextInput((("user", "Tell me"),), 32, 0.0, seed)
    assert cold_label not in platform.labels(colder)
    assert wild_label in platform.labels(colder)


async def test_again_is_the_same_and_a_variation_is_another() -> None:
    platform, queue = world(writing("ok"))
    reply = await platform.ask("gpt", text="Tell me")
    offered = calls(platform, reply)
    for _ in range(3):
        await platform.ask("gpt", **offered["Again"].arguments)
        await platform.ask("gpt", **offered["Variation"].arguments)
    first, *later = [job.payload.seed for job in queue.jobs]
    assert later[::2] == [first] * 3
    assert len({first, *later[1::2]}) == 4
    cold = await platform.ask("gpt", text="Tell me", temperature=0)
    assert "Variation" not in platform.labels(cold), "chance has no say in it"


async def test_the_buttons_speak_turkish() -> None:
    platform, _ = world(writing("ok"), "tr")
    labels = platform.labels(await platform.ask("gpt", text="?"))
    assert labels[:2] == ["Yalnızca en olası sözcükler", "Daha çılgın"]
    assert "Tekrar dene" in labels and "Sonraki durak: /algıla" in labels


# --- on its way ---------------------------------------------------------------------------------


async def test_who_waits_is_told_where_he_stands() -> None:
    platform, _ = world(lambda asked: [Queued(4, 9, 12.0), *writing("ok")(asked)])
    await platform.ask("gpt", text="?")
    message = Message("queued-eta", position=4, duration=duration(12))
    assert platform.read(platform.states[0]) == words("en")(message)


async def test_cancelling_in_the_middle_gives_the_job_back() -> None:
    platform, queue = world(lambda _: [Token("Once "), Token("upon ")])
    run = runner.start(platform.request("gpt", text="A tale"), platform.services)
    async for state in run:
        if generated(state) == ["Once upon "]:
            run.cancel()
    assert platform.read(await run.result()) == words("en")(Message("cancelled"))
    assert queue.cancelled


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_text_too_long_for_the_model_becomes_a_sentence(language: str) -> None:
    platform, _ = world(lambda _: [BadInput("too-long", "3000 tokens")], language)
    text = platform.read(await platform.ask("gpt", text="x" * 4000))
    assert text == words(language)(Message("error-input-too-long"))


async def test_a_stream_that_breaks_off_says_so() -> None:
    platform, _ = world(lambda _: [Token("Once "), WorkerLost("ended with code -11")])
    reply = await platform.ask("gpt", text="A tale")
    assert reply.error and reply.error_id
    assert "code -11" not in platform.read(reply)


# --- with the real model ------------------------------------------------------------------------

one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything(
    weights_store: WeightsStore, pulled: Callable[[str], Path]
) -> AsyncIterator[Services]:
    pulled("smollm2-135m-instruct")
    tasks = {"text-generation": all_tasks()["text-generation"]}
    queue = InferenceQueue(weights_store, QueueOptions(devices=("cpu",), tasks=tasks))
    made = services(queue)
    yield made
    made.studio.close()
    await queue.close()


@pytest.mark.weights
@one_loop
async def test_the_real_model_answers_and_the_seed_brings_its_answer_back(
    everything: Services,
) -> None:
    platform = FakePlatform(everything)
    reply = await platform.ask("gpt", text="What colour is the sky?", temperature=0, length=24)
    assert "blue" in generated(reply)[0]
    assert len(platform.states) > 2  # it was streamed
    assert reply.credit is not None and reply.credit.model == MODEL
    assert reply.data is not None and reply.data["tokens"] == 24
    assert words("en")(Message("gpt-cut", tokens=24)) in platform.read(reply)

    first = await platform.ask("gpt", text="Tell me a tale.", length=16)
    assert first.data is not None
    again = await platform.ask("gpt", text="Tell me a tale.", length=16, seed=first.data["seed"])
    assert generated(again) == generated(first)


@pytest.mark.weights
@one_loop
async def test_many_people_ask_and_one_of_them_too_much(everything: Services) -> None:
    people = [FakePlatform(everything, "tr", user=f"fake:{number}") for number in range(6)]
    texts = [f"Say {number}." for number in range(5)] + ["1 2 3 4 5 6 7 8 9 " * 222]
    replies = await asyncio.gather(
        *(
            person.ask("gpt", text=text, length=8)
            for person, text in zip(people, texts, strict=True)
        )
    )
    assert [reply.error for reply in replies] == [False] * 5 + [True]
    assert people[5].read(replies[5]) == words("tr")(Message("error-input-too-long"))
