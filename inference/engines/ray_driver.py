"""The process that speaks to Ray: joins the cluster, finds places for workers, sees them die.

Messages, as tuples over a socket pair (`inference.wire`):

engine → driver
    ("devices", number, workers)
    ("start", life, options, workers, arguments)   start a worker: `WorkerActor.run(*arguments)`
    ("kill", life)
    ("stop",)
driver → engine
    ("joined", host)            this machine, as nodes of the cluster know it
    ("failed", reason)          there is no cluster; the process ends
    ("devices", number, [device, …])
    ("placed", life)            its place is found, and it is being started
    ("gone", life, reason)      the last word about every life

`workers`: those of a room that the configuration wants; 0: one on every device.

**Places.** On CPUs a place is a node, and a worker books nothing there: one of each room fits on
every node, beside whatever else the cluster does. On GPUs a place is a placement group of one whole
GPU, which the rooms share. If workers booked halves of a GPU instead, Ray would fill one GPU with
two workers of the same room before it touched the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import re
import secrets
import signal
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from inference.engines.ray_worker import WorkerActor
from inference.wire import LoopEnd, Message, WorkerEnd
from inference.worker import WorkerOptions

log = logging.getLogger(__name__)

OBJECT_STORE = 80_000_000  # bytes of a local Ray's shared memory; nothing of ours travels there
SHARE = 0.1  # of a place's GPU for each worker: for two rooms, and for successors of the dying
LOOK = 1.0  # seconds between two looks for a place
HEAD_LIMIT = 10.0  # seconds that the head of the cluster has to answer
PROBE_LIMIT = 1.0  # seconds that a node has to answer
GROUP_LIMIT = 10.0  # seconds that Ray has to book a GPU

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told that it runs
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # `uv run` would otherwise upload the working directory
}


def main(end: socket.socket, address: str) -> None:
    """The process's entry point."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine says when to stop
    # Standard output belongs to the command line; what Ray prints there is said again below.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.environ.update(ENVIRONMENT)
    try:
        host = _join(address)
    except BaseException as error:  # noqa: BLE001 (some of Ray's ways to give up are SystemExit)
        with contextlib.suppress(OSError):
            WorkerEnd(end).send([("failed", f"Ray at {address}: {brief(error)}")])
        return
    import ray

    try:
        asyncio.run(_Driver(host).serve(end))
    finally:
        ray.shutdown()


def _join(address: str) -> str:
    """Join the cluster, or start a Ray here; the address of this machine for the nodes."""
    if os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true"):
        raise RuntimeError(
            "this cluster encrypts what travels (RAY_USE_TLS), Tadım's messages would not be; "
            "let the nodes talk over a private network or a VPN instead"
        )
    if "://" in address:
        raise RuntimeError("this machine must be a node of the cluster: give host:port, no URL")
    host, colon, port = address.rpartition(":")
    if colon:
        # Ray itself would try for two minutes.
        socket.create_connection((host.strip("[]"), int(port)), timeout=HEAD_LIMIT).close()
    here = address == "local"
    if here:
        # Nobody else may use it, and nothing of it is written into the home folder.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    logging.getLogger("ray").setLevel(logging.ERROR)
    import ray

    own: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": OBJECT_STORE,
        "include_dashboard": False,
    }
    ray.init(
        address=address,
        namespace="tadim",
        configure_logging=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        **(own if here else {}),
    )
    if here:
        return "127.0.0.1"
    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


