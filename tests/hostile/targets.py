"""Parsers as functions of bytes, for property tests and fuzzing: they return, or raise ours.

Each takes any bytes; the first one chooses among related formats where there are several.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from emohead.audio import read_audio
from emohead.bench.schema import read_report
from emohead.bundle import Bundle
from emohead.emotion import parse_emotion
from emohead.emotion.files import track_from_json
from emohead.errors import EmoheadError, InputError
from emohead.graph_safety import objection
from emohead.images import image_from
from emohead.jobs import job_from, read_jobs
from emohead.landmarks.arrays import array_from, arrays_from
from emohead.landmarks.files import read_landmarks
from emohead.landmarks.photo import landmarks_from
from emohead.provenance.embedding import manifest_from
from emohead.reading import json_from
from emohead.study.schema import Answers, Key, read_record
from emohead.study.sources import material_from_manifest
from emohead.style.files import read_style

Target = Callable[[bytes], object]


@cache
def _folder(process: int) -> Path:
    """A folder in memory where the system has one; each process has its own."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="emohead-"))


def _written(name: str, content: bytes) -> Path:
    path = _folder(os.getpid()) / name
    path.write_bytes(content)
    return path


def _by_suffix(read: Callable[[Path], object], *suffixes: str) -> Target:
    def target(data: bytes) -> object:
        suffix = suffixes[data[0] % len(suffixes)] if data else suffixes[0]
        return read(_written("a" + suffix, data[1:]))

    return target


def _arrays(data: bytes) -> object:
    try:
        return arrays_from(data[1:], 10**7) if data[:1] == b"\1" else array_from(data[1:])
    except ValueError as err:  # its callers turn it into a sentence
        raise InputError("no array") from err


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _jobs(path: Path) -> object:
    return [job for _, job in read_jobs(path)]


def _job(data: bytes) -> object:
    try:
        given = json_from(data)
    except ValueError as err:
        raise InputError("no JSON") from err
    return job_from(given) if isinstance(given, dict) else None


def _engine(data: bytes) -> object:
    from emohead_engines.entries import EngineManifest

    try:
        return EngineManifest.model_validate_json(data)
    except ValidationError as err:  # the store passes such files over
        raise InputError("no manifest") from err


def _graph(data: bytes) -> object:
    """Look at a graph that says `location` somewhere, without which nobody looks closely."""
    return objection(data + b"\x32\x08location")


def _tensors(data: bytes) -> object:
    from emohead_training.loop.tensor_file import read_tensors

    return read_tensors(_written("a.safetensors", data))


def _answers(path: Path) -> object:
    return read_record(path, Answers, "answers"), read_record(path, Key, "key")


TARGETS: dict[str, Target] = {
    "arrays": _arrays,
    "audio": lambda data: read_audio(io.BytesIO(data)),
    "bundle": lambda data: Bundle.open(_written("a.zip", data), stages=()),
    "emotion": lambda data: parse_emotion(_text(data)),
    "engine": _engine,
    "graph": _graph,
    "image": image_from,
    "job": _job,
    "jobs": _by_suffix(_jobs, ".jsonl", ".csv"),
    "landmark_track": _by_suffix(read_landmarks, ".json", ".csv", ".npz"),
    "landmarks": _by_suffix(landmarks_from, ".json", ".csv", ".pts", ".npy"),
    "report": _by_suffix(read_report, ".json"),
    "style": _by_suffix(read_style, ".json"),
    "study": _by_suffix(material_from_manifest, ".csv", ".json"),
    "answers": _by_suffix(_answers, ".json"),
    "tensors": _tensors,
    "track": track_from_json,
    "video_manifest": lambda data: manifest_from(_text(data)),
}


def brought_to(name: str, data: bytes) -> str:
    """Bring bytes to a target; return the type of the error of ours, empty where it took them."""
    try:
        TARGETS[name](data)
    except EmoheadError as err:
        if not str(err):
            raise RuntimeError("an error without a sentence") from err
        return type(err).__name__
    return ""


def job_texts() -> list[str]:
    """Jobs as JSON, good ones, as seeds."""
    job = {"face": "a.jpg", "speech": "a.wav", "output": "a/b.mp4", "emotion": "happy=0.5"}
    more = {"fps": 25, "seed": 3, "face_box": [1, 2, 3, 4], "strength": 0.5, "still": True}
    place = {"emotion": {"valence": 0.5, "arousal": -0.5}}
    return [json.dumps(job), json.dumps({**job, **more}), json.dumps({**job, **place})]
