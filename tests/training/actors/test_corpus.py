"""The corpus of rendered actors, with balls for heads so that anny is not needed."""

from __future__ import annotations

import ctypes.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from emohead_training.corpora import actors
from emohead_training.corpora.preparing import prepare
from emohead_training.corpora.protocol import PrepareConfig
from emohead_training.corpus import read_frames, read_labels, read_spelling, read_video_index

needs_voices = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None or shutil.which("flite") is None,
    reason="needs espeak-ng and flite",
)


@pytest.mark.slow
@needs_voices
def test_a_small_corpus(tmp_path: Path, monkeypatch, dummies) -> None:
    monkeypatch.setattr(actors, "_cast", lambda people, seed, cache: dummies)
    actors._dressed.cache_clear()
    config = PrepareConfig(
        corpus="digital-actors", out=tmp_path, people=2, clips_per_person=2, seconds=0.3
    )
    report = prepare(config)
    actors._dressed.cache_clear()
    assert report["videos"]["clips"] == 4, report
    assert report["voices"]["clips"] == 0
    clips = read_video_index(tmp_path)
    assert [c.emotion.split("/")[0] for c in clips] == ["neutral", "calm", "happy", "sad"]
    assert len({c.identity for c in clips}) == 2
    for clip in clips:
        labels = read_labels(clip.path)
        frames = list(read_frames(clip.path))
        assert len(frames) == len(labels.landmarks) == clip.num_frames == 9
        assert labels.valid.all()
        assert 0 < labels.landmarks[..., :2].min() < labels.landmarks[..., :2].max() < 256
        assert labels.outline is not None
        spelling = read_spelling(clip.path)
        assert spelling is not None
        assert len(spelling.phonemes) == len(spelling.starts_s) > 0
        assert clip.has_speech
    assert np.std(frames[0]) > 10


@needs_voices
def test_items_go_round_the_emotions_and_name_their_seed(
    tmp_path: Path, monkeypatch, dummies
) -> None:
    monkeypatch.setattr(actors, "_cast", lambda people, seed, cache: dummies)
    config = PrepareConfig(
        corpus="digital-actors", out=tmp_path, people=8, clips_per_person=2, seed=4
    )
    items = actors.DigitalActors(config).listing().items
    assert len({i.key for i in items}) == 16
    assert len({i.emotion for i in items}) == 8
    assert all("seed 4" in i.origin for i in items)
