from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from emohead.bench.clips import measure_clip
from emohead.bench.memory import gpu_memory_mib, peak_rss_mib
from emohead.bench.schema import Scenario, read_report
from emohead.bench.suite import plan_of
from emohead.cli import app
from emohead.errors import EmoheadError
from emohead.stages import RENDERER, SPEAKER_ENCODER, STAGES


def test_the_command_writes_json_and_page(tiny_bundle: Path, tmp_path: Path):
    stage = SPEAKER_ENCODER.name
    result = CliRunner().invoke(
        app,
        [
            *("bench", "--quick", "--part", "stages", "--stage", stage, "--backend", "cpu"),
            *("--bundle", str(tiny_bundle), "--out", str(tmp_path)),
        ],
    )
    assert result.exit_code == 0, result.output
    assert stage in result.stdout
    (json_path,) = tmp_path.glob("speed_*.json")
    report = read_report(json_path)
    assert [r.stage for r in report.stages] == [stage]
    assert report.quick
    assert report.ceilings == ()
    assert report.created[:10] in json_path.name
    assert stage in json_path.with_suffix(".html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "named"), [("--part", "pipeline"), ("--stage", RENDERER.name), ("--backend", "cpu")]
)
def test_an_unknown_name_is_one_sentence(tmp_path: Path, option: str, named: str):
    result = CliRunner().invoke(app, ["bench", option, "nonsense", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "nonsense" in result.stderr
    assert named in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--json", "--html", "--out"])
def test_places_are_checked_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
):
    monkeypatch.setattr("emohead.bench.suite.run_plan", None)
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "x"
    result = CliRunner().invoke(app, ["bench", "--out", str(tmp_path), option, str(place)])
    assert result.exit_code == 2
    assert "cannot be made" in result.stderr


def test_plans_cover_every_stage_and_kind():
    full, quick = plan_of(quick=False), plan_of(quick=True)
    assert list(full.batches) == list(quick.batches) == list(STAGES)
    assert full.batches[RENDERER.name] == (1, 2, 4, 8, 16)
    assert {s.kind for s in full.scenarios} == set(
        get_args(Scenario.model_fields["kind"].annotation)
    )
    assert {s.seconds for s in full.scenarios if s.kind == "memory"} == {10, 600}
    assert not [s for s in quick.scenarios if s.kind == "memory"]
    assert len(quick.scenarios) < len(full.scenarios)
    only = plan_of(quick=False, parts=["pipeline"])
    assert (only.with_ceilings, only.batches) == (False, {})
    assert {s.kind for s in only.scenarios} == {"pipeline"}
    assert (list(full.engines), list(quick.engines)) == (list(STAGES), [RENDERER.name])
    assert not only.engines
    assert plan_of(quick=True, parts=["engines"]).scenarios == []


def test_a_clip_is_rendered_by_a_process_of_its_own(tiny_bundle: Path):
    scenario = Scenario(
        kind="resolution", bundle=str(tiny_bundle), seconds=0.5, photo_px=300, rounds=1
    )
    found = measure_clip(scenario)
    assert (found.num_frames, found.frames.num_samples) == (15, 14)
    assert found.frame_size[0] == 300
    assert found.duration_s == 0.5
    assert found.cold_start_s > found.import_s + found.load_s + found.portrait_s
    assert found.steady_fps > found.fps > 0
    assert found.real_time_factor == pytest.approx(30 / found.fps, rel=1e-2)
    assert found.peak_rss_mib is None or found.peak_rss_mib > 50


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(tiny_bundle: Path):
    short, long = (
        measure_clip(
            Scenario(
                kind="memory", bundle=str(tiny_bundle), seconds=s, emotion="sad", fps=30, rounds=1
            )
        )
        for s in (5, 20)
    )
    assert (short.num_frames, long.num_frames) == (150, 600)
    if long.peak_rss_mib is not None:
        # Equal runs differ by some MiB; a clip that is held whole would add more than a hundred.
        assert long.peak_rss_mib < 1.05 * short.peak_rss_mib + 10


def test_tracks_are_rendered_together(tiny_bundle: Path):
    scenario = Scenario(kind="tracks", bundle=str(tiny_bundle), seconds=0.5, tracks=3, rounds=1)
    found = measure_clip(scenario)
    assert (found.num_frames, found.frames.num_samples) == (45, 42)
    assert found.duration_s == 0.5
    assert found.real_time_factor == pytest.approx(90 / found.fps, rel=1e-2)


def test_a_clip_that_fails_says_why(tmp_path: Path):
    scenario = Scenario(kind="pipeline", bundle=str(tmp_path / "none"))
    with pytest.raises(EmoheadError, match=r"rendering the sample as .* failed: No .*none"):
        measure_clip(scenario)


def test_memory_of_the_gpu_is_read_where_there_is_one(monkeypatch, tmp_path: Path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 1234\n")
    tool.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(tool))
    assert gpu_memory_mib() == 1234.0
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert gpu_memory_mib() is None


def test_peak_memory_sees_an_allocation():
    before = peak_rss_mib()
    if before is None:
        pytest.skip("this system does not tell")
    block = bytearray(200 << 20)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_rss_mib() >= before
    assert peak_rss_mib() > 200
