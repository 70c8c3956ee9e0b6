"""Putting graphs into a bundle: exported, or taken from another one; manifest, size limit.

Who calls: the command line and the tests. Not here: exporting a graph (``graph.py``), reading a
bundle (``emohead.bundle``), files that appear whole (``writing.py``).
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import emohead
from emohead.bundle import MANIFEST_NAME, Bundle
from emohead.contract import StageSpec
from emohead.errors import BundleError
from emohead.geometry.topology import TOPOLOGY
from emohead.manifest import Manifest
from emohead.metadata import graph_metadata
from emohead.runner import OrtRunner
from emohead.stages import STAGES
from emohead_export.cost import graph_cost
from emohead_export.graph import export_graph
from emohead_export.parity import check_parity
from emohead_export.parts import Part, part_of
from emohead_export.registry import IMPLEMENTATIONS, load_trained
from emohead_export.sources import WEIGHTS_LICENCE, sources_of
from emohead_export.training_record import read_training
from emohead_export.writing import whole_folder, write_zip

__all__ = [
    "MAX_BUNDLE_BYTES",
    "check_place",
    "export_bundle",
    "export_stage",
    "write_bundle",
]

log = logging.getLogger(__name__)

MAX_BUNDLE_BYTES: Final = 40_000_000
"""A bundle ships inside the package, so it stays small."""


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
        Folder to write, or a path that ends in ``.zip``; a bundle there is replaced as a whole.
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
        When weights are missing or do not fit, the bundle would be too large, or `out` is
        something else than a bundle.
    InputError
        When `out` cannot be written.
    ParityError
        When a graph differs from its network or its spec.
    """
    check_place(out)
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

    Raises
    ------
    BundleError
        When weights are missing or do not fit.
    ParityError
        When the graph differs from its network or its spec.
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
        Folder, or a path that ends in ``.zip``; a bundle there is replaced as a whole.
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
    InputError
        When `out` cannot be written.
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
    check_place(out)
    if out.suffix == ".zip":
        write_zip(files, out)
    else:
        with whole_folder(out) as folder:
            for file, content in files.items():
                (folder / file).write_bytes(content)
    return Bundle.open(out, stages=[part.spec.name for part in parts])


def check_place(out: Path) -> None:
    """Refuse to replace what is not a bundle, for its content would be lost.

    Parameters
    ----------
    out : pathlib.Path
        Where a bundle is to be written.

    Raises
    ------
    BundleError
        When something else is there.
    """
    if out.is_dir() and out.suffix != ".zip":
        is_free = (out / MANIFEST_NAME).is_file() or not any(out.iterdir())
    elif out.is_file() and zipfile.is_zipfile(out):
        with zipfile.ZipFile(out) as archive:
            is_free = out.suffix == ".zip" and MANIFEST_NAME in archive.namelist()
    else:
        is_free = not out.exists()
    if not is_free:
        raise BundleError(
            f"{out}: expected nothing, an empty folder or a bundle to replace, found something "
            "else; give another --out"
        )
