"""What a graph may not contain: weights in other files, compiled engines.

Called by ``bundle.py``. Not here: the encoding (``protobuf.py``), whether a graph computes what its
stage promises (``runner.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from emohead.protobuf import BYTES, VARINT, Content, fields_of, from_varint

__all__ = ["objection"]

_MAX_DEPTH: Final = 64
_MAX_FIELDS: Final = 2_000_000
"""Fields that are looked at: eighty times those of the largest stage."""
# Fields of each message that hold other messages (onnx.proto); a tensor's own are looked at below.
_NESTED: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def objection(model: bytes) -> str | None:
    """Say why a graph must not be opened.

    Parameters
    ----------
    model : bytes
        Content of an ONNX file.

    Returns
    -------
    str or None
        A phrase that goes on "the graph …"; None when nothing speaks against it.
    """
    if b"EPContext" in model:
        return "holds a compiled engine or refers to one, which is code"
    # Without this word no tensor can name a file: most graphs need no closer look.
    if b"location" not in model:
        return None
    try:
        elsewhere = _refers_elsewhere(model, "model", 0, iter(range(_MAX_FIELDS)))
    except ValueError:
        return "is damaged"
    return "refers to data in another file" if elsewhere else None


def _refers_elsewhere(message: Content, kind: str, depth: int, left: Iterator[int]) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    nested = _NESTED[kind]
    for field, wire, content in fields_of(message):
        if next(left, None) is None:
            raise ValueError("too many fields")
        if kind == "tensor" and _names_a_file(field, wire, content):
            return True
        inner = nested.get(field)
        if inner and wire == BYTES and _refers_elsewhere(content, inner, depth + 1, left):
            return True
    return False


def _names_a_file(field: int, wire: int, content: Content) -> bool:
    """Whether a tensor's field says that its data is elsewhere."""
    if field == _DATA_LOCATION:
        return wire != VARINT or from_varint(content) != 0
    return field == _EXTERNAL_DATA
