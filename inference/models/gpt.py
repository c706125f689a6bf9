"""GPT: a transformer decoder that writes the next token, and the next, and the next.

Radford, Narasimhan, Salimans & Sutskever, "Improving Language Understanding by Generative
Pre-Training", 2018; Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2),
2019; Brown et al., "Language Models are Few-Shot Learners" (GPT-3), arXiv:2005.14165.

Every step computes, for the text so far, a probability for each token of the vocabulary; one is
drawn (temperature flattens or sharpens the distribution) and appended. Many texts advance together:
new ones join between two tokens (*continuous batching*; Yu et al., "Orca", OSDI 2022).

On a CPU llama.cpp does this with 4-bit weights, through `xllamacpp`, whose server lives inside this
process. Checkpoint: SmolLM2-135M-Instruct (Allal et al., 2025, arXiv:2502.02737), Apache-2.0.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from inference.jobs import BadInput, ModelFailed, Token
from inference.model import JobId, Model, Result, Session, SessionEvent
from inference.tasks.text_generation import GeneratedText, TextInput

STEP_SECONDS = 0.02  # how long a step waits for a token before the worker looks elsewhere
# Tokens of prompts read between two tokens of everybody's stream. With llama.cpp's 2048 a prompt of
# 850 tokens held up all others, and its own cancellation, for 5.0 s on one CPU core; with 64 for
# 0.6 s, and was read as fast (5.2 s). That was SmolLM2, of 98 MB. A larger file takes longer, about
# in proportion, so its chunks are shorter. Qwen2.5-Coder-1.5B, of 1.1 GB, on one core: 64 tokens
# take 1.9 s and more, 8 take 0.3 s; prompts are read a sixth more slowly for it (26 tokens a second
# instead of 31). Still shorter ones would be read more slowly yet.
CHUNK_TOKENS_CPU, CHUNK_TOKENS_GPU = 64, 512
CHUNK_TOKENS_LEAST = 8
CHUNK_WORK = 64 * 100_000_000  # tokens × bytes of the file


class LlamaCpp(Model):
    """A GGUF checkpoint in llama.cpp's server, one slot for each text that is being written.

    Options: `context` (tokens a text may have, prompt included), `slots`, `threads` (0: physical
    cores − 1, at least 1; a thread too many on busy cores is ten times slower).
    """

    def load(self, device: str) -> None:
        import xllamacpp

        (path,) = self.files.values()
        slots = int(self.options.get("slots", 8))
        threads = int(self.options.get("threads") or 0) or physical_cores_but_one()
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = slots
        params.n_ctx = slots * int(self.options.get("context", 2048))
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.n_gpu_layers = 0 if device == "cpu" else 999
        params.n_batch = params.n_ubatch = (
            chunk_on_cpu(path.stat().st_size, slots) if device == "cpu" else CHUNK_TOKENS_GPU
        )
        params.verbosity = 0
        # Closing a request's connection is what frees its slot, also while the prompt is read; so
        # the server listens, on loopback only, to those who know the key.
        self._key = secrets.token_urlsafe(32)
        params.hostname, params.port, params.api_keys = "127.0.0.1", 0, [self._key]
        # Each text holds a connection for as long as it is written.
        params.n_threads_http = slots + 2
        self._server = xllamacpp.Server(params)
        self._address = urlsplit(self._server.listening_address)

    def start(self, batch: Mapping[JobId, TextInput]) -> Session:
        session = _Streams(self)
        session.admit(batch)
        return session

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the server inside this process."""
        assert self._address.hostname
        return http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=600)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}


class _Streams(Session):
    """The texts that are being written; llama.cpp batches them, one thread listens to each."""

    def __init__(self, model: LlamaCpp) -> None:
        self._model = model
        self._streams: dict[JobId, _Stream] = {}
        self._heard: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()

    def admit(self, batch: Mapping[JobId, TextInput]) -> None:
        newcomers: dict[JobId, _Stream] = {}
        try:
            for job, wanted in batch.items():
                newcomers[job] = _Stream(self._model, job, wanted, self._heard)
        except BaseException:  # a thread that cannot be started
            for stream in newcomers.values():
                stream.close()
            raise
        self._streams |= newcomers

    def step(self) -> Iterator[SessionEvent]:
        """Whatever was written since the last step; waits `STEP_SECONDS` for the first piece."""
        with contextlib.suppress(queue.Empty):
            yield from self._still_wanted(self._heard.get(timeout=STEP_SECONDS))
            while True:
                yield from self._still_wanted(self._heard.get_nowait())

    def _still_wanted(self, event: SessionEvent) -> Iterator[SessionEvent]:
        job, what = event
        if job in self._streams:
            if not isinstance(what, Token):
                del self._streams[job]
            yield event

    @property
    def jobs(self) -> frozenset[JobId]:
        return frozenset(self._streams)

    def cancel(self, job: JobId) -> None:
        if stream := self._streams.pop(job, None):
            stream.close()

    def close(self) -> None:
        for job in list(self._streams):
            self.cancel(job)


