"""A worker: it owns a device and the models on it, and steps their sessions in turn.

It holds no queue of its own. As a process it is spawned, never forked (CUDA does not survive a
fork), and ends with its parent. One thread does everything, in rounds:

1. take in what has arrived (new batches, cancellations),
2. give one session one step,
3. send all that came of it in one frame.

Whose step it is: that of the kind of work which has had the least time for its share. Long work
gets `LONG_SHARE` of the device while there is other work beside it; what has just come is next, so
short work overtakes long work within one step's time.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import logging
import multiprocessing
import os
import pickle
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inference.jobs import (
    InferenceError,
    ModelFailed,
    ModelUnavailable,
    OutOfMemory,
    Progress,
    Token,
    TooLargeForDevice,
)
from inference.model import JobId, Model, Result, Session
from inference.tasks import Kind, Variant
from inference.wire import Message, Sealed, WorkerEnd, seal, unseal

log = logging.getLogger(__name__)

LONG_SHARE = 0.25  # of the device for long work, while there is short work beside it
SILENCE = 0.001  # seconds that results may wait for more of them
SOON = 0.02  # seconds: what a model answers in less needs no word that it has begun
_PREFERENCE: dict[Kind, int] = {"short": 0, "stream": 1, "long": 2}  # where all have had alike
DEVICE_LOST = 70  # exit code of a worker whose device can no longer be used
# How libraries say that memory does not suffice where they have no type for it: CUDA, HIP and MPS;
# torch on a CPU, on Linux and on Windows; C++; cuBLAS and its like, cuDNN.
_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|bad_alloc|alloc(ation)?_failed"
)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`device` as in the configuration; `threads` for CPU text engines (0: choose).

    `memory_budget`: bytes of the device that resident models may occupy, 0: choose by the device.
    `share`: the part of that budget, chosen or not, which is this worker's: the workers of two
        rooms do not know of each other's models.
    `preload`: modules to import before the first job.
    `log_file`: where the process writes instead of the terminal; None: standard error.
    """

    room: str
    device: str = "auto"
    threads: int = 0
    memory_budget: int = 0
    share: float = 1.0
    log_file: Path | None = None
    preload: tuple[str, ...] = ()


def main(end: socket.socket, options: WorkerOptions) -> None:
    """A worker process's entry point."""
    # When to stop is the main process's business; it says so, or its end of the socket closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _redirect_output(options.log_file)
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    Worker(WorkerEnd(end), options).run()


def _end_with_parent() -> None:
    """Models in the middle of a step are nobody's any more when the main process has gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _redirect_output(log_file: Path | None) -> None:
    """Standard output belongs to the command line; libraries that print go to the log."""
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    os.dup2(2, 1)


class End(Protocol):
    """The worker's end of whatever connects it with the queue."""

    def receive(self, wait: bool) -> list[Message]:
        """All messages that have arrived; at least one if `wait`.

        Raises:
            EOFError: the queue has gone.
        """

    def send(self, messages: list[Message]) -> None: ...


