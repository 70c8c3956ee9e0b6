"""Tensors in a file of the safetensors format, without the library: a GPU machine may lack it.

The format is a length, a JSON header and raw little-endian data; the tests hold it against the
library. Who calls: checkpoints and weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from emohead.errors import InputError

__all__ = ["read_notes", "read_tensors", "write_tensors"]

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


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None
) -> None:
    """Write a file, complete or not at all.

    Parameters
    ----------
    path : Path
    tensors : mapping of str to tensor
    notes : mapping of str to str, optional
        Stored in the header.
    """
    header: dict[str, object] = {_NOTES: dict(notes)} if notes else {}
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
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("wb") as file:
        file.writelines((len(text).to_bytes(8, "little"), text, *parts))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _header(path: Path, content: bytes) -> tuple[dict[str, dict[str, object]], int]:
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
    except (ValueError, UnicodeDecodeError) as error:
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
        kind, shape = _TYPES[str(entry["dtype"])], entry["shape"]
        first, last = entry["data_offsets"]  # type: ignore[misc]
        if start + last > len(content):
            raise InputError(f"{path}: expected a complete file, {name} is cut off: delete it")
        tensors[name] = torch.empty(shape, dtype=kind)  # type: ignore[arg-type]
        raw = np.frombuffer(content, np.uint8, last - first, start + first)
        if len(raw):
            tensors[name].reshape(-1).view(torch.uint8).numpy()[:] = raw
    return tensors


def read_notes(path: Path) -> dict[str, str]:
    """Read the header's notes."""
    with path.open("rb") as file:
        length = file.read(8)
        header, _ = _header(path, length + file.read(int.from_bytes(length, "little")))
    return {str(k): str(v) for k, v in header.get(_NOTES, {}).items()}
