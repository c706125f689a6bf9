"""Several workers, their memory, and what becomes of devices: real processes, trivial models.

What needs a GPU that misbehaves is tried on a worker in this process, with a torch that is none.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import weakref
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from inference.jobs import (
    BadInput,
    Done,
    Loading,
    ModelFailed,
    OutOfMemory,
    Progress,
    Queued,
    QueueFull,
    Started,
    TooLargeForDevice,
    WorkerLost,
)
from inference.model import JobId, OneStepModel, Session
from inference.queue import InferenceQueue
from inference.tasks import Variant
from inference.wire import Message, seal, unseal
from inference.worker import (
    DEVICE_LOST,
    Worker,
    WorkerOptions,
    default_budget,
    device_is_lost,
    is_out_of_memory,
    portable,
)
from tests.inference.fake_models import job, queue


async def answer(q: InferenceQueue, *args: Any, **kwargs: Any) -> Any:
    async with q.submit(job(*args, **kwargs)) as ticket:
        return await ticket.result()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_work_is_spread_over_all_devices() -> None:
    q = queue(devices=("cpu", "cpu"))
    try:
        results = await asyncio.gather(*(answer(q, "where", n) for n in range(12)))
        assert [value for value, _ in results] == [2 * n for n in range(12)]
        assert len({pid for _, pid in results}) == 2
    finally:
        await q.close()


async def test_a_dead_device_costs_nobody_an_answer_and_the_other_goes_on() -> None:
    q = queue(devices=("cpu", "cpu"))
    try:
        await asyncio.gather(*(answer(q, "where", n) for n in range(4)))
        waiting = [asyncio.create_task(answer(q, "where", n)) for n in range(12)]
        first, second = q._rooms["compute"].stations
        await until(lambda: first.held and second.held)
        os.kill(first.link.pid, signal.SIGKILL)
        results = await asyncio.gather(*waiting)
        assert [value for value, _ in results] == [2 * n for n in range(12)]
    finally:
        await q.close()


async def test_a_batch_that_does_not_fit_is_halved_and_the_size_remembered() -> None:
    q = queue()
    try:
        async with q.submit(job("slow", 0)):  # keeps the worker busy while the rest piles up
            waiting = [asyncio.create_task(answer(q, "hungry", n)) for n in range(8)]
            await until(lambda: len(q._rooms["compute"].line) == 8)
        results = await asyncio.gather(*waiting)
        assert [value for value, _ in results] == [2 * n for n in range(8)]
        assert max(size for _, size in results) == 2  # 8, 4: too many; 2 fit
        again = await asyncio.gather(*(answer(q, "hungry", n) for n in range(8)))
        assert max(size for _, size in again) == 2
    finally:
        await q.close()


async def test_a_job_that_does_not_fit_even_alone_is_told_so() -> None:
    q = queue()
    try:
        outcomes = await asyncio.gather(
            *(answer(q, "starving", n) for n in range(3)), return_exceptions=True
        )
        assert all(isinstance(outcome, OutOfMemory) for outcome in outcomes)
    finally:
        await q.close()


async def test_after_a_failed_assertion_on_the_device_its_process_is_replaced() -> None:
    q = queue()
    try:
        _, before = await answer(q, "assert", 1)
        outcomes = await asyncio.gather(
            *(answer(q, "assert", item) for item in (2, "assert", 3)), return_exceptions=True
        )
        assert outcomes[0][0] == 4 and outcomes[2][0] == 6
        assert isinstance(outcomes[1], ModelFailed | WorkerLost)
        _, after = await answer(q, "assert", 4)
        assert after != before
    finally:
        await q.close()


async def test_models_take_turns_in_memory() -> None:
    q = queue(memory_budget=1001)  # one byte of it for the room of the small models
    try:
        assert await answer(q, "big", 1) == 2
        (station,) = q._rooms["compute"].stations
        assert [key.split()[-1] for key in station.resident] == ["Big"]
        async with q.submit(job("bigger", 2)) as ticket:
            events = [event async for event in ticket]
        assert isinstance(events[-1], Done) and events[-1].result == 4
        assert any(isinstance(event, Loading) for event in events)
        assert [key.split()[-1] for key in station.resident] == ["Bigger"]
    finally:
        await q.close()


async def test_a_model_larger_than_the_device_is_refused_with_the_figures() -> None:
    q = queue(memory_budget=1001)  # one byte of it for the room of the small models
    try:
        with pytest.raises(TooLargeForDevice) as early:  # by the worker
            await answer(q, "huge", 1)
        with pytest.raises(TooLargeForDevice) as late:  # at the door
            await answer(q, "huge", 1)
        for refusal in (early.value, late.value):
            assert (refusal.model, refusal.needed, refusal.budget) == ("Huge", 5000, 1000)
    finally:
        await q.close()


async def test_long_work_is_never_stopped_altogether_by_short_work() -> None:
    q = queue()
    stop = False

    async def press() -> None:
        while not stop:
            await answer(q, "slow", 1, f"t:{id(asyncio.current_task())}")

    try:
        async with q.submit(job("busy", 12)) as ticket:
            await until(lambda: isinstance(ticket.latest, Progress))
            pressing = [asyncio.create_task(press()) for _ in range(8)]
            assert await ticket.result() == 12
            stop = True
            await asyncio.gather(*pressing)
    finally:
        await q.close()


async def test_jobs_sent_ahead_are_not_suspected_of_killing_the_worker() -> None:
    """Only what the worker can have begun is repeated alone."""
    q = queue(waiting_limit_user=100)
    try:
        for _ in range(8):  # until the batch is known to take milliseconds
            await asyncio.gather(*(answer(q, "double", n) for n in range(24)))
        (station,) = q._rooms["compute"].stations
        ahead = asyncio.Event()
        begin = station.begin

        def begin_and_kill(session: Any, *args: Any) -> None:
            begin(session, *args)
            if len(station.sessions) == 2:
                ahead.set()
                os.kill(station.link.pid, signal.SIGKILL)
                station.begin = begin

        station.begin = begin_and_kill
        waiting = [asyncio.create_task(answer(q, "double", n)) for n in range(64)]
        results = await asyncio.gather(*waiting)
        assert results == [2 * n for n in range(64)]
        assert ahead.is_set()
    finally:
        await q.close()


async def test_limits_at_the_door_of_a_chat_and_of_bytes() -> None:
    q = queue(waiting_limit_chat=2, held_bytes=100_000)
    try:
        async with q.submit(job("long", 9_000, "t:a")), q.submit(job("long", 9_000, "t:b")):
            with pytest.raises(QueueFull) as chat:
                await answer(q, "long", 9, "t:c")
            assert chat.value.scope == "chat" and chat.value.waiting == 2
        async with q.submit(job("double", b"x" * 60_000)):
            with pytest.raises(QueueFull) as full:
                await answer(q, "double", b"y" * 60_000)
            assert full.value.scope == "bytes"
        assert await answer(q, "double", 4) == 8
        assert q._held == 0
        # One that is larger than all of the limit may come when nothing else is there.
        assert await answer(q, "double", b"z" * 200_000) == b"z" * 400_000
    finally:
        await q.close()


async def test_what_goes_on_is_told_to_people() -> None:
    q = queue()
    try:
        await answer(q, "long", 3)
        async with q.submit(job("long", 100_000, "t:a")) as first:
            await until(lambda: isinstance(first.latest, Progress))
            async with q.submit(job("long", 5, "t:b")) as second:
                await until(lambda: isinstance(second.latest, Queued))
                overview = q.overview()
        assert (overview.running, overview.waiting, overview.users) == (1, 1, 1)
        assert overview.eta is not None and overview.eta > 0
        (room,) = overview.rooms
        assert (room.name, room.devices, room.devices_ready) == ("compute", 1, 1)
        assert q.unready == [] and q.missing == []
    finally:
        await q.close()


async def test_a_lifted_task_goes_first() -> None:
    q = queue()
    order: list[str] = []

    async def note(task: str, payload: Any, user: str) -> None:
        await answer(q, task, payload, user)
        order.append(task)

    try:
        await asyncio.gather(answer(q, "slow", 1), answer(q, "where", 1))
        q.lift("where", 30.0)
        async with q.submit(job("slow", 0, "t:z")) as first:
            await until(lambda: isinstance(first.latest, Started))
            notes = [asyncio.create_task(note("slow", n, f"t:s{n}")) for n in range(8)]
            notes += [asyncio.create_task(note("where", n, f"t:w{n}")) for n in range(3)]
            await asyncio.gather(*notes)
        assert order[:3] == ["where"] * 3
        with pytest.raises(KeyError):
            q.lift("nothing", 1.0)
    finally:
        await q.close()


async def test_draining_lets_jobs_finish() -> None:
    q = queue()
    waiting = [asyncio.create_task(answer(q, "slow", n)) for n in range(6)]
    await until(lambda: q.running > 0)
    await q.close(drain=30)
    assert await asyncio.gather(*waiting) == [2 * n for n in range(6)]


# --- what errors mean ---------------------------------------------------------------------------

NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    torch.AcceleratorError("CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation'"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, max allowed: 9.07 GB)."),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4000 bytes."),
    RuntimeError("std::bad_alloc"),
]
LOST = [
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(…)`"),
]
NEITHER = [
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("shapes do not match"),
    ValueError("somebody typed: CUDA error: out of memory"),
    BadInput("too-long", "CUDA error: device-side assert triggered"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=repr)
def test_too_little_memory_is_recognised(error: Exception) -> None:
    assert isinstance(portable(error), OutOfMemory)
    assert is_out_of_memory(error) and not device_is_lost(error)


def test_too_little_memory_on_a_cpu_is_recognised() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(10**16)
    assert isinstance(portable(refused.value), OutOfMemory)


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_a_lost_device_is_recognised(error: Exception) -> None:
    assert device_is_lost(error) and not is_out_of_memory(error)


@pytest.mark.parametrize("error", NEITHER, ids=repr)
def test_other_errors_are_taken_for_neither(error: Exception) -> None:
    assert not device_is_lost(error) and not is_out_of_memory(error)
    assert not isinstance(portable(error), OutOfMemory)


# --- a worker in this process -------------------------------------------------------------------


class Script:
    """An end of the queue that says what is written here, and stops when all is done."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.said: list[Message] = []
        self._messages = list(messages)

    def receive(self, wait: bool) -> list[Message]:
        if self._messages:
            return [self._messages.pop(0)]
        return [("stop",)] if wait else []

    def send(self, messages: list[Message]) -> None:
        self.said += messages


