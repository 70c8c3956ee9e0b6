"""Parity and times of every path on one machine: PyTorch, ONNX Runtime, TensorRT, as present.

Called by ``bench.sh``; writes ``speed.json`` and ``speed.html`` in the format of ``emohead bench``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from emohead.bench.networks import measure_stage
from emohead.bench.page import page_of
from emohead.bench.schema import Report, StageResult, write_text
from emohead.bench.suite import PARTS, Plan, plan_of, run_plan
from emohead.bench.targets import find_backends, find_targets
from emohead.bundle import Bundle
from emohead.errors import EmoheadError
from emohead_export.torch_path import network_of, torch_ceilings, torch_targets


def say(what: str, done: int = 0, total: int = 0) -> None:
    """Tell on stderr what begins now."""
    sys.stderr.write(f"{what}\n")


def measure_torch(
    plan: Plan, bundle: Bundle, device: str, absent: dict[str, str]
) -> list[StageResult]:
    """Measure every network of the plan in PyTorch."""
    networks = {stage: network_of(stage, bundle) for stage in plan.batches}
    notes = {f"weights of {s} in PyTorch": n.note for s, n in networks.items() if n.note}
    absent.update(notes)
    targets = torch_targets(bundle, networks, device)
    results = []
    for stage, batches in plan.batches.items():
        say(f"{stage} in PyTorch")
        results += measure_stage(networks[stage].reference, targets, batches, plan.budget)
    return results


def measure(plan: Plan, device: str) -> Report:
    """Measure all paths; those that are absent become sentences of the report."""
    bundle = Bundle.open()
    backends, absent = find_backends()
    wanted = [b for b in backends if device == "cuda" or b.name == "cpu"]
    others = plan if wanted else replace(plan, batches={}, scenarios=())
    targets = find_targets(wanted, [bundle])
    torch_results = measure_torch(plan, bundle, device, absent)
    report = run_plan(others, targets, bundle, absent=absent, progress=say)
    roofs = torch_ceilings(device) if plan.with_ceilings and device == "cuda" else []
    return report.model_copy(
        update={
            "stages": (*report.stages, *torch_results),
            "ceilings": (*report.ceilings, *roofs),
        }
    )


def main() -> None:
    """Measure and write; an unusable machine is one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--stage", action="append")
    given = parser.parse_args()
    plan = plan_of(quick=given.quick, parts=given.part or PARTS)
    if given.stage:
        chosen = {s: b for s, b in plan.batches.items() if s in given.stage}
        plan = replace(plan, batches=chosen)
    try:
        report = measure(plan, given.device)
        write_text(given.out / "speed.json", report.model_dump_json(indent=1) + "\n")
        write_text(given.out / "speed.html", page_of(report))
    except EmoheadError as err:
        sys.exit(f"bench.py: {err}")
    for refused in report.refused:
        say(f"refused, {refused.backend} batch {refused.batch}: {refused.refused}")


if __name__ == "__main__":
    main()
