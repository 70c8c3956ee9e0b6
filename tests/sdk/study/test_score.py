from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emohead.cli import app
from emohead.errors import InputError
from emohead.study.schema import Check, Clip, Key
from emohead.study.score import read_answers, read_key, score_study

SCORES = {"ours": (8, 9), "rival": (5, 4)}


def key(num_checks: int = 0) -> Key:
    clips = {f"{m}{s}": Clip(method=m, set=s) for m in SCORES for s in ("anna", "bert")}
    checks = {
        f"check{p}": Check(participant=p, visual_quality=3, emotion_match=7)
        for p in range(1, num_checks + 1)
    }
    sets = {"s1": "anna", "s2": "bert"}
    return Key(study="x", num_participants=6, seed=0, clips=clips, sets=sets, checks=checks)


def answers(person: int, shift: int = 0) -> dict[str, Any]:
    ratings = [
        {
            "set": "s1" if clip.set == "anna" else "s2",
            "clip": token,
            "visual_quality": SCORES[clip.method][0] + shift,
            "emotion_match": SCORES[clip.method][1],
        }
        for token, clip in key().clips.items()
    ]
    head = {"format": "emohead-study-answers/1", "study": "x", "participant": person}
    return head | {"started": "a", "finished": "b", "ratings": ratings, "checks": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "answers").mkdir()
    for person, shift in ((1, 0), (2, 1), (3, -1)):
        place = tmp_path / "answers" / f"{person}.json"
        place.write_text(json.dumps(answers(person, shift)))
    (tmp_path / "key.json").write_text(key().model_dump_json())
    return tmp_path


def _read(folder: Path) -> Any:
    return read_answers([folder / "answers"], read_key(folder / "key.json"))


def test_numbers_are_right(folder: Path) -> None:
    result = score_study(key(), _read(folder))
    assert result["participants"] == 3
    rows = {(r["question"], r["method"]): r for r in result["methods"]}
    ours = rows["visual_quality", "ours"]
    assert (ours["mean"], ours["ratings"]) == (8.0, 6)
    assert ours["sd"] == pytest.approx(0.8**0.5)
    assert ours["interval"] == (7.0, 9.0)
    assert rows["emotion_match", "rival"]["mean"] == 4.0
    (quality, match) = result["differences"]
    assert (quality["method"], quality["over"], quality["mean"]) == ("ours", "rival", 3.0)
    assert quality["interval"] == (3.0, 3.0)
    assert quality["p"] == pytest.approx(0.25)
    assert match["mean"] == 5.0


def _spoilt(change: str) -> dict[str, Any]:
    given = answers(3)
    first = given["ratings"][0]
    if change == "score":
        first["visual_quality"] = 11
    elif change == "text":
        first["visual_quality"] = "7"
    elif change == "absent":
        del first["emotion_match"]
    elif change == "extra":
        given["method"] = "ours"
    elif change == "study":
        given["study"] = "y"
    elif change == "person":
        given["participant"] = 2
    elif change == "unplanned":
        given["participant"] = 7
    elif change == "twice":
        given["ratings"][1] = first
    elif change == "fewer":
        given["ratings"].pop()
    elif change == "unknown":
        first["clip"] = "nothing"
    elif change == "check":
        given["checks"] = [{"check": "c", "visual_quality": 1, "emotion_match": 1}]
    return given


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("score", "ratings.0.visual_quality"),
        ("text", "ratings.0.visual_quality"),
        ("absent", "ratings.0.emotion_match"),
        ("extra", "malformed at method"),
        ("study", "another study"),
        ("person", "repeats participant 2"),
        ("unplanned", "participant 7"),
        ("twice", "twice"),
        ("fewer", "lacks 1 of 4"),
        ("unknown", "nothing"),
        ("check", "attention checks"),
    ],
)
def test_unusable_answers_are_refused_by_name(folder: Path, change: str, told: str) -> None:
    (folder / "answers" / "3.json").write_text(json.dumps(_spoilt(change)))
    given = ["study", "score", str(folder / "answers"), "--key", str(folder / "key.json")]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "3.json" in result.stderr
    assert told in result.stderr


def test_files_that_are_no_answers_are_refused(folder: Path) -> None:
    (folder / "answers" / "3.json").write_text("{")
    with pytest.raises(InputError, match=r"3\.json is malformed"):
        _read(folder)
    with pytest.raises(InputError, match=r"none\.json does not exist"):
        read_answers([folder / "none.json"], key())
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no answers files"):
        read_answers([folder / "empty"], key())


def test_the_inattentive_are_left_out_unless_asked_for(folder: Path) -> None:
    checked = key(num_checks=3)
    for person in (1, 2, 3):
        given = answers(person)
        scores = {"visual_quality": 3, "emotion_match": 7 if person < 3 else 6}
        given["checks"] = [{"check": f"check{person}", **scores}]
        (folder / "answers" / f"{person}.json").write_text(json.dumps(given))
    found = read_answers([folder / "answers"], checked)
    result = score_study(checked, found)
    assert (result["participants"], result["excluded"]) == (2, [3])
    assert score_study(checked, found, keep_inattentive=True)["participants"] == 3
    with pytest.raises(InputError, match="every participant failed"):
        score_study(checked, found[2:])


def test_the_command_prints_tables_json_and_csv(folder: Path) -> None:
    given = ["study", "score", str(folder / "answers"), "--key", str(folder / "key.json")]
    table = CliRunner().invoke(app, given).stdout
    assert "| visual quality | ours | 8.00 | 0.89 | 7.00 to 9.00 | 6 |" in table
    result = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert result["methods"][0]["mean"] == 8.0
    rows = list(csv.DictReader(CliRunner().invoke(app, [*given, "--csv"]).stdout.splitlines()))
    assert (rows[0]["method"], rows[0]["low"], rows[-1]["over"]) == ("ours", "7.0", "rival")
    assert CliRunner().invoke(app, [*given, "--csv", "--json"]).exit_code == 2


def test_a_study_can_be_made_and_scored_by_command(
    method_folders: dict[str, Path], tmp_path: Path
) -> None:
    folders = [f"--method={name}={path}" for name, path in method_folders.items()]
    given = ["study", "make", *folders, "--out", str(tmp_path / "page"), "--json"]
    told = json.loads(CliRunner().invoke(app, given).stdout)
    opened = read_key(Path(told["key"]))
    assert Path(told["key"]) == tmp_path / "page.key.json"
    assert told["sets"] == 2
    assert opened.study == told["study"]
    for bad in (["--method", "ours"], folders[:1] * 2, [*folders, "--manifest", "m.csv"], []):
        result = CliRunner().invoke(app, ["study", "make", *bad, "--out", str(tmp_path / "b")])
        assert result.exit_code == 2
        assert result.stderr.startswith("emohead: ")
