"""Lips as landmarks: what is counted for whom, with motion that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead.errors import InputError
from emohead.geometry import TEMPLATE
from emohead_training.evaluation import lips
from emohead_training.evaluation.lips import actor_lips, closure_report, lip_report
from emohead_training.mouth import mouth_opening
from emohead_training.voice.phonemes import PHONEMES
from emohead_training.voice.spoken_clips import SpokenClip
from emohead_training.voice.synthesis import Utterance

LOWER = (56, 57, 58, 65, 66, 67)


def opened(by: Any) -> Any:
    faces = np.zeros((len(by), 68, 3), np.float32)
    faces[:, LOWER, 1] = np.asarray(by)[:, None]
    return faces


def wave(count: int = 60) -> Any:
    return 0.1 + 0.1 * np.sin(np.arange(count) / 3)


def clip(identity: str, split: str) -> SpokenClip:
    return SpokenClip(
        name=f"s/{identity}",
        source="s",
        identity=identity,
        split=split,
        samples=np.zeros(32000, np.float32),
        mel=np.zeros((125, 80), np.float32),
        landmarks=(TEMPLATE + opened(wave())).astype(np.float32),
        valid=np.ones(60, bool),
    )


class Spoken:
    """Stands for ``LipSync``: moves as it is told, whatever it hears."""

    motion: Any = None

    def __init__(self, anchor: Any, runners: Any) -> None:
        self.heard = 0

    def push(self, samples: Any) -> Any:
        self.heard += len(samples)
        return np.zeros((0, 68, 3), np.float32)

    def close(self) -> Any:
        return opened(type(self).motion(self.heard * 30 // 16000))


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> list[SpokenClip]:
    clips = [clip("a", "val"), clip("b", "test"), clip("c", "test")]
    chosen = lambda root, splits: [c for c in clips if c.split in splits]  # noqa: E731
    monkeypatch.setattr(lips, "read_spoken_clips", chosen)
    late = np.concatenate((wave()[:1], wave()[:1], wave()[:-2]))
    motion = {"a": np.zeros(60), "b": late - wave().min(), "c": late - wave().min()}
    monkeypatch.setattr(lips, "lip_motion", lambda c, runners: opened(motion[c.identity]))
    monkeypatch.setattr(
        Spoken, "motion", staticmethod(lambda n: np.where(np.arange(n) % 2, 0.02, 0))
    )
    monkeypatch.setattr(lips, "LipSync", Spoken)
    return clips


def fail(*_: Any) -> Any:
    raise InputError("no synthesizer")


def test_test_people_alone_and_with_val(
    people: list[SpokenClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lips, "synthesise", fail)
    found = lip_report(Path(), None)  # type: ignore[arg-type]
    assert (found["num_clips"], found["num_clips_val_test"]) == (2, 3)
    assert found["mouth_landmark_ratio"] < found["mouth_landmark_ratio_val_test"] < 1
    assert found["opening_correlation_val_test"] == pytest.approx(
        2 / 3 * found["opening_correlation"]
    )
    assert len(found["opening_correlation_val_test_ci"]) == 2
    assert found["by_clip_val_test"]["s/a"]["mouth_landmark_ratio"] == pytest.approx(1)
    assert found["closure_skipped"] == "no synthesizer"


def test_lag_and_quiver_are_those_of_the_motion(
    people: list[SpokenClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lips, "synthesise", fail)
    found = lip_report(Path(), None)  # type: ignore[arg-type]
    assert found["av_lag_frames"] == found["av_lag_abs_frames"] == 2
    assert found["quiver_silence"] == pytest.approx(0.01 * len(LOWER) / 20)


def test_closure_is_counted_on_bilabials_and_on_vowels(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("p", "aa", "m", "iy", "b", "aa")
    utterance = Utterance(
        samples=np.zeros(32000, np.float32),
        starts_s=np.arange(6, dtype=np.float32) / 3,
        phonemes=np.array([PHONEMES.index(n) for n in names]),
        voice="v",
        text="",
    )

    def motion(count: int) -> Any:
        by = np.full(count, 0.2)
        by[5], by[15], by[25] = 0.0, 0.0, 0.0
        return by

    monkeypatch.setattr(Spoken, "motion", staticmethod(motion))
    monkeypatch.setattr(lips, "LipSync", Spoken)
    found = closure_report([utterance], [TEMPLATE.astype(np.float32)], None)  # type: ignore[arg-type]
    assert (found["closure_pbm"], found["closure_vowels"]) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )
    assert (found["num_pbm"], found["num_vowels"]) == (3, 3)
    assert mouth_opening(TEMPLATE) < mouth_opening(TEMPLATE + opened([0.2])[0])


def test_known_sentences_compare_predicted_with_filmed_lips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = clip("a", "test")
    grid = SpokenClip(**(vars(made) | {"name": "grid/GRID_i_bbaf2n.mp4"}))
    spelled = (
        np.array([PHONEMES.index(n) for n in ("b", "aa", "b", "aa")]),
        np.array([0.2, 0.5, 1.2, 1.6]),
    )
    monkeypatch.setattr(lips, "aligned", lambda samples, words: spelled)
    still = np.zeros((60, 68, 3), np.float32)
    found = lips._known_sentences([grid, made], [still, still], {})
    assert found["num_pbm_known"] == 2
    assert found["closure_pbm_known"] == 1
    assert found["closure_pbm_filmed"] == 0.5
    assert lips._known_sentences([made], [still], {}) == {"num_pbm_known": 0}


def test_actors_are_named_apart_and_must_be_there(people: list[SpokenClip]) -> None:
    found = actor_lips(Path(), None)  # type: ignore[arg-type]
    assert found["actors_opening_correlation"] > 0.7
    assert found["actors_num_clips"] == 2
    people.clear()
    with pytest.raises(InputError, match="corpus digital-actors"):
        actor_lips(Path("actors"), None)  # type: ignore[arg-type]
