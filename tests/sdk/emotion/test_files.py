"""Emotion tracks as JSON: exact there and back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emohead.emotion import EMOTIONS, parse_emotion
from emohead.emotion.files import read_track, track_as_dict, track_from_json, write_track
from emohead.emotion.track import EmotionTrack
from emohead.errors import InputError

shares = st.floats(0, 1, width=32)


def document(*keyframes: dict[str, object]) -> str:
    return json.dumps(
        {"format": "emohead-emotion-track", "version": 1, "keyframes": list(keyframes)}
    )


@settings(deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=5, unique=True).map(sorted),
    st.data(),
)
def test_a_track_comes_back_bit_by_bit(times: list[float], data: st.DataObject) -> None:
    rows = [data.draw(st.lists(shares, min_size=8, max_size=8)) for _ in times]
    track = EmotionTrack(
        times_s=np.array(times),
        weights=np.array(rows, np.float32),
        confidence=np.array([data.draw(shares) for _ in times], np.float32),
        source="voice",
        notes=("said once",),
    )
    back = track_from_json(json.dumps(track_as_dict(track)))
    assert (back.times_s == track.times_s).all()
    assert (back.weights == track.weights).all()
    assert (back.confidence == track.confidence).all()
    assert (back.source, back.notes) == (track.source, track.notes)


def test_files_are_written_whole_and_read(tmp_path: Path) -> None:
    track = EmotionTrack.constant(parse_emotion("sad=0.7"))
    place = write_track(track, tmp_path / "a.json")
    assert (read_track(place).weights == track.weights).all()
    place.write_text(place.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert (read_track(place).weights == track.weights).all()
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_people_may_write_aliases_and_places_on_the_circle() -> None:
    track = track_from_json(
        document(
            {"time_code": 0, "emotions": {"joy": 0.5}},
            {"time_code": 1.5, "va": [0, 0], "confidence": 0.5},
        )
    )
    weights = track.at(np.array([0.0, 1.5]))
    assert weights[0, EMOTIONS.index("happy")] == 0.5
    assert weights[:, 0].tolist() == [0.5, 1]
    assert track.confidence.tolist() == [1, 0.5]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "JSON of an emotion track.*Invalid JSON"),
        ("[]", "JSON of an emotion track"),
        ('{"format": "other", "version": 1, "keyframes": []}', "at format"),
        (document(), "at keyframes"),
        (document({"time_code": 0, "emotions": {"joy": 1.5}}), "keyframes.0.emotions.joy"),
        (document({"time_code": "0", "emotions": {"joy": 1}}), "keyframes.0.time_code"),
        (document({"time_code": 0, "emotions": {"joy": 1}, "weight": 1}), "keyframes.0.weight"),
        (document({"time_code": 0}), "either emotions or va"),
        (document({"time_code": 0, "va": [0.1]}), "keyframes.0.va"),
        (document({"time_code": 0, "emotions": {"hapy": 1}}), "did you mean 'happy'"),
        (document({"time_code": 0, "emotions": {"joy": 0.5, "happy": 0.5}}), "each once"),
        (
            document(
                {"time_code": 1, "emotions": {"joy": 1}}, {"time_code": 0, "emotions": {"joy": 1}}
            ),
            "increasing",
        ),
    ],
)
def test_unusable_files_are_refused_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_track(tmp_path / "t.json")
    assert str(tmp_path / "t.json") in str(caught.value)


def test_places_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    track = EmotionTrack.constant(parse_emotion("sad"))
    with pytest.raises(InputError, match="does not exist"):
        read_track(tmp_path / "none.json")
    with pytest.raises(InputError, match="must end in .json"):
        write_track(track, tmp_path / "a.txt")
    with pytest.raises(InputError, match="does not exist"):
        write_track(track, tmp_path / "none" / "a.json")
