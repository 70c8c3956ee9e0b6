"""Which of a stage's graphs is run: the golden one, or a variant in another precision.

Who calls: ``bundle.py`` to read a graph, ``head.py`` to choose one. Not here: making variants
(``emohead_export``), choosing the backend (``backends.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from emohead.errors import BundleError, InputError

if TYPE_CHECKING:
    from emohead.manifest import Manifest, StageEntry, Variant

__all__ = [
    "BUILDING",
    "LEAST_SPEEDUP",
    "PRECISIONS",
    "choose_precisions",
    "cpu_has_int8_dot_products",
    "graph_entry",
]

BUILDING: Final = ("tensorrt", "ort-tensorrt")
"""Backends that derive a precision themselves when they build."""
PRECISIONS: Final = ("auto", "fp32", "fp16", "int8")
"""What ``choose_precisions`` takes."""
LEAST_SPEEDUP: Final = 1.05
"""From which an int8 graph counts as faster than the golden one."""
_CPU_INFO: Final = Path("/proc/cpuinfo")


def graph_entry(stage: StageEntry, precision: str) -> StageEntry | Variant:
    """Find the file of a stage in a precision.

    Parameters
    ----------
    stage : StageEntry
        The stage.
    precision : str
        ``fp32``, ``fp16`` or ``int8``.

    Returns
    -------
    StageEntry or Variant
        Names the file and its hash.

    Raises
    ------
    BundleError
        When the stage has no graph of this precision.
    """
    if precision == stage.precision:
        return stage
    found = stage.variants.get(precision)  # type: ignore[call-overload]
    if found is None:
        held = ", ".join((stage.precision, *stage.variants))
        raise BundleError(
            f"{stage.file}: expected a graph in {precision}, the bundle has {held}; "
            f"make one with `emohead-export precision BUNDLE --precision {precision} --out DIR`"
        )
    variant: Variant = found
    return variant


def choose_precisions(manifest: Manifest, wanted: str, backend: str) -> Mapping[str, str]:
    """Choose the precision of the graph that each stage is opened with.

    Parameters
    ----------
    manifest : Manifest
        Of the bundle.
    wanted : {"auto", "fp32", "fp16", "int8"}
        ``auto`` takes, on a CPU with int8 dot products, the int8 graphs that were measured to be
        faster; the golden graph everywhere else.
    backend : str
        Name of the backend. Those that build engines take golden graphs.

    Returns
    -------
    mapping of str to str
        Precision by stage. Stages too small for int8 stay in their golden precision.

    Raises
    ------
    InputError
        When there is no such precision.
    BundleError
        When no stage of the bundle has the precision asked for.
    """
    stages = manifest.stages
    if wanted not in PRECISIONS:
        raise InputError(
            f"expected a precision among {', '.join(PRECISIONS)}, got {wanted!r}; auto is usual"
        )
    if backend in BUILDING:
        return {name: entry.precision for name, entry in stages.items()}
    if wanted == "auto":
        return {name: _automatic(entry, backend) for name, entry in stages.items()}
    held = {n: (e.precision, *e.variants) for n, e in stages.items()}
    if not any(wanted in found for found in held.values()):
        known = [p for p in PRECISIONS if any(p in found for found in held.values())]
        raise BundleError(
            f"{manifest.name}: expected graphs in {wanted}, the bundle has {', '.join(known)}; "
            f"make them with `emohead-export precision BUNDLE --precision {wanted} --out DIR`"
        )
    return {n: wanted if wanted in found else found[0] for n, found in held.items()}


def _automatic(entry: StageEntry, backend: str) -> str:
    quantised = entry.variants.get("int8")
    if backend != "cpu" or quantised is None or not cpu_has_int8_dot_products():
        return entry.precision
    is_faster = quantised.metrics.get("cpu_speedup", 0.0) >= LEAST_SPEEDUP
    return "int8" if is_faster else entry.precision


@cache
def cpu_has_int8_dot_products() -> bool:
    """Whether the CPU says that it has VNNI; False where it cannot be asked."""
    try:
        return "vnni" in _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
