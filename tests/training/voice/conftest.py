"""Made-up voices and faces for the tests of the way from voice to lips."""

from __future__ import annotations

import numpy as np
import pytest

from emohead.geometry import TEMPLATE
from emohead_training.voice.sounds import Sounds
from emohead_training.voice.spoken_clips import SpokenClip


@pytest.fixture
def small_sounds() -> Sounds:
    """Two voices, three made-up sounds that differ in one band each."""
    rng = np.random.default_rng(0)
    starts = np.arange(0, 1601, 200)
    phonemes = np.repeat(rng.integers(0, 3, 160), 10).astype(np.int8)
    mel = 0.1 * rng.random((1600, 80))
    mel[np.arange(1600), 20 + 15 * phonemes] += 0.8
    phonemes[:400] = -1
    return Sounds(
        mel=mel.astype(np.float16),
        phonemes=phonemes,
        starts=starts,
        voices=np.array(["a", "b"] * 4),
        held_out=np.array([False] * 6 + [True] * 2),
        kinds=np.array([0, 0, 1, 1, 2, 2, 1, 2], np.int8),
    )


@pytest.fixture
def small_clips() -> list[SpokenClip]:
    """Three made-up people whose jaws drop by different amounts."""
    clips = []
    for i in range(3):
        face = np.repeat(np.asarray(TEMPLATE, np.float32)[None], 40, 0)
        drop = (0.05 + 0.05 * i) * (1 + np.sin(np.arange(40)))
        face[:, [57, 66], 1] += drop[:, None]
        face[:, 62, 1] -= 0.01 * i
        face[:, 17] += 0.02 * np.cos(np.arange(40))[:, None]
        clips.append(
            SpokenClip(
                name=str(i),
                source="made-up",
                identity=str(i),
                split="train",
                samples=np.zeros(21000, np.float32),
                mel=np.zeros((83, 80), np.float32),
                landmarks=face,
                valid=np.ones(40, bool),
            )
        )
    return clips
