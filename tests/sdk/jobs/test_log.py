"""The log of records survives what a crash leaves."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emohead.errors import InputError
from emohead.jobs import Job, RecordLog, failed_record, read_records


def test_a_torn_line_costs_only_itself(
    tmp_path: Path, make_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "records.jsonl"
    records = [
        failed_record("a.mp4", InputError(f"{i}"), key=str(i), job=make_job(), line=i)
        for i in range(3)
    ]
    with RecordLog(path) as log:
        log.append(records[0])
        log.append(records[1])
    path.write_bytes(path.read_bytes()[:-20])
    with RecordLog(path, sync_s=0) as log:
        log.append(records[2])
    with caplog.at_level(logging.WARNING):
        assert list(read_records(path)) == [records[0], records[2]]
    assert "line 2 is no record" in caplog.text


def test_no_log_is_an_empty_one_and_a_bad_place_is_told(tmp_path: Path) -> None:
    assert list(read_records(tmp_path / "none.jsonl")) == []
    with pytest.raises(InputError, match="cannot be written"):
        RecordLog(tmp_path / "none" / "records.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        list(read_records(tmp_path))


def test_a_full_disk_costs_only_the_record_that_did_not_fit(
    tmp_path: Path, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [failed_record("a.mp4", InputError(f"{i}"), key=str(i)) for i in range(3)]
    write = os.write

    def nearly_full(file: int, content: bytes) -> int:
        if len(content) > 30:
            return write(file, content[:30])
        raise OSError(28, "No space left on device")

    with RecordLog(tmp_path / "records.jsonl") as log:
        log.append(records[0])
        with monkeypatch.context() as patched:
            patched.setattr("emohead.jobs.log.os.write", nearly_full)
            with pytest.raises(OSError, match="No space"):
                log.append(records[1])
        log.append(records[2])
        log.close()
    assert list(read_records(tmp_path / "records.jsonl")) == [records[0], records[2]]