class Worker:
    """The loop of one worker."""

    def __init__(self, end: End, options: WorkerOptions) -> None:
        self._end = end
        self._options = options
        self._outbox: list[Message] = []
        self._known: dict[str, tuple[Variant, Mapping[str, Path]]] = {}
        self._models: OrderedDict[str, Model] = OrderedDict()  # least recently used first
        self._sessions: dict[int, _Running] = {}
        # Seconds that each kind has had, by its share of the device.
        self._had: dict[Kind, float] = {"short": 0.0, "stream": 0.0, "long": 0.0}
        self._last_step: dict[str, float] = {}  # seconds, by model
        self._silent_since = 0.0  # when the oldest word was said that is not sent yet
        self._worth_waking = False  # whether the queue can do anything with what is not sent yet
        self._device = ""

    def run(self) -> None:
        """Serve until told to stop, or until the queue has gone."""
        for module in self._options.preload:
            importlib.import_module(module)
        self._device = choose_device(self._options.device)
        self._say("ready", self._device, self._budget)
        try:
            self._flush()
            while True:
                for message in self._end.receive(wait=not self._sessions):
                    if message[0] == "stop":
                        return
                    self._take_in(message)
                if self._sessions:
                    number = self._next()
                    last = self._last_step.get(self._sessions[number].key, 1.0)
                    if self._worth_waking and last > SILENCE:
                        self._flush()  # what there is need not wait for this step
                    self._step(number)
                # Waking the queue costs more than a step of a very small model.
                if not self._sessions or time.perf_counter() > self._silent_since + SILENCE:
                    self._flush()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._close()

    @property
    def _budget(self) -> int:
        whole = self._options.memory_budget or default_budget(self._device)
        return int(whole * self._options.share)

    def _take_in(self, message: Message) -> None:
        match message:
            case ("run", session, key, jobs, sealed, kind):
                self._begin(session, key, self._unsealed(jobs, sealed), kind)
            case ("cancel", job):
                seconds = 0.0
                for running in self._sessions.values():
                    seconds += self._cancel(running, job)
                self._say("dropped", job, seconds)
            case ("model", key, variant, files):
                self._known[key] = (variant, files)

    def _unsealed(self, jobs: list[JobId], payloads: list[Sealed]) -> dict[JobId, Any]:
        """The payloads that can be read; a job whose payload cannot fails here."""
        batch = {}
        for job, payload in zip(jobs, payloads, strict=True):
            try:
                batch[job] = unseal(payload)
            except Exception as error:  # noqa: BLE001 (unpickling runs the payload's own code)
                self._say("error", job, portable(error), 0.0)
        return batch

    def _begin(self, number: int, key: str, batch: dict[JobId, Any], kind: Kind) -> None:
        if not batch:
            if number not in self._sessions:
                self._say("end", number, 0.0, 0, 0)
            return
        try:
            model = self._model(key)
        except Exception as error:  # a model's load may raise anything
            log.exception("%s does not load", self._known[key][0].name)
            self._does_not_load(number, key, batch, error)
            model = None
        if model is None:
            _collect()  # only here: the error's traceback held what had been loaded
            return
        self._say("started", number, list(batch))
        if kind != "short" or self._last_step.get(key, SOON) >= SOON:
            # Out before any code of the model's own: it may take long, or hang.
            self._flush()
        running = self._sessions.get(number)
        try:
            if running:
                running.admit(batch)
            else:
                running = _Running(key, kind, model.start(batch), batch, self._device)
                self._welcome(running)
                self._sessions[number] = running
        except Exception as error:
            # Those who are in the session already have nothing to do with it.
            log.exception("session %d takes no newcomers", number)
            failure = self._fail(number, list(batch), error, 0.0)
            if isinstance(failure, OutOfMemory):
                self._evict_all_but({key})
        else:
            return
        _empty_cuda_cache()  # only here: the error's traceback held what had been allocated

    def _does_not_load(
        self, number: int, key: str, batch: Mapping[JobId, Any], error: Exception
    ) -> None:
        """Say that nobody of a batch can be served, as its model cannot be had."""
        self._say("unloadable", key)
        failure: InferenceError = ModelUnavailable(
            f"{self._known[key][0].name}: {type(error).__name__}: {text_of(error)}"
        )
        if isinstance(error, TooLargeForDevice):
            failure = error
        self._give_up(number, error, [("error", job, failure, 0.0) for job in batch])

    def _fail(
        self, number: int, jobs: list[JobId], error: Exception, seconds: float
    ) -> InferenceError:
        """Say that jobs of a session fell over together, each after `seconds`; and why."""
        failure = portable(error)
        self._give_up(number, error, [("failed", number, jobs, failure, seconds)])
        return failure

    def _give_up(self, number: int, error: Exception, words: list[Message]) -> None:
        """Say what becomes of a session's jobs, and leave if the error has cost the device."""
        lost = self._is_lost(error)
        if lost:
            self._say("leaving")  # so that nothing is sent to a process that is about to end
        for word in words:
            self._say(*word)
        if number not in self._sessions:
            self._say("end", number, 0.0, 0, 0)
        if lost:
            self._leave()

    def _is_lost(self, error: Exception) -> bool:
        """Whether this process can no longer use its device.

        Such a fault may first show as another library's, cuDNN's say. But from then on every call
        fails; so the device is asked.
        """
        if device_is_lost(error):
            return True
        if (cuda := _cuda(self._device)) is not None:
            try:
                cuda.synchronize(self._device)
            except Exception:
                log.exception("the device does not answer")
                return True
        return False

    def _model(self, key: str) -> Model:
        """The model of a key, loaded; it is now the last one to be evicted."""
        model = self._models.get(key)
        if model is None:
            variant, files = self._known[key]
            self._make_room(variant)
            self._say("loading", key)
            self._flush()
            began = time.perf_counter()
            self._models[key] = model = self._loaded(variant, files)
            seconds = time.perf_counter() - began
            log.info("%s loaded in %.1f s", variant.name, seconds)
            self._say("loaded", key, seconds)
            self._flush()  # the limits of loading end here, those of the jobs begin
        self._models.move_to_end(key)
        return model

    def _loaded(self, variant: Variant, files: Mapping[str, Path]) -> Model:
        """A new model in memory; if that does not suffice, once more without the idle ones."""
        try:
            return self._load(variant, files)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("%s does not fit beside the others: %s", variant.name, text_of(error))
        # Only here: the error's traceback held what had been loaded.
        self._evict_all_but(set())
        _collect()
        return self._load(variant, files)

    def _load(self, variant: Variant, files: Mapping[str, Path]) -> Model:
        module, _, name = variant.entry.partition(":")
        options = {**variant.options, "threads": self._options.threads}
        model = getattr(importlib.import_module(module), name)(options, files)
        assert isinstance(model, Model)
        model.load(self._device)
        return model

    def _make_room(self, variant: Variant) -> None:
        """Evict the least recently used models until a variant fits into the budget.

        The queue begins nothing here that does not fit beside the models in use.
        """
        budget = self._budget
        if variant.memory > budget:
            raise TooLargeForDevice(variant.name, variant.memory, budget)
        in_use = {running.key for running in self._sessions.values()}
        for key in list(self._models):
            taken = sum(self._known[each][0].memory for each in self._models)
            if taken + variant.memory <= budget:
                return
            if key not in in_use:
                self._evict(key)

    def _evict(self, key: str) -> None:
        model = self._models.pop(key)
        self._say("evicted", key)
        with _logged(f"{key} does not close"):
            model.close()
        del model
        _collect()
        log.info("%s evicted", key)

    def _evict_all_but(self, keys: set[str]) -> None:
        """Put every model out of memory that is in nobody's use."""
        in_use = keys | {running.key for running in self._sessions.values()}
        for key in [key for key in self._models if key not in in_use]:
            self._evict(key)

    def _welcome(self, running: _Running) -> None:
        """A session comes: its kind keeps what it has had, and saves nothing up meanwhile."""
        kinds = {each.kind for each in self._sessions.values()}
        if running.kind not in kinds:
            others = (self._had[kind] for kind in kinds)
            self._had[running.kind] = max(self._had[running.kind], min(others, default=0.0))
        alike = (each.seconds for each in self._sessions.values() if each.kind == running.kind)
        running.had = min(alike, default=0.0)

    def _next(self) -> int:
        """The session whose step is next: of the kind that has had least, who has had least.

        Short ones go one after another, as they came.
        """
        kinds = {running.kind for running in self._sessions.values()}
        kind = min(kinds, key=lambda kind: (self._had[kind], _PREFERENCE[kind]))
        alike = [(n, each) for n, each in self._sessions.items() if each.kind == kind]
        return alike[0][0] if kind == "short" else min(alike, key=lambda pair: pair[1].had)[0]

    def _step(self, number: int) -> None:
        running = self._sessions[number]
        if running.session.jobs:
            began = time.perf_counter()
            try:
                events = list(running.session.step())
            except Exception as error:  # noqa: BLE001 (model code)
                self._session_failed(number, error, time.perf_counter() - began)
                events = None
            if events is None:
                _empty_cuda_cache()  # only here: the error's traceback held the step's tensors
                return
            self._last_step[running.key] = took = time.perf_counter() - began
            self._spend(running, took)
            for job, event in events:
                self._tell(running, job, event)
        if not running.session.jobs:
            for job, seconds in running.spent.items():
                lost = ModelFailed("the session ended without an outcome")
                self._say("error", job, lost, seconds)
            del self._sessions[number]
            self._say("end", number, running.seconds, running.size, running.peak)
            self._close_session(running)

    def _tell(self, running: _Running, job: JobId, event: Any) -> None:
        """Pass on what a step brought for a job."""
        if job not in running.spent:
            return  # it was cancelled, or has its outcome
        if isinstance(event, Result):
            seconds = running.spent.pop(job, 0.0)
            try:
                sealed = seal(event.value)
            except Exception as error:  # noqa: BLE001 (pickling runs the result's own code)
                self._say("error", job, portable(error), seconds)
            else:
                self._say("result", job, sealed, seconds)
        elif isinstance(event, BaseException):
            self._say("error", job, portable(event), running.spent.pop(job, 0.0))
        elif not isinstance(event, Progress | Token) or not _pickles(event):
            failure = ModelFailed(
                f"{type(event).__name__}: what it says on the way does not pickle"
            )
            self._say("error", job, failure, running.spent.pop(job, 0.0))
            with _logged("a job is not cancelled"):
                running.session.cancel(job)
        else:
            self._say("event", job, event)

    def _session_failed(self, number: int, error: Exception, seconds: float) -> None:
        """A step raised: all that is left of the session fails with it."""
        running = self._sessions.pop(number)
        log.error("session %d failed", number, exc_info=error)
        self._spend(running, seconds)
        share = running.seconds / max(1, running.size)
        failure = self._fail(number, list(running.spent), error, share)
        self._close_session(running)
        if isinstance(failure, OutOfMemory):
            self._evict_all_but({running.key})

    def _leave(self) -> None:
        """The device can no longer be used by this process; another may be better off."""
        self._flush()
        log.error("the device can no longer be used by this process")
        os._exit(DEVICE_LOST)

    def _cancel(self, running: _Running, job: JobId) -> float:
        """Let go of a job, if it is here; the seconds it has had."""
        if job not in running.spent:
            return 0.0
        seconds = running.spent.pop(job)
        with _logged("a job is not cancelled"):
            running.session.cancel(job)
        return seconds

    def _close_session(self, running: _Running) -> None:
        with _logged("a session does not close"):
            running.session.close()

    def _spend(self, running: _Running, seconds: float) -> None:
        """A step took `seconds`, for all jobs of its session alike."""
        share = LONG_SHARE if running.kind == "long" else 1 - LONG_SHARE
        self._had[running.kind] += seconds / share
        running.spend(seconds)

    def _say(self, *message: Any) -> None:
        if not self._outbox:
            self._silent_since = time.perf_counter()
        self._outbox.append(message)
        self._worth_waking = self._worth_waking or message[0] != "started"

    def _flush(self) -> None:
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self._worth_waking = False
            self._end.send(outbox)

    def _close(self) -> None:
        for running in self._sessions.values():
            self._close_session(running)
        for key, model in self._models.items():
            with _logged(f"{key} does not close"):
                model.close()


