"""The tasks a handler may ask for. One file a task: its input, its result, its declaration.

A task says *what* is asked (find objects in a picture) and which model class answers it in each
profile. It is read by the main process and therefore imports no torch; the class it names is
imported in the worker only. Every module of this package defines one `TASK`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["short", "long", "stream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One checkpoint of a task's model.

    `name` is what replies and metrics call it; `entry` is "module:Class" of an `inference.Model`;
    `weights` names entries of `weights.toml`; `memory` is what it occupies on the device, in bytes.
    """

    name: str
    entry: str
    weights: tuple[str, ...] = ()
    memory: int = 0
    max_batch: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


def _no_key(payload: Any) -> Hashable:
    return None


def _one_unit(payload: Any) -> float:
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the queue must know of a task without loading its model.

    `batch_key(payload)`: only payloads with equal keys may share a batch (None: all may).
    `share_key(payload)`: payloads with equal keys have equal results, so one run answers all;
        None means "never share" (unseeded sampling).
    `units(payload)`: how much work a job is, where jobs differ (training steps, tokens): the queue
        learns what a unit costs.
    `room`: which worker process serves it; text streams live apart from "compute" so that a
        crash there spares them.
    `long`: work of many seconds (training, search); it may be overtaken between its steps.
    `continuous`: new jobs may join a running session.
    `timeout`: seconds a job may run.
    """

    name: str
    variants: Mapping[str, Variant]
    room: str = "compute"
    long: bool = False
    continuous: bool = False
    timeout: float = 120.0
    batch_key: Callable[[Any], Hashable] = _no_key
    share_key: Callable[[Any], Hashable] = _no_key
    units: Callable[[Any], float] = _one_unit

    @property
    def kind(self) -> Kind:
        """How a worker treats its sessions: in turn, in the background, or open to newcomers."""
        return "stream" if self.continuous else "long" if self.long else "short"

    def offered(self, profile: str) -> bool:
        """Whether a profile has a checkpoint for it. Some tasks need more than `embedded` has."""
        return profile in self.variants or "embedded" in self.variants

    def variant(self, profile: str) -> Variant:
        """The checkpoint of a profile; `full` falls back on `embedded` where both are the same.

        Raises:
            KeyError: none; see `offered`.
        """
        return self.variants.get(profile) or self.variants["embedded"]


def shares(chosen: Iterable[tuple[Task, Variant]]) -> dict[str, float]:
    """The part of a device's memory that the workers of each room may fill, by room.

    In proportion to a room's largest model: so every room can hold its own, if the device has room
    for these together.
    """
    largest: dict[str, int] = {}
    for task, variant in chosen:
        largest[task.room] = max(largest.get(task.room, 1), variant.memory)
    return {room: each / sum(largest.values()) for room, each in largest.items()}


@cache
def all_tasks() -> Mapping[str, Task]:
    """Every task by name, from the modules of this package."""
    found: dict[str, Task] = {}
    for module in pkgutil.iter_modules(__path__, __name__ + "."):
        task = importlib.import_module(module.name).TASK
        if task.name in found:
            raise RuntimeError(f"two tasks are called {task.name}")
        found[task.name] = task
    return MappingProxyType(found)
