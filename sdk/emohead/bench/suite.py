"""What is measured, in which order: plans and their execution.

Called by ``emohead bench``; a plan is data, so that tests and scripts make small ones.
Not here: how anything is measured (``networks.py``, ``clips.py``, ``machine.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final

import emohead
from emohead.bench.clips import describe, measure_clip, scenario_on
from emohead.bench.engines import build_engines
from emohead.bench.machine import describe_machine, measure_ceilings
from emohead.bench.networks import agreement_of, measure_stage
from emohead.bench.schema import Ceilings, ClipResult, EngineBuild, Report, Scenario, StageResult
from emohead.bench.targets import Target, fingerprint
from emohead.bench.timing import Budget
from emohead.bundle import Bundle
from emohead.errors import BackendError, EmoheadError
from emohead.stages import RENDERER, STAGES

__all__ = ["PARTS", "Plan", "plan_of", "run_plan"]

PARTS: Final = ("ceilings", "stages", "engines", "pipeline", "scaling", "memory")
"""What can be left out."""
MEMORY_LENGTHS_S: Final = (10, 600)
"""Clips whose peak memory is compared."""
Progress = Callable[[str, int, int], object]
"""Called with what begins now, how many steps are done, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one run measures."""

    quick: bool
    """Whether numbers are for a first look."""
    with_ceilings: bool = True
    """Whether the cores' own limits are measured."""
    batches: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Batch sizes by stage; stages not named are left out."""
    budget: Budget = field(default_factory=Budget)
    """Repetitions of one network call."""
    engines: Sequence[str] = ()
    """Networks whose TensorRT engines are built, where TensorRT is installed."""
    scenarios: Sequence[Scenario] = ()
    """Clips to render, for every target; their backend and bundle are filled in."""


def plan_of(
    *, quick: bool, parts: Sequence[str] = PARTS, stages: Sequence[str] = tuple(STAGES)
) -> Plan:
    """Plan the whole benchmark, or parts of it.

    Parameters
    ----------
    quick : bool
        A minute instead of half an hour; memory of long clips is left out.
    parts : sequence of str
        Of ``PARTS``.
    stages : sequence of str
        Networks to time by themselves.

    Returns
    -------
    Plan
    """
    usual: tuple[int, ...] = (1,) if quick else (1, 4, 16)
    scaled: tuple[int, ...] = (1, 4) if quick else (1, 2, 4, 8, 16)
    wanted = stages if "stages" in parts else ()
    return Plan(
        quick=quick,
        with_ceilings="ceilings" in parts,
        batches={s: scaled if s == RENDERER.name else usual for s in wanted},
        budget=Budget(min_rounds=5, seconds=0.3) if quick else Budget(min_rounds=15, seconds=1.5),
        engines=_engines(quick, stages) if "engines" in parts else (),
        scenarios=[s for s in _scenarios(quick) if _part(s) in parts],
    )


def _engines(quick: bool, stages: Sequence[str]) -> Sequence[str]:
    """Choose the networks whose engines are built: the renderer tells most of it."""
    return [s for s in stages if s == RENDERER.name] if quick else stages


def _part(scenario: Scenario) -> str:
    return scenario.kind if scenario.kind in PARTS else "scaling"


def _scenarios(quick: bool) -> list[Scenario]:
    lengths: tuple[float, ...] = (2, 6) if quick else (2, 5, 10, 30, 60)
    heights: tuple[int, ...] = (720,) if quick else (256, 512, 1080, 2160)
    tracks: tuple[int, ...] = (1, 2) if quick else (1, 2, 4, 8, 16)
    rounds = 1 if quick else 3
    weighed = () if quick else MEMORY_LENGTHS_S
    return [
        Scenario(kind="pipeline", rounds=2 if quick else 5),
        *(Scenario(kind="length", seconds=s, rounds=1 if s > 10 else rounds) for s in lengths),
        *(Scenario(kind="memory", seconds=s, emotion="happy", rounds=1) for s in weighed),
        *(Scenario(kind="resolution", photo_px=h, seconds=3, rounds=rounds) for h in heights),
        *(Scenario(kind="tracks", tracks=n, seconds=3, rounds=rounds) for n in tracks),
    ]


def run_plan(
    plan: Plan,
    targets: Sequence[Target],
    golden: Bundle,
    *,
    absent: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure everything planned.

    Parameters
    ----------
    plan : Plan
    targets : sequence of Target
        Networks on backends.
    golden : Bundle
        fp32 networks, whose results on the CPU are the measure.
    absent : mapping of str to str, optional
        What cannot be measured here and why, for the report.
    progress : callable, optional

    Returns
    -------
    Report
    """
    machine = describe_machine()  # before the work, whose own load it should not show
    steps = _Steps(plan, len(targets), progress)
    ceilings = _ceilings(plan, steps)
    stages = _stages(plan, targets, golden, steps)
    missing = dict(absent or {})
    engines = _built(plan, targets, steps, missing)
    clips = _clips(plan, targets, golden, steps, missing)
    return Report(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        emohead=emohead.__version__,
        quick=plan.quick,
        bundles={fingerprint(t.bundle): t.bundle.manifest.name for t in targets},
        machine=machine,
        ceilings=ceilings,
        stages=tuple(stages),
        clips=tuple(clips),
        engines=tuple(engines),
        absent=missing,
    )


