"""Rows of a batch, without any page."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emohead.errors import InputError
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.studio.batch import BatchState, run_batch
from emohead.studio.limits import Limits
from emohead.studio.workshop import Workshop

from ..farm.fakes import FakeHead

ROW = ["a.ogg", "", 1.0, 0, ""]


class _Prepared(Workshop):
    """A workshop that has seen the face and heard the voices."""

    def portrait(self, photo: Any) -> Any:
        return photo

    def voice(self, speech: Any) -> Any:
        return speech


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    head: Any = FakeHead(tmp_path / "diary")
    return _Prepared(head, tmp_path, Limits(max_rows=3))


def _last(workshop: Workshop, voices: dict[str, Path], *rows: list[Any]) -> BatchState:
    *_, last = run_batch(workshop, SAMPLE_FACE, voices, rows, {})
    return last


def test_rows_that_were_typed_are_counted_too(workshop: Workshop) -> None:
    with pytest.raises(InputError, match="at most 3 rows, got 4"):
        next(run_batch(workshop, SAMPLE_FACE, {"a.ogg": SAMPLE_SPEECH}, [ROW] * 4, {}))


def test_video_gets_a_name_that_every_system_stores(workshop: Workshop) -> None:
    name = "Part 1: who? \u00fc.ogg"
    (record,) = _last(workshop, {name: SAMPLE_SPEECH}, [name, *ROW[1:]]).records
    assert (record.status, record.output) == ("done", "001-Part 1- who- \u00fc.mp4")


def test_names_that_are_one_file_somewhere_are_refused(workshop: Workshop) -> None:
    rows = ([*ROW[:4], "Anna.mp4"], [*ROW[:4], "anna.mp4"])
    records = _last(workshop, {"a.ogg": SAMPLE_SPEECH}, *rows).records
    assert [r.status for r in records] == ["done", "failed"]


def test_old_takes_go_although_somebody_else_removes_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = Workshop(SimpleNamespace(), tmp_path)  # type: ignore[arg-type]
    old, gone = workshop.new_folder(), tmp_path / "takes" / "gone"
    os.utime(old, (0, 0))
    listed = [gone, *(tmp_path / "takes").iterdir()]
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(listed))
    workshop.sweep()
    assert not old.exists()
