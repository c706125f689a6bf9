"""A worker process: it owns a device and the models on it, and steps their sessions in turn.

It is spawned, never forked (CUDA does not survive a fork), holds no queue of its own, and ends when
its socket does. One thread reads messages; the main thread computes. Each round of the loop

1. takes in what has arrived (new batches, cancellations),
2. gives every session one step, so that short work overtakes long work within one step's time,
3. sends all that came of it in one frame.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.jobs import InferenceError, ModelFailed, ModelUnavailable, OutOfMemory
from inference.model import JobId, Model, Result, Session
from inference.tasks import Variant
from inference.wire import Frame, Sealed, WorkerEnd, seal, unseal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`device` as in the configuration; `threads` for CPU text engines (0: choose).

    `memory_budget`: bytes that resident models may occupy together, 0: choose by the device.
    `preload`: modules to import before the first job.
    `log_file`: where the process writes instead of the terminal; None: standard error.
    """

    room: str
    device: str = "auto"
    threads: int = 0
    memory_budget: int = 0
    log_file: Path | None = None
    preload: tuple[str, ...] = ()


def main(end: socket.socket, options: WorkerOptions) -> None:
    """The process's entry point."""
    # When to stop is the main process's business; it says so, or its end of the socket closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _redirect_output(options.log_file)
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    Worker(WorkerEnd(end), options).run()


def _redirect_output(log_file: Path | None) -> None:
    """Standard output belongs to the command line; libraries that print go to the log."""
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    os.dup2(2, 1)


class Worker:
    """The loop of one worker process."""

    def __init__(self, end: WorkerEnd, options: WorkerOptions) -> None:
        self._end = end
        self._options = options
        self._inbox: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._outbox: list[Frame] = []
        self._models: OrderedDict[str, tuple[Model, Variant]] = OrderedDict()  # least used first
        self._sessions: dict[int, _Running] = {}
        self._device = ""

    def run(self) -> None:
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        for module in self._options.preload:
            # Seconds that the first job need not wait; and a torch that does not import is a death
            # at birth, which the supervisor answers more and more slowly.
            importlib.import_module(module)
        self._device = choose_device(self._options.device)
        self._say("ready", self._device)
        self._flush()
        while True:
            for message in self._arrived():
                if message[0] == "stop":
                    self._close()
                    return
                self._take_in(message)
            self._flush()
            for number in list(self._sessions):
                self._step(number)
            self._flush()

    def _read(self) -> None:
        try:
            while True:
                self._inbox.put(self._end.receive())
        except (EOFError, OSError):
            # The main process has gone; models in the middle of a step are nobody's any more.
            os._exit(0)

    def _arrived(self) -> list[Frame]:
        """All messages that are there; waits for one when there is nothing to compute."""
        messages = [] if self._sessions else [self._inbox.get()]
        while not self._inbox.empty():
            messages.append(self._inbox.get())
        return messages

    def _take_in(self, message: Frame) -> None:
        match message:
            case ("run", session, variant, files, sealed):
                self._begin(session, variant, files, self._unsealed(sealed))
            case ("cancel", job):
                for running in self._sessions.values():
                    running.cancel(job)
                self._say("dropped", job)

    def _unsealed(self, sealed: Mapping[JobId, Sealed]) -> dict[JobId, Any]:
        """The payloads that can be read; a job whose payload cannot fails here."""
        batch = {}
        for job, payload in sealed.items():
            try:
                batch[job] = unseal(payload)
            except Exception as error:  # noqa: BLE001 (unpickling runs the payload's own code)
                self._say("error", job, portable(error))
        return batch

    def _begin(
        self, number: int, variant: Variant, files: Mapping[str, Path], batch: dict[JobId, Any]
    ) -> None:
        if not batch:
            if number not in self._sessions:
                self._say("end", number)
            return
        try:
            model = self._model(variant, files)
        except Exception as error:  # a model's load may raise anything
            log.exception("%s does not load", variant.name)
            failure = ModelUnavailable(f"{variant.name}: {type(error).__name__}: {error}")
            for job in batch:
                self._say("error", job, failure)
            if number not in self._sessions:
                self._say("end", number)
            return
        # Out before any code of the model's own: it may take long, or hang, and the job's time runs
        # from here.
        self._say("started", number, list(batch))
        self._flush()
        running = self._sessions.get(number)
        try:
            if running:
                running.admit(batch)
            else:
                self._sessions[number] = _Running(model.start(batch), set(batch), len(batch))
        except Exception as error:
            # Those who are in the session already have nothing to do with it.
            log.exception("session %d takes no newcomers", number)
            self._say("failed", number, list(batch), portable(error))
            if not running:
                self._say("end", number)

    def _model(self, variant: Variant, files: Mapping[str, Path]) -> Model:
        key = f"{variant.entry} {variant.name}"
        if key not in self._models:
            self._say("loading", variant.name)
            self._flush()
            self._make_room(variant.memory)
            module, _, name = variant.entry.partition(":")
            model: Model = getattr(importlib.import_module(module), name)(
                {**variant.options, "threads": self._options.threads}, files
            )
            started = time.perf_counter()
            model.load(self._device)
            log.info("%s loaded in %.1f s", variant.name, time.perf_counter() - started)
            self._models[key] = (model, variant)
        self._models.move_to_end(key)
        return self._models[key][0]

    def _make_room(self, wanted: int) -> None:
        """Evict the least recently used models until `wanted` bytes fit the budget."""
        budget = self._options.memory_budget or default_budget(self._device)
        if wanted > budget:
            raise MemoryError(f"needs {wanted} bytes, the budget is {budget}")
        while self._models and sum(v.memory for _, v in self._models.values()) + wanted > budget:
            if self._sessions:
                return  # somebody may be using it; the device decides
            key, (model, _) = next(iter(self._models.items()))
            model.close()
            del self._models[key], model
            gc.collect()  # networks hold themselves in circles
            _empty_cuda_cache()
            log.info("%s evicted", key)

    def _step(self, number: int) -> None:
        running = self._sessions[number]
        if running.session.jobs:
            began = time.perf_counter()
            try:
                events = list(running.session.step())
            except Exception as error:  # noqa: BLE001 (model code)
                self._session_failed(number, error)
                return
            running.seconds += time.perf_counter() - began
            for job, event in events:
                self._tell(running, job, event)
        if not running.session.jobs:
            for job in running.open:
                self._say("error", job, ModelFailed("the session ended without an outcome"))
            running.session.close()
            del self._sessions[number]
            self._say("end", number)

    def _tell(self, running: _Running, job: JobId, event: Any) -> None:
        """Pass on what a step brought for a job."""
        match event:
            case Result():
                running.open.discard(job)
                try:
                    sealed = seal(event.value)
                except Exception as error:  # noqa: BLE001 (pickling runs the result's own code)
                    self._say("error", job, portable(error))
                else:
                    share = running.seconds / max(1, running.size)
                    self._say("result", job, sealed, share)
            case BaseException():
                running.open.discard(job)
                self._say("error", job, portable(event))
            case _:
                self._say("event", job, event)

    def _session_failed(self, number: int, error: Exception) -> None:
        """A step raised: all that is left of the session fails with it."""
        running = self._sessions.pop(number)
        log.error("session %d failed", number, exc_info=error)
        running.session.close()
        self._say("failed", number, list(running.open), portable(error))
        self._say("end", number)
        _empty_cuda_cache()

    def _say(self, *message: Any) -> None:
        self._outbox.append(message)

    def _flush(self) -> None:
        if self._outbox:
            self._end.send(self._outbox)
            self._outbox = []

    def _close(self) -> None:
        for running in self._sessions.values():
            running.session.close()
        for model, _ in self._models.values():
            model.close()


