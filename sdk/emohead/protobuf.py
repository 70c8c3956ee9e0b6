"""Protocol buffers field by field: just enough to look into ONNX files and to put them together.

The runtime has no ``onnx``. Called by ``graph_safety.py`` and ``graph_parts.py``. Not here: what
fields mean. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["BYTES", "VARINT", "Content", "Field", "fields_of", "from_varint", "joined", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_LENGTHS: Final = {FIXED64: 8, FIXED32: 4}
_MOST_BITS: Final = 70

Content = bytes | memoryview
Field = tuple[int, int, Content]
"""Number, wire type, and content without its length; of a VARINT, as it is encoded."""


def fields_of(message: Content) -> Iterator[Field]:
    """Read a message.

    Parameters
    ----------
    message : bytes or memoryview

    Yields
    ------
    Field
        Whose content is a view, not a copy.

    Raises
    ------
    ValueError
        Where it is damaged.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _read_varint(view, at)
        number, wire = key >> 3, key & 7
        if wire == BYTES:
            length, at = _read_varint(view, at)
            end = at + length
        elif wire == VARINT:
            _, end = _read_varint(view, at)
        elif wire in _FIXED_LENGTHS:
            end = at + _FIXED_LENGTHS[wire]
        else:
            raise ValueError(f"expected a field's wire type, got {wire}")
        if end > len(view):
            raise ValueError(f"expected {end - at} bytes of field {number}, it is cut off")
        yield number, wire, view[at:end]
        at = end


def joined(fields: Iterable[Field]) -> bytes:
    """Write a message of these fields, in their order."""
    pieces: list[Content] = []
    for number, wire, content in fields:
        pieces.append(varint(number << 3 | wire))
        if wire == BYTES:
            pieces.append(varint(len(content)))
        pieces.append(content)
    return b"".join(pieces)


def varint(value: int) -> bytes:
    """Encode a number of 0 or more."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def from_varint(content: Content) -> int:
    """Decode a number; raises ValueError where it is damaged."""
    return _read_varint(memoryview(content), 0)[0]


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    """Value, and the position behind it."""
    value = 0
    for shift in range(0, _MOST_BITS, 7):
        if at >= len(view):
            raise ValueError("expected a number, it is cut off")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("expected a number of at most ten bytes, got a longer one")