class _Steps:
    """Counts steps for whoever watches."""

    def __init__(self, plan: Plan, num_targets: int, watch: Progress | None) -> None:
        self._done, self._watch = 0, watch
        clips = len(plan.scenarios) * num_targets
        self._total = plan.with_ceilings + len(plan.batches) + bool(plan.engines) + clips

    def begin(self, what: str) -> None:
        if self._watch is not None:
            self._watch(what, self._done, self._total)
        self._done += 1


def _ceilings(plan: Plan, steps: _Steps) -> tuple[Ceilings, ...]:
    if not plan.with_ceilings:
        return ()
    steps.begin("the machine's ceilings")
    return (measure_ceilings(),)


def _stages(
    plan: Plan, targets: Sequence[Target], golden: Bundle, steps: _Steps
) -> list[StageResult]:
    results = []
    for stage, batches in plan.batches.items():
        steps.begin(stage)
        reference = golden.runner(stage, "cpu", threads=1)
        results += measure_stage(reference, _different(targets, stage), batches, plan.budget)
    return results


def _different(targets: Sequence[Target], stage: str) -> list[Target]:
    """Leave out targets that run a stage as another one does, for want of its own precision."""
    found = {(id(t.bundle), t.backend.name, t.precision_of(stage)): t for t in reversed(targets)}
    return list(reversed(found.values()))


def _built(
    plan: Plan, targets: Sequence[Target], steps: _Steps, missing: dict[str, str]
) -> list[EngineBuild]:
    """Build the engines of every bundle; without TensorRT that is a finding."""
    if not plan.engines:
        return []
    steps.begin("building engines")
    results: list[EngineBuild] = []
    try:
        for bundle in {id(t.bundle): t.bundle for t in targets}.values():
            results += build_engines(bundle, plan.engines)
    except BackendError as err:
        missing["engines"] = str(err)
    return results


def _clips(
    plan: Plan,
    targets: Sequence[Target],
    golden: Bundle,
    steps: _Steps,
    missing: dict[str, str],
) -> list[ClipResult]:
    """Render every scenario on every target that gives right results; targets take turns."""
    if not plan.scenarios:
        return []
    refusals = {t.name: r for t in targets if (r := agreement_of(t, golden))}
    missing.update({f"clips on {name}": why for name, why in refusals.items()})
    results = []
    for planned in plan.scenarios:
        for target in (t for t in targets if t.name not in refusals):
            scenario = scenario_on(planned, target)
            steps.begin(describe(scenario))
            try:
                results.append(measure_clip(scenario))
            except EmoheadError as err:
                missing[describe(scenario)] = str(err)
    return results
