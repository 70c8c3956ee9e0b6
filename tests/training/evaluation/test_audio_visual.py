"""Lips against sound: known lags, known closures, known trembling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emohead.geometry.landmarks import MOUTH
from emohead.stages import MOTION_FPS
from emohead_training.evaluation.audio_visual import (
    BILABIALS,
    VOWELS,
    closures,
    envelope,
    lag_frames,
    quiver,
    room_noise,
)
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.voice.phonemes import PHONEMES


def speech_like(count: int = 90) -> Any:
    rng = np.random.default_rng(0)
    return np.convolve(rng.normal(size=count + 4), np.ones(5) / 5, "valid")


@pytest.mark.parametrize("lag", [-4, 0, 1, 7])
def test_lag_is_positive_where_the_signal_is_late(lag: int) -> None:
    long = speech_like(120)
    reference, signal = long[20:100], long[20 - lag : 100 - lag]
    assert lag_frames(3 * signal + 1, reference) == lag


def test_signals_that_do_not_move_or_are_short_have_no_lag() -> None:
    assert lag_frames(np.zeros(90), speech_like()) is None
    assert lag_frames(speech_like(20), speech_like(20)) is None


def test_envelope_is_the_level_of_each_frame_in_db() -> None:
    sound = np.concatenate((np.full(16000 // 3, 0.1), np.zeros(16000 // 3)))
    found = envelope(sound, 25)
    assert found[:9] == pytest.approx(-20)
    assert found[12:] == pytest.approx(-80)


def test_lips_must_close_within_the_sound_or_beside_it() -> None:
    p, a, s = (PHONEMES.index(name) for name in ("p", "aa", "s"))
    phonemes, starts = np.array([s, p, a, p, a]), np.array([0, 10, 20, 30, 40]) / MOTION_FPS
    gaps = np.full(50, 0.2)
    gaps[9] = PROTOCOL.closed_gap / 2
    assert closures(gaps, phonemes, starts, BILABIALS) == [True, False]
    gaps[9], gaps[7], gaps[35] = 0.2, 0.0, 0.0
    assert closures(gaps, phonemes, starts, BILABIALS) == [False, True]
    assert closures(gaps, phonemes, starts, VOWELS) == [False, False]


def test_sounds_are_told_apart() -> None:
    assert {PHONEMES[i] for i in BILABIALS} == {"p", "b", "m"}
    assert {"aa", "iy", "uw"} <= {PHONEMES[i] for i in VOWELS}
    assert not {PHONEMES[i] for i in VOWELS} & {"p", "s", "sil", "w", "y"}


def test_quiver_is_the_mouths_deviation_and_nothing_elses() -> None:
    faces = np.zeros((40, 68, 3))
    faces[:, :48] = np.random.default_rng(0).normal(size=(40, 48, 3))
    assert quiver(faces) == 0
    faces[::2, list(MOUTH), 1] = 0.2
    assert quiver(faces) == pytest.approx(0.1)


def test_room_noise_has_the_level_asked_for() -> None:
    noise = room_noise(2.0, -40.0, 3)
    assert len(noise) == 32000
    assert 20 * np.log10(noise.std()) == pytest.approx(-40, abs=0.1)
    assert (noise == room_noise(2.0, -40.0, 3)).all()
