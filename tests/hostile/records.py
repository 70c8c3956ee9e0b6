"""Bad records: emotion tracks, landmarks, jobs, studies, reports, engine manifests."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .cases import Case, Make, damaged, file

DEEP = 100_000
"""Levels that exhaust a recursive parser."""


class Trap:
    """Unpickled, it would leave a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("unpickled"),))


def json_texts() -> dict[str, str]:
    """JSON that no schema takes, and what only looks like it."""
    return {
        "a list": "[]",
        "a number": "1",
        "nested lists": "[" * DEEP,
        "nested lists, closed": "[" * DEEP + "]" * DEEP,
        "nested objects": '{"a":' * DEEP,
        "NaN": "NaN",
        "Infinity": "-Infinity",
        "a huge number": "9" * 5_000,
        "a huge exponent": '{"version": 1e999}',
        "half a surrogate": '{"format": "\\ud800"}',
        "two values": "{} {}",
        "a comment": "// hi\n{}",
        "a null character": '{"a\\u0000": 1}',
        "bytes that are no text": "\udcff\udcfe",
        "a doubled key": '{"format": "a", "format": "b"}',
        "python": "__import__('os').system('true')",
    }


def _texts(boundary: str, suffix: str) -> Iterator[Case]:
    for name, text in json_texts().items():
        content = text.encode("utf-8", "surrogateescape")
        yield Case(f"{boundary}{suffix}: {name}", boundary, file("a" + suffix, content))


def npy(value: Any, shape: str = "") -> bytes:
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True)
    content = out.getvalue()
    if shape:  # the header keeps its length
        start = content.index(b"'shape'")
        end = content.index(b"\n", start)
        content = (
            content[:start] + f"'shape': {shape}, }}".encode().ljust(end - start) + content[end:]
        )
    return content


