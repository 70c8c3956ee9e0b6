"""What an evaluation says: numbers, baselines, bars; and its command line."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emohead.errors import BundleError, InputError
from emohead_training import recipes
from emohead_training.cli import app
from emohead_training.evaluation.evaluate import (
    _HEADLINES,
    PARTS,
    EvaluationConfig,
    Report,
    evaluate_bundle,
)
from emohead_training.evaluation.report import BARS, table, write_json, write_markdown
from emohead_training.trainers import TRAINERS

OWED = {
    "mouth_box_error",
    "mouth_box_error_warp",
    "mouth_box_error_copy",
    "frame_error",
    "frame_error_warp",
    "frame_error_copy",
    "mouth_lpips_ratio",
    "mouth_landmark_ratio",
    "emotion_accuracy_ravdess",
    "emotion_accuracy_cremad",
    "landmarker_error",
    "edge_round_trip",
}


@pytest.fixture
def report() -> Report:
    numbers = {"frame_error": 12.5, "frame_error_warp": 13.4, "emotion_accuracy_ravdess": 0.5}
    bundle = {"name": "b", "sha256": "0" * 64}
    context = {"machine": "m", "backend": "cpu", "bundle": bundle, "critics": [], "measured": "d"}
    return Report(numbers=numbers, details={"rendering": {"num_frames": 216}}, context=context)


def test_every_owed_number_is_a_headline() -> None:
    assert {k for keys in _HEADLINES.values() for k in keys} >= OWED
    assert _HEADLINES.keys() == PARTS.keys()


def test_bars_stand_on_headlines() -> None:
    headlines = {k for keys in _HEADLINES.values() for k in keys}
    assert {bar.key for bar in BARS} <= headlines


def test_table_says_what_was_reached(report: Report) -> None:
    rows = table(report).splitlines()
    assert rows[2] == "| frame error, 8-bit levels | **12.5** | warp 13.4 | <= 13.2 | yes |"
    assert rows[3].endswith("| **0.5** |  | >= 0.6 | **no** |")
    assert len(rows) == 4


def test_files_hold_the_numbers(report: Report, tmp_path: Path) -> None:
    write_json(report, tmp_path / "new" / "q.json")
    write_markdown(report, tmp_path / "q.md")
    stored = json.loads((tmp_path / "new" / "q.json").read_text())
    assert stored["frame_error"] == 12.5
    assert stored["details"]["rendering"]["num_frames"] == 216
    text = (tmp_path / "q.md").read_text()
    assert table(report) in text
    assert "rendering: num_frames 216" in text


def test_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="among geometry, .*got 'teeth'"):
        EvaluationConfig(data=tmp_path, parts=("teeth",))


def test_missing_corpus_and_bundle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video.csv"):
        evaluate_bundle(EvaluationConfig(data=tmp_path))
    (tmp_path / "video.csv").write_text("")
    with pytest.raises(BundleError, match="found nothing"):
        evaluate_bundle(EvaluationConfig(data=tmp_path, bundle=tmp_path / "b"))


@pytest.mark.parametrize("stage", TRAINERS)
def test_every_stage_can_be_trained(stage: str) -> None:
    trainer = TRAINERS[stage]
    train = import_module(f"emohead_training.{trainer.module}").train
    required = [
        p for p in inspect.signature(train).parameters.values() if p.default is inspect._empty
    ]
    assert len(required) == 1 + trainer.takes_recipe
    for size in ("smoke", "default"):
        assert getattr(recipes, f"{size}_{stage}")().budget.steps > 0


def test_every_command_explains_itself() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["--help"]).output
    for stage in (*TRAINERS, "evaluate"):
        assert stage in listed
        assert runner.invoke(app, [stage, "--help"]).exit_code == 0
