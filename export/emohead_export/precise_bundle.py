"""A bundle in several precisions: golden graphs, variants, and a parity report in the manifest.

Stage by stage through the gate, then end to end: two talking heads, one sample clip. What fails is
not written. Who calls: the command line. Not here: deriving one graph (``precision.py``).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from emohead.backends import choose_backend
from emohead.bundle import Bundle
from emohead.contract import StageSpec
from emohead.errors import BundleError, ParityError
from emohead.graph_choice import LEAST_SPEEDUP
from emohead.head import TalkingHead
from emohead.runner import OrtRunner, Runner
from emohead.stages import STAGES
from emohead_export.clips import check_clips, clip_errors
from emohead_export.feeds import Feed, recorded_feeds
from emohead_export.gate import Precision
from emohead_export.packing import check_place, write_bundle
from emohead_export.parts import Part, part_of
from emohead_export.precision import Derived, derive_graph

__all__ = ["HEAVY_MEGA_MACS", "derive_bundle", "speedup"]

HEAVY_MEGA_MACS: Final = 90.0
"""Cost from which int8 is tried; below, a stage takes less than a thousandth of a clip's time."""
_NUM_RUNS: Final = 15

Progress = Callable[[str], object]
"""Called with a sentence after every stage."""


def derive_bundle(
    bundle: Bundle,
    precisions: Collection[Precision],
    out: Path,
    *,
    progress: Progress | None = None,
) -> Bundle:
    """Add variants in other precisions to a bundle.

    Parameters
    ----------
    bundle : Bundle
        Of fp32 graphs.
    precisions : collection of {"fp16", "int8"}
        Variants to add. int8 is for ONNX Runtime on the CPU: only heavy stages, and only those
        that are faster on this machine.
    out : pathlib.Path
        Folder to write, or a path that ends in ``.zip``; a bundle there is replaced as a whole.
    progress : callable, optional
        Hears a sentence about every stage.

    Returns
    -------
    Bundle
        Opened and verified; its manifest holds the parity of every stage and of the sample clip.

    Raises
    ------
    BundleError
        If the bundle has no fp32 graphs, or `out` is something else than a bundle.
    InputError
        If `out` cannot be written.
    ParityError
        If the sample clip differs too much; nothing is written.
    """
    _refuse_other_precisions(bundle)
    check_place(out)
    say = progress or (lambda sentence: None)
    feeds = recorded_feeds(bundle)
    parts = {stage: part_of(bundle, stage) for stage in STAGES}
    metrics = dict(bundle.manifest.metrics)
    for precision in precisions:
        made = {s: _variant(part, precision, feeds[s], say) for s, part in parts.items()}
        found = _judged(bundle, {s: d for s, (d, _) in made.items() if d is not None}, precision)
        check_clips(found, precision)
        say(f"{precision}, sample clip: {_text(found)}")
        metrics |= {f"{precision}_{name}": value for name, value in found.items()}
        for stage, (graph, measured) in made.items():
            if graph is not None:
                variants = {**parts[stage].variants, precision: (graph.model, measured)}
                parts[stage] = dataclasses.replace(parts[stage], variants=variants)
    return write_bundle(list(parts.values()), out, name=bundle.manifest.name, metrics=metrics)


def speedup(golden: Runner, other: Runner, feed: Feed) -> float:
    """Compare the times of two runners: the best of runs that alternate.

    Parameters
    ----------
    golden, other : Runner
        Of the same stage.
    feed : Feed
        What both are fed with.

    Returns
    -------
    float
        Time of the first over time of the second, to two digits.
    """
    best = [float("inf"), float("inf")]
    for _ in range(_NUM_RUNS):
        for index, runner in enumerate((golden, other)):
            began = time.perf_counter()
            runner(**feed)
            best[index] = min(best[index], time.perf_counter() - began)
    return round(best[0] / best[1], 2)


def _variant(
    part: Part, precision: Precision, feeds: list[Feed], say: Progress
) -> tuple[Derived | None, Mapping[str, float]]:
    """Derive a stage, or None where int8 is not worth it, with what was measured."""
    spec = part.spec
    if precision == "int8" and part.metrics.get("mega_macs", 0.0) < HEAVY_MEGA_MACS:
        return None, {}
    try:
        made = derive_graph(spec, part.model, precision, feeds, layout="cpu")
    except ParityError as err:
        if precision == "fp16":
            raise
        say(f"int8: {err}")
        return None, {}
    measured = {**made.errors.metrics, "islands": float(made.num_islands)}
    if precision == "int8":
        runners = OrtRunner(spec, part.model), OrtRunner(spec, made.model)
        measured["cpu_speedup"] = speedup(*runners, feeds[0])
    say(f"{precision}, {spec.name}: {_text(measured)}, {len(made.model) / 1e6:.2f} MB")
    if measured.get("cpu_speedup", LEAST_SPEEDUP) < LEAST_SPEEDUP:
        say(f"int8, {spec.name}: not faster on this machine, left in fp32")
        return None, {}
    return made, measured


def _judged(bundle: Bundle, made: Mapping[str, Derived], precision: Precision) -> dict[str, float]:
    """Compare clips; half precision through its twins, which round where a GPU does."""
    if not made:
        raise ParityError(
            f"{precision}: expected at least one stage that is close and faster, found none; "
            "keep the bundle in fp32"
        )
    backend = choose_backend("cpu")

    def runner(spec: StageSpec) -> Runner:
        graph = made.get(spec.name)
        return (
            OrtRunner(spec, graph.twin)
            if graph
            else bundle.runner(spec.name, backend, precision="fp32")
        )

    other = TalkingHead({s: runner(spec) for s, spec in STAGES.items()}, backend)
    return clip_errors(TalkingHead.load(bundle, backend="cpu", precision="fp32"), other)


def _refuse_other_precisions(bundle: Bundle) -> None:
    for name, entry in bundle.manifest.stages.items():
        if entry.precision != "fp32":
            raise BundleError(
                f"{bundle.path}: expected golden graphs in fp32, {name} is in {entry.precision}; "
                "give the bundle that `emohead-export bundle` wrote"
            )


def _text(measured: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in measured.items())
