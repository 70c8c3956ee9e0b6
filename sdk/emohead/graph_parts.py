"""An ONNX graph cut by what its nodes depend on: computed once, ahead of time, or step by step.

Works on the file's bytes, for the runtime has no ONNX library: fields are copied as they are, and
only the names that nodes read and write are looked at. Called by ``lookahead.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Parts", "Value", "parts_of"]

# Field numbers of onnx.proto.
_GRAPH: Final = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_TENSOR_NAME: Final = 8
_ELEMENT_TYPES: Final = {"float": 1, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "double": 11}
_CONSTANT: Final = -1

Field = tuple[int, int, bytes]
"""Number, wire type, and content."""


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
    content: bytes
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
    _weights: dict[str, bytes] = field(default_factory=dict)
    _declared: dict[str, bytes] = field(default_factory=dict)
    _results: dict[str, bytes] = field(default_factory=dict)
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
        graph = [*self._others]
        graph += [(_NODE, 2, node.content) for node in nodes]
        graph += [(_INITIALIZER, 2, w) for name, w in self._weights.items() if name in read]
        graph += [(_INPUT, 2, v) for name, v in self._declared.items() if name in read]
        graph += [(_INPUT, 2, _declaration(v)) for name, v in passed.items() if name in read]
        graph += [(_OUTPUT, 2, self._results.get(n) or _text(1, n)) for n in wanted]
        return _joined([*self._model, (_GRAPH, 2, _joined(graph))])

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
    fields = list(_fields(model))
    graph = next(content for number, _, content in fields if number == _GRAPH)
    found = Parts(len(groups), [f for f in fields if f[0] != _GRAPH])
    for number, wire, content in _fields(graph):
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


def _fields(content: bytes) -> Iterator[Field]:
    """Fields of a message, lengths stripped."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 2:
            length, at = _varint(content, at)
            end = at + length
        elif wire == 0:
            _, end = _varint(content, at)
        else:
            end = at + (8 if wire == 1 else 4)
        yield number, wire, content[at:end]
        at = end


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _as_varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def _joined(fields: Sequence[Field]) -> bytes:
    pieces = []
    for number, wire, content in fields:
        pieces.append(_as_varint(number << 3 | wire))
        if wire == 2:
            pieces.append(_as_varint(len(content)))
        pieces.append(content)
    return b"".join(pieces)


def _text(number: int, text: str) -> bytes:
    return _joined([(number, 2, text.encode())])


def _texts(content: bytes, wanted: int) -> tuple[str, ...]:
    return tuple(c.decode() for number, _, c in _fields(content) if number == wanted)


def _declaration(value: Value) -> bytes:
    """ValueInfoProto of an input."""
    axes = [
        (1, 2, _joined([(1, 0, _as_varint(n))]) if isinstance(n, int) else b"") for n in value.shape
    ]
    kind = (1, 0, _as_varint(_ELEMENT_TYPES[value.element]))
    tensor = _joined([kind, (2, 2, _joined(axes))])
    return _joined([(1, 2, value.name.encode()), (2, 2, _joined([(1, 2, tensor)]))])
