"""Variants in a bundle: written with their parity, chosen by precision and backend, verified."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from typer.testing import CliRunner

from emohead import TalkingHead, graph_choice
from emohead.bundle import Bundle
from emohead.contract import sample_inputs
from emohead.errors import BundleError, InputError, ParityError
from emohead.graph_choice import choose_precisions
from emohead.runner import OrtRunner
from emohead.stages import EMOTION_ENCODER, RENDERER, STAGES
from emohead_export import clips, precise_bundle
from emohead_export.cli import app
from emohead_export.clips import check_clips, clip_errors
from emohead_export.packing import write_bundle
from emohead_export.parts import part_of
from emohead_export.precise_bundle import derive_bundle, speedup
from emohead_export.precision import derive_graph
from emohead_export.tiny import tiny_graph

FAST, SLOW = {"cpu_speedup": 1.5}, {"cpu_speedup": 1.01}


@pytest.fixture(scope="module")
def mixed(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose renderer has both variants, and whose emotion encoder is slow in int8."""
    golden = Bundle.open(tiny_bundle)
    parts = {stage: part_of(golden, stage) for stage in STAGES}
    other = tiny_graph(RENDERER)
    other.doc_string = "another"
    half = {"fp16": (other.SerializeToString(), {"relative_error": 0.001})}
    for stage, speed in ((RENDERER.name, FAST), (EMOTION_ENCODER.name, SLOW)):
        variants = {**(half if speed is FAST else {}), "int8": (parts[stage].model, speed)}
        parts[stage] = dataclasses.replace(parts[stage], variants=variants)
    out = tmp_path_factory.mktemp("mixed") / "bundle"
    return write_bundle(list(parts.values()), out, name="mixed")


def test_variants_are_files_of_the_bundle_and_verified(mixed: Bundle, tmp_path: Path) -> None:
    golden, half = mixed.model(RENDERER.name), mixed.model(RENDERER.name, "fp16")
    assert golden != half
    with pytest.raises(BundleError, match="expected a graph in fp16, the bundle has fp32, int8"):
        mixed.model(EMOTION_ENCODER.name, "fp16")
    packed = write_bundle([part_of(mixed, s) for s in STAGES], tmp_path / "b.zip", name="again")
    assert packed.manifest.stages == mixed.manifest.stages
    copy = write_bundle([part_of(mixed, s) for s in STAGES], tmp_path / "c", name="copy")
    entry = copy.manifest.stages[RENDERER.name].variants["fp16"]
    (copy.path / entry.file).write_bytes(golden)
    with pytest.raises(BundleError, match="altered"):
        Bundle.open(copy.path)


