"""The numpy mel equals librosa's, streams bit for bit, and follows the speaker's level."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.mel import (
    CONTENT_SETTINGS,
    EMOTION_SETTINGS,
    MelFrames,
    MelSettings,
    MelStream,
    content_mel,
    log_mel_128,
    mel_filters,
    mel_power,
)


def chirp(num_samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Sweeping tone in noise whose loudness changes."""
    time_s = np.arange(num_samples) / 16000
    noise = np.random.default_rng(seed).normal(0, 0.05, num_samples)
    tone = np.sin(2 * np.pi * (200 + 900 * time_s) * time_s) * (0.5 + 0.5 * np.sin(7 * time_s))
    return (0.4 * tone + noise).astype(np.float32)


def in_chunks(samples: NDArray[np.float32], cuts: list[int]) -> MelFrames:
    stream = MelStream()
    pieces = np.split(samples, sorted(c % (len(samples) + 1) for c in cuts))
    frames = [*(stream.push(p) for p in pieces), stream.close()]
    names = ("mel", "level_db", "reference_db", "floor_db")
    return MelFrames(**{n: np.concatenate([getattr(f, n) for f in frames]) for n in names})


@pytest.mark.parametrize("settings_", [CONTENT_SETTINGS, EMOTION_SETTINGS])
@pytest.mark.parametrize("num_samples", [1, 255, 5000, 24000])
def test_equals_librosa(settings_: MelSettings, num_samples: int) -> None:
    librosa = pytest.importorskip("librosa")
    samples = chirp(num_samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.feature.melspectrogram(
            y=samples,
            sr=16000,
            n_fft=settings_.n_fft,
            hop_length=settings_.hop,
            n_mels=settings_.num_bands,
            fmin=settings_.fmin_hz,
            fmax=settings_.fmax_hz,
            pad_mode="constant",
        ).T
    power = mel_power(samples, settings_)
    assert power.shape == expected.shape
    np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-6 * expected.max())


def test_filters_have_equal_area() -> None:
    filters = mel_filters(CONTENT_SETTINGS)
    bin_hz = 16000 / CONTENT_SETTINGS.n_fft
    assert filters.shape == (80, 513)
    np.testing.assert_allclose(filters[40:].sum(1) * bin_hz, 1, atol=0.02)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_chunking_changes_nothing(cuts: list[int]) -> None:
    samples = chirp(9001)
    whole, cut = content_mel(samples), in_chunks(samples, cuts)
    np.testing.assert_array_equal(whole.mel, cut.mel)
    np.testing.assert_array_equal(whole.level_db, cut.level_db)
    np.testing.assert_array_equal(whole.reference_db, cut.reference_db)
    np.testing.assert_array_equal(whole.floor_db, cut.floor_db)


@pytest.mark.parametrize("num_samples", [0, 1, 256, 257, 16000])
def test_frame_count(num_samples: int) -> None:
    assert content_mel(chirp(num_samples)).mel.shape == (1 + num_samples // 256, 80)


def test_quiet_speech_looks_like_loud_speech() -> None:
    loud = chirp(5 * 16000)
    quiet = content_mel(loud * np.float32(0.1)).mel
    assert np.abs(quiet - content_mel(loud).mel)[200:].mean() < 0.08


def test_level_does_not_look_ahead() -> None:
    samples = chirp(32000)
    altered = samples.copy()
    altered[20000:] *= 8
    before = 20000 // 256 - 2
    whole, other = content_mel(samples), content_mel(altered)
    np.testing.assert_array_equal(whole.mel[:before], other.mel[:before])
    assert not np.array_equal(whole.mel[before:], other.mel[before:])


def test_silence_is_zero() -> None:
    assert not content_mel(np.zeros(8000, np.float32)).mel.any()


def test_log_mel_is_in_decibel() -> None:
    samples = chirp(16000)
    louder = log_mel_128(samples * np.float32(10))
    assert louder.shape == (128, 32)
    np.testing.assert_allclose(louder - log_mel_128(samples), 20, atol=1e-3)


def test_stereo_is_refused() -> None:
    with pytest.raises(InputError, match="mono"):
        content_mel(np.zeros((100, 2), np.float32))


def test_first_use_is_quick() -> None:
    mel_filters.cache_clear()
    began = time.perf_counter()
    content_mel(chirp(16000))
    assert time.perf_counter() - began < 0.5
