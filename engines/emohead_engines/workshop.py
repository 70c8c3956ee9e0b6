"""From a bundle's graph to an engine in the store: target, key, precision, build.

Who calls: ``emohead engines build``, ``open_runner``, farm workers.
Not here: how a build works (``build.py``), how plans are kept (``store.py``).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from emohead.bundle import Bundle
from emohead.contract import StageSpec, spec_hash
from emohead.errors import BackendError, InputError
from emohead.stages import STAGES
from emohead_engines.build import BuildOptions, BuiltPlan, Progress, build_plan
from emohead_engines.device import ANY_GPU, Gpu, open_device
from emohead_engines.entries import Entry
from emohead_engines.flavour import Flavour, find_flavour
from emohead_engines.keys import EngineKey, builder_code
from emohead_engines.profiles import profile_of
from emohead_engines.store import EngineStore

__all__ = [
    "PRECISIONS",
    "Graph",
    "Target",
    "ensure_engine",
    "find_target",
    "fits",
    "graphs_of",
    "key_of",
    "model_in",
]

PRECISIONS: Final = ("fp32", "fp16", "int8")
"""Precisions that engines are built in."""
# By name: it belongs to another package, is needed for fp16 and int8 only, and takes ONNX Runtime.
_DERIVING_MODULE: Final = "emohead_export.precision"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What engines are built with and for."""

    flavour: Flavour
    """The TensorRT."""
    gpu: Gpu
    """The GPU; ``ANY_GPU`` where plans are portable."""

    def __str__(self) -> str:
        return str(self.flavour) if self.gpu == ANY_GPU else f"{self.flavour} on {self.gpu.name}"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A stage of a bundle."""

    spec: StageSpec
    """Its contract."""
    model: bytes
    """Content of its ONNX file."""
    precision: str = "fp32"
    """Precision of the file."""


def find_target(flavour: str = "auto") -> Target:
    """Find the TensorRT and the GPU of this machine.

    Parameters
    ----------
    flavour : {"auto", "tensorrt", "tensorrt_rtx"}
        Which TensorRT.

    Returns
    -------
    Target

    Raises
    ------
    BackendError
        When no TensorRT is installed, or it needs a GPU and there is none.
    """
    found = find_flavour(flavour)
    return Target(flavour=found, gpu=ANY_GPU if found.is_portable else open_device().gpu)


def graphs_of(bundle: Path | None, stages: Collection[str] | None = None) -> list[Graph]:
    """Graphs of a bundle, verified.

    Parameters
    ----------
    bundle : pathlib.Path, optional
        Folder or zip; the embedded bundle otherwise.
    stages : collection of str, optional
        Which stages; all otherwise.

    Returns
    -------
    list of Graph
        In the order of the data flow.

    Raises
    ------
    BundleError
        When the bundle is missing, altered or of another version.
    InputError
        When there is no such stage.
    """
    unknown = [name for name in stages or () if name not in STAGES]
    if unknown:
        raise InputError(f"expected a stage among {', '.join(STAGES)}, got {unknown[0]!r}")
    wanted = [name for name in STAGES if not stages or name in stages]
    opened = Bundle.open(bundle, stages=wanted)
    held = opened.manifest.stages
    return [
        Graph(spec=STAGES[name], model=opened.model(name), precision=held[name].precision)
        for name in wanted
    ]


def fits(key: EngineKey, target: Target) -> bool:
    """Whether an engine can run on a machine, whatever graph it was built from.

    Parameters
    ----------
    key : EngineKey
        Of the engine.
    target : Target
        The machine.

    Returns
    -------
    bool
    """
    gpu, flavour = target.gpu, target.flavour
    machine = (flavour.name, flavour.version, gpu.name, gpu.compute_capability, gpu.cuda_runtime)
    built_for = (key.flavour, key.tensorrt_version, key.gpu, key.compute_capability)
    spec = STAGES.get(key.stage)
    is_current = spec is not None and spec_hash(spec) == key.spec_sha256
    return is_current and machine == (*built_for, key.cuda_runtime)


def key_of(target: Target, graph: Graph, precision: str, options: BuildOptions) -> EngineKey:
    """Key of a stage's engine.

    Parameters
    ----------
    target : Target
        What it is built with and for.
    graph : Graph
        The bundle's graph.
    precision : {"fp32", "fp16", "int8"}
        Precision of the engine.
    options : BuildOptions
        How it is built.

    Returns
    -------
    EngineKey
    """
    return EngineKey(
        stage=graph.spec.name,
        precision=precision,
        onnx_sha256=hashlib.sha256(graph.model).hexdigest(),
        spec_sha256=spec_hash(graph.spec),
        flavour=target.flavour.name,
        tensorrt_version=target.flavour.version,
        gpu=target.gpu.name,
        compute_capability=target.gpu.compute_capability,
        cuda_runtime=target.gpu.cuda_runtime,
        profile=profile_of(graph.spec),
        options=asdict(options),
        builder=builder_code(precision),
    )


def ensure_engine(
    store: EngineStore,
    target: Target,
    graph: Graph,
    precision: str = "fp32",
    *,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
) -> Entry:
    """Find a stage's engine in the store, or build it.

    Parameters
    ----------
    store : EngineStore
        Where engines are kept.
    target : Target
        What they are built with and for.
    graph : Graph
        The bundle's graph.
    precision : {"fp32", "fp16", "int8"}
        Precision of the engine.
    options : BuildOptions, optional
        How to build.
    progress : callable, optional
        Called while the builder works.

    Returns
    -------
    Entry
        Whose plan ``store.read`` returns.

    Raises
    ------
    BackendError
        When the engine is missing and may not or cannot be built.
    """
    if precision not in PRECISIONS:
        raise BackendError(f"expected a precision among {', '.join(PRECISIONS)}, got {precision!r}")
    options = options or BuildOptions()

    def build(timings: bytes) -> BuiltPlan:
        model = model_in(graph, precision)
        return build_plan(
            target.flavour,
            graph.spec,
            model,
            precision,
            options=options,
            timings=timings,
            progress=progress,
        )

    return store.obtain(key_of(target, graph, precision, options), build)


def model_in(graph: Graph, precision: str) -> bytes:
    """Give a graph in a precision, which lives in the file, never in a builder flag alone.

    Parameters
    ----------
    graph : Graph
        The bundle's graph.
    precision : {"fp32", "fp16", "int8"}
        Wanted precision.

    Returns
    -------
    bytes
        Content of the ONNX file.

    Raises
    ------
    BackendError
        When the precision cannot be derived from the graph's own.
    """
    if precision == graph.precision:
        return graph.model
    stage = graph.spec.name
    if graph.precision != "fp32":
        raise BackendError(
            f"{stage}: expected an fp32 graph to derive {precision} from, the bundle holds "
            f"{graph.precision}; build with --precision {graph.precision} or give an fp32 bundle"
        )
    derive = _deriving()
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / f"{stage}.onnx", Path(folder) / f"{stage}.{precision}.onnx"
        source.write_bytes(graph.model)
        derive(stage, source, precision, made)
        return made.read_bytes()


def _deriving() -> Callable[..., Path]:
    """Import what derives precisions; it compares graphs on ONNX Runtime."""
    try:
        derive: Callable[..., Path] = import_module(_DERIVING_MODULE).derive
    except ImportError as err:
        raise BackendError(
            f"expected to derive a lower precision, but {err.name} cannot be imported; "
            "run `pip install 'emohead[tensorrt,cpu]'`, or build with --precision fp32"
        ) from err
    return derive
