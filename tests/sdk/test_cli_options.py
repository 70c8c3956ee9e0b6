from __future__ import annotations

import json

import numpy as np
import pytest

from emohead.cli.options import emotion_from_text, face_box_from_text, read_landmarks
from emohead.errors import InputError


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("happy", "happy"),
        ("happy=0.7", {"happy": 0.7}),
        ("happy=0.7, sad=0.2", {"happy": 0.7, "sad": 0.2}),
    ],
)
def test_emotion_is_a_name_or_weights(text, want):
    assert emotion_from_text(text) == want


@pytest.mark.parametrize(
    "text", ["happy=", "=0.5", "happy=1.5", "happy=nan", "happy=0.5,sad", "a=b"]
)
def test_malformed_weights_are_refused(text):
    with pytest.raises(InputError, match="name=weight"):
        emotion_from_text(text)


def test_face_box_is_four_numbers():
    assert face_box_from_text("1,2.5, 30,40") == (1.0, 2.5, 30.0, 40.0)


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,x", "3,2,1,4", "1,4,3,2", "1,2,3,inf", ""])
def test_malformed_face_box_is_refused(text):
    with pytest.raises(InputError, match="x0,y0,x1,y1"):
        face_box_from_text(text)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.json"])
@pytest.mark.parametrize("axes", [2, 3])
def test_landmarks_of_every_kind_of_file(tmp_path, name, axes):
    points = np.arange(68 * axes, dtype=np.float32).reshape(68, axes)
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, points)
    elif name == "a.npz":
        np.savez(path, landmarks=points)
    else:
        path.write_text(json.dumps(points.tolist()))
    np.testing.assert_array_equal(read_landmarks(path), points)


def test_missing_landmark_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.npy does not exist"):
        read_landmarks(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"not numbers", "cannot be read"),
        ("a.npz", b"not a zip", "cannot be read"),
        ("a.json", b"[[1, 2], [3]]", "cannot be read"),
        ("a.json", b"[[1, 2], [3, 4]]", r"got shape \(2, 2\)"),
    ],
)
def test_other_content_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_landmarks(tmp_path / name)


def test_nan_and_pickles_are_refused(tmp_path):
    np.save(tmp_path / "nan.npy", np.full((68, 2), np.nan))
    with pytest.raises(InputError, match="68 finite points"):
        read_landmarks(tmp_path / "nan.npy")
    np.save(tmp_path / "object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        read_landmarks(tmp_path / "object.npy")