class _Running:
    """A session and the device time it has had.

    `spent`: seconds of each job that it owes an outcome. `size`: the jobs it has had. `had`:
    seconds, from where others of its kind were when it came.
    """

    __slots__ = ("_base", "_device", "had", "key", "kind", "seconds", "session", "size", "spent")

    def __init__(
        self, key: str, kind: Kind, session: Session, batch: Mapping[JobId, Any], device: str
    ) -> None:
        self.key = key
        self.kind = kind
        self.session = session
        self.spent = dict.fromkeys(batch, 0.0)
        self.size = len(batch)
        self.seconds = 0.0
        self.had = 0.0
        self._device = device
        self._base = _reset_peak(device)

    def admit(self, batch: Mapping[JobId, Any]) -> None:
        self.session.admit(batch)
        self.spent |= dict.fromkeys(batch, 0.0)
        self.size += len(batch)

    def spend(self, seconds: float) -> None:
        """A step took `seconds`, for all jobs alike."""
        self.seconds += seconds
        self.had += seconds
        share = seconds / max(1, len(self.spent))
        for job in self.spent:
            self.spent[job] += share

    @property
    def peak(self) -> int:
        """Bytes of the device's memory that it needed beside the models; 0: unknown."""
        return max(0, _peak(self._device) - self._base)