def npz(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def _arrays() -> Iterator[tuple[str, bytes]]:
    points = np.zeros((68, 2), np.float32)
    yield "objects", npy(np.array([Trap()] * 68, object))
    yield "a pickle alone", pickle.dumps(Trap())
    yield "a shape of 10^15", npy(points, "(1000000000000000, 2)")
    yield "a shape beyond 64 bits", npy(points, "(18446744073709551617, 2)")
    yield "a negative shape", npy(points, "(-68, 2)")
    yield "a shape of text", npy(points, "('a', 2)")
    yield "a shape that runs", npy(points, "(__import__('os'), 2)")
    yield "a deep shape", npy(points, "(" * 60)
    yield "version 9", b"\x93NUMPY\x09\x00" + npy(points)[8:]
    yield "a header of 64 kB", b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 65_535
    yield "no points", npy(np.zeros((0, 2)))
    yield "67 points", npy(np.zeros((67, 2)))
    yield "NaN points", npy(np.full((68, 2), np.nan))
    yield "complex points", npy(np.zeros((68, 2), complex))
    yield "text", npy(np.array([["a", "b"]] * 68))
    yield "dates", npy(np.zeros((68, 2), "datetime64[s]"))
    yield "records", npy(np.zeros(68, [("x", "f4"), ("y", "f4")]))


def _landmark_tracks() -> Iterator[tuple[str, str, bytes]]:
    frames = npy(np.zeros((3, 68, 3), np.float32))
    rate = npy(np.float64(30))
    yield ".npz", "objects", npz(landmarks=npy(np.array([Trap()], object)), fps=rate)
    yield ".npz", "an object as rate", npz(landmarks=frames, fps=npy(np.array(Trap(), object)))
    yield ".npz", "a shape of 10^15", npz(landmarks=npy(np.zeros(3), "(10**15,)"), fps=rate)
    yield (
        ".npz",
        "10^12 frames",
        npz(landmarks=npy(np.zeros(3), "(1000000000000, 68, 3)"), fps=rate),
    )
    yield ".npz", "no rate", npz(landmarks=frames)
    yield ".npz", "two rates", npz(landmarks=frames, fps=npy(np.zeros(2)))
    yield ".npz", "a rate of text", npz(landmarks=frames, fps=npy(np.array("x")))
    yield ".npz", "no points", npz(landmarks=npy(np.zeros((3, 0, 3))), fps=rate)
    yield ".npz", "text as points", npz(landmarks=npy(np.array(["a"])), fps=rate)
    yield ".npz", "no arrays", npz()
    yield ".npz", "a pickle", pickle.dumps(Trap())
    yield ".npz", "an npy", frames
    huge = np.zeros((30_000, 68, 3), np.float32)
    yield (
        ".npz",
        "24 MB of zeros that are no face",
        npz(landmarks=npy(huge), fps=npy(np.float64(0))),
    )
    yield ".csv", "no rows", b"frame,timestamp,x_0\n"
    yield ".csv", "a cell of 200 kB", b'"' + b"x" * 200_000
    yield ".csv", "null characters", b"x_0,\0\0\0\n1,2\n"
    yield ".csv", "a head that is no JSON", b"# {]\nframe,timestamp\n"
    yield ".csv", "a nested head", b"# " + b"[" * DEEP


def good_track(**changes: Any) -> str:
    frame = {"time_code": 0.0, "emotions": {"happy": 0.5}}
    track = {"format": "emohead-emotion-track", "version": 1, "keyframes": [frame]}
    return json.dumps({**track, **changes})


def _tracks() -> Iterator[tuple[str, str]]:
    def frames(*rows: dict[str, Any]) -> str:
        return good_track(keyframes=list(rows))

    yield "no keyframes", frames()
    yield "version 2", good_track(version=2)
    yield "unknown emotion", frames({"time_code": 0, "emotions": {"bored": 1}})
    yield "unknown field", good_track(surprise=1)
    yield "a weight of 2", frames({"time_code": 0, "emotions": {"happy": 2}})
    yield "a weight of NaN", frames({"time_code": 0, "emotions": {"happy": float("nan")}})
    yield "an infinite time", frames({"time_code": float("inf"), "emotions": {}})
    yield "times that fall", frames(*({"time_code": -i, "emotions": {}} for i in range(20_000)))
    yield "both kinds", frames({"time_code": 0, "emotions": {}, "va": [0, 0]})
    yield "three axes", frames({"time_code": 0, "va": [0, 0, 0]})
    yield "a name of 1 MB", frames({"time_code": 0, "emotions": {"x" * 1_000_000: 1}})
    yield "text as time", frames({"time_code": "0", "emotions": {}})


_JOB = {"face": "a.jpg", "speech": "a.wav", "output": "a.mp4"}


def _jobs() -> Iterator[tuple[str, str]]:
    outputs = ("../a.mp4", "/a.mp4", "a/../../b.mp4", "C:\\a.mp4", "a\0.mp4", ".a.mp4", "con:.mp4")
    for output in (*outputs, "\x1b[2J.mp4", "x" * 9_000 + ".mp4", "a.exe", "", " .mp4/"):
        yield f"output {output[:12]!r}", json.dumps({**_JOB, "output": output})
    for field, value in (
        ("fps", 10**9),
        ("fps", -1),
        ("seed", -1),
        ("seed", "x" * 99),
        ("strength", float("nan")),
        ("head_motion", 1e300),
        ("face_box", [1, 2]),
        ("face_box", [float("inf")] * 4),
        ("emotion", {"happy": float("inf")}),
        ("emotion", "happy=" + "9" * 9_999),
        ("emotion", {"valence": 9, "arousal": 0}),
        ("emotion", [1]),
        ("face", None),
        ("surprise", 1),
        ("emotion_fit", "tear"),
    ):
        yield f"{field} {str(value)[:12]}", json.dumps({**_JOB, field: value})


def record_cases() -> Iterator[Case]:
    """Yield every bad record."""
    for boundary, suffix in (
        ("track", ".json"),
        ("landmarks", ".json"),
        ("landmark_track", ".json"),
        ("study", ".json"),
        ("answers", ".json"),
        ("report", ".json"),
        ("style", ".json"),
        ("jobs", ".jsonl"),
    ):
        yield from _texts(boundary, suffix)
    for name, text in _tracks():
        yield Case(f"track: {name}", "track", file("a.json", text))
    for name, content in _arrays():
        yield Case(f"npy: {name}", "landmarks", file("a.npy", content))
    for suffix, name, content in _landmark_tracks():
        yield Case(f"{suffix}: {name}", "landmark_track", file("a" + suffix, content))
    for name, text in _jobs():
        yield Case(f"job: {name}", "jobs", file("a.jsonl", text + "\n"))
    yield from _points()
    yield from _tables()
    points = npy(np.random.default_rng(0).normal(size=(68, 2)))
    yield from damaged("landmarks", "points.npy", lambda: points)
    frames = npz(landmarks=npy(np.zeros((3, 68, 3), np.float32)), fps=npy(np.float64(30)))
    yield from damaged("landmark_track", "frames.npz", lambda: frames)
    yield from damaged("track", "track.json", lambda: good_track().encode())


def _points() -> Iterator[Case]:
    texts: dict[str, bytes] = {
        "a.csv": b"x,y\n" + b"1,2\n" * 67,
        "b.csv": b'"' + b"1" * 200_000,
        "c.csv": b"1,\0\n" * 68,
        "d.csv": b"1,1e999\n" * 68,
        "a.pts": b"version: 1\n{\n1 2\n}",
        "b.pts": b"no braces",
        "c.pts": b"}{",
        "d.pts": b"{" + b"1 " * 300_000,
        "a.json": b"[[1, 2], [3]]",
        "b.json": b"[" + b"[1, 2]," * 67 + b"[1, 1e999]]",
        "c.json": b"[" + b"[1, 2]," * 67 + b"[1, " + b"9" * 400 + b"]]",
        "a.exe": b"MZ",
    }
    for name, content in texts.items():
        yield Case(f"points {name}", "landmarks", file(name, content))
    yield Case("points of 2 MB", "landmarks", file("a.csv", b"1,2\n" * 500_000))
    yield Case("a folder as points", "landmarks", _folder("a.npy"))


def _folder(name: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name

    return make


def _tables() -> Iterator[Case]:
    for boundary in ("jobs", "study"):
        for name, content in {
            "no header": b"",
            "an unknown header": b"what,is,this\n1,2,3\n",
            "a doubled header": b"face,face,speech,output\n",
            "null characters": b"face,speech,output\n\0,\0,\0\n",
            "bytes that are no text": b"face,speech,output\n\xff\xfe,\xff,\xff.mp4\n",
            "a cell of 2 MB": b'face,speech,output\n"' + b"x" * 2_000_000,
            "too many cells": b"face,speech,output\n" + b"a," * 5_000 + b"\n",
            "a formula": b'face,speech,output\na.jpg,a.wav,"=cmd|x!A0"\n',
        }.items():
            # Cells of odd bytes are paths, which will not be there.
            passes = boundary == "jobs" and name == "bytes that are no text"
            yield Case(f"{boundary}.csv: {name}", boundary, file("a.csv", content), passes)
