"""Files that appear whole or not at all, and checks before the work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emohead.errors import InputError
from emohead.whole_files import check_target, whole_file, write_json


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_a_folder_that_takes_no_file_is_refused_before_any_work() -> None:
    with pytest.raises(InputError, match=r"cannot be written to \(.+\): choose another folder"):
        check_target("/proc/a.json", (".json",), "track")


def test_a_file_that_is_there_does_not_hide_a_folder_that_takes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "a.json"
    there.write_text("kept")

    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)  # root may write anywhere
    with pytest.raises(InputError, match=r"cannot be written to \(Permission denied\)"):
        check_target(there, (".json",), "track")


def test_what_is_written_appears_at_the_end_alone(tmp_path: Path) -> None:
    target = check_target(tmp_path / "a.json", (".json",), "track")
    assert list(tmp_path.iterdir()) == []
    with whole_file(target, "track") as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(ZeroDivisionError), whole_file(target, "track") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_text_keeps_its_letters(tmp_path: Path) -> None:
    place = write_json({"a": [1], "b": "ü"}, tmp_path / "a.json", "track")
    assert place.read_text(encoding="utf-8") == '{\n "a": [\n  1\n ],\n "b": "\\u00fc"\n}\n'
