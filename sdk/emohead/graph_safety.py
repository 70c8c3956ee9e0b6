"""What a graph may not contain: weights in other files, compiled engines.

Reads just enough of ONNX's protobuf encoding, for the runtime has no ``onnx``. Called by
``bundle.py``. Not here: whether a graph computes what its stage promises (``runner.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["objection"]

_MAX_DEPTH: Final = 64
_MAX_FIELDS: Final = 2_000_000
"""Fields that are looked at: eighty times those of the largest stage."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
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
        elsewhere = _refers_elsewhere(memoryview(model), "model", 0, iter(range(_MAX_FIELDS)))
    except (ValueError, IndexError):
        return "is damaged"
    return "refers to data in another file" if elsewhere else None


def _refers_elsewhere(message: memoryview, kind: str, depth: int, left: Iterator[int]) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    nested = _NESTED[kind]
    for field, value in _fields(message):
        if next(left, None) is None:
            raise ValueError("too many fields")
        if kind == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value)):
            return True
        inner = nested.get(field)
        if (
            inner
            and isinstance(value, memoryview)
            and _refers_elsewhere(value, inner, depth + 1, left)
        ):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field; fixed-size values are passed over."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield field, value
        elif wire == _BYTES:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("cut off")
            yield field, message[position : position + length]
            position += length
        elif wire in (_FIXED64, _FIXED32):
            position += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError("no such field")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Value and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("too long")
