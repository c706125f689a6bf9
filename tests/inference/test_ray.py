"""The Ray engine on a real cluster of several nodes, all of them on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from inference.engines.ray import Driver, RayEngine, RayUnavailable
from inference.engines.ray_worker import HELLO, NodeEnd
from inference.jobs import Done, ModelUnavailable, Progress, Token, WorkerLost
from inference.queue import InferenceQueue, QueueOptions
from inference.station import Station
from inference.tasks import Task, Variant
from inference.weights import Manifest
from inference.wire import Message, WorkerEnd, seal
from inference.worker import WorkerOptions
from tests.inference.fake_models import TASKS, NoWeights, job
from tests.inference.ray_cluster import SmallCluster, ray_cluster, task

__all__ = ["ray_cluster"]

OWN = {
    each.name: each
    for each in (
        task("where", "Whereabouts", options={"seconds": 0.05}, max_batch=2),
        task("read", "Reader", weights=("story",)),
        task("deaf", "Deaf"),
    )
}
STORY = b"Once upon a time there was a neuron."


@asynccontextmanager
async def opened(
    engine: RayEngine, tasks: dict[str, Task] | None = None, weights: Any = None, **options: Any
) -> AsyncIterator[InferenceQueue]:
    """A queue on an engine."""
    options = {"waiting_limit_user": 10_000, "waiting_limit_chat": 10_000, **options}
    made = InferenceQueue(
        weights or NoWeights(), QueueOptions(tasks=tasks or {**TASKS, **OWN}, **options), engine
    )
    try:
        yield made
    finally:
        await made.close()


async def answer(q: InferenceQueue, name: str, payload: Any, **settings: Any) -> Any:
    async with q.submit(job(name, payload, **settings)) as ticket:
        return await ticket.result()


async def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def stations(q: InferenceQueue, room: str = "compute") -> list[Station]:
    return q._rooms[room].stations


# --- one node -----------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def q(ray_cluster: SmallCluster) -> AsyncIterator[InferenceQueue]:
    """A queue on one node, with one worker."""
    async with opened(ray_cluster.engine()) as made:
        yield made


@pytest.mark.asyncio(loop_scope="class")
class TestOneWorker:
    async def test_jobs_are_answered(self, q: InferenceQueue) -> None:
        results = await asyncio.gather(*(answer(q, "double", n) for n in range(100)))
        assert results == [2 * n for n in range(100)]

    async def test_pictures_travel_whole_in_both_directions(self, q: InferenceQueue) -> None:
        picture = os.urandom(3_000_000)
        _, _, back = await answer(q, "where", picture)
        assert back == picture

    async def test_long_work_is_streamed(self, q: InferenceQueue) -> None:
        async with q.submit(job("long", 20)) as ticket:
            events = [event async for event in ticket]
        told = "".join(event.text for event in events if isinstance(event, Token))
        assert told == "".join(f"{n} " for n in range(1, 21))
        assert isinstance(events[-1], Done)

    async def test_running_work_is_cancelled_between_two_steps(self, q: InferenceQueue) -> None:
        await answer(q, "double", 0)
        (station,) = stations(q)
        assert station.link is not None
        pid = station.link.pid
        async with q.submit(job("long", 1_000_000)) as ticket:
            async for event in ticket:
                if isinstance(event, Progress):
                    break  # leaving the block cancels
        assert station.held, "the worker has it until it says that it has let go of it"
        await until(lambda: not station.held)
        assert await answer(q, "double", 4) == 8
        assert station.link.pid == pid, "nobody had to die for that"

    async def test_strangers_are_turned_away_unheard(self, q: InferenceQueue) -> None:
        assert await answer(q, "double", 1) == 2
        driver: Driver | None = q._engine._driver  # type: ignore[attr-defined]
        assert driver is not None
        for words in (HELLO.pack(os.urandom(32), 1), b"GET / HTTP/1.1\r\nHost: tadim\r\n\r\n" * 9):
            reader, writer = await asyncio.open_connection(*driver._address)
            writer.write(words)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await asyncio.wait_for(reader.readexactly(1), 20)
            writer.close()
        assert await answer(q, "double", 2) == 4

    async def test_a_killed_worker_is_replaced_and_its_jobs_repeated(
        self, q: InferenceQueue
    ) -> None:
        await answer(q, "double", 0)
        jobs = [asyncio.create_task(answer(q, "slow", n)) for n in range(8)]
        streaming = asyncio.create_task(answer(q, "long", 1_000_000))
        (station,) = stations(q)
        await until(lambda: any(entry.text for entry in station.held.values()))
        assert station.link is not None and station.link.pid is not None
        os.kill(station.link.pid, signal.SIGKILL)
        assert await asyncio.gather(*jobs) == [2 * n for n in range(8)]
        with pytest.raises(WorkerLost):  # what was said cannot be unsaid
            await streaming

    async def test_a_worker_that_hangs_in_c_dies_on_demand(self, q: InferenceQueue) -> None:
        await answer(q, "double", 0)
        stuck = asyncio.create_task(answer(q, "deaf", 10**15))
        (station,) = stations(q)
        await until(lambda: any(session.begun for session in station.sessions.values()))
        assert station.link is not None
        process = psutil.Process(station.link.pid)
        stuck.cancel()
        station.link.kill("it hangs")
        assert await answer(q, "double", 3) == 6
        await asyncio.to_thread(psutil.wait_procs, [process], timeout=20)
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_work_goes_on_after_the_death_of_the_driver(ray_cluster: SmallCluster) -> None:
    engine = ray_cluster.engine()
    async with opened(engine) as q:
        assert await answer(q, "double", 1) == 2
        job_in_hand = asyncio.create_task(answer(q, "slow", 2))
        await until(lambda: stations(q)[0].held)
        assert engine._driver is not None
        engine._driver._process.kill()
        assert await job_in_hand == 4


async def test_a_closed_engine_leaves_nothing_behind(ray_cluster: SmallCluster) -> None:
    engine = RayEngine(ray_cluster.address)
    async with opened(engine) as q:
        assert await answer(q, "double", 1) == 2
        (station,) = stations(q)
        assert station.link is not None and station.link.pid is not None
        assert engine._driver is not None
        processes = [psutil.Process(pid) for pid in (station.link.pid, engine._driver._process.pid)]
    assert not [process for process in processes if process.is_running()]


@pytest.mark.parametrize(
    ("address", "environment", "why"),
    [
        ("ray://10.0.0.5:10001", {}, "must be a node of the cluster"),
        ("auto", {"RAY_USE_TLS": "1"}, "RAY_USE_TLS"),
    ],
)
async def test_what_cannot_work_is_refused_with_the_reason(
    address: str, environment: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    engine = RayEngine(address)
    with pytest.raises(RayUnavailable, match=why):
        await engine.devices("compute")
    await engine.close()


async def test_a_cluster_that_cannot_be_joined_is_said_so() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        engine = RayEngine(f"127.0.0.1:{nobody.getsockname()[1]}")
        try:
            with pytest.raises(RayUnavailable, match="Ray at 127"):
                await engine.devices("compute")
            reasons: list[str] = []
            link = engine.open(WorkerOptions("compute"), lambda frame: None, reasons.append)
            await until(lambda: link.hopeless)
            assert not link.ready
            assert all("Ray at 127" in reason for reason in reasons)
            await link.close()
        finally:
            await engine.close()


# --- several nodes ------------------------------------------------------------------------------


async def test_every_node_gets_work_and_the_death_of_one_costs_no_answer(
    ray_cluster: SmallCluster,
) -> None:
    second, nodes = ray_cluster.add_node(), 2
    third = None
    async with opened(ray_cluster.engine()) as q:
        try:
            await q.start()
            assert len(stations(q)) == nodes
            await until(lambda: all(station.ready for station in stations(q)))
            results = await asyncio.gather(*(answer(q, "where", n) for n in range(40)))
            assert sorted(item for _, _, item in results) == list(range(40))
            assert len({node for node, _, _ in results}) == nodes

            outcomes: Counter[int] = Counter()

            async def one(number: int) -> None:
                async with q.submit(job("where", number)) as ticket:
                    async for event in ticket:
                        outcomes[number] += isinstance(event, Done)

            running = asyncio.gather(*(one(n) for n in range(100)))
            await until(lambda: sum(outcomes.values()) >= 20)
            dying = next(s for s in stations(q) if on_node(s, second))
            await until(lambda: dying.held)
            await asyncio.to_thread(ray_cluster.kill_node, second)
            await running
            assert outcomes == Counter(range(100)), "each exactly once"
            assert not dying.ready

            # It waits for a place, and the next node that comes is one.
            third = ray_cluster.add_node()
            await until(lambda: dying.ready)
            results = await asyncio.gather(*(answer(q, "where", n) for n in range(40)))
            assert {node for node, _, _ in results} > {third.node_id}
        finally:
            if third is not None:
                ray_cluster.remove_node(third)


def on_node(station: Station, node: Any) -> bool:
    """Whether a worker runs on a node: its raylet is the parent of its processes."""
    assert station.link is not None and station.link.pid is not None
    raylets = [each.process.pid for each in node.all_processes["raylet"]]
    return psutil.Process(station.link.pid).ppid() in raylets


async def test_every_gpu_gets_one_worker_of_each_room(ray_cluster: SmallCluster) -> None:
    """The GPUs are make-believe, as Ray lets one have them; who may see which is not."""
    node = ray_cluster.add_node(num_gpus=2)
    tasks = {
        name: task(name, "Whereabouts", room=name, options={"seconds": 0.05})
        for name in ("compute", "text")
    }
    try:
        async with opened(ray_cluster.engine(), tasks, memory_budget=1) as q:
            await q.start()
            for room in tasks:
                assert [station.device for station in stations(q, room)] == ["cuda", "cuda"]
            await until(lambda: all(s.ready for room in tasks for s in stations(q, room)))
            for room in tasks:
                results = await asyncio.gather(*(answer(q, room, n) for n in range(20)))
                assert {gpu for _, gpu, _ in results} == {"0", "1"}
        async with opened(ray_cluster.engine(workers=1), tasks, memory_budget=1) as q:
            await q.start()
            assert len(stations(q)) == 1
    finally:
        ray_cluster.remove_node(node)


# --- weights on nodes ---------------------------------------------------------------------------


def manifest_with(tmp_path: Path, content: bytes | None) -> tuple[Manifest, Path]:
    """A manifest whose one mirror holds `content` (None: nothing); the file's place in front."""
    digest = sha256(STORY).hexdigest()
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    if content is not None:
        (mirror / "story.txt").write_bytes(content)
    manifest = Manifest.parse(
        {
            "story": {
                "title": "A story",
                "file": "story.txt",
                "licence": "CC0-1.0",
                "size": len(STORY),
                "sha256": digest,
                "mirrors": [{"kind": "path", "path": str(mirror)}],
            }
        }
    )
    return manifest, tmp_path / "front" / digest[:16] / "story.txt"


