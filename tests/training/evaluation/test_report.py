"""What an evaluation says: numbers, baselines, bars; and its command line."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emohead.errors import BundleError, InputError
from emohead_training import recipes
from emohead_training.cli import app
from emohead_training.evaluation import evaluate
from emohead_training.evaluation.bars import BARS, GROUPS
from emohead_training.evaluation.evaluate import EvaluationConfig, Report, evaluate_bundle
from emohead_training.evaluation.html import SheetAlbum, write_html
from emohead_training.evaluation.report import (
    group_tables,
    printed_table,
    table,
    write_json,
    write_markdown,
)
from emohead_training.trainers import TRAINERS

ISSUE_A = {
    "emotion_accuracy_cremad",
    "emotion_accuracy_ravdess",
    "edge_round_trip",
    "frame_error",
    "landmarker_error",
    "mouth_box_error",
    "mouth_landmark_ratio",
    "mouth_lpips_ratio",
}
ISSUE_B = {
    "actors_opening_correlation": 0.8,
    "csim_share": 0.9,
    "emotion_accuracy_cremad": 0.62,
    "emotion_accuracy_ravdess": 0.68,
    "frame_error": 12.8,
    "mouth_box_error": 12.5,
    "mouth_landmark_ratio_val_test": 0.75,
    "mouth_lpips_ratio": 0.80,
    "opening_correlation_val_test": 0.55,
    "rendered_emotion_accuracy": 0.60,
}


@pytest.fixture
def report() -> Report:
    numbers = {
        "frame_error": 12.5,
        "frame_error_ci": [11.0, 14.0],
        "frame_error_warp": 13.4,
        "emotion_accuracy_ravdess": 0.5,
        "csim": 0.9,
    }
    context = {
        "machine": "m",
        "backend": "cpu",
        "bundle": {"name": "b<", "sha256": "0" * 64},
        "critics": ["net"],
        "measured": "d",
        "protocol": {"version": 2},
        "skipped": {"actors": "no corpus"},
    }
    details = {
        "rendering": {"num_frames": 216, "frame_error_by_group": {"archive (3)": 11.5}},
        "voice": {
            "emotion_recall_ravdess": {"happy": 0.25, "sad": 1.0},
            "emotion_by_group_ravdess": {"men (2)": 0.75},
        },
    }
    return Report(numbers=numbers, details=details, context=context)


def test_bars_are_those_of_the_issue() -> None:
    limits = {bar.key: bar.limit for bar in BARS}
    assert {key: limits[key] for key in ISSUE_B} == ISSUE_B
    assert limits.keys() >= ISSUE_A
    assert all(bar.group in GROUPS for bar in BARS)
    assert len(limits) == len(BARS)


def test_larger_or_smaller_is_better_as_the_bar_says() -> None:
    bars = {bar.key: bar for bar in BARS}
    assert bars["frame_error"].verdict(12.8) == "yes"
    assert bars["frame_error"].verdict(12.9) == "**no**"
    assert bars["csim_share"].verdict(0.9) == "yes"
    assert bars["csim_share"].verdict(0.89) == "**no**"
    assert bars["cpbd"].verdict(0.1) == ""


def test_table_says_what_was_reached(report: Report) -> None:
    text = table(report)
    row = "| frame error, 8-bit levels | **12.5** | 11 – 14 | warp 13.4 | <= 12.8 | yes |"
    assert row in text.splitlines()
    assert "| **0.5** |  |  | >= 0.68 | **no** |" in text
    assert text.index(GROUPS[0]) < text.index(row) < text.index(GROUPS[2])
    assert GROUPS[3] not in text


def test_files_hold_the_numbers(report: Report, tmp_path: Path) -> None:
    write_json(report, tmp_path / "new" / "q.json")
    write_markdown(report, tmp_path / "q.md")
    stored = json.loads((tmp_path / "new" / "q.json").read_text())
    assert stored["frame_error"] == 12.5
    assert stored["frame_error_ci"] == [11.0, 14.0]
    assert stored["protocol"]["version"] == 2
    assert stored["details"]["rendering"]["num_frames"] == 216
    text = (tmp_path / "q.md").read_text()
    assert table(report) in text
    assert "rendering: num_frames 216" in text
    assert "- actors: no corpus" in text
    assert "| emotion heard, RAVDESS | 0.25 | 1 |" in text


def test_groups_of_people_stand_in_rows(report: Report, tmp_path: Path) -> None:
    assert group_tables(report) == [
        ["group (people)", "emotion heard, RAVDESS", "frame error, true landmarks in"],
        ["men (2)", "0.75", ""],
        ["archive (3)", "", "11.5"],
    ]
    write_markdown(report, tmp_path / "quality.md")
    assert "| men (2) | 0.75 |  |" in (tmp_path / "quality.md").read_text()


def test_the_papers_numbers_are_marked_as_printed(report: Report) -> None:
    cells = printed_table(report)
    printed = [row for row in cells if row[0].endswith("(printed)")]
    assert len(printed) == 4
    assert printed[-1][1:] == [
        "0.336",
        "0.442",
        "14.62",
        "22.25",
        "0.516",
        "0.773",
        "0.705",
        "0.326",
    ]
    ours = cells[-1]
    assert ours[0].startswith("this bundle")
    assert ours[cells[0].index("CSIM RAVDESS")] == "0.9"
    assert {len(row) for row in cells} == {9}


def test_page_is_whole_escaped_and_needs_no_network(report: Report, tmp_path: Path) -> None:
    album = SheetAlbum(pictures={"clip": "data:image/jpeg;base64,AAAA"})
    write_html(report, tmp_path / "q.html", album)
    text = (tmp_path / "q.html").read_text()
    assert "12.5" in text
    assert "b&lt;" in text
    assert 'src="data:image/jpeg;base64,AAAA"' in text
    assert text.count("<svg") == 2
    links = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert not [link for link in links if not link.startswith(("data:", "#"))]
    assert "<script" not in text


def test_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="among geometry, .*got 'teeth'"):
        EvaluationConfig(data=tmp_path, parts=("teeth",))


def test_missing_corpus_and_bundle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video.csv"):
        evaluate_bundle(EvaluationConfig(data=tmp_path))
    (tmp_path / "video.csv").write_text("")
    with pytest.raises(BundleError, match="found nothing"):
        evaluate_bundle(EvaluationConfig(data=tmp_path, bundle=tmp_path / "b"))


@pytest.fixture
def fake_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(subject: Any) -> Any:
        raise InputError("no voices here")

    parts = {
        "good": lambda subject: {"score": 2, "score_ci": [1, 3], "num_clips": 9, "table": [1]},
        "lacking": lacking,
    }
    monkeypatch.setattr(evaluate, "PARTS", parts)


def test_a_part_that_the_corpus_lacks_is_left_out_with_its_reason(
    fake_parts: None, tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "video.csv").write_text("")
    lines: list[str] = []
    report = evaluate_bundle(EvaluationConfig(data=tmp_path, bundle=tiny_bundle), lines.append)
    assert report.numbers == {"score": 2.0, "score_ci": [1, 3]}
    assert report.context["skipped"] == {"lacking": "no voices here"}
    assert report.context["critics"] == []
    assert report.details["good"]["num_clips"] == 9
    assert any("lacking: left out: no voices here" in line for line in lines)


def test_a_part_that_was_asked_for_must_be_measurable(
    fake_parts: None, tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "video.csv").write_text("")
    config = EvaluationConfig(data=tmp_path, bundle=tiny_bundle, parts=("lacking",))
    with pytest.raises(InputError, match="no voices here"):
        evaluate_bundle(config)


@pytest.mark.parametrize("stage", TRAINERS)
def test_every_stage_can_be_trained(stage: str) -> None:
    train = import_module(f"emohead_training.{TRAINERS[stage].module}").train
    required = [
        p for p in inspect.signature(train).parameters.values() if p.default is inspect._empty
    ]
    assert [p.name for p in required] == ["run", "config"]
    for size in ("smoke", "default"):
        assert getattr(recipes, f"{size}_{stage}")().budget.steps > 0


def test_every_command_explains_itself() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["--help"]).output
    for stage in (*TRAINERS, "evaluate"):
        assert stage in listed
        assert runner.invoke(app, [stage, "--help"]).exit_code == 0
