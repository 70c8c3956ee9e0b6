"""Files of jobs: streamed, and a bad line is only a bad line."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from emohead.errors import InputError
from emohead.jobs import Job, Record, read_jobs
from emohead.jobs.reading import MAX_LINE


def _read(path: Path) -> list[tuple[int, Job | Record]]:
    return list(read_jobs(path))


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_bad_lines_become_records_and_the_others_go_on(tmp_path: Path) -> None:
    good = '{"face": "f.jpg", "speech": "/s.wav", "output": "a.mp4"}'
    bad = ["not json", "[1]", '{"face": "f", "speech": "s", "output": "b.mp4", "fps": 0}']
    bad += ["[" * 50_000, '{"x": "' + "y" * (2 * MAX_LINE) + '"}']
    path = _file(tmp_path, "jobs.jsonl", "\n".join([good, "", *bad, good]) + "\n")
    read = _read(path)
    assert [line for line, _ in read] == [1, 3, 4, 5, 6, 7, 8]
    first, last = read[0][1], read[-1][1]
    assert isinstance(first, Job)
    assert (first.face, first.speech) == (tmp_path / "f.jpg", Path("/s.wav"))
    assert first == last
    records = [r for _, r in read[1:-1]]
    assert all(isinstance(r, Record) and r.error and r.error.is_final for r in records)
    assert [r.output for r in records] == ["line 3", "line 4", "b.mp4", "line 6", "line 7"]
    assert len({getattr(r, "key", "") for r in records}) == 5


def test_csv_has_the_same_fields(tmp_path: Path) -> None:
    rows = [
        "face,speech,output,emotion,valence,arousal,fps,full_frame,face_box",
        'f.jpg,s.wav,a.mp4,"happy=0.5,sad=0.2",,,25,true,"1,2,3,4"',
        "f.jpg,s.wav,b.mp4,,0.5,-0.25,,,",
        "f.jpg,s.wav,c.mp4,sad,0.5,-0.25,,,",
        "f.jpg,s.wav,d.mp4,,,,,,,,,too,many",
        "",
        "f.jpg,s.wav,e.mp4",
    ]
    read = [job for _, job in read_jobs(_file(tmp_path, "jobs.csv", "\n".join(rows)))]
    first, second, third, fourth, fifth = read
    assert isinstance(first, Job)
    assert isinstance(second, Job)
    assert (first.fps, first.full_frame, first.face_box) == (25, True, (1, 2, 3, 4))
    assert first.emotion == "happy=0.5,sad=0.2"
    assert second.model_dump()["emotion"] == {"valence": 0.5, "arousal": -0.25}
    assert isinstance(third, Record)
    assert isinstance(fourth, Record)
    assert isinstance(fifth, Job)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("jobs.txt", "", "ends in .jsonl or .csv"),
        ("jobs.csv", "face,speech\n", "expected a header"),
        ("jobs.csv", "face,speech,output,colour\n", "expected a header"),
        ("jobs.csv", "face" * 50_000 + "\n", "expected a header of CSV"),
        ("jobs.csv", "", "got nothing"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _read(_file(tmp_path, name, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        _read(tmp_path / "none.jsonl")


def test_reading_does_not_run_ahead(tmp_path: Path) -> None:
    """The second line is written after the first was taken."""
    path = _file(tmp_path, "jobs.jsonl", '{"face": "f", "speech": "s", "output": "a.mp4"}\n')
    jobs = read_jobs(path)
    assert next(jobs)[0] == 1
    with path.open("a") as file:
        file.write("later\n")
    assert [line for line, _ in itertools.islice(jobs, 5)] == [2]
