"""Bundles are written whole or not at all, and stay small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emohead.bundle import Bundle
from emohead.errors import BundleError
from emohead.stages import EMOTION_ENCODER
from emohead_export import packing
from emohead_export.cli import app
from emohead_export.packing import Part, part_of, write_bundle
from emohead_export.tiny import tiny_graph, write_tiny_bundle
from emohead_export.training_record import read_training


def part() -> Part:
    model = tiny_graph(EMOTION_ENCODER).SerializeToString()
    return Part(spec=EMOTION_ENCODER, model=model, num_parameters=0, licence="x", sources=())


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_existing_bundle_is_replaced_as_a_whole(tmp_path: Path, name: str) -> None:
    write_tiny_bundle(tmp_path / name)
    write_bundle([part()], tmp_path / name, name="second")
    bundle = Bundle.open(tmp_path / name, stages=())
    assert bundle.manifest.name == "second"
    assert list(bundle.manifest.stages) == [EMOTION_ENCODER.name]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="found other files"):
        write_bundle([part()], tmp_path, name="b")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_equal_content_makes_equal_zips(tmp_path: Path) -> None:
    files = {"manifest.json": b"{}", "x.onnx": b"x"}
    packing.write_zip(files, tmp_path / "a.zip")
    packing.write_zip(files, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_bundle_that_is_too_large_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "MAX_BUNDLE_BYTES", 1000)
    with pytest.raises(BundleError, match="at most 1000 bytes"):
        write_tiny_bundle(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_command_line_writes_and_refuses(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["tiny", str(tmp_path / "t")]).exit_code == 0
    assert Bundle.open(tmp_path / "t").manifest.name == "tiny"
    arguments = ["bundle", "--checkpoints", str(tmp_path), "--out", str(tmp_path / "b")]
    result = runner.invoke(app, [*arguments, "--stage", "nonsense"])
    assert result.exit_code == 2
    assert "unknown stage nonsense" in result.output


def test_stage_of_a_bundle_is_packed_as_it_was(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "first")
    first = Bundle.open(tmp_path / "first")
    write_bundle([part_of(first, s) for s in first.manifest.stages], tmp_path / "b", name="b")
    assert Bundle.open(tmp_path / "b").manifest.stages == first.manifest.stages


def test_training_record_is_read_from_the_runs_own_files(tmp_path: Path) -> None:
    assert read_training(tmp_path) is None
    run = {"recipe": "default", "device": "CPU, 1 threads", "facts": {}}
    run["run"] = {"precision": "bf16-mixed", "seed": 3, "from_bundle": "default"}
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "progress.json").write_text(json.dumps({"step": 9, "seconds": 5400.0}))
    training = read_training(tmp_path)
    assert training is not None
    assert (training.steps, training.hours, training.started_from) == (9, 1.5, "default")
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(BundleError, match="expected the record of a training run"):
        read_training(tmp_path)
