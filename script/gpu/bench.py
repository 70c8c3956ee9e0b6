"""Parity and times of every path on one machine: PyTorch, ONNX Runtime, TensorRT, as present.

Called by ``bench.sh``; writes ``speed.json`` and ``speed.html`` in the format of ``emohead bench``,
after every network in PyTorch and at the end: whoever is cut off keeps what was measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emohead.bench.networks import measure_stage
from emohead.bench.page import page_of
from emohead.bench.schema import Report, StageResult, write_text
from emohead.bench.suite import PARTS, Plan, plan_of, run_plan
from emohead.bench.targets import find_backends, find_targets, fingerprint
from emohead.bundle import Bundle
from emohead.errors import EmoheadError
from emohead.stages import STAGES
from emohead_export.torch_path import network_of, torch_ceilings, torch_targets


def say(what: str, done: int = 0, total: int = 0) -> None:
    """Tell on stderr what begins now."""
    sys.stderr.write(f"{what}\n")


def measure_torch(
    plan: Plan, bundle: Bundle, device: str, absent: dict[str, str]
) -> Iterator[list[StageResult]]:
    """Measure in PyTorch, network by network; notes on their weights join what is absent."""
    networks = {stage: network_of(stage, bundle) for stage in plan.batches}
    absent |= {f"weights of {s} in PyTorch": n.note for s, n in networks.items() if n.note}
    targets = torch_targets(bundle, networks, device)
    for stage, batches in plan.batches.items():
        say(f"{stage} in PyTorch")
        yield measure_stage(networks[stage].reference, targets, batches, plan.budget)


def reports(plan: Plan, device: str) -> Iterator[Report]:
    """Measure all paths, and report whenever more is known; what is absent becomes a sentence."""
    bundle = Bundle.open()
    backends, absent = find_backends()
    targets = find_targets([b for b in backends if device == "cuda" or b.name == "cpu"], [bundle])
    nothing = replace(plan, with_ceilings=False, batches={}, engines=(), scenarios=())
    before = run_plan(nothing, targets, bundle)  # the machine, before its own work loads it
    known = {"machine": before.machine, "bundles": {fingerprint(bundle): bundle.manifest.name}}
    stages: list[StageResult] = []
    roofs = torch_ceilings(device) if plan.with_ceilings and device == "cuda" else []
    for results in measure_torch(plan, bundle, device, absent):
        stages += results
        found = {"stages": tuple(stages), "ceilings": tuple(roofs), "absent": dict(absent)}
        yield before.model_copy(update={**known, **found})
    others = plan if targets else replace(plan, batches={}, scenarios=())
    report = run_plan(others, targets, bundle, absent=absent, progress=say)
    joined = {"stages": (*report.stages, *stages), "ceilings": (*report.ceilings, *roofs)}
    yield report.model_copy(update={**known, **joined})


def main() -> None:
    """Measure and write; an unusable machine is one sentence."""
    given = _arguments()
    stages = given.stage or tuple(STAGES)
    plan = plan_of(quick=given.quick, parts=given.part or PARTS, stages=stages)
    try:
        for report in reports(plan, given.device):
            write_text(given.out / "speed.json", report.model_dump_json(indent=1) + "\n")
            write_text(given.out / "speed.html", page_of(report))
    except EmoheadError as err:
        sys.exit(f"bench.py: {err}")
    for refused in report.refused:
        say(f"refused, {refused.backend} batch {refused.batch}: {refused.refused}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--stage", action="append", choices=tuple(STAGES))
    return parser.parse_args()


if __name__ == "__main__":
    main()
