from __future__ import annotations

import json
from pathlib import Path

import pytest

from emohead.bench.schema import Report, read_report, write_text
from emohead.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


def test_a_report_survives_its_file(report: Report, tmp_path: Path):
    path = tmp_path / "new" / "r.json"
    write_text(path, report.model_dump_json())
    assert read_report(path) == report
    assert [p.name for p in path.parent.iterdir()] == ["r.json"]


def test_speed_follows_from_time_batch_and_macs(report: Report):
    first, second, refused = report.stages
    assert (first.items_per_s, second.items_per_s) == (50.0, 50.0)
    assert first.gflops == pytest.approx(100.0)
    assert (refused.items_per_s, refused.gflops) == (0.0, 0.0)
    assert report.refused == (refused,)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "emohead-bench/0"}, "format"),
        ({"stages": [{}]}, "stages.0"),
        ({"new": 1}, "new"),
    ],
)
def test_another_format_is_refused_by_the_field(report: Report, tmp_path: Path, change, named):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(report.model_dump(mode="json") | change))
    with pytest.raises(InputError, match=f"emohead-bench/1, but {named}.*measure again"):
        read_report(path)


def test_places_that_cannot_be_used_are_named(tmp_path: Path):
    with pytest.raises(InputError, match="give another file"):
        read_report(tmp_path / "none.json")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose another place"):
        write_text(tmp_path / "file" / "r.json", "x")


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")))
def test_results_kept_in_the_repository_can_be_read(path: Path):
    kept = read_report(path)
    assert not kept.refused
    assert kept.created[:10] in path.name
