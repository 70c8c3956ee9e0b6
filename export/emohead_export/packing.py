"""Putting graphs into a bundle: manifest, size limit, atomic writing.

Who calls: the command line and the tests. Not here: exporting a graph (``graph.py``), reading a
bundle (``emohead.bundle``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import emohead
from emohead.bundle import MANIFEST_NAME, Bundle
from emohead.contract import StageSpec, spec_hash
from emohead.errors import BundleError
from emohead.geometry.topology import TOPOLOGY
from emohead.manifest import Manifest, Source, StageEntry, Training
from emohead.metadata import graph_metadata
from emohead.runner import OrtRunner
from emohead.stages import STAGES
from emohead_export.cost import graph_cost
from emohead_export.graph import export_graph
from emohead_export.parity import check_parity
from emohead_export.registry import IMPLEMENTATIONS, load_trained
from emohead_export.sources import WEIGHTS_LICENCE, sources_of
from emohead_export.training_record import read_training

__all__ = [
    "MAX_BUNDLE_BYTES",
    "Part",
    "export_bundle",
    "export_stage",
    "part_of",
    "write_bundle",
    "write_zip",
]

log = logging.getLogger(__name__)

MAX_BUNDLE_BYTES: Final = 40_000_000
# Zip members carry a date; a fixed one makes equal bundles equal files.
_ZIP_DATE: Final = (2000, 1, 1, 0, 0, 0)


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


def export_bundle(
    checkpoints: Path,
    out: Path,
    *,
    name: str = "default",
    stages: Collection[str] = tuple(STAGES),
    base: Bundle | None = None,
    metrics: Mapping[str, float] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Bundle:
    """Export trained stages and pack them.

    Parameters
    ----------
    checkpoints : pathlib.Path
        Folder that ``emohead-train`` wrote, one sub-folder per training stage.
    out : pathlib.Path
        Folder to write, or a path that ends in ``.zip``; replaced as a whole when it exists.
    name : str
        Name of the bundle.
    stages : collection of str
        Which stages to export; all by default.
    base : Bundle, optional
        Gives the stages that are not exported, as they are.
    metrics : mapping of str to float, optional
        Quality on held-out people, stored in the manifest.
    progress : callable, optional
        Called with each finished stage and its parity error.

    Returns
    -------
    Bundle
        Opened and verified.

    Raises
    ------
    BundleError
        When weights are missing or do not fit, or the bundle would be too large.
    ParityError
        When a graph differs from its network or its spec.
    """
    parts = []
    for stage in STAGES:
        if stage in stages:
            part = export_stage(STAGES[stage], checkpoints)
            parts.append(part)
            if progress is not None:
                progress(stage, part.metrics["parity_error"])
        elif base is not None:
            parts.append(part_of(base, stage))
    return write_bundle(parts, out, name=name, metrics=metrics)


def export_stage(spec: StageSpec, checkpoints: Path) -> Part:
    """Export one trained stage and compare it with its network.

    Parameters
    ----------
    spec : StageSpec
        The stage.
    checkpoints : pathlib.Path
        Folder that ``emohead-train`` wrote.

    Returns
    -------
    Part
        Ready to pack.
    """
    module = load_trained(spec, checkpoints)
    metadata = graph_metadata(spec, precision="fp32", licence=WEIGHTS_LICENCE)
    model = export_graph(spec, module, metadata).SerializeToString()
    runner = OrtRunner(spec, model)
    error = check_parity(spec, module, runner)
    log.info("%s: %d bytes, parity error %.1e", spec.name, len(model), error)
    training = IMPLEMENTATIONS[spec.name].training
    return Part(
        spec=spec,
        model=model,
        num_parameters=sum(p.numel() for p in module.parameters()),
        licence=WEIGHTS_LICENCE,
        sources=sources_of(training),
        training=read_training(checkpoints / training),
        metrics={
            "parity_error": float(f"{error:.2e}"),
            "mega_macs": round(graph_cost(spec, model).macs / 1e6, 2),
        },
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


def write_bundle(
    parts: Collection[Part],
    out: Path,
    *,
    name: str,
    metrics: Mapping[str, float] | None = None,
) -> Bundle:
    """Write parts as a bundle, complete or not at all.

    Parameters
    ----------
    parts : collection of Part
        Graphs.
    out : pathlib.Path
        Folder, or a path that ends in ``.zip``; replaced as a whole when it exists.
    name : str
        Name of the bundle.
    metrics : mapping of str to float, optional
        Quality on held-out people.

    Returns
    -------
    Bundle
        Opened and verified.

    Raises
    ------
    BundleError
        When the bundle would be larger than 40 MB, or `out` is something else than a bundle.
    """
    manifest = Manifest(
        name=name,
        emohead_version=emohead.__version__,
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        topology_sha256=TOPOLOGY.sha256,
        stages={part.spec.name: part.entry for part in parts},
        metrics=dict(metrics or {}),
    )
    files = {MANIFEST_NAME: (manifest.model_dump_json(indent=1) + "\n").encode()}
    for part in parts:
        files |= part.files
    size = sum(map(len, files.values()))
    if size > MAX_BUNDLE_BYTES:
        raise BundleError(
            f"{out}: expected a bundle of at most {MAX_BUNDLE_BYTES} bytes, got {size}; "
            "make the networks smaller"
        )
    _refuse_other_content(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    (write_zip if out.suffix == ".zip" else _write_folder)(files, out)
    return Bundle.open(out, stages=[part.spec.name for part in parts])


def _refuse_other_content(out: Path) -> None:
    """Never replace a folder that is not a bundle: its content would be lost."""
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST_NAME).is_file():
        raise BundleError(
            f"{out}: expected an empty folder or a bundle to replace, found other files; "
            "give another --out"
        )


def write_zip(files: Mapping[str, bytes], out: Path) -> None:
    """Write a zip of files by name, whole or not at all; equal files give equal bytes."""
    handle, temporary = tempfile.mkstemp(dir=out.parent, suffix=".zip")
    try:
        with os.fdopen(handle, "wb") as target, zipfile.ZipFile(target, "w") as archive:
            for file, content in files.items():
                archive.writestr(zipfile.ZipInfo(file, _ZIP_DATE), content)
        os.replace(temporary, out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write_folder(files: Mapping[str, bytes], out: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    temporary.chmod(0o755)
    for file, content in files.items():
        (temporary / file).write_bytes(content)
    old = temporary.with_name(f"{temporary.name}-old")
    if out.exists():
        out.rename(old)
    temporary.rename(out)
    shutil.rmtree(old, ignore_errors=True)