def _cuda(device: str) -> Any:
    """`torch.cuda` if this process uses it on `device`, else None.

    Its calls want the device named: torch's current one may be another.
    """
    torch = sys.modules.get("torch")
    if not device.startswith("cuda") or torch is None or not torch.cuda.is_initialized():
        return None
    return torch.cuda


def _reset_peak(device: str) -> int:
    """Begin to watch for the highest use of the device's memory; bytes in use now."""
    if (cuda := _cuda(device)) is None:
        return 0
    cuda.reset_peak_memory_stats(device)
    return int(cuda.memory_allocated(device))


def _peak(device: str) -> int:
    cuda = _cuda(device)
    return 0 if cuda is None else int(cuda.max_memory_allocated(device))


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """A model's own code may raise anything, also where it only tidies up."""
    try:
        yield
    except Exception:
        log.exception("%s", what)


def _pickles(event: Any) -> bool:
    """Whether an event can travel: a model's preview may hold anything."""
    if isinstance(event, Token) or event.preview is None:
        return True
    try:
        pickle.dumps(event, protocol=5)
    except Exception:
        log.exception("a preview does not pickle")
        return False
    return True


def text_of(error: BaseException) -> str:
    """What an error says; its own code may raise."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (whatever it raises)
        return ""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the device, or of the machine, did not suffice."""
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":
        return True
    # Other types may quote what somebody has typed.
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(text_of(error).lower()))


def device_is_lost(error: BaseException) -> bool:
    """Whether CUDA refuses this process from now on, as after a failed device-side assertion."""
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in text_of(error)


def portable(error: BaseException) -> InferenceError:
    """The error as one of ours, which is known to pickle; the traceback stays in the log here."""
    if isinstance(error, InferenceError):
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
        except Exception:  # noqa: BLE001 (an unpicklable subclass may raise anything)
            return ModelFailed(repr(error))
        return error
    text = f"{type(error).__name__}: {text_of(error)}"
    log.error("%s\n%s", text, "".join(traceback.format_tb(error.__traceback__)))
    if is_out_of_memory(error):
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


def _collect() -> None:
    """Give back the memory of what nobody refers to any more."""
    gc.collect()  # networks hold themselves in circles
    _empty_cuda_cache()


def _empty_cuda_cache() -> None:
    """Give back what torch keeps for later, on all devices that it has used."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
