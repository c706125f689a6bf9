"""Reading constants out of OpenVINO's intermediate representation (IR, version 10).

A model in this format is two files: an XML graph of operations, and one binary file with every
constant. Some weights are published in no other form. This module finds constants by their place in
the graph; what the graph computes is written again as torch modules, so that it has gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

_TYPES = {"f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4"}


@dataclass(slots=True)
class Node:
    """One operation. `inputs` and `users` are in the order of their ports and of the file."""

    type: str
    name: str
    inputs: list[Node] = field(default_factory=list)
    users: list[Node] = field(default_factory=list)
    value: NDArray[np.generic] | None = None

    @property
    def constant(self) -> NDArray[np.generic]:
        """The value of a Const; that of the Const behind a node which only reshapes it."""
        node = self
        while node.value is None:
            node = node.inputs[0]
        return node.value

    @property
    def is_constant(self) -> bool:
        """Whether it is a Const."""
        return self.type == "Const"

    def __repr__(self) -> str:
        return f"{self.type} {self.name}"


class Graph:
    """The nodes of one network, in topological order as the file lists them."""

    def __init__(self, xml: Path, binary: Path) -> None:
        """Raises ValueError if the files do not fit each other, or hold an unknown type."""
        # The file is pinned by its hash: nobody can have put a bomb into the XML.
        root = ElementTree.parse(xml).getroot()  # noqa: S314
        blob = binary.read_bytes()
        layers = {layer.get("id"): _node(layer, blob) for layer in root.iterfind("layers/layer")}
        edges = sorted(root.iterfind("edges/edge"), key=lambda edge: int(edge.get("to-port") or 0))
        for edge in edges:
            source, target = layers[edge.get("from-layer")], layers[edge.get("to-layer")]
            target.inputs.append(source)
        for node in layers.values():
            for source in node.inputs:
                source.users.append(node)
        self.nodes = tuple(layers.values())

    def of_type(self, *types: str) -> Iterator[Node]:
        """All nodes of these types, in order."""
        return (node for node in self.nodes if node.type in types)


def _node(layer: ElementTree.Element, blob: bytes) -> Node:
    node = Node(layer.get("type") or "", layer.get("name") or "")
    data = layer.find("data")
    if node.type == "Const" and data is not None:
        dtype = _TYPES.get(data.get("element_type") or "")
        if dtype is None:
            raise ValueError(f"{node}: constants of type {data.get('element_type')} are unknown")
        offset, size = int(data.get("offset") or 0), int(data.get("size") or 0)
        shape = [int(side) for side in (data.get("shape") or "").split(",") if side]
        if offset + size > len(blob):
            raise ValueError(f"{node}: the binary file ends before its constant")
        node.value = np.frombuffer(blob, dtype, size // np.dtype(dtype).itemsize, offset).reshape(
            shape
        )
    return node