def said(
    jobs: Sequence[tuple[type[OneStepModel], list[Any]]],
    device: str = "cpu",
    memory_budget: int = 1000,
    memory: int = 0,
    **options: Any,
) -> list[Message]:
    """What a worker says over batches of these models, each of `memory`, one after another."""
    messages: list[Message] = []
    numbers = iter(range(1, 1000))
    for session, (model, payloads) in enumerate(jobs):
        name = model.__name__
        variant = Variant(name=name, entry=f"{__name__}:{name}", memory=memory)
        batch = [next(numbers) for _ in payloads]
        sealed = [seal(payload) for payload in payloads]
        messages.append(("model", name, variant, {}))
        messages.append(("run", session, name, batch, sealed, "short"))
    end = Script(messages)
    Worker(end, WorkerOptions("compute", device, memory_budget=memory_budget, **options)).run()
    return end.said


def kinds(messages: list[Message]) -> list[str]:
    return [message[0] for message in messages]


class Plain(OneStepModel):
    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [2 * item for item in inputs]


class Network:
    """Holds itself in a circle, as networks do."""

    def __init__(self) -> None:
        self.itself = self


class LoadsTheSecondTime(Plain):
    """Finds memory for its network only when the first has gone."""

    networks: ClassVar[list[weakref.ref[Network]]] = []
    left_over: ClassVar[list[int]] = []

    def load(self, device: str) -> None:
        there = [each for each in self.networks if each() is not None]
        self.left_over.append(len(there))
        self.network = Network()
        self.networks.append(weakref.ref(self.network))
        if len(self.networks) == 1:
            raise torch.AcceleratorError("CUDA error: out of memory")


