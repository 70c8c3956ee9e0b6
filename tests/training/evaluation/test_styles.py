"""Judging styles: a person whose halves agree is told better by them than by no style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead import InputError
from emohead.geometry import TEMPLATE
from emohead.landmarks.track import LandmarkTrack
from emohead_training.corpus import VideoClip
from emohead_training.evaluation import styles
from emohead_training.evaluation.styles import style_report

_FPS = 30


def _clip(split: str, seconds: float = 8.0) -> VideoClip:
    return VideoClip(
        path=Path("a.mp4"),
        source="made",
        identity=split,
        split=split,  # type: ignore[arg-type]
        emotion="",
        fps=_FPS,
        num_frames=round(seconds * _FPS),
        has_speech=True,
        lag_frames=None,
    )


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> list[VideoClip]:
    """A lively test person, and nobody else who counts; each half lasts half as long."""
    clips = [_clip("test"), _clip("train"), _clip("test", 3.0)]

    def index(data: Path, split: str, *, may_be_empty: bool) -> list[VideoClip]:
        return [clip for clip in clips if clip.split == split]

    monkeypatch.setattr(styles, "read_video_index", index)
    monkeypatch.setattr(styles, "read_sound", lambda path: np.zeros(8 * 16_000, np.float32))
    return clips


def _amplitudes(lively: float) -> Any:
    def measured(track: LandmarkTrack, voice: Any, runners: Any) -> Any:
        assert (len(track), len(voice.samples)) == (4 * _FPS, 4 * 16_000)
        own = {"lips": 0.1, "brows": 0.02, "head": 0.05, "blinks": 1.0}
        return {k: lively * v for k, v in own.items()}, own, 4.0

    return measured


def _tracker(clip: VideoClip, runners: Any) -> LandmarkTrack:
    return LandmarkTrack(landmarks=np.repeat(TEMPLATE[None], clip.num_frames, 0), fps=clip.fps)


def test_a_persons_own_style_fits_better_than_none(
    corpus: list[VideoClip], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(styles, "amplitudes_of", _amplitudes(1.7))
    report = style_report(tmp_path, {}, tracker=_tracker)
    assert (report["style_people"], report["num_style_halves"]) == (1, 2)
    assert report["style_lips_error_default"] == pytest.approx(np.log(1.7))
    assert report["style_lips_error"] < report["style_lips_error_common"]
    assert report["style_lips_error_common"] == pytest.approx(np.log(1.7 / 1.25))


def test_a_corpus_without_long_clips_is_refused(corpus: list[VideoClip], tmp_path: Path) -> None:
    del corpus[0]
    with pytest.raises(InputError, match="6 s at least of test people"):
        style_report(tmp_path, {}, tracker=_tracker)
