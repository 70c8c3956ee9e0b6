"""``docs/roofline.md``: costs from the graphs, what machines reached, what GPUs might.

Who calls: ``emohead-export roofline``. Not here: the arithmetic (``roofline.py``, ``cost.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from emohead.bench.schema import Ceilings, Report, StageResult
from emohead.bench.tables import hardware_of, machine_lines
from emohead.bench.targets import fingerprint
from emohead.bundle import Bundle
from emohead.errors import InputError
from emohead.stages import RENDERER, STAGES
from emohead_export.cost import GraphCost, graph_cost
from emohead_export.roofline import DATA_SHEETS, Ceiling, bound_ms, predicted_ms

__all__ = ["roofline_page"]

_BATCH = 16
"""Large batch of the predictions."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of a bundle's graphs."""

    single: Mapping[str, GraphCost]
    """One item, by stage."""
    batched: GraphCost
    """``_BATCH`` frames of the renderer."""


def roofline_page(bundle: Bundle, reports: Sequence[Report]) -> str:
    """Write the page.

    Parameters
    ----------
    bundle : Bundle
        fp32 networks whose graphs are counted.
    reports : sequence of Report
        Of ``emohead bench`` on the same networks, ceilings included.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    InputError
        When a report measured other networks or no ceilings.
    """
    for report in reports:
        _check(report, bundle)
    costs = Costs(
        single={name: graph_cost(spec, bundle.model(name)) for name, spec in STAGES.items()},
        batched=graph_cost(RENDERER, bundle.model(RENDERER.name), _BATCH),
    )
    blocks = [
        _HEAD,
        f"Networks: bundle `{bundle.manifest.name}`, graphs `{fingerprint(bundle)}`.",
        *_cost_section(costs),
        *(block for report in reports for block in _measured_section(report, costs)),
        *_predicted_section(costs),
    ]
    return "\n\n".join(blocks) + "\n"


def _check(report: Report, bundle: Bundle) -> None:
    where = f"the report of {report.created}"
    if fingerprint(bundle) not in report.bundles:
        raise InputError(
            f"{where} measured the networks {', '.join(report.bundles)}, not "
            f"{fingerprint(bundle)}: measure these with `emohead bench`, or give their --bundle"
        )
    if not report.ceilings:
        raise InputError(f"{where} lacks the machine's ceilings: measure without --part")


_HEAD = "\n\n".join(
    (
        "# Roofline",
        "Made by `emohead-export roofline`; do not edit.",
        "How much work the networks are, how much of what a machine can do they get out of it, and "
        "how fast they might be elsewhere. MACs and bytes are counted node by node on a run of "
        "each graph. Two times follow:",
        "- **bound**: all arithmetic at the best rate, or weights, inputs and outputs once through "
        "memory, whichever takes longer. Nothing can be faster.\n"
        "- **node by node**: every node reads its inputs from memory and writes its results there. "
        "Fusion makes it faster, kernels below their ceilings slower.",
    )
)


def _cost_section(costs: Costs) -> Iterator[str]:
    yield "## Cost of one item"
    head = (
        "network",
        "MMAC",
        "weights MB",
        "in and out MB",
        "node by node MB",
        "nodes",
        "FLOP/byte",
    )
    yield _markdown(head, [_cost_row(n, c) for n, c in costs.single.items()])
    yield (
        "FLOP/byte divides the arithmetic by weights, inputs and outputs. Views, constants and "
        "shapes are not counted as nodes."
    )


def _cost_row(name: str, cost: GraphCost) -> tuple[str, ...]:
    sizes = (cost.weight_bytes, cost.io_bytes, cost.traffic_bytes)
    megabytes = [f"{size / 1e6:.2f}" for size in sizes]
    intensity = f"{2 * cost.macs / cost.compulsory_bytes:.1f}"
    return (name, f"{cost.macs / 1e6:.2f}", *megabytes, str(len(cost.nodes)), intensity)


