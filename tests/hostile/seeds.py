"""Good files of every parser, from which fuzzing starts and whose readers must take them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import numpy as np

from .bundles import STAGE, good_bundle, packed
from .pictures import FORMATS, good_picture
from .records import good_track, npy, npz
from .sounds import KINDS, good_sound
from .targets import job_texts


def _tensors() -> list[bytes]:
    header = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    return [len(text).to_bytes(8, "little") + text + bytes(8)]


def _points() -> list[bytes]:
    rows = [[i, i + 1] for i in range(68)]
    lines = "\n".join(f"{x},{y}" for x, y in rows)
    pts = "version: 1\nn_points: 68\n{\n" + lines.replace(",", " ") + "\n}\n"
    texts = (json.dumps(rows), "x,y\n" + lines, pts)
    return [bytes([i]) + t.encode() for i, t in enumerate(texts)] + [b"\3" + npy(np.array(rows))]


def _landmark_tracks() -> list[bytes]:
    faces = np.zeros((2, 68, 3), np.float32)
    frame = {"landmarks": faces[0].tolist(), "time_s": 0.0}
    whole = {"format": "emohead-landmarks", "version": 1, "fps": 30, "unit": "crop_px"}
    names = [f"{axis}_{i}" for axis in "xyz" for i in range(68)]
    rows = "\n".join(",".join(["0"] * len(names)) for _ in range(2))
    table = "# " + json.dumps(whole) + "\n" + ",".join(names) + "\n" + rows
    archive = npz(landmarks=npy(faces), fps=npy(np.float64(30)))
    texts = (json.dumps({**whole, "frames": [frame]}).encode(), table.encode(), archive)
    return [bytes([i]) + text for i, text in enumerate(texts)]


def _tables() -> list[bytes]:
    rows = "method,set,path\na,s,a.mp4\nb,s,b.mp4\n"
    return [b"\0" + rows.encode(), b'\1[{"method": "a", "set": "s", "path": "a.mp4"}]']


def _jobs() -> list[bytes]:
    table = "face,speech,output,emotion,fps\na.jpg,a.wav,a.mp4,happy,25\n"
    return [b"\0" + "\n".join(job_texts()).encode(), b"\1" + table.encode()]


@cache
def seeds() -> dict[str, list[bytes]]:
    """Return good bytes by target; those without any start from nothing."""
    style = {"format": "emohead-style", "version": 1, "lips": 1.2}
    makers: dict[str, Callable[[], list[bytes]]] = {
        "arrays": lambda: [b"\0" + npy(np.eye(3)), b"\1" + npz(a=npy(np.eye(2)))],
        "audio": lambda: [good_sound(suffix) for suffix in KINDS],
        "bundle": lambda: [packed(good_bundle())],
        "emotion": lambda: [b"happy", b"happy=0.6,surprised=0.3"],
        "graph": lambda: [good_bundle()[f"{STAGE}.onnx"], good_bundle()["renderer.onnx"]],
        "image": lambda: [good_picture(suffix) for suffix in FORMATS],
        "job": lambda: [text.encode() for text in job_texts()],
        "jobs": _jobs,
        "landmark_track": _landmark_tracks,
        "landmarks": _points,
        "style": lambda: [b"\0" + json.dumps(style).encode()],
        "study": _tables,
        "tensors": _tensors,
        "track": lambda: [good_track().encode()],
    }
    return {name: make() for name, make in makers.items()}
