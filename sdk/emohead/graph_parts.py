"""An ONNX graph cut by what its nodes depend on: computed once, ahead of time, or step by step.

Works on the file's bytes (``protobuf.py``): fields are copied as they are, and only the names that
nodes read and write are looked at. Called by ``lookahead.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from emohead.protobuf import BYTES, VARINT, Content, Field, fields_of, joined, varint

__all__ = ["Parts", "Value", "parts_of"]

# Field numbers of onnx.proto.
_GRAPH: Final = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_TENSOR_NAME: Final = 8
_ELEMENT_TYPES: Final = {"float": 1, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "double": 11}
_CONSTANT: Final = -1


@dataclass(frozen=True, kw_only=True)
class Value:
    """A tensor that passes from one part to the next."""

    name: str
    """In the graph."""
    element: str
    """As ONNX Runtime writes it, ``float`` for example."""
    shape: Sequence[object]
    """Lengths of the axes; anything but an int for those that vary."""


@dataclass(frozen=True)
class _Node:
    content: Content
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass
class Parts:
    """A graph, and which of its nodes belong to which part; make one with ``parts_of``."""

    num_parts: int
    """One for every group of inputs."""
    _model: list[Field]
    _others: list[Field] = field(default_factory=list)
    _nodes: list[_Node] = field(default_factory=list)
    _weights: dict[str, Content] = field(default_factory=dict)
    _declared: dict[str, Content] = field(default_factory=dict)
    _results: dict[str, Content] = field(default_factory=dict)
    _level: dict[str, int] = field(default_factory=dict)

    def results_of(self, part: int) -> list[str]:
        """Names that a part gives: what later parts read, and the graph's own outputs."""
        later = range(part + 1, self.num_parts)
        wanted = {name for other in later for node in self._needed(other) for name in node.reads}
        wanted.update(self._results)
        made = (n for node in self._nodes for n in node.writes if self._level[n] == part)
        return [name for name in made if name in wanted]

    def model_of(self, part: int, passed: Mapping[str, Value]) -> bytes:
        """Build a part.

        Parameters
        ----------
        part : int
            From 0.
        passed : mapping of str to Value
            What earlier parts give, by name.

        Returns
        -------
        bytes
            ONNX file whose inputs are those that it reads, whose outputs are ``results_of`` it.
        """
        nodes = self._needed(part)
        made = {name for node in nodes for name in node.writes}
        read = {name for node in nodes for name in node.reads if name} - made
        wanted = self.results_of(part)
        graph: list[Field] = [*self._others]
        graph += [(_NODE, BYTES, node.content) for node in nodes]
        graph += [(_INITIALIZER, BYTES, w) for name, w in self._weights.items() if name in read]
        graph += [(_INPUT, BYTES, v) for name, v in self._declared.items() if name in read]
        graph += [(_INPUT, BYTES, _declaration(v)) for name, v in passed.items() if name in read]
        graph += [(_OUTPUT, BYTES, self._results.get(n) or _text(1, n)) for n in wanted]
        return joined([*self._model, (_GRAPH, BYTES, joined(graph))])

    def _needed(self, part: int) -> list[_Node]:
        """Nodes of a part, and the constants that they read, in the graph's order."""
        own = [n for n in self._nodes if self._level[n.writes[0]] in (part, _CONSTANT)]
        kept: list[_Node] = []
        used: set[str] = set()
        for node in reversed(own):
            if self._level[node.writes[0]] == part or used.intersection(node.writes):
                used.update(node.reads)
                kept.append(node)
        return kept[::-1]


def parts_of(model: bytes, groups: Sequence[Sequence[str]]) -> Parts:
    """Sort a graph's nodes by the last group of inputs that they depend on.

    Parameters
    ----------
    model : bytes
        ONNX file without sub-graphs and without external data.
    groups : sequence of sequence of str
        Inputs, in the order in which they become known.

    Returns
    -------
    Parts
    """
    fields = list(fields_of(model))
    graph = next(content for number, _, content in fields if number == _GRAPH)
    found = Parts(len(groups), [f for f in fields if f[0] != _GRAPH])
    for number, wire, content in fields_of(graph):
        if number == _NODE:
            found._nodes.append(_Node(content, _texts(content, 1), _texts(content, 2)))
        elif number == _INITIALIZER:
            found._weights[_texts(content, _TENSOR_NAME)[0]] = content
        elif number == _INPUT:
            found._declared[_texts(content, 1)[0]] = content
        elif number == _OUTPUT:
            found._results[_texts(content, 1)[0]] = content
        else:
            found._others.append((number, wire, content))
    level = found._level
    level.update({name: index for index, group in enumerate(groups) for name in group})
    for node in found._nodes:
        own = max((level.get(name, _CONSTANT) for name in node.reads), default=_CONSTANT)
        level.update(dict.fromkeys(node.writes, own))
    return found


def _text(number: int, text: str) -> bytes:
    return joined([(number, BYTES, text.encode())])


def _texts(content: Content, wanted: int) -> tuple[str, ...]:
    found = (c for number, _, c in fields_of(content) if number == wanted)
    return tuple(bytes(c).decode() for c in found)


def _declaration(value: Value) -> bytes:
    """ValueInfoProto of an input."""
    axes = [
        (1, BYTES, joined([(1, VARINT, varint(n))]) if isinstance(n, int) else b"")
        for n in value.shape
    ]
    kind = (1, VARINT, varint(_ELEMENT_TYPES[value.element]))
    tensor = joined([kind, (2, BYTES, joined(axes))])
    return joined([(1, BYTES, value.name.encode()), (2, BYTES, joined([(1, BYTES, tensor)]))])
