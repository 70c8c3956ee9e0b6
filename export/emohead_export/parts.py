"""One graph on its way into a bundle, with all that the manifest says of it.

Who calls: ``packing.py``, ``precise_bundle.py``, ``tiny.py``. Not here: the whole bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from emohead.bundle import Bundle
from emohead.contract import StageSpec, spec_hash
from emohead.manifest import Source, StageEntry, Training
from emohead.stages import STAGES

__all__ = ["Part", "part_of"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One graph on its way into a bundle."""

    spec: StageSpec
    """Its contract."""
    model: bytes
    """Content of the ONNX file."""
    num_parameters: int
    """Trained numbers in it."""
    licence: str
    """Licence of the weights."""
    sources: tuple[Source, ...]
    """What the weights were made with."""
    precision: str = "fp32"
    """``fp32``, ``fp16`` or ``int8``."""
    training: Training | None = None
    """How the weights were trained."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Measured at export."""
    variants: Mapping[str, tuple[bytes, Mapping[str, float]]] = field(default_factory=dict)
    """Graph and measurements in other precisions."""

    @property
    def files(self) -> dict[str, bytes]:
        """Content of the part's files by name."""
        others = {self._file(p): model for p, (model, _) in self.variants.items()}
        return {self._file(): self.model, **others}

    def _file(self, variant: str = "") -> str:
        return f"{self.spec.name}.{variant}.onnx" if variant else f"{self.spec.name}.onnx"

    @property
    def entry(self) -> StageEntry:
        """The part's line in the manifest."""
        return StageEntry.model_validate(
            {
                "file": self._file(),
                "precision": self.precision,
                "sha256": hashlib.sha256(self.model).hexdigest(),
                "spec_sha256": spec_hash(self.spec),
                "num_bytes": len(self.model),
                "num_parameters": self.num_parameters,
                "licence": self.licence,
                "sources": self.sources,
                "training": self.training,
                "metrics": dict(self.metrics),
                "variants": {
                    precision: {
                        "file": self._file(precision),
                        "sha256": hashlib.sha256(model).hexdigest(),
                        "num_bytes": len(model),
                        "metrics": dict(metrics),
                    }
                    for precision, (model, metrics) in self.variants.items()
                },
            }
        )


def part_of(bundle: Bundle, stage: str) -> Part:
    """Take a stage of a bundle as it is.

    Parameters
    ----------
    bundle : Bundle
        Verified.
    stage : str
        Name of the stage.

    Returns
    -------
    Part
        Ready to pack, with the entry that it had.

    Raises
    ------
    BundleError
        When the bundle lacks the stage.
    """
    model = bundle.model(stage)
    entry = bundle.manifest.stages[stage]
    return Part(
        spec=STAGES[stage],
        model=model,
        num_parameters=entry.num_parameters,
        licence=entry.licence,
        sources=entry.sources,
        precision=entry.precision,
        training=entry.training,
        metrics=entry.metrics,
        variants={p: (bundle.model(stage, p), v.metrics) for p, v in entry.variants.items()},
    )