def brief(error: BaseException) -> str:
    """One line of an error; Ray's have many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # An exception on a node arrives with its traceback before it.
    return lines[-1 if type(error).__name__.startswith("RayTaskError") else 0]


Nodes = dict[str, dict[str, Any]]  # by their ids, as Ray describes them


@dataclass(slots=True, eq=False)
class _Place:
    """Where a worker may be: a node, or a GPU of one. `users`: workers there, by room."""

    node: str
    group: Any = None
    users: Counter[str] = field(default_factory=Counter)


class _Driver:
    def __init__(self, host: str) -> None:
        import ray

        self._ray = ray
        self._host = host
        self._end: LoopEnd | None = None
        self._stopped = asyncio.Event()
        self._lives: dict[int, asyncio.Task[None]] = {}
        self._questions: set[asyncio.Task[None]] = set()
        self._actors: dict[int, Any] = {}
        self._places: list[_Place] = []
        self._booking = asyncio.Lock()

    async def serve(self, end: socket.socket) -> None:
        """Do what the engine says until it says stop, or has gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopped.set)  # Ray's own would crash
        end.setblocking(False)
        _, self._end = await loop.create_connection(
            lambda: LoopEnd(self._heard, self._stopped.set), sock=end
        )
        self._say("joined", self._host)
        await self._stopped.wait()
        for life in list(self._lives.values()):
            life.cancel()
        await asyncio.gather(*self._lives.values(), return_exceptions=True)

    def _say(self, *message: Any) -> None:
        assert self._end is not None
        self._end.send(message)

    def _heard(self, frame: list[Message]) -> None:
        for message in frame:
            match message:
                case ("devices", number, workers):
                    question = asyncio.create_task(self._answer(number, workers))
                    self._questions.add(question)
                    question.add_done_callback(self._questions.discard)
                case ("start", life, options, workers, arguments):
                    living = self._live(life, options, workers, arguments)
                    self._lives[life] = asyncio.create_task(living)
                case ("kill", life):
                    if life in self._actors:
                        self._ray.kill(self._actors[life], no_restart=True)
                    elif life in self._lives:
                        self._lives[life].cancel()
                case ("stop",):
                    self._stopped.set()

    # --- one worker -------------------------------------------------------------------------------

    async def _live(
        self, life: int, options: WorkerOptions, workers: int, arguments: tuple[Any, ...]
    ) -> None:
        """Start a worker and wait for its end."""
        room = re.sub(r"-\d+$", "", options.room)  # "text", "text-1", … are workers of one room
        place = None
        reason = "it was stopped"
        try:
            place = await self._find_place(
                room, gpu=options.device.startswith("cuda"), workers=workers
            )
            actor = self._actors[life] = self._start(place)
            self._say("placed", life)
            await actor.run.remote(*arguments)
        except asyncio.CancelledError:
            reason = "it was killed before it began"
        except Exception as error:  # noqa: BLE001 (Ray's own, and whatever is raised on the node)
            reason = brief(error)
        finally:
            del self._lives[life]
            if place is not None:
                place.users[room] -= 1
            if actor := self._actors.pop(life, None):
                self._ray.kill(actor, no_restart=True)
        self._say("gone", life, reason)

    def _start(self, place: _Place) -> Any:
        from ray.util.scheduling_strategies import (
            NodeAffinitySchedulingStrategy,
            PlacementGroupSchedulingStrategy,
        )

        strategy: Any
        if place.group is None:
            strategy = NodeAffinitySchedulingStrategy(place.node, soft=False)
        else:
            strategy = PlacementGroupSchedulingStrategy(place.group, 0)
        return (
            self._ray.remote(WorkerActor)
            .options(
                num_cpus=0,
                num_gpus=0 if place.group is None else SHARE,
                max_restarts=0,  # the queue must know of every death
                scheduling_strategy=strategy,
            )
            .remote()
        )

    # --- places -----------------------------------------------------------------------------------

    async def _answer(self, number: int, workers: int) -> None:
        """Say on which devices workers belong."""
        nodes = await self._reached(self._alive())
        if gpus := _gpus(nodes):
            devices = ["cuda"] * min(workers or gpus, gpus)
        else:
            devices = ["cpu"] * (workers or len(_having("CPU", nodes)))
        self._say("devices", number, devices)

    def _alive(self) -> Nodes:
        """The nodes that Ray believes alive."""
        nodes = self._ray.nodes()  # type: ignore[no-untyped-call]
        return {node["NodeID"]: node for node in nodes if node["Alive"]}

    async def _reached(self, nodes: Nodes) -> Nodes:
        """Those of some nodes that answer: it takes Ray up to half a minute to notice a death."""
        answers = await asyncio.gather(*(_answers(node) for node in nodes.values()))
        return {
            name: node
            for (name, node), answer in zip(nodes.items(), answers, strict=True)
            if answer
        }

    async def _find_place(self, room: str, *, gpu: bool, workers: int) -> _Place:
        """The place with the fewest workers, none of the same room if possible; waits for one.

        Raises:
            RuntimeError: no node takes workers at all.
        """
        while True:
            alive = self._alive()
            self._forget_lost_places(alive)
            nodes = _having("GPU" if gpu else "CPU", alive)
            if not nodes:
                raise RuntimeError(f"no node of the cluster has a {'GPU' if gpu else 'CPU'} for it")
            if not gpu:
                known = {place.node for place in self._places if place.group is None}
                self._places += [_Place(node) for node in nodes if node not in known]
            reached = await self._reached(nodes)
            most = 1 if gpu else max(1, math.ceil(workers / len(nodes)))
            free = [
                place
                for place in self._places
                if (place.group is not None) == gpu
                and place.users[room] < most
                and place.node in reached
            ]
            if free:
                place = min(free, key=lambda place: (place.users[room], place.users.total()))
                place.users[room] += 1
                return place
            if not (gpu and await self._book_gpu(_gpus(reached))):
                await asyncio.sleep(LOOK)

    def _forget_lost_places(self, alive: Nodes) -> None:
        for place in list(self._places):
            if place.node not in alive:
                self._places.remove(place)
                if place.group is not None:
                    self._ray.util.remove_placement_group(place.group)

    async def _book_gpu(self, gpus: int) -> bool:
        """Make a place of one of the `gpus` if one is still free."""
        async with self._booking:
            booked = sum(place.group is not None for place in self._places)
            if booked >= gpus:
                return False
            group = self._ray.util.placement_group([{"GPU": 1}])
            if not await asyncio.to_thread(group.wait, GROUP_LIMIT):
                self._ray.util.remove_placement_group(group)  # somebody else's work is on it
                return False
            table = self._ray.util.placement_group_table(group)
            self._places.append(_Place(table["bundles_to_node_id"][0], group))
            return True


def _having(resource: str, nodes: Nodes) -> Nodes:
    return {name: node for name, node in nodes.items() if node["Resources"].get(resource, 0) > 0}


def _gpus(nodes: Nodes) -> int:
    return sum(int(node["Resources"]["GPU"]) for node in _having("GPU", nodes).values())


async def _answers(node: dict[str, Any]) -> bool:
    try:
        async with asyncio.timeout(PROBE_LIMIT):
            _, writer = await asyncio.open_connection(
                node["NodeManagerAddress"], node["NodeManagerPort"]
            )
    except OSError:  # a timeout too
        return False
    writer.close()
    return True
