from __future__ import annotations

import sys

import pytest

from emohead.bench.engines import build_engines
from emohead.bench.suite import Plan, run_plan
from emohead.bench.targets import Target
from emohead.bundle import Bundle
from emohead.errors import BackendError
from emohead.stages import SPEAKER_ENCODER

STAGE = SPEAKER_ENCODER.name


def test_an_engine_is_built_from_nothing_and_timed(tiny: Bundle):
    pytest.importorskip("tensorrt_rtx")
    (found,) = build_engines(tiny, [STAGE])
    assert (found.stage, found.precision) == (STAGE, "fp32")
    assert found.seconds > 0
    assert found.num_bytes > 1000


def test_without_tensorrt_the_report_says_so(tiny: Bundle, on_cpu: Target, monkeypatch):
    monkeypatch.setitem(sys.modules, "emohead_engines.workshop", None)
    with pytest.raises(BackendError, match=r"emohead\[tensorrt\]"):
        list(build_engines(tiny, [STAGE]))
    plan = Plan(quick=True, with_ceilings=False, engines=[STAGE])
    report = run_plan(plan, [on_cpu], tiny)
    assert report.engines == ()
    assert "emohead[tensorrt]" in report.absent["engines"]
