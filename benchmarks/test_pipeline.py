"""The whole path, from sample portrait and voice to an mp4, and how it scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emohead.bench.clips import describe, measure_clip, scenario_on
from emohead.bench.networks import agreement_of
from emohead.bench.schema import Scenario
from emohead.bench.suite import plan_of
from emohead.bench.targets import Target
from emohead.bundle import Bundle
from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

SCENARIOS = [s.model_copy(update={"rounds": 1}) for s in plan_of(quick=False).scenarios]


def test_load(benchmark: Any, target: Target) -> None:
    head = benchmark.pedantic(
        TalkingHead.load,
        args=(target.bundle,),
        kwargs={"backend": target.backend, "precision": target.graphs},
        rounds=3,
    )
    assert head.portrait(SAMPLE_FACE) is not None


def test_portrait(benchmark: Any, target: Target) -> None:
    head = TalkingHead.load(target.bundle, backend=target.backend, precision=target.graphs)
    benchmark.pedantic(head.portrait, args=(SAMPLE_FACE,), rounds=5, warmup_rounds=1)


def test_render(benchmark: Any, target: Target, golden: Bundle, tmp_path: Path) -> None:
    refusal = agreement_of(target, golden)
    assert not refusal, refusal
    head = TalkingHead.load(target.bundle, backend=target.backend, precision=target.graphs)
    face = head.portrait(SAMPLE_FACE)

    def render() -> int:
        clip = head.animate(face, SAMPLE_SPEECH)
        clip.save(tmp_path / "a.mp4")
        return len(clip)

    num_frames = benchmark.pedantic(render, rounds=3, warmup_rounds=1)
    benchmark.extra_info["fps"] = num_frames / benchmark.stats["median"]
    assert num_frames > 30


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: describe(s).replace(" ", "-"))
def test_fresh_process(benchmark: Any, target: Target, scenario: Scenario) -> None:
    """Time a process from its start to the finished video, and keep what it says of itself."""
    found = benchmark.pedantic(
        measure_clip, args=(scenario_on(scenario, target),), rounds=1, iterations=1
    )
    benchmark.extra_info.update(found.model_dump(mode="json", exclude={"scenario"}))
    assert found.num_frames == round(found.duration_s * 30) * scenario.tracks
