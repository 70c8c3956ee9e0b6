"""Tensors in a file of the safetensors format, without the library: a GPU machine may lack it.

The format is a length, a JSON header and raw little-endian data; the tests hold it against the
library. Who calls: checkpoints and weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard

import numpy as np
import torch
from torch import Tensor

from emohead.errors import InputError
from emohead.reading import json_from
from emohead_training.whole_files import whole_bytes

__all__ = ["read_tensors", "write_tensors"]

_TYPES: Final = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES: Final = {v: k for k, v in _TYPES.items()}
_NOTES: Final = "__metadata__"
"""Texts that the format allows beside the tensors; they are passed over."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a file, whole or not at all; errors as of ``whole_bytes``."""
    header: dict[str, object] = {}
    parts, position = [], 0
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        raw = value.reshape(-1).view(torch.uint8).numpy().tobytes()
        ends = [position, position + len(raw)]
        header[name] = {
            "dtype": _NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": ends,
        }
        parts.append(raw)
        position = ends[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole_bytes(path) as file:
        file.writelines((len(text).to_bytes(8, "little"), text, *parts))


def _header(path: Path, content: bytes) -> tuple[dict[str, dict[str, Any]], int]:
    start = 8 + int.from_bytes(content[:8], "little")
    try:
        header = json_from(content[8:start].decode("utf-8"))
        if not isinstance(header, dict) or not all(isinstance(e, dict) for e in header.values()):
            raise ValueError("it is no table")
    except ValueError as error:
        raise InputError(
            f"{path}: expected a safetensors file, it is damaged: delete it"
        ) from error
    return header, start


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file onto the CPU.

    Raises
    ------
    InputError
        When the file is damaged.
    """
    content = path.read_bytes()
    header, start = _header(path, content)
    tensors = {}
    for name, entry in header.items():
        if name == _NOTES:
            continue
        kind, shape, first, last = _checked(path, name, entry)
        if start + last > len(content):
            raise InputError(f"{path}: expected a complete file, {name} is cut off: delete it")
        tensors[name] = torch.empty(shape, dtype=kind)
        raw = np.frombuffer(content, np.uint8, last - first, start + first)
        if len(raw):
            tensors[name].reshape(-1).view(torch.uint8).numpy()[:] = raw
    return tensors


def _checked(path: Path, name: str, entry: dict[str, Any]) -> tuple[torch.dtype, Any, int, int]:
    """Type, shape and place of a tensor, which agree with each other."""
    kind, shape = _TYPES.get(str(entry.get("dtype"))), entry.get("shape")
    offsets = entry.get("data_offsets")
    if kind is not None and _are_counts(shape) and _are_counts(offsets) and len(offsets) == 2:
        first, last = offsets
        if math.prod(shape) * kind.itemsize == last - first:
            return kind, shape, first, last
    raise InputError(f"{path}: expected a safetensors file, {name[:60]!r} is damaged: delete it")


def _are_counts(given: Any) -> TypeGuard[list[int]]:
    return isinstance(given, list) and all(type(n) is int and n >= 0 for n in given)
