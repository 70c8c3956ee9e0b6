"""Bundles are written whole or not at all, and stay small."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from emohead.bundle import Bundle
from emohead.errors import BundleError, InputError
from emohead.stages import EMOTION_ENCODER
from emohead_export import packing
from emohead_export.cli import app
from emohead_export.packing import write_bundle
from emohead_export.parts import Part, part_of
from emohead_export.tiny import tiny_graph, write_tiny_bundle
from emohead_export.training_record import read_training
from emohead_export.writing import write_zip


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
    with pytest.raises(BundleError, match="found something else"):
        write_bundle([part()], tmp_path, name="b")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("made", "asked"), [("thesis", "thesis"), ("old.zip", "old.zip"), ("a.zip/x", "a.zip")]
)
def test_other_files_are_left_alone(tmp_path: Path, made: str, asked: str) -> None:
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).write_text("years of work")
    with pytest.raises(BundleError, match="found something else; give another --out"):
        write_bundle([part()], tmp_path / asked, name="b")
    assert [p.name for p in tmp_path.iterdir()] == [asked]
    assert (tmp_path / made).read_text() == "years of work"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_who_may_read_is_left_to_the_user(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    for name in ("b", "b.zip"):
        write_bundle([part()], tmp_path / name, name="b")
    written = [tmp_path / "b.zip", *(tmp_path / "b").iterdir()]
    assert {p.stat().st_mode for p in written} == {(tmp_path / "any").stat().st_mode}


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_a_bundle_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_tiny_bundle(tmp_path / name)
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(Path, "write_bytes", Mock(side_effect=full))
    monkeypatch.setattr(zipfile.ZipFile, "writestr", Mock(side_effect=full))
    with pytest.raises(InputError, match="No space left on device"):
        write_bundle([part()], tmp_path / name, name="second")
    assert Bundle.open(tmp_path / name).manifest.name == "tiny"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_equal_content_makes_equal_zips(tmp_path: Path) -> None:
    files = {"manifest.json": b"{}", "x.onnx": b"x"}
    write_zip(files, tmp_path / "a.zip")
    write_zip(files, tmp_path / "b.zip")
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


def test_a_quality_file_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["bundle", "--checkpoints", str(tmp_path), "--out", str(tmp_path / "b"), "--quality"]
    for content in ("[]", "{", '{"loss": NaN}', None):
        path = tmp_path / "quality.json"
        path.write_text(content) if content is not None else path.unlink()
        result = CliRunner().invoke(app, [*asked, str(path)])
        assert isinstance(result.exception, InputError), content
        assert "emohead-train evaluate --json" in str(result.exception)


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
    for damaged in ("{", "[]", "3"):
        (tmp_path / "progress.json").write_text(damaged)
        with pytest.raises(BundleError, match="expected the record of a training run"):
            read_training(tmp_path)