@dataclass(slots=True)
class _Running:
    """A session, the jobs it owes an outcome, how many it has had, and the seconds they cost."""

    session: Session
    open: set[JobId]
    size: int
    seconds: float = 0.0

    def admit(self, batch: Mapping[JobId, Any]) -> None:
        self.session.admit(batch)
        self.open |= set(batch)
        self.size += len(batch)

    def cancel(self, job: JobId) -> None:
        if job in self.open:
            self.open.discard(job)
            self.session.cancel(job)


def portable(error: BaseException) -> InferenceError:
    """The error as one of ours, which is known to pickle; the traceback stays in the log here."""
    if isinstance(error, InferenceError):
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
        except Exception:  # noqa: BLE001 (an unpicklable subclass may raise anything)
            return ModelFailed(repr(error))
        return error
    text = f"{type(error).__name__}: {error}"
    log.error("%s\n%s", text, "".join(traceback.format_exception(error)))
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return OutOfMemory(text)
    return ModelFailed(text)


def choose_device(wanted: str) -> str:
    """A torch device string; "auto" takes CUDA, then MPS, then the CPU.

    Where the system shows no accelerator, torch is not asked: importing it takes seconds, and the
    text room's llama.cpp needs none.
    """
    if wanted != "auto":
        return wanted
    if not _may_have_accelerator():
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _may_have_accelerator() -> bool:
    """Whether asking torch is worth it: an NVIDIA or AMD driver, or a system that hides them."""
    drivers = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
    return not sys.platform.startswith("linux") or any(path.exists() for path in drivers)


def default_budget(device: str) -> int:
    """Bytes that models may occupy: 85 % of a GPU's memory, half of the machine's otherwise."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory * 0.85)
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 8_000_000_000


def _empty_cuda_cache() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
