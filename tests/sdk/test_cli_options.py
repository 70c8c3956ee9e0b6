from __future__ import annotations

import pytest

from emohead.cli.options import emotion_from_text, face_box_from_text
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


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,x", "1,2,3,4,5", ""])
def test_malformed_face_box_is_refused(text):
    with pytest.raises(InputError, match="x0,y0,x1,y1"):
        face_box_from_text(text)
