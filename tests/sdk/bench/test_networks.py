from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emohead.backends import Backend
from emohead.bench.networks import agreement_of, judged, measure_stage, sample_batch
from emohead.bench.suite import Plan, run_plan
from emohead.bench.targets import Target, find_backends, find_targets, fingerprint, golden_of
from emohead.bench.timing import Budget
from emohead.bundle import Bundle
from emohead.errors import BackendError
from emohead.manifest import Variant
from emohead.stages import NEUTRAL_LANDMARKS, SPEAKER_ENCODER, STAGES

BRIEF = Budget(warmup=1, min_rounds=2, max_rounds=2)


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Toy graphs that answer a little differently."""
    import emohead_export.tiny as tiny

    monkeypatch.setattr(tiny, "INFLUENCE", 2 * tiny.INFLUENCE)
    return tiny.write_tiny_bundle(tmp_path / "other")


@pytest.mark.parametrize("stage", STAGES)
def test_a_batch_is_expected_to_equal_its_items(tiny: Bundle, stage: str):
    runner = tiny.runner(stage, "cpu")
    sample = sample_batch(runner, 3)
    found = runner(**sample.feed)
    assert found.keys() == sample.expected.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, sample.expected[name], rtol=1e-5, atol=1e-6)


def test_the_items_of_a_batch_differ(tiny: Bundle):
    sample = sample_batch(tiny.runner(SPEAKER_ENCODER.name, "cpu"), 2)
    first, second = sample.feed[SPEAKER_ENCODER.inputs[0].name]
    assert not np.array_equal(first, second)


def test_right_results_are_timed_at_every_batch(tiny: Bundle, on_cpu: Target):
    results = measure_stage(
        tiny.runner(NEUTRAL_LANDMARKS.name, "cpu"), [on_cpu, on_cpu], (1, 4), BRIEF
    )
    assert [r.batch for r in results] == [1, 1, 4, 4]
    for result in results:
        assert (result.refused, result.backend, result.precision) == ("", "cpu", "fp32")
        assert result.timing is not None
        assert result.timing.num_samples == 2
        assert result.error <= result.tolerance == NEUTRAL_LANDMARKS.tolerance["fp32"]


def test_wrong_results_are_refused_before_the_clock_starts(
    tiny: Bundle, on_cpu: Target, other: Bundle
):
    wrong = Target(backend=on_cpu.backend, bundle=other)
    reference = tiny.runner(SPEAKER_ENCODER.name, "cpu")
    right, refused = measure_stage(reference, [on_cpu, wrong], (1,), BRIEF)
    assert right.timing is not None
    assert refused.timing is None
    assert refused.error > refused.tolerance
    assert f"at most {refused.tolerance:g} in fp32" in refused.refused
    assert not agreement_of(on_cpu, tiny)
    assert "not timed" in agreement_of(wrong, tiny)


def test_nan_is_refused(tiny: Bundle):
    runner = tiny.runner(SPEAKER_ENCODER.name, "cpu")
    sample = sample_batch(runner, 1)
    sample.expected[SPEAKER_ENCODER.outputs[0].name][:] = np.nan
    verdict = judged(runner, sample, "fp32")
    assert verdict.refusal
    assert np.isfinite(verdict.error)


def test_a_backend_that_fails_is_a_finding(tiny: Bundle, on_cpu: Target, monkeypatch):
    def fail(*args, **kwargs):
        raise BackendError("no memory: free some")

    monkeypatch.setattr(Target, "open", fail)
    reference = tiny.runner(SPEAKER_ENCODER.name, "cpu")
    (result,) = measure_stage(reference, [on_cpu], (1,), BRIEF)
    assert (result.timing, result.refused) == (None, "no memory: free some")


def test_backends_asked_for_by_name_must_work_and_others_are_told(monkeypatch):
    works = {("cpu", "fp32"), ("tensorrt", "fp32"), ("tensorrt", "fp16")}

    def choose(name: str, precision: str) -> Backend:
        if (name, precision) not in works:
            raise BackendError(f"{name} does not work: see doctor")
        return Backend(name=name, provider="", reason="", version="", precision=precision)

    monkeypatch.setattr("emohead.bench.targets.choose_backend", choose)
    found, absent = find_backends()
    assert {(b.name, b.precision) for b in found} == works
    assert absent["cuda"] == "cuda does not work: see doctor"
    assert absent.keys().isdisjoint({"cpu", "tensorrt", "auto"})
    assert [b.name for b in find_backends(["cpu"])[0]] == ["cpu"]
    with pytest.raises(BackendError, match="cuda does not work"):
        find_backends(["cpu", "cuda"])


def test_a_backend_that_halves_fp32_graphs_is_judged_by_half_precision(tiny: Bundle):
    half = Backend(name="x", provider="", reason="", version="", precision="fp16")
    target = Target(backend=half, bundle=tiny)
    assert {target.precision_of(s) for s in STAGES} == {target.precision} == {"fp16"}


def test_variants_of_a_bundle_are_targets_and_small_stages_are_not_timed_twice(
    tiny: Bundle, on_cpu: Target
):
    stage = SPEAKER_ENCODER.name
    entry = tiny.manifest.stages[stage]
    variant = Variant(file=entry.file, sha256=entry.sha256, num_bytes=entry.num_bytes)
    varied = entry.model_copy(update={"variants": {"int8": variant}})
    manifest = tiny.manifest.model_copy(update={"stages": {**tiny.manifest.stages, stage: varied}})
    bundle = Bundle(tiny.path, manifest, tiny._files)
    targets = find_targets([on_cpu.backend], [bundle])
    assert [t.name for t in targets] == ["cpu fp32", "cpu fp32+int8"]
    plan = Plan(
        quick=True,
        with_ceilings=False,
        batches={stage: (1,), NEUTRAL_LANDMARKS.name: (1,)},
        budget=BRIEF,
    )
    found = [(r.stage, r.precision, r.tolerance) for r in run_plan(plan, targets, bundle).stages]
    assert found == [
        (stage, "fp32", SPEAKER_ENCODER.tolerance["fp32"]),
        (stage, "int8", SPEAKER_ENCODER.tolerance["int8"]),
        (NEUTRAL_LANDMARKS.name, "fp32", NEUTRAL_LANDMARKS.tolerance["fp32"]),
    ]


def test_targets_are_all_pairs_and_the_golden_networks_are_fp32(
    tiny: Bundle, on_cpu: Target, other: Bundle, monkeypatch
):
    targets = find_targets([on_cpu.backend], [tiny, other])
    assert [t.bundle for t in targets] == [tiny, other]
    assert {t.name for t in targets} == {"cpu fp32"}
    assert fingerprint(tiny) != fingerprint(other)
    entries = {
        s: e.model_copy(update={"precision": "fp16"}) for s, e in tiny.manifest.stages.items()
    }
    assert [t.graphs for t in targets] == ["fp32", "fp32"]
    half = Bundle(tiny.path, tiny.manifest.model_copy(update={"stages": entries}), tiny._files)
    assert golden_of([half, other]) is other
    assert golden_of([half]).manifest.name == "default"