class WeightsOfFront(NoWeights):
    """The queue's store has the file; nodes do not see its disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def path(self, name: str) -> Path | None:
        return self._path


async def test_a_node_fetches_the_weights_that_it_lacks(
    ray_cluster: SmallCluster, tmp_path: Path
) -> None:
    manifest, path = manifest_with(tmp_path, STORY)
    engine = ray_cluster.engine(manifest=manifest)
    async with opened(engine, weights=WeightsOfFront(path)) as q:
        text, where = await answer(q, "read", 1)
        assert text == STORY.decode()
        assert Path(where).read_bytes() == STORY


async def test_weights_that_a_node_cannot_have_fail_the_job_alone(
    ray_cluster: SmallCluster, tmp_path: Path
) -> None:
    manifest, path = manifest_with(tmp_path, None)
    engine = ray_cluster.engine(manifest=manifest)
    async with opened(engine, weights=WeightsOfFront(path)) as q:
        with pytest.raises(ModelUnavailable, match="story: gone"):
            await answer(q, "read", 1)
        assert await answer(q, "double", 1) == 2
        (tmp_path / "mirror" / "story.txt").write_bytes(STORY)
        assert (await answer(q, "read", 2))[0] == STORY.decode()


class Queue:
    """The queue's end of a connection to a `NodeEnd`, by hand."""

    def __init__(self, manifest: Manifest) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self.talk = WorkerEnd(ours)
        self.node = NodeEnd(theirs, manifest)

    def close(self) -> None:
        self.node.close()
        self._socket.close()

    def say(self, *messages: Message) -> None:
        self.talk.send(list(messages))

    def heard(self, count: int) -> list[Message]:
        """The next `count` messages of the node, but for those that it is still fetching."""
        said: list[Message] = []
        while len(said) < count:
            said += [each for each in self.talk.receive(wait=True) if each[0] != "loading"]
        return said


