"""What decides whether a plan fits: the engine's key, and its digest, which names the files.

Who calls: ``workshop.py`` makes keys, ``store.py`` files plans under them. Pure.
Not here: reading and writing (``store.py``).
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from emohead_engines.profiles import Profile

__all__ = ["EngineKey", "builder_code", "differences"]

_BUILDER_MODULES: Final = ("build", "flavour", "operators", "profiles")
_DERIVING_PACKAGE: Final = "emohead_export"


class EngineKey(BaseModel):
    """Everything that decides whether a plan fits; equal keys, interchangeable plans."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    """Name of the stage."""
    precision: str
    """``fp32``, ``fp16`` or ``int8``."""
    onnx_sha256: str
    """Of the bundle's graph, before a precision is derived from it."""
    spec_sha256: str
    """Of the stage's spec."""
    flavour: str
    """``tensorrt`` or ``tensorrt_rtx``."""
    tensorrt_version: str
    """Full version."""
    gpu: str
    """Model of the GPU; ``any`` where plans are portable."""
    compute_capability: str
    """For example ``8.9``; ``any`` where plans are portable."""
    cuda_runtime: str
    """Version of the CUDA runtime; ``any`` where plans are portable."""
    profile: Profile
    """Shapes at min, opt and max by input."""
    options: dict[str, Any]
    """Builder options."""
    builder: str
    """Digest of the code that builds."""

    @property
    def digest(self) -> str:
        """sha256 of the whole key, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def file_stem(self) -> str:
        """Name of the plan's files, without extension."""
        return f"{self.stage}-{self.precision}-{self.digest[:16]}"


_TOLD: Final = {
    "onnx_sha256": "another graph",
    "spec_sha256": "another spec of the stage",
    "flavour": "another flavour of TensorRT",
    "tensorrt_version": "another TensorRT",
    "gpu": "another GPU",
    "compute_capability": "another compute capability",
    "cuda_runtime": "another CUDA runtime",
    "profile": "other shapes",
    "options": "other builder options",
    "builder": "another version of the builder code",
}


def differences(wanted: EngineKey, found: EngineKey) -> list[str]:
    """Say how a key differs from the wanted one, most telling difference first.

    Parameters
    ----------
    wanted, found : EngineKey
        Keys of the same stage and precision.

    Returns
    -------
    list of str
        Phrases such as ``another GPU (NVIDIA L4, not NVIDIA A10)``; empty for equal keys.
    """
    phrases = []
    for field, phrase in _TOLD.items():
        a, b = getattr(wanted, field), getattr(found, field)
        if a != b:
            is_short = isinstance(a, str) and not field.endswith("sha256") and field != "builder"
            phrases.append(f"{phrase} ({b}, not {a})" if is_short else phrase)
    return phrases


@cache
def builder_code(precision: str) -> str:
    """Digest of the code that decides what a plan contains.

    Parameters
    ----------
    precision : {"fp32", "fp16", "int8"}
        Lower precisions also depend on the code that derives their graphs.

    Returns
    -------
    str
        sha256, hexadecimal; changes whenever a line of that code does.
    """
    files = [Path(__file__).with_name(f"{name}.py") for name in _BUILDER_MODULES]
    if precision != "fp32":
        files += _deriving_files()
    content = b"\0".join(path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


def _deriving_files() -> list[Path]:
    """Source of the package that derives precisions; it is found, not imported."""
    found = find_spec(_DERIVING_PACKAGE)
    folders = found.submodule_search_locations if found is not None else None
    return sorted(path for folder in folders or [] for path in Path(folder).rglob("*.py"))
