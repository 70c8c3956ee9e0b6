"""Schema of a bundle's ``manifest.json``.

Who calls: ``bundle.py`` reads it, ``emohead_export`` writes it. Slow to import (pydantic).
Not here: reading files and comparing hashes (``bundle.py``).
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SCHEMA_VERSION", "Manifest", "Source", "StageEntry", "Training", "Variant"]

SCHEMA_VERSION: Final = 1

# Control characters would act on the terminal that shows them.
_PRINTABLE: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
Text = Annotated[str, Field(max_length=4000, pattern=_PRINTABLE)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Record):
    """Data or teacher that weights were made with."""

    name: Text
    licence: Text
    origin: Text
    """Where it comes from: an address or a package."""
    used_for: Text
    """What it contributed, in a phrase."""


class Training(_Record):
    """How weights were trained, as the run recorded it."""

    recipe: Text
    """Name of the recipe."""
    steps: int = Field(ge=0)
    """Optimiser steps."""
    hours: float = Field(ge=0)
    """Wall-clock hours, validation included; the machine may have been shared."""
    device: Text
    """Device and how much of it."""
    precision: Text
    """Arithmetic of the training."""
    seed: int
    """Seed of data order and initial weights."""
    started_from: Text = ""
    """Weights that the run began with; empty for none."""


class Variant(_Record):
    """A stage's graph in another precision, derived from its golden one."""

    file: FileName
    """Name of the file beside the manifest; never a path."""
    sha256: Sha256
    """Of the file's content."""
    num_bytes: int = Field(gt=0)
    metrics: dict[Text, float] = {}
    """Distance from the golden graph, and for int8 the speed on the CPU that derived it."""


class StageEntry(_Record):
    """One graph of the bundle."""

    file: FileName
    """Name of the file beside the manifest; never a path."""
    precision: Literal["fp32", "fp16", "int8"]
    sha256: Sha256
    """Of the file's content."""
    spec_sha256: Sha256
    """Of the stage's spec at export."""
    num_bytes: int = Field(gt=0)
    num_parameters: int = Field(ge=0)
    licence: Text
    """Licence of the weights."""
    sources: tuple[Source, ...]
    """Everything the weights were made with."""
    training: Training | None = None
    """How the weights were trained; None where the run left no record."""
    metrics: dict[Text, float] = {}
    """Measured at export, for example the parity error."""
    variants: dict[Literal["fp16", "int8"], Variant] = {}
    """The same network in other precisions."""


class Manifest(_Record):
    """What a bundle contains and where it comes from."""

    schema_version: Literal[1] = SCHEMA_VERSION
    # Not Text with a minimum: before 2.12 pydantic takes a field of two Fields for optional.
    name: Annotated[str, Field(min_length=1, max_length=4000, pattern=_PRINTABLE)]
    emohead_version: Text
    """Version that exported the bundle."""
    created: Text
    """UTC time of the export, ISO 8601."""
    topology_sha256: Sha256
    """Of the edge connectivity that the landmark stages were trained with."""
    stages: dict[str, StageEntry]
    """Graphs by stage name."""
    metrics: dict[Text, float] = {}
    """Quality on held-out people, where it was measured."""

    @property
    def sha256(self) -> str:
        """Identity of the bundle: it covers every file's hash, for those are in here."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def graphs_sha256(self) -> str:
        """Identity of the golden graphs alone, whatever the manifest says beside them."""
        graphs = {name: entry.sha256 for name, entry in self.stages.items()}
        return hashlib.sha256(json.dumps(graphs, sort_keys=True).encode()).hexdigest()

    def sources(self) -> list[Source]:
        """Every source once, in order of first use."""
        return list({source: None for stage in self.stages.values() for source in stage.sources})
