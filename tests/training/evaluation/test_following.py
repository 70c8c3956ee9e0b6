"""Judging how an emotion follows a voice, with an encoder that hears loudness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead import InputError
from emohead.emotion import EMOTIONS
from emohead.mel import log_mel_128
from emohead_training.corpus import VoiceClip
from emohead_training.evaluation import following
from emohead_training.evaluation.following import (
    Joined,
    RememberingRunner,
    follow_grid,
    follow_report,
    grid_table,
    joined_voices,
)

_RATE = 16_000
Sound = np.ndarray[Any, np.dtype[np.float32]]


def _noise(seconds: float, loudness: float, seed: int = 0) -> Sound:
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * _RATE))
    return np.asarray((loudness * drawn).clip(-1, 1), np.float32)


def _level(mel: Sound) -> float:
    """Mean level of (128, M) log-mel, dB, where there is sound: windows may begin with none."""
    frames = mel.mean(axis=0)
    return float(frames[frames > -60].mean())


class Ear:
    """Hears anger in loud sound and calm in soft sound; counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._middle = _level(log_mel_128(_noise(3, 0.03)))

    def run(self, feed: Sound) -> tuple[Sound, ...]:
        self.asked += 1
        scores = np.full((1, 8), 0.02, np.float32)
        loud = _level(feed[0]) > self._middle
        scores[0, EMOTIONS.index("angry" if loud else "sad")] = 0.9
        return (scores,)


def _joined(first: str, second: str) -> Joined:
    loudness = {"sad": 0.004, "angry": 0.2}
    parts = [_noise(6, loudness[name], seed) for seed, name in enumerate((first, second))]
    return Joined(
        samples=np.concatenate(parts), switch_s=6.0, emotions=(first, second), speaker="x"
    )


def test_switches_and_steady_voices_are_told_apart() -> None:
    report = follow_report(Ear(), [_joined("sad", "angry"), _joined("angry", "angry")])
    assert (report["num_follow_switches"], report["num_follow_steady"]) == (1, 1)
    assert report["follow_switches_heard"] == report["follow_switch_within_1s"] == 1
    assert report["follow_switch_s"] <= 1
    assert report["follow_false_changes"] == 0
    assert report["follow_accuracy"] > 0.9


def test_a_switch_that_nobody_hears_is_counted_as_such() -> None:
    deaf = _joined("sad", "sad")
    report = follow_report(
        Ear(),
        [
            Joined(samples=deaf.samples, switch_s=6.0, emotions=("sad", "angry"), speaker="x"),
            _joined("sad", "sad"),
        ],
    )
    assert report["follow_switches_heard"] == 0
    assert "follow_switch_s" not in report
    assert report["follow_accuracy"] == pytest.approx(0.75, abs=0.03)


@pytest.fixture
def actors(monkeypatch: pytest.MonkeyPatch) -> list[VoiceClip]:
    """Three sentences of an actor in each of three emotions, and another corpus."""
    clips = [
        VoiceClip(
            path=Path(f"{emotion}{take}.ogg"),
            dataset=dataset,
            speaker=f"{dataset}-01",
            split="train",
            emotion=emotion,
        )
        for dataset in ("ravdess", "crema-d")
        for emotion in ("neutral", "calm", "angry")
        for take in range(3)
    ]
    monkeypatch.setattr(following, "read_voice_index", lambda data, split, **_: clips)
    monkeypatch.setattr(
        following, "read_sound", lambda path: _noise(3, 0.2 if "angry" in path.name else 0.002)
    )
    return clips


def test_voices_are_joined_alike_every_time_and_levelled(actors: list[VoiceClip]) -> None:
    first, again = (list(joined_voices(Path(), "train")) for _ in range(2))
    assert len(first) == 8
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.samples, two.samples)
    assert {v.speaker for v in first} == {"ravdess-01"}
    assert not any(set(v.emotions) == {"neutral", "calm"} for v in first)
    assert sum(v.emotions[0] == v.emotions[1] for v in first) == 4
    for voice in first:
        halves = np.split(voice.samples, [round(voice.switch_s * _RATE)])
        assert [float(np.sqrt((h**2).mean())) for h in halves] == pytest.approx([0.05, 0.05], 0.05)


def test_a_grid_asks_the_network_once_per_window(actors: list[VoiceClip]) -> None:
    single, many = Ear(), Ear()
    follow_report(RememberingRunner(single), joined_voices(Path(), "train"))
    rows = follow_grid(Path(), many, (0.0, 0.5), (0.0, 0.3))  # type: ignore[arg-type]
    assert many.asked == single.asked
    assert [(r["live_blend_coef"], r["hysteresis"]) for r in rows] == [
        (0.0, 0.0),
        (0.0, 0.3),
        (0.5, 0.0),
        (0.5, 0.3),
    ]
    assert grid_table(rows).count("\n") == 5


def test_no_voices_are_refused() -> None:
    with pytest.raises(InputError, match="RAVDESS"):
        follow_report(Ear(), [])
