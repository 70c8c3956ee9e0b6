"""fp16 and int8 graphs derived from golden fp32 ones, as precise as the parity gate demands.

The precision lives in the file: strongly typed graphs with float32 inputs and outputs, which
ONNX Runtime and TensorRT take as they are. Equal inputs give equal bytes. No torch.
Who calls: ``precise_bundle.py``, engine builders. Not here: rewriting (``half.py``,
``quantise.py``), limits (``gate.py``).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from emohead.contract import StageSpec
from emohead.errors import BundleError, InputError, ParityError
from emohead.metadata import with_precision
from emohead.runner import OrtRunner
from emohead.stages import STAGES
from emohead.whole_files import whole_file, writable_folder
from emohead_export.clean import prepared
from emohead_export.feeds import Feed, default_feeds
from emohead_export.gate import Errors, Gate, Precision
from emohead_export.graph import check_graph, set_metadata
from emohead_export.half import half_graph, rounded_graph
from emohead_export.islands import groups_of, starting_half
from emohead_export.parity import natural_inputs
from emohead_export.quantise import Layout, int8_graph, quantisable, ranges_seen

if TYPE_CHECKING:
    import onnx

__all__ = ["Derived", "derive", "derive_graph"]

_FEW_FEEDS: Final = 3
"""Feeds that rank groups of nodes by their harm; the verdict takes all."""
Make = Callable[[list[str]], "onnx.ModelProto"]


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A graph in another precision, and how far it is from its golden one."""

    model: bytes
    """Content of the ONNX file."""
    errors: Errors
    """Measured on real and sample inputs, every rounding counted."""
    twin: bytes
    """Graph that shows on a CPU what the model gives on a GPU: every result is rounded."""
    num_nodes: int
    """Nodes that compute in the precision."""
    num_islands: int
    """Nodes that the gate put back into single precision."""


def derive(
    stage: str | StageSpec,
    graph: Path,
    precision: Precision,
    out: Path,
    *,
    feeds: Sequence[Feed] | None = None,
    layout: Layout = "tensorrt",
) -> Path:
    """Derive a graph in another precision and write it.

    Parameters
    ----------
    stage : str or StageSpec
        The stage or its name.
    graph : pathlib.Path
        Its golden fp32 graph.
    precision : {"fp16", "int8"}
        What the heavy nodes compute in.
    out : pathlib.Path
        File to write, whole or not at all.
    feeds : sequence of Feed, optional
        Real inputs to calibrate and judge with; by default those of the embedded bundle's
        sample clip, recorded once a process.
    layout : {"tensorrt", "cpu"}
        Where the int8 pairs stand: as TensorRT or as ONNX Runtime's CPU kernels fuse them.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    BundleError
        If the graph cannot be read.
    InputError
        If there is no such stage or precision, or `out` cannot be written.
    ParityError
        If no node can compute in the precision within the limits.
    """
    spec = _spec_of(stage)
    try:
        golden = graph.read_bytes()
    except OSError as err:
        raise BundleError(
            f"{spec.name}: expected its golden graph at {graph}, got: {err.strerror}; "
            "give the path of an ONNX file of a bundle"
        ) from err
    writable_folder(out.parent, "output folder")
    real = default_feeds()[spec.name] if feeds is None else feeds
    made = derive_graph(spec, golden, precision, real, layout)
    writable_folder(out.parent, "output folder")
    with whole_file(out, "graph") as temporary:
        temporary.write_bytes(made.model)
    return out


