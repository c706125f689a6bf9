"""GPT on a GPU: the transformer decoders of the model hub, many texts advancing together.

- Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019.
- Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models", OSDI
  2022: *continuous batching*, texts join and leave the batch between two tokens.
- Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention",
  SOSP 2023: keys and values live in pages, which nobody copies when a neighbour comes or goes.
- Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI
  2024: a long prompt is read in chunks beside the others' next tokens, so no stream stops for it.
- Gumbel, "Statistical Theory of Extreme Values and Some Practical Applications", 1954; Maddison,
  Tarlow & Minka, "A* Sampling", NIPS 2014: to sample is to take the maximum of disturbed scores.

The batching is transformers' own. It knows a temperature for each text, but no seed: it draws all
tokens from one generator, so that what a text becomes depends on who else is served.
`GumbelSampler` takes the drawing over; the engine is left with picking maxima, and all that is
random about a text comes from a generator of its own.

Neighbours then change nothing but the last digits. Measured over 100 tokens of a 6-layer GPT-2 on
a CPU, alone and among 8: log-probabilities moved by up to 3e-6 in single precision, and the text
stayed the same; in bfloat16 they moved by up to 0.016, and it turned at token 40. So equal seeds
give equal texts in single precision whoever else is served, in bfloat16 only to those served alone.

A loop of our own over `model(…, past_key_values=…)` wrote 8 texts of 300 tokens as fast on that CPU
(6.2 s each, the same tokens). It would still have to pad all texts to the longest, copy all keys
and values for every newcomer, and read long prompts in one go; so the engine it is.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from tokenizers.decoders import DecodeStream
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    ContinuousBatchingConfig,
    GenerationConfig,
)
from transformers.generation import LogitsProcessorList
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessorList,
)

from inference.jobs import BadInput, ModelFailed, Token
from inference.model import JobId, Model, Result, Session, SessionEvent
from inference.models.gpt import physical_cores_but_one
from inference.tasks.text_generation import GeneratedText, TextInput

PAGE_TOKENS = 256  # tokens whose keys and values lie together
CHUNK_TOKENS = 512  # tokens computed in one step, of prompts and of all texts together


class Transformers(Model):
    """A decoder in the hub's format. It answers where it has a chat template, else it continues.

    Options:
        `checkpoint`: a hub id, or a local folder. Only safetensors are read, and no code is run.
        `revision`: the hub's commit to take.
        `dtype`: name of a torch dtype; unless given, "bfloat16" on a GPU and "float32" on a CPU.
        `context`: tokens a text may have, prompt included; at most, and unless given, the model's.
        `slots`: texts that are written at the same time.
        `top_k`: draw from the k likeliest tokens only; 0: from all.
        `threads`: as of `inference.models.gpt.LlamaCpp`, where the model runs on a CPU.
    """

    def load(self, device: str) -> None:
        on_cpu = device == "cpu"
        if on_cpu:
            torch.set_num_threads(int(self.options.get("threads") or 0) or physical_cores_but_one())
        dtype = self.options.get("dtype", "float32" if on_cpu else "bfloat16")
        source = {"revision": self.options.get("revision", "main"), "trust_remote_code": False}
        checkpoint = str(self.options["checkpoint"])
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint, **source)
        self._network = AutoModelForCausalLM.from_pretrained(
            checkpoint, **source, use_safetensors=True, dtype=getattr(torch, dtype)
        )
        self._network.to(device).eval()
        longest = int(self._network.config.max_position_embeddings)
        self._context = min(int(self.options.get("context", longest)), longest)
        self._ends = _token_ids(self._network.generation_config.eos_token_id)
        self._engine: Engine | None = None
        self._texts: dict[str, _Text] = {}  # those being written, by the engine's name for them
        self._names = map(str, itertools.count())
        # The first pass allocates; and should a new transformers no longer fit this file, the
        # model does not load, rather than failing under the first reader.
        for _, event in _run(self.start({0: TextInput((("user", "."),), max_tokens=2)})):
            if isinstance(event, BaseException):
                raise event

    def start(self, batch: Mapping[JobId, TextInput]) -> Session:
        session = _Texts(self)
        session.admit(batch)
        return session

    def close(self) -> None:
        self._engine = None
        on_cuda = self._network.device.type == "cuda"
        del self._network
        if on_cuda:
            torch.cuda.empty_cache()

    def read(self, wanted: TextInput) -> list[int]:
        """The tokens of a text's prompt.

        Raises:
            BadInput: "empty", or "too-long": the prompt leaves no room for an answer.
            Exception: whatever the chat template raises over this input.
        """
        prompt = self._prompt(wanted.messages)
        if not prompt:
            raise BadInput("empty")
        if len(prompt) >= self._context:
            raise BadInput("too-long", f"{len(prompt)} tokens, the context holds {self._context}")
        return prompt

    def begin(self, prompt: list[int], wanted: TextInput) -> _Text:
        """Have a text written, from the next step on.

        Raises:
            Exception: whatever making the engine meets, out of memory say. Nothing has begun.
        """
        if self._engine is None:
            slots, top_k = int(self.options.get("slots", 8)), int(self.options.get("top_k", 0))
            self._engine = Engine(self._network, slots, self._context, GumbelSampler(top_k))
        text = _Text(next(self._names), self.tokenizer.backend_tokenizer, self._ends)
        tokens = min(wanted.max_tokens, self._context - len(prompt))
        self._engine.add(text.name, prompt, tokens, self._ends, wanted)
        self._texts[text.name] = text
        return text

    def step(self) -> None:
        """One step of the engine; what came of it lies in the texts' `events`.

        Raises:
            Exception: whatever the step met, out of memory say. All texts are lost.
        """
        if self._engine is None:
            return
        try:
            for output in self._engine.step():
                if (text := self._texts.get(output.request_id)) is not None:
                    text.hear(output)
        except Exception as error:
            # Nobody knows what state it is in. A new one is made when the memory of this is free.
            self._engine = None
            for text in self._texts.values():
                text.events.append(error)
            raise

    def end(self, text: _Text) -> None:
        """Forget a text, written or not, and free what it holds."""
        del self._texts[text.name]
        if self._engine is not None:
            self._engine.cancel(text.name)

    def _prompt(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """The tokens to go on from."""
        ids: list[int]
        if self.tokenizer.chat_template:
            chat = [{"role": role, "content": text} for role, text in messages]
            ids = self.tokenizer.apply_chat_template(
                chat, add_generation_prompt=True, return_dict=True
            )["input_ids"]
        else:
            text = "\n\n".join(text for _, text in messages)
            # Somebody who types "<|endoftext|>" gets those letters, not the token.
            ids = self.tokenizer(text, split_special_tokens=True)["input_ids"]
        return ids


class Engine:
    """transformers' continuous batching, turned by hand.

    The library turns it in a thread of its own. Here the worker does, one step at a time, between
    two looks at its inbox; so an error is raised where it belongs, and nothing runs on that nobody
    waits for. Whatever of the library is not public is used in this class and in `GumbelSampler`.
    """

    def __init__(self, network: Any, slots: int, context: int, sampler: GumbelSampler) -> None:
        self._network = network
        if network.device.type == "cuda" and network.device.index is not None:
            torch.cuda.set_device(network.device)  # as the library does in its thread
        self._manager = network.init_continuous_batching(
            generation_config=GenerationConfig(do_sample=False, eos_token_id=-1),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=slots * -(-context // PAGE_TOKENS),  # room for all, so
                safety_margin=0.0,  # nobody need wait for pages
                max_batch_tokens=CHUNK_TOKENS,
                max_requests_per_batch=slots,
                allow_block_sharing=False,  # a cached prefix has other last digits
                use_async_batching=False,
                use_cuda_graph=False,  # the generators draw outside of it
                auto_switch_to_flash=False,  # it would fetch kernels from the hub, and run them
            ),
        )
        self._manager.logit_processor = sampler
        self._batches = self._manager._create_batch_processor()

    def add(
        self, name: str, prompt: list[int], tokens: int, ends: list[int], wanted: TextInput
    ) -> None:
        """Write up to `tokens` tokens after `prompt`, until one of `ends`."""
        generator = torch.Generator(self._network.device)
        if wanted.seed is None:
            generator.seed()
        else:
            generator.manual_seed(wanted.seed)
        self._manager.add_request(
            prompt,
            request_id=name,
            max_new_tokens=tokens,
            eos_token_id=ends,
            streaming=True,
            record_timestamps=True,
            temperature=wanted.temperature,
            generator=generator,
        )

    def cancel(self, name: str) -> None:
        """Stop a text; harmless if it has ended."""
        self._manager.cancel_request(name)

    @torch.no_grad()
    def step(self) -> list[Any]:
        """A token for every text whose prompt has been read, a chunk of the prompts that have not.

        Returns a `GenerationOutput` for each text that got a token.
        """
        if self._batches.prepare_next_batch():
            self._batches._generation_step(self._network)
            self._batches.update_batch()
        return list(iter(self._manager.get_result, None))


class GumbelSampler(ContinuousBatchingLogitsProcessorList):  # type: ignore[misc]
    """Draws each text's token by its own temperature T and its own generator.

    For scores x and independent Gumbel noise g, the token with the largest x/T + g is distributed
    as softmax(x/T); so is the one with the largest x + T·g, which at T = 0 is simply the largest.
    The engine calls `prepare_tensor_args` before each step and `__call__` in it.
    """

    def __init__(self, top_k: int = 0) -> None:
        super().__init__(LogitsProcessorList())
        self.do_processing = True
        self._top_k = top_k
        self._asked: list[dict[str, Any]] = []

    def check_kwargs(self, kwargs: dict[str, Any]) -> None:
        """Ours are always `temperature` and `generator`."""

    def prepare_tensor_args(self, requests_in_batch: Sequence[Any], arg_storage: Tensor) -> Tensor:
        """Note who is to get a token; their scores will come in this order."""
        self._asked = [
            request.state.logit_processor_kwargs
            for request in requests_in_batch
            if request.has_new_token
        ]
        return arg_storage

    def __call__(self, input_ids: Tensor, scores: Tensor, logits_processor_args: Tensor) -> Tensor:
        """The scores (texts, vocabulary), disturbed. Rows that belong to no text come last."""
        for row, asked in zip(scores, self._asked, strict=False):  # row: (vocabulary,)
            if asked["temperature"] > 0:
                if 0 < self._top_k < len(row):
                    row.masked_fill_(row < row.topk(self._top_k).values[-1], -torch.inf)
                # −ln E is Gumbel noise where E is drawn from the exponential distribution.
                noise = -torch.empty_like(row).exponential_(generator=asked["generator"]).log()
                row += asked["temperature"] * noise
        return scores


class _Text:
    """One text on its way: what was written, and `events` that nobody has taken yet."""

    def __init__(self, name: str, tokenizer: Any, ends: list[int]) -> None:
        self.name = name
        self.events: deque[Token | Result | BaseException] = deque()
        self._tokenizer = tokenizer
        self._ends = ends
        self._heard = 0  # tokens
        self._written: list[str] = []
        # Holds back tokens that end within a character.
        self._characters = DecodeStream(skip_special_tokens=True)

    def hear(self, output: Any) -> None:
        """Take in what the engine says: all tokens so far, and whether it has finished."""
        if output.error is not None:
            self.events.append(ModelFailed(f"transformers: {output.error}"))
            return
        tokens: list[int] = output.generated_tokens
        for token in tokens[self._heard :]:
            if piece := self._characters.step(self._tokenizer, token):
                self._written.append(piece)
                self.events.append(Token(piece))
        self._heard = len(tokens)
        if output.is_finished():
            stopped = "stop" if tokens[-1] in self._ends else "length"
            text = "".join(self._written)
            speed = _per_second(output.timestamps)
            self.events.append(Result(GeneratedText(text, len(tokens), speed, stopped)))


class _Texts(Session):
    """The texts of one session; the engine may be writing others beside them."""

    def __init__(self, model: Transformers) -> None:
        self._model = model
        self._texts: dict[JobId, _Text] = {}
        self._refused: list[SessionEvent] = []

    def admit(self, batch: Mapping[JobId, TextInput]) -> None:
        texts: dict[JobId, _Text] = {}
        refused: list[SessionEvent] = []
        try:
            for job, wanted in batch.items():
                try:
                    prompt = self._model.read(wanted)
                except MemoryError:
                    raise
                except Exception as error:  # noqa: BLE001
                    # A chat template may raise anything over its input; that text fails alone.
                    refused.append((job, error))
                else:
                    texts[job] = self._model.begin(prompt, wanted)
        except BaseException:  # nobody's own fault: it is the worker's to make room, and to halve
            for text in texts.values():
                self._model.end(text)
            raise
        self._texts |= texts
        self._refused += refused

    def step(self) -> Iterator[SessionEvent]:
        """One token for all."""
        while self._refused:
            yield self._refused.pop()
        if self._texts:
            self._model.step()
        for job, text in list(self._texts.items()):
            while text.events:
                event = text.events.popleft()
                if not isinstance(event, Token):
                    self.cancel(job)
                yield job, event

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset([*self._texts, *(job for job, _ in self._refused)])

    def cancel(self, job: JobId) -> None:
        self._refused = [event for event in self._refused if event[0] != job]
        if text := self._texts.pop(job, None):
            self._model.end(text)

    def close(self) -> None:
        for job in list(self._texts):
            self.cancel(job)


def _run(session: Session) -> Iterator[SessionEvent]:
    """All that comes of a session."""
    while session.jobs:
        yield from session.step()


def _token_ids(ids: int | list[int] | None) -> list[int]:
    if ids is None:
        return []
    return [ids] if isinstance(ids, int) else ids


def _per_second(timestamps: Sequence[float]) -> float:
    """Tokens a second, reading the prompt apart: the first token's moment begins the count."""
    seconds = timestamps[-1] - timestamps[0]
    return (len(timestamps) - 1) / seconds if seconds > 0 else 0.0