def _measured_section(report: Report, costs: Costs) -> Iterator[str]:
    yield f"## Measured: {hardware_of(report)}, {report.created[:10]}"
    yield "\n".join(f"- {line}" for line in machine_lines(report))
    for ceilings in report.ceilings:
        own = [r for r in report.stages if _is_below(r, ceilings)]
        if own:
            yield _measured_table(own, ceilings, costs)
    yield (
        "Ceilings are the best plain matrix product and the best copy on the same hardware. A "
        "share of 100 % would mean that every convolution is as efficient as that product and "
        "nothing else costs time; small networks stay far below, for the overhead of their nodes "
        "binds them."
    )


def _is_below(result: StageResult, ceilings: Ceilings) -> bool:
    """Whether a result belongs under a roof: same device and arithmetic, one item."""
    device = "cpu" if result.backend in ("cpu", "torch-cpu") else "gpu"
    same = device == ceilings.device and result.precision == ceilings.precision
    return same and result.batch == 1


def _measured_table(results: Sequence[StageResult], ceilings: Ceilings, costs: Costs) -> str:
    roof = Ceiling(
        name=ceilings.device,
        gflops=ceilings.gemm_gflops,
        bandwidth_gb_s=ceilings.bandwidth_gb_s,
        bytes_per_number=2 if ceilings.precision == "fp16" else 4,
    )
    head = (
        *("network", "on", "measured ms", "bound ms", "share of the bound"),
        *("GFLOP/s", "of the best product"),
    )
    return _markdown(head, [_measured_row(r, costs.single[r.stage], roof) for r in results])


def _measured_row(result: StageResult, cost: GraphCost, roof: Ceiling) -> tuple[str, ...]:
    what = (result.stage, f"{result.backend} {result.precision}")
    if result.timing is None:
        return (*what, "refused", "", "", "", "")
    measured, bound = result.timing.median_ms, bound_ms(cost, roof)
    gflops = 2e-6 * cost.macs / measured
    shares = (f"{bound / measured:.0%}", f"{gflops:.1f}", f"{gflops / roof.gflops:.0%}")
    return (*what, f"{measured:.3f}", f"{bound:.3f}", *shares)


def _predicted_section(costs: Costs) -> Iterator[str]:
    single = costs.single[RENDERER.name]
    yield "## Predicted, not measured: GPUs"
    yield (
        "**None of these numbers was measured.** They follow from data sheets, whose figures no "
        "program reaches, and from the graph of the renderer. The last columns add an assumption: "
        f"no node takes less than {DATA_SHEETS[0].launch_us:g} µs."
    )
    head = (
        *("prediction for", "bound, one frame ms", f"bound, batch {_BATCH} ms"),
        *("node by node, one frame ms", f"node by node, batch {_BATCH} ms", "frames/s in batches"),
    )
    rows = [_predicted_row(c, single, costs.batched) for c in DATA_SHEETS]
    yield _markdown(head, rows)
    yield "\n".join(
        f"- {c.name}: {c.gflops / 1e3:g} TFLOP/s, {c.bandwidth_gb_s:g} GB/s ({c.source})"
        for c in DATA_SHEETS
    )
    yield (
        "fp16 halves weights and intermediate values here; islands of single precision are not "
        "counted. fp16 on a GTX 1080 Ti has a 64th of the fp32 rate and is no choice."
    )


def _predicted_row(ceiling: Ceiling, single: GraphCost, batched: GraphCost) -> tuple[str, ...]:
    bounds = (bound_ms(single, ceiling), bound_ms(batched, ceiling))
    serial = (predicted_ms(single, ceiling), predicted_ms(batched, ceiling))
    times = [f"{ms:.3f}" for ms in (*bounds, *serial)]
    return (f"*{ceiling.name}*", *times, f"{1e3 * _BATCH / serial[1]:,.0f}")


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