class StartsNothing(Plain):
    def start(self, batch: Mapping[JobId, Any]) -> Session:
        raise torch.OutOfMemoryError("CUDA out of memory.")


class Convolving(Plain):
    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        raise RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")


class Allocating(Plain):
    """Takes as many bytes as its input says, for a moment, on the second device."""

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        cuda: Any = sys.modules["torch"].cuda
        cuda.peak["cuda:1"] = cuda.allocated["cuda:1"] + sum(inputs)
        return inputs


class Cuda:
    """`torch.cuda` on a machine of two devices, of which the first is the current one."""

    def __init__(self, lost: bool = False) -> None:
        self.allocated = {"cuda:0": 7, "cuda:1": 100}
        self.peak = {"cuda:0": 50, "cuda:1": 900}
        self.asked: list[str] = []
        self._lost = lost

    def is_initialized(self) -> bool:
        return True

    def empty_cache(self) -> None: ...

    def reset_peak_memory_stats(self, device: str = "cuda:0") -> None:
        self.peak[device] = self.allocated[device]

    def memory_allocated(self, device: str = "cuda:0") -> int:
        return self.allocated[device]

    def max_memory_allocated(self, device: str = "cuda:0") -> int:
        return self.peak[device]

    def synchronize(self, device: str = "cuda:0") -> None:
        self.asked.append(device)
        if self._lost:
            raise RuntimeError("CUDA error: unspecified launch failure")


