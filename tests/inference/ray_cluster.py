"""A small Ray cluster on this machine, shared by all tests of a run, and models that tell of it.

    @pytest.fixture
    def engine(ray_cluster: SmallCluster) -> RayEngine:
        return ray_cluster.engine()

Import the fixture `ray_cluster` where it is used. The cluster has one node with one logical CPU;
it starts with the first test that asks for it and stops at the end of the run. Joining it takes
seconds, so the engines it gives leave their driver behind for the next one: use one at a time.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pytest

from inference.engines.ray import Driver, RayEngine
from inference.engines.ray_driver import ENVIRONMENT, OBJECT_STORE
from inference.model import OneStepModel
from inference.tasks import Task, Variant

MODULE = "tests.inference.ray_cluster"


class KeptDriver(Driver):
    """A driver whose process outlives it: the next one, in another event loop, talks on to it."""

    process: ClassVar[Any] = None
    connection: ClassVar[socket.socket]
    host: ClassVar[str]
    numbers: ClassVar[itertools.count[int]] = itertools.count(1)

    async def start(self, address: str) -> None:
        kept = KeptDriver
        if kept.process is None or not kept.process.is_alive():
            kept.connection = await self._spawn(address)
            kept.process = self._process
            await self._attach(kept.connection.dup())
            async with asyncio.timeout(60):
                kept.host = await self._joined
        else:
            self._process = kept.process
            await self._attach(kept.connection.dup())
        self._numbers = kept.numbers
        await self._listen(kept.host)

    async def close(self) -> None:
        if self._door is not None:
            self._door.close()
        if self._end is not None:
            self._end.close()


class SmallCluster:
    """A cluster of one node; `add_node` makes it larger, in the main thread (Ray sets signals)."""

    def __init__(self) -> None:
        # A folder and a token of its own: another Ray on this machine is none of our business, and
        # what is started from here inherits both.
        self._folder = tempfile.mkdtemp(prefix="ray-")
        os.environ.update(
            ENVIRONMENT,
            RAY_TMPDIR=self._folder,
            RAY_AUTH_MODE="token",
            RAY_AUTH_TOKEN=secrets.token_hex(32),
        )
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args=_node_arguments(
                include_dashboard=False, include_log_monitor=False, no_monitor=True
            ),
        )
        atexit.register(self.stop)

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def engine(self, workers: int = 0, **options: Any) -> RayEngine:
        engine = RayEngine(self.address, workers, **options)
        engine._kind = KeptDriver
        return engine

    def add_node(self, **arguments: Any) -> Any:
        return self._cluster.add_node(**_node_arguments(**arguments))

    def kill_node(self, node: Any) -> None:
        """As when somebody pulls its plug: nothing of it says goodbye."""
        self._cluster.remove_node(node, allow_graceful=False)

    def remove_node(self, node: Any) -> None:
        """End a node, and wait until the cluster knows."""
        self._cluster.remove_node(node)
        deadline = time.monotonic() + 60
        while node.node_id in self._alive():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _alive(self) -> set[str]:
        table = self._cluster.global_state.node_table()
        return {each["NodeID"] for each in table if each["Alive"]}

    def stop(self) -> None:
        """End what was started; harmless if it has ended."""
        atexit.unregister(self.stop)
        process, KeptDriver.process = KeptDriver.process, None
        if process is not None:
            KeptDriver.connection.close()  # it leaves when nobody is there any more
            process.join(10)
            process.kill()
        self._cluster.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)


def _node_arguments(**arguments: Any) -> dict[str, Any]:
    return {"num_cpus": 1, "object_store_memory": OBJECT_STORE, **arguments}


_shared: list[SmallCluster] = []


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[SmallCluster]:
    """The same cluster for every module that imports this."""
    if not _shared:
        _shared.append(SmallCluster())
    yield _shared[0]
    _shared[0].stop()


# --- models that know where they are ------------------------------------------------------------


class Whereabouts(OneStepModel):
    """Answers with the node, the visible GPUs, and the payload; takes `seconds`."""

    def load(self, device: str) -> None:
        import ray

        self._node = ray.get_runtime_context().get_node_id()

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(float(self.options.get("seconds", 0)))
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return [(self._node, gpus, item) for item in inputs]


class Reader(OneStepModel):
    """Answers with what its file of weights says."""

    def load(self, device: str) -> None:
        self._text = self.files["story"].read_text(encoding="utf-8")

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [(self._text, str(self.files["story"])) for _ in inputs]


class Deaf(OneStepModel):
    """Adds numbers up in C, which leaves the interpreter to nobody else meanwhile."""

    def load(self, device: str) -> None: ...

    def predict(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [sum(range(count)) for count in inputs]


def task(name: str, entry: str, **settings: Any) -> Task:
    """A task of one variant of this module. `options`, `weights`, … go to the variant."""
    variant = {
        key: settings.pop(key)
        for key in ("options", "max_batch", "weights", "memory")
        if key in settings
    }
    checkpoint = Variant(name=name.title(), entry=f"{MODULE}:{entry}", **variant)
    return Task(name=name, variants={"embedded": checkpoint}, **settings)
