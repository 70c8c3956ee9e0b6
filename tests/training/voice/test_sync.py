"""A clip whose sound is late is told apart from clips in step, on made-up codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emohead_training.mouth import mouth_opening
from emohead_training.voice.spoken_clips import SpokenClip
from emohead_training.voice.sync import sound_shifts


@pytest.fixture
def talkers(small_clips: list[SpokenClip]) -> list[SpokenClip]:
    """Six people of ten seconds each with random openings."""
    rng = np.random.default_rng(0)
    clips = []
    for i in range(6):
        face = np.repeat(small_clips[0].landmarks[:1], 300, 0)
        drop = np.convolve(rng.standard_normal(308), np.ones(9) / 9, "valid").astype(np.float32)
        face[:, [65, 66, 67], 1] += 0.2 + 0.2 * drop[:, None]
        clips.append(
            replace(small_clips[0], identity=str(i), landmarks=face, valid=np.ones(300, bool))
        )
    return clips


def codes_of(clip: SpokenClip, late: int) -> np.ndarray:
    """Codes whose first number is the opening, heard `late` frames after it is seen."""
    times = np.arange(700) * 12 / 25 - late
    opening = np.interp(times, np.arange(300), mouth_opening(clip.landmarks))
    codes = np.random.default_rng(1).standard_normal((700, 64)) * 0.01
    codes[:, 0] = 5 * opening
    return codes.astype(np.float16)


def test_late_sound_is_found(talkers: list[SpokenClip]) -> None:
    codes = [codes_of(c, 4 if i == 2 else 0) for i, c in enumerate(talkers)]
    shifts = sound_shifts(talkers, codes, np.ones(6))
    np.testing.assert_array_equal(shifts, [0, 0, 4, 0, 0, 0])


def test_noise_is_never_shifted(talkers: list[SpokenClip]) -> None:
    rng = np.random.default_rng(5)
    codes = [rng.standard_normal((700, 64)).astype(np.float16) for _ in talkers]
    assert not sound_shifts(talkers, codes, np.ones(6)).any()
