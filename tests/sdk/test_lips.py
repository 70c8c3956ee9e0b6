"""Lips from voice: exact counts, bit-exact streams, stillness without speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead import lips
from emohead.errors import InputError
from emohead.lips import LipRunners, LipSync, code_at, speech_gate
from emohead.runner import Runner
from emohead.stages import CONTENT_ENCODER, NEUTRAL_LANDMARKS, SPEAKER_ENCODER

Array = NDArray[np.float32]
_RNG = np.random.default_rng(5)
_TO_CODE = _RNG.normal(0, 0.1, (80, 64)).astype(np.float32)
_TO_FACE = _RNG.normal(0, 0.1, (64, 204)).astype(np.float32)
ANCHOR = _RNG.normal(0, 0.3, (68, 3)).astype(np.float32)


class _Speaker(Runner):
    def _run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        (mel,) = feed.values()
        voice = np.resize(mel.mean(1), (1, 256)) + np.float32(0.1)
        return {self.spec.outputs[0].name: voice / np.linalg.norm(voice)}


class _Content(Runner):
    """Each code sees the whole window and the voice, as the real encoder's does."""

    def _run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        mel, voice = feed.values()
        around = np.stack([mel[:, i : i + 33].mean(1) for i in range(8, 16)], 1)
        code = np.tanh((mel[:, 24:32] + around + voice[:, None, :80]) @ _TO_CODE)
        return {self.spec.outputs[0].name: code.astype(np.float32)}


class _Lstm(Runner):
    """A leaky integrator in the LSTM's place."""

    def _run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        content, anchor, hidden, cell = feed.values()
        hidden = hidden.copy()
        hidden[..., :64] = 0.7 * hidden[..., :64] + 0.3 * content[:, 0]
        moved = (hidden[0, :, :64] @ _TO_FACE).reshape(1, 1, 68, 3) + 0.1 * anchor[:, None]
        return dict(zip(self.spec.output_names, (moved, hidden, cell + 1), strict=True))


def make() -> LipSync:
    runners = LipRunners(
        speaker_encoder=_Speaker(SPEAKER_ENCODER),
        content_encoder=_Content(CONTENT_ENCODER),
        neutral_landmarks=_Lstm(NEUTRAL_LANDMARKS),
    )
    return LipSync(ANCHOR, runners)


def speech(num_samples: int) -> Array:
    """Bursts of noise with pauses between them."""
    loud = np.sin(np.arange(num_samples) / 5000) > -0.3
    return (np.random.default_rng(1).normal(0, 0.1, num_samples) * loud).astype(np.float32)


def in_chunks(samples: Array, cuts: list[int]) -> Array:
    lip_sync = make()
    pieces = np.split(samples, sorted(c % (len(samples) + 1) for c in cuts))
    return np.concatenate([*(lip_sync.push(p) for p in pieces), lip_sync.close()])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_chunking_changes_nothing(cuts: list[int]) -> None:
    samples = speech(60_011)
    np.testing.assert_array_equal(in_chunks(samples, []), in_chunks(samples, cuts))


@pytest.mark.parametrize("num_samples", [0, 1, 533, 534, 1066, 1067, 16000, 48001])
def test_frame_count_is_exact(num_samples: int) -> None:
    moved = in_chunks(speech(num_samples), [num_samples // 2])
    assert moved.shape == (-(-num_samples * 30 // 16000), 68, 3)
    assert moved.dtype == np.float32


def test_speech_moves_and_silence_rests() -> None:
    samples = np.concatenate([speech(20000), np.zeros(40000, np.float32), speech(20000)])
    moved = np.abs(in_chunks(samples, [])).max((1, 2))
    assert moved[5:30].min() > 0
    assert not moved[52:105].any()
    assert moved[120:].max() > 0
    assert not in_chunks(np.zeros(30000, np.float32), []).any()


def test_faint_noise_is_silence() -> None:
    hiss = np.random.default_rng(0).normal(0, 2e-4, 30000).astype(np.float32)
    assert not in_chunks(hiss, []).any()


def test_steady_noise_is_learnt_to_be_background() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 80000).astype(np.float32)
    moved = in_chunks(noise, [])
    assert not moved[90:].any()
    noise[50000:60000] *= 10
    assert in_chunks(noise, [])[100:110].any()


def test_future_beyond_the_look_ahead_is_not_used() -> None:
    samples = speech(64000)
    altered = samples.copy()
    altered[40000:] = 0.3 * np.sin(np.arange(24000, dtype=np.float32))
    unaffected = (40000 - lips.LOOK_AHEAD_SAMPLES) * 30 // 16000
    whole, other = in_chunks(samples, []), in_chunks(altered, [])
    np.testing.assert_array_equal(whole[:unaffected], other[:unaffected])
    assert not np.array_equal(whole, other)


def test_frames_come_within_the_look_ahead() -> None:
    lip_sync, given_, step = make(), 0, 1600
    samples = speech(80000)
    for end in range(step, len(samples) + 1, step):
        given_ += len(lip_sync.push(samples[end - step : end]))
        assert given_ >= (end - lips.LOOK_AHEAD_SAMPLES) * 30 // 16000


def test_memory_stays_flat() -> None:
    lip_sync = make()
    for _ in range(20):
        lip_sync.push(speech(16000))
    tracks = (lip_sync._mel, lip_sync._spoken, lip_sync._codes, lip_sync._moved)
    assert max(len(t.rows) for t in tracks) < 250


def test_code_between_mel_frames() -> None:
    codes = np.arange(40, dtype=np.float32)[:, None] * np.ones((1, 64), np.float32)
    np.testing.assert_allclose(code_at(codes, 6), 12.5, rtol=1e-6)
    np.testing.assert_allclose(code_at(codes[10:], 12, first=10), 25, rtol=1e-6)


def test_gate_opens_before_and_closes_after_speech() -> None:
    spoken = np.zeros(300, bool)
    spoken[125:150] = True
    openness = [speech_gate(spoken, n) for n in range(140)]
    first = next(n for n, g in enumerate(openness) if g > 0)
    assert 50 <= first < 60
    assert openness[60] == openness[71] == 1
    assert openness[40] == openness[90] == 0


def test_wrong_anchor_is_refused() -> None:
    with pytest.raises(InputError, match="anchor"):
        LipSync(np.zeros((67, 3), np.float32), make()._runners)