def gated(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Pulls wait for this event."""
    gate = threading.Event()
    pull = __import__("inference.weights").weights.WeightsStore.pull

    def late(*arguments: Any) -> Path:
        assert gate.wait(30)
        path: Path = pull(*arguments)
        return path

    monkeypatch.setattr("inference.weights.WeightsStore.pull", late)
    return gate


@pytest.fixture
def talks(tmp_path: Path) -> Iterator[tuple[Queue, Message, Path]]:
    manifest, path = manifest_with(tmp_path, STORY)
    variant = Variant(name="Read", entry="x:Y", weights=("story",))
    with closing(Queue(manifest)) as queue:
        yield queue, ("model", "read", variant, {"story": path}), path


def run(session: int, key: str, *jobs: int) -> Message:
    return ("run", session, key, list(jobs), [seal(number) for number in jobs], "short")


def test_work_waits_for_its_weights_and_other_work_does_not(
    talks: tuple[Queue, Message, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, model, _ = talks
    gate = gated(monkeypatch)
    plain = ("model", "plain", Variant(name="Plain", entry="x:Z"), {})
    queue.say(model, run(1, "read", 1), plain, run(2, "plain", 2))
    assert queue.node.receive(wait=True) == [plain, run(2, "plain", 2)]
    queue.say(run(3, "read", 3))
    assert queue.node.receive(wait=False) == []
    assert queue.talk.receive(wait=True) == [("loading", "read")]
    gate.set()
    (word, key, _, files), *rest = queue.node.receive(wait=True)
    assert (word, key, files["story"].read_bytes()) == ("model", "read", STORY)
    assert rest == [run(1, "read", 1), run(3, "read", 3)], "in the order in which it came"


def test_jobs_that_wait_for_weights_can_be_cancelled(
    talks: tuple[Queue, Message, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, model, _ = talks
    gate = gated(monkeypatch)
    queue.say(model, run(1, "read", 1, 2), ("cancel", 1), run(2, "read", 3), ("cancel", 3))
    queue.say(("cancel", 99))
    assert queue.node.receive(wait=True) == [("cancel", 99)], "not ours: the worker's to answer"
    assert queue.heard(3) == [("dropped", 1, 0.0), ("dropped", 3, 0.0), ("end", 2, 0.0, 0, 0)]
    gate.set()
    _, *rest = queue.node.receive(wait=True)
    assert rest == [run(1, "read", 2)]


def test_a_failed_fetch_fails_what_waited_and_is_tried_again(
    talks: tuple[Queue, Message, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    queue, model, _ = talks
    story = tmp_path / "mirror" / "story.txt"
    story.unlink()
    gate = gated(monkeypatch)
    gate.set()
    queue.say(model, run(1, "read", 1, 2))
    plain = ("model", "plain", Variant(name="Plain", entry="x:Z"), {})
    waking = threading.Timer(1.0, lambda: queue.say(plain))
    waking.start()
    assert queue.node.receive(wait=True) == [plain]
    waking.join()
    errors = queue.heard(3)
    assert [(word, job) for word, job, *_ in errors] == [("error", 1), ("error", 2), ("end", 1)]
    assert isinstance(errors[0][2], ModelUnavailable)
    story.write_bytes(STORY)
    queue.say(run(2, "read", 3))
    assert [message[0] for message in queue.node.receive(wait=True)] == ["model", "run"]


def test_a_model_that_did_not_load_has_its_files_looked_at_again(
    talks: tuple[Queue, Message, Path],
) -> None:
    queue, model, path = talks
    queue.say(model, run(1, "read", 1))
    ((_, _, _, files), _) = queue.node.receive(wait=True)
    files["story"].write_bytes(b"X" * len(STORY))
    assert files["story"] == path, "the same place as in front, where that can be"
    moved = {"story": path.with_name("elsewhere") / ".." / ".." / path.parent.name / path.name}
    queue.say((*model[:3], moved), run(2, "read", 2))
    ((_, _, _, files), _) = queue.node.receive(wait=True)
    assert files["story"].read_bytes() == STORY


# --- what is left behind ------------------------------------------------------------------------

SCRIPT = """
import asyncio, os, psutil, signal
from inference.engines.ray import RayEngine
from inference.queue import InferenceQueue, QueueOptions
from tests.inference.fake_models import TASKS, NoWeights, job

async def main():
    queue = InferenceQueue(NoWeights(), QueueOptions(tasks=TASKS), RayEngine("local"))
    async with queue.submit(job("double", 21)) as ticket:
        assert await ticket.result() == 42
    everybody = [each.pid for each in psutil.Process().children(recursive=True)]
    print(*everybody, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_nothing_outlives_a_front_that_is_killed(tmp_path: Path) -> None:
    """A Ray of its own: all that it consists of is gone when its front is."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    ran = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert ran.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in ran.stdout.split()]
    assert len(pids) > 5
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(left, timeout=40)
    assert not [each.cmdline() for each in alive]