def a_gpu(monkeypatch: pytest.MonkeyPatch, lost: bool = False) -> Cuda:
    cuda = Cuda(lost)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return cuda


def test_what_was_half_loaded_is_gone_before_it_is_loaded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LoadsTheSecondTime, "networks", [])
    monkeypatch.setattr(LoadsTheSecondTime, "left_over", [])
    messages = said([(Plain, [1]), (LoadsTheSecondTime, [2])])
    assert LoadsTheSecondTime.left_over == [0, 0]
    assert ("evicted", "Plain") in messages
    results = [unseal(message[2]) for message in messages if message[0] == "result"]
    assert results == [2, 4]


def test_what_does_not_load_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(self: LoadsTheSecondTime, device: str) -> None:
        self.network = Network()
        self.networks.append(weakref.ref(self.network))
        raise OSError("damaged")

    monkeypatch.setattr(LoadsTheSecondTime, "networks", [])
    monkeypatch.setattr(LoadsTheSecondTime, "load", damaged)
    monkeypatch.setattr("inference.worker.log.disabled", True)  # pytest keeps what is logged
    assert "unloadable" in kinds(said([(LoadsTheSecondTime, [1])]))
    (network,) = LoadsTheSecondTime.networks
    assert network() is None


def test_a_batch_for_which_there_is_no_room_fails_as_a_whole_and_idle_models_go() -> None:
    messages = said([(Plain, [1]), (StartsNothing, [2, 3])])
    (failed,) = (message for message in messages if message[0] == "failed")
    assert failed[2] == [2, 3] and isinstance(failed[3], OutOfMemory)
    assert ("evicted", "Plain") in messages
    assert ("evicted", "StartsNothing") not in messages


def _exit(code: int) -> None:
    raise SystemExit(code)


def test_a_fault_under_another_name_shows_when_the_device_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = a_gpu(monkeypatch, lost=True)
    monkeypatch.setattr("inference.worker.os._exit", _exit)
    sent: list[Message] = []
    monkeypatch.setattr(Script, "send", lambda self, messages: sent.extend(messages))
    with pytest.raises(SystemExit) as end:
        said([(Convolving, [1])], "cuda:1")
    assert end.value.code == DEVICE_LOST
    assert kinds(sent)[-3:] == ["leaving", "failed", "end"]
    assert cuda.asked == ["cuda:1"]


def test_a_device_that_answers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = a_gpu(monkeypatch)
    messages = said([(Convolving, [1]), (Plain, [2])], "cuda:1")
    assert cuda.asked == ["cuda:1"]
    assert "leaving" not in kinds(messages)
    assert [unseal(message[2]) for message in messages if message[0] == "result"] == [4]


def test_memory_is_measured_on_the_workers_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch)
    messages = said([(Allocating, [30, 40])], "cuda:1")
    (end,) = (message for message in messages if message[0] == "end")
    assert end[-1] == 70


def test_a_worker_whose_models_need_no_torch_does_not_import_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises
    messages = said([(Plain, [1]), (Convolving, [2])], "cuda:1")
    assert {"result", "failed"} <= set(kinds(messages))


@pytest.mark.parametrize("budget", [1001, 0])
def test_workers_that_share_a_device_share_its_memory(budget: int) -> None:
    whole = budget or default_budget("cpu")
    told = [said([], memory_budget=budget, share=share)[0] for share in (1.0, 0.5)]
    assert told == [("ready", "cpu", whole), ("ready", "cpu", whole // 2)]


def test_a_model_must_fit_into_its_workers_part() -> None:
    for share, outcome in ((1.0, "result"), (0.5, "error")):
        assert outcome in kinds(said([(Plain, [1])], memory=600, share=share))
