"""What a job may say, and the sentence where it may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emohead.emotion import Emotion
from emohead.emotion.valence_arousal import VA
from emohead.errors import InputError
from emohead.jobs import Job, job_from, job_schema

BASE = {"face": "f.jpg", "speech": "s.wav", "output": "a.mp4"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"output": "../a.mp4"}, "below the output folder"),
        ({"output": "/a.mp4"}, "below the output folder"),
        ({"output": "b/../../a.mp4"}, "below the output folder"),
        ({"output": "b\\..\\a.mp4"}, "below the output folder"),
        ({"output": "C:a.mp4"}, "below the output folder"),
        ({"output": "a\0.mp4"}, "below the output folder"),
        ({"output": ".hidden/a.mp4"}, "below the output folder"),
        ({"output": "a.avi"}, "must end in .mp4"),
        ({"emotion": "hapy"}, "did you mean 'happy'?"),
        ({"emotion": {"happy": 2}}, "expected a weight in [0, 1] for happy"),
        ({"emotion": {}}, "expected one or more emotions"),
        ({"emotion": {"valence": 3, "arousal": 0}}, "expected valence in [-1, 1]"),
        ({"emotion": 5}, "name, weights by name, or valence and arousal, got 5"),
        ({"emotion": "sad", "emotion_track": "t.json"}, "emotion, emotion_track: choose one"),
        ({"emotion_fit": "loop"}, "emotion_fit"),
        ({"strength": -1}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"fps": 0}, "frame rate from 1 to 120"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"blink_rate": 99}, "blink rate"),
        ({"face_box": [1, 2, 3]}, "face_box"),
        ({"tempo": 3}, "no field tempo"),
        ({"face": None}, "face"),
    ],
)
def test_what_makes_no_sense_gets_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        job_from({**BASE, **fields})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InputError, match="expected a job with speech"):
        job_from({"face": "f.jpg", "output": "a.mp4"})


def test_every_form_of_an_emotion_is_understood(make_job: Callable[..., Job]) -> None:
    for given in ("happy", "happy=0.6", {"happy": 0.6}):
        felt = make_job(emotion=given).felt()
        assert isinstance(felt, Emotion)
        assert felt.name == "happy"
    assert make_job(emotion={"valence": 0.5, "arousal": -0.25}).felt() == VA(0.5, -0.25)
    assert make_job().felt() is None


def test_a_job_survives_json(make_job: Callable[..., Job]) -> None:
    job = make_job(emotion={"valence": 0.5, "arousal": 0}, face_box=(0, 1, 2, 3), output="b/c.mp4")
    assert job_from(json.loads(job.model_dump_json())) == job


def test_the_published_schema_is_that_of_the_code() -> None:
    path = Path(__file__).resolve().parents[3] / "docs" / "job.schema.json"
    published = json.loads(path.read_text(encoding="utf-8"))
    assert published == job_schema()
    assert published["properties"]["head_motion"]["maximum"] == 4
    assert all("description" in field for field in published["properties"].values())