def derive_graph(
    spec: StageSpec,
    golden: bytes,
    precision: Precision,
    feeds: Sequence[Feed],
    layout: Layout = "tensorrt",
) -> Derived:
    """Derive a graph in another precision; as ``derive``, without files.

    Parameters
    ----------
    spec : StageSpec
        The stage.
    golden : bytes
        Content of its fp32 ONNX file.
    precision : {"fp16", "int8"}
        What the heavy nodes compute in.
    feeds : sequence of Feed
        Real inputs; fp16 is judged on sample inputs of the spec too.
    layout : {"tensorrt", "cpu"}
        Where the int8 pairs stand.

    Returns
    -------
    Derived
        Passes the gate.

    Raises
    ------
    ParityError
        If no node can compute in the precision within the limits.
    """
    source = _read(spec, golden)
    samples = [natural_inputs(spec, "min"), natural_inputs(spec, "opt")]
    reference = OrtRunner(spec, source.SerializeToString())
    if precision == "fp16":
        start = starting_half(spec, source)
        gate = Gate(reference, precision, [*feeds, *samples])
        chosen, errors = _narrowed(gate, start, partial(rounded_graph, source))
        model, twin = half_graph(source, chosen), rounded_graph(source, chosen)
    elif precision == "int8":
        start = quantisable(source, layout)
        # Ranges of real inputs say nothing about invented ones.
        seen = list(feeds) or samples
        ranges = ranges_seen(source, start, seen)
        make = partial(int8_graph, source, ranges=ranges, layout=layout)
        chosen, errors = _narrowed(Gate(reference, precision, seen), start, make)
        model = twin = make(chosen)
    else:
        raise InputError(f"expected the precision fp16 or int8, got {precision!r}")
    metadata = {p.key: p.value for p in source.metadata_props}
    set_metadata(model, with_precision(metadata, precision))
    check_graph(spec, model)
    return Derived(
        model=model.SerializeToString(deterministic=True),
        errors=errors,
        twin=twin.SerializeToString(),
        num_nodes=len(chosen),
        num_islands=len(start) - len(chosen),
    )


def _narrowed(gate: Gate, start: list[str], make: Make) -> tuple[list[str], Errors]:
    """Give up groups of nodes, the most sensitive first, until the gate passes.

    Parameters
    ----------
    gate : Gate
        Judges graphs.
    start : list of str
        Nodes that should compute in the precision.
    make : callable
        Makes a graph in which the named nodes do.

    Returns
    -------
    tuple of list of str and Errors
        The nodes that remain, and what the gate measured.
    """

    def measured(names: list[str], num_feeds: int | None = None) -> Errors:
        runner = OrtRunner(gate.spec, make(names).SerializeToString())
        return gate.errors(runner, num_feeds)

    def without(count: int) -> list[str]:
        given_up = {name for group in ranking[:count] for name in groups[group]}
        return [name for name in start if name not in given_up]

    if not start:
        raise ParityError(
            f"{gate.spec.name}: expected nodes that can compute in {gate.precision}, it has none; "
            "keep this stage in fp32"
        )
    groups = groups_of(start)
    ranking = list(groups)
    least, errors = 0, measured(start)
    if gate.excess(errors) > 1:
        harm = {g: gate.excess(measured(nodes, _FEW_FEEDS)) for g, nodes in groups.items()}
        ranking.sort(key=lambda group: -harm[group])
        counts = range(1, len(groups))
        least = 1 + bisect.bisect_left(
            counts, True, key=lambda n: gate.excess(measured(without(n))) <= 1
        )
        errors = measured(without(least))
    chosen = without(least)
    if not chosen:
        raise ParityError(
            f"{gate.spec.name}: expected nodes that can compute in {gate.precision} within the "
            "limits, found none; keep this stage in fp32"
        )
    return chosen, errors


def _read(spec: StageSpec, golden: bytes) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(golden)
        check_graph(spec, model)
        return prepared(model)
    except (DecodeError, onnx.checker.ValidationError) as err:
        raise BundleError(
            f"{spec.name}: expected a sound ONNX graph, got: {str(err).splitlines()[0]}; "
            "export the bundle again with `emohead-export bundle`"
        ) from err


def _spec_of(stage: str | StageSpec) -> StageSpec:
    if isinstance(stage, StageSpec):
        return stage
    if stage not in STAGES:
        raise InputError(f"expected a stage among {', '.join(STAGES)}, got {stage!r}")
    return STAGES[stage]