class _Stream:
    """One text: a request to the server and a thread that reads its events."""

    def __init__(
        self,
        model: LlamaCpp,
        job: JobId,
        wanted: TextInput,
        heard: queue.SimpleQueue[SessionEvent],
    ) -> None:
        self._model = model
        self._job = job
        self._wanted = wanted
        self._heard = heard
        self._connection = model.connect()
        self._closed = False
        threading.Thread(target=self._listen, name=f"text {job}", daemon=True).start()

    def close(self) -> None:
        """Hang up; the server notices and frees the slot."""
        self._closed = True
        if (end := self._connection.sock) is not None:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        try:
            for event in self._events():
                self._heard.put((self._job, event))
        except (BadInput, ModelFailed) as error:
            self._heard.put((self._job, error))
        except Exception as error:  # noqa: BLE001 (a thread that ends silently owes its job for ever)
            if not self._closed:
                failure = ModelFailed(f"llama.cpp: {type(error).__name__}: {error}")
                self._heard.put((self._job, failure))
        finally:
            self._connection.close()

    def _events(self) -> Iterator[Token | Result]:
        self._connection.request(
            "POST", "/v1/chat/completions", json.dumps(self._body()), self._model.headers
        )
        if self._closed:
            self.close()  # cancelled before there was a socket to shut
        response = self._connection.getresponse()
        if response.status != 200:
            raise _refusal(response.status, response.read())
        text: list[str] = []
        stopped = ""
        timings: dict[str, float] = {}
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise ModelFailed(f"llama.cpp: {chunk['error']}")
            timings = chunk.get("timings") or timings
            for choice in chunk["choices"]:
                stopped = choice["finish_reason"] or stopped
                if piece := choice["delta"].get("content"):
                    text.append(piece)
                    yield Token(piece)
        if not stopped:
            raise ModelFailed("llama.cpp hung up in the middle of a text")
        yield Result(
            GeneratedText(
                "".join(text),
                int(timings.get("predicted_n", 0)),
                float(timings.get("predicted_per_second", 0.0)),
                stopped,
            )
        )

    def _body(self) -> dict[str, Any]:
        wanted = self._wanted
        body: dict[str, Any] = {
            "messages": [{"role": role, "content": text} for role, text in wanted.messages],
            "stream": True,
            # The server looks whether we have hung up when it has something to say, or when there
            # was nothing to say to anybody for a second. So beside other streams a prompt was read
            # to its end; now it has something to say after each chunk.
            "return_progress": True,
            "max_tokens": wanted.max_tokens,
            "temperature": wanted.temperature,
            "cache_prompt": True,
        }
        if wanted.seed is not None:
            body["seed"] = wanted.seed
        return body


def _refusal(status: int, body: bytes) -> BadInput | ModelFailed:
    """Why the server said no."""
    text = body.decode(errors="replace")
    if status == 400 and "context" in text:
        return BadInput("too-long", text[:200])
    return ModelFailed(f"llama.cpp answered {status}: {text[:200]}")


def chunk_on_cpu(size: int, slots: int) -> int:
    """Tokens to compute at once on a CPU, for a model whose file has `size` bytes.

    The texts being written take one each; at least as many are left for prompts.
    """
    return max(min(CHUNK_TOKENS_CPU, CHUNK_WORK // size), CHUNK_TOKENS_LEAST, 2 * slots)


def physical_cores_but_one() -> int:
    """Threads for a CPU engine: physical cores − 1, at least 1.

    Where the system does not tell physical cores, two logical ones are taken for one on x86.
    """
    import psutil

    physical = psutil.cpu_count(logical=False) or max(1, (os.cpu_count() or 2) // 2)
    with contextlib.suppress(AttributeError):  # a container may own fewer than the machine has
        physical = min(physical, len(os.sched_getaffinity(0)))
    return max(1, physical - 1)