def test_precision_is_chosen_by_name_and_by_machine(
    mixed: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(wanted: str, backend: str) -> set[str]:
        found = choose_precisions(mixed.manifest, wanted, backend)
        return {f"{s} {p}" for s, p in found.items() if p != "fp32"}

    monkeypatch.setattr(graph_choice, "cpu_has_int8_dot_products", lambda: True)
    assert chosen("auto", "cpu") == {"renderer int8"}
    assert chosen("auto", "cuda") == set()
    assert chosen("int8", "cpu") == {"renderer int8", "emotion_encoder int8"}
    assert chosen("fp16", "cuda") == {"renderer fp16"}
    assert chosen("fp16", "tensorrt") == set()
    monkeypatch.setattr(graph_choice, "cpu_has_int8_dot_products", lambda: False)
    assert chosen("auto", "cpu") == set()
    with pytest.raises(InputError, match="expected a precision among"):
        chosen("fp8", "cpu")


def test_talking_head_runs_the_graphs_asked_for(mixed: Bundle, tiny_bundle: Path) -> None:
    opened: list[tuple[str, str | None]] = []
    real = mixed.runner

    class Watched(Bundle):
        def runner(self, stage, backend="auto", *, threads=0, precision=None):  # type: ignore[no-untyped-def]
            opened.append((stage, precision))
            return real(stage, backend, threads=threads, precision=precision)

    watched = Watched(mixed.path, mixed.manifest, mixed._files)
    TalkingHead.load(watched, backend="cpu", precision="fp16")
    assert dict(opened) == {s: "fp16" if s == RENDERER.name else "fp32" for s in STAGES}
    with pytest.raises(BundleError, match="expected graphs in fp16, the bundle has fp32"):
        TalkingHead.load(tiny_bundle, backend="cpu", precision="fp16")


def test_cpu_without_information_counts_as_without_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = graph_choice.cpu_has_int8_dot_products
    for text, expected in (("flags : avx512_vnni", True), ("flags : avx2", False), (None, False)):
        path = tmp_path / "cpuinfo"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(graph_choice, "_CPU_INFO", path)
        asked.cache_clear()
        assert asked() is expected
    asked.cache_clear()


def test_clips_that_differ_are_refused_with_both_numbers() -> None:
    good = {"landmarks_px": 0.01, "frames_db": 60.0}
    check_clips(good, "fp16")
    for bad in ({"landmarks_px": 0.2}, {"frames_db": 44.0}, {"frames_db": float("nan")}):
        with pytest.raises(ParityError, match=r"expected landmarks within 0.1 px"):
            check_clips(good | bad, "fp16")


def test_a_clip_without_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Mock()
    head.animate.return_value = [np.zeros((2, 2, 3), np.uint8)]
    distances = iter((0.01, float("nan")))
    monkeypatch.setattr(clips, "_distance_px", lambda *pair: next(distances))
    with pytest.raises(ParityError, match="got nan px"):
        check_clips(clip_errors(head, head), "fp16")


def test_failed_clip_writes_nothing_and_success_stores_the_report(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With toy graphs, whose stages are too plain for half precision: one variant is given."""
    bundle = Bundle.open(tiny_bundle)
    spec = EMOTION_ENCODER
    golden = Bundle.open().model(spec.name)
    made = derive_graph(spec, golden, "fp16", [])

    def variant(part, precision, feeds, say):  # type: ignore[no-untyped-def]
        say(part.spec.name)
        return (made, made.errors.metrics) if part.spec.name == spec.name else (None, {})

    found = {"landmarks_px": 3.0, "frames_db": 50.0}
    monkeypatch.setattr(precise_bundle, "_variant", variant)
    monkeypatch.setattr(precise_bundle, "recorded_feeds", lambda bundle: {s: [] for s in STAGES})
    monkeypatch.setattr(precise_bundle, "clip_errors", lambda golden, other: found)
    with pytest.raises(ParityError, match="got 3.0 px"):
        derive_bundle(bundle, ["fp16"], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    found["landmarks_px"] = 0.02
    arguments = ["precision", str(tiny_bundle), "--precision", "fp16", "--json"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["clip"]["fp16_landmarks_px"] == 0.02
    written = Bundle.open(tmp_path / "out")
    assert written.manifest.metrics["fp16_frames_db"] == 50.0
    assert written.manifest.stages[spec.name].variants["fp16"].metrics == made.errors.metrics
    assert report["stages"][spec.name]["fp16"] == made.errors.metrics
    runner = written.runner(spec.name, "cpu", precision="fp16")
    assert np.isfinite(next(iter(runner(**sample_inputs(spec)).values()))).all()


def test_speedup_compares_the_best_runs() -> None:
    spec = EMOTION_ENCODER
    model = tiny_graph(spec).SerializeToString()

    class Slow(OrtRunner):
        def _run(self, feed):  # type: ignore[no-untyped-def]
            for _ in range(30):
                super()._run(feed)
            return super()._run(feed)

    ratio = speedup(Slow(spec, model), OrtRunner(spec, model), sample_inputs(spec))
    assert ratio > 2


@pytest.mark.slow
def test_half_precision_of_the_shipped_bundle_looks_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through the twins that round, from the photo to the frames."""
    monkeypatch.setattr(clips, "_NUM_FRAMES", 10)
    bundle = Bundle.open()
    golden = TalkingHead.load(bundle, backend="cpu", precision="fp32")
    runners = {}
    for name in STAGES:
        if name == "face_landmarks":  # its gate takes a minute; the rest is quick
            runners[name] = bundle.runner(name, "cpu")
        else:
            made = derive_graph(STAGES[name], bundle.model(name), "fp16", [])
            runners[name] = OrtRunner(STAGES[name], made.twin)
    errors = clip_errors(golden, TalkingHead(runners, golden.backend))
    check_clips(errors, "fp16")
