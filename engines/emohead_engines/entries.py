"""One engine of a store: its manifest and its two files.

Who calls: ``store.py``, ``emohead engines``. Not here: which engines are kept (``store.py``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from emohead_engines.keys import EngineKey

__all__ = ["EngineManifest", "Entry"]


class EngineManifest(BaseModel):
    """Content of the ``.json`` beside a plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    store: str
    """Name of the store that wrote the plan."""
    key: EngineKey
    """What the plan fits."""
    plan_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the plan."""
    num_bytes: int = Field(gt=0)
    """Of the plan."""
    built: str
    """UTC time of the build, ISO 8601."""
    build_seconds: float = Field(ge=0)
    """Duration of the build."""
    emohead_version: str
    """Version that built it."""


@dataclass(frozen=True)
class Entry:
    """An engine of a store."""

    path: Path
    """The manifest's file."""
    manifest: EngineManifest
    """Its content."""

    @property
    def plan(self) -> Path:
        """The plan's file."""
        return self.path.with_suffix(".plan")

    @property
    def last_use(self) -> float:
        """Time of the last use, seconds since 1970."""
        try:
            return self.path.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def note_use(self) -> None:
        """Remember that the engine is used now; read-only stores keep no such note."""
        try:
            os.utime(self.path)
        except OSError:
            return

    def remove(self) -> None:
        """Delete both files, the manifest first."""
        self.path.unlink(missing_ok=True)
        self.plan.unlink(missing_ok=True)
