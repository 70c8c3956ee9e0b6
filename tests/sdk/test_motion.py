from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emohead.audio import num_frames_of
from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.motion import (
    AMPLITUDES,
    CEILING_DB,
    FPS,
    LARGEST_ANGLE,
    THRESHOLD_DB,
    HeadMotion,
    amplitude_of,
    still_motion,
)
from emohead.onset import OnsetStream, onset_strength

RATE = 16_000


def emotion(name: str) -> NDArray[np.float64]:
    return np.eye(len(EMOTIONS))[EMOTIONS.index(name)]


def syllables(seconds: float = 6.0, seed: int = 0) -> NDArray[np.float32]:
    """Bursts of harmonics as in speech, 2.5 a second, with a pause after every third second."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    beat = (t * 2.5) % 1
    envelope = np.exp(-4 * beat) * (beat > 0.02) * ((t % 3) < 2.2)
    tone = sum(np.sin(2 * np.pi * k * (140 + 30 * np.sin(3 * t)) * t) / k for k in range(1, 20))
    loud = rng.uniform(0.3, 1, int(seconds * 2.5) + 1)[(t * 2.5).astype(int)]
    sound = 0.1 * loud * envelope * tone + 1e-4 * rng.standard_normal(len(t))
    return sound.astype(np.float32)


def angles_of(name: str, seed: int = 0, speech: NDArray[np.float32] | None = None) -> np.ndarray:
    motion = HeadMotion(emotion(name), seed)
    heard = syllables() if speech is None else speech
    return np.concatenate([motion.push(heard).angles, motion.close().angles])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 48_000), max_size=10), st.integers(1, 48_000))
def test_motion_does_not_depend_on_the_chunks(cuts: list[int], length: int) -> None:
    speech = syllables(3.0)[:length]
    pieces = HeadMotion(emotion("angry"), 5)
    parts = [pieces.push(p).angles for p in np.split(speech, sorted(c for c in cuts if c < length))]
    parts.append(pieces.close().angles)
    whole = angles_of("angry", 5, speech)
    assert len(whole) == num_frames_of(length, FPS)
    assert (np.concatenate(parts) == whole).all()


def test_seeds_repeat_and_differ() -> None:
    assert (angles_of("happy", 1) == angles_of("happy", 1)).all()
    assert np.abs(angles_of("happy", 1) - angles_of("happy", 2)).max() > 0.01


def test_emotions_move_the_head_in_their_order() -> None:
    reach = {n: np.degrees(np.abs(angles_of(n)).max()) for n in ("neutral", "sad", "angry")}
    assert 0 < reach["neutral"] < 1.2
    assert reach["neutral"] * 2 < reach["sad"] < reach["angry"]
    assert reach["angry"] > 3


def test_angles_are_bounded_however_loud_the_voice() -> None:
    clicks = np.zeros(5 * RATE, np.float32)
    clicks[:: RATE // 9] = 1.0
    assert np.abs(angles_of("angry", 0, clicks)).max() <= LARGEST_ANGLE


def test_motion_is_smooth() -> None:
    angles = np.degrees(angles_of("angry"))
    power = np.abs(np.fft.rfft(angles - angles.mean(0), axis=0)) ** 2
    hz = np.fft.rfftfreq(len(angles), 1 / FPS)
    assert power[hz > 7].sum() < 0.01 * power.sum()
    assert np.abs(np.diff(angles, n=2, axis=0)).max() < 1.0


def test_speed_follows_the_onsets() -> None:
    speech = syllables()
    stream = OnsetStream()
    first, rest = stream.push(speech)[0], stream.close()[0]
    onsets = np.concatenate([first, rest])
    onsets = np.where(onsets > THRESHOLD_DB, np.minimum(onsets, CEILING_DB), 0)
    speed = np.abs(np.diff(angles_of("angry", 3, speech), axis=0)).sum(1)
    smooth = np.convolve(onsets, np.ones(5) / 5, "same")[1:]
    assert np.corrcoef(speed, smooth)[0, 1] > 0.3


def test_silence_keeps_the_head_still_and_speech_lets_it_return() -> None:
    assert not angles_of("angry", 0, np.zeros(RATE, np.float32)).any()
    speech = np.concatenate([syllables(3.0), np.zeros(3 * RATE, np.float32)])
    angles = angles_of("angry", 0, speech)
    assert np.abs(angles).max() > 0.02
    assert np.abs(angles[-1]).max() < 0.01 * np.abs(angles).max()


def test_each_phrase_draws_its_own_direction() -> None:
    angles = angles_of("angry", 4)
    first, second = angles[30], angles[30 + 3 * FPS]
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    assert cosine < 0.95


def test_head_shift_is_small_and_vanishes_with_the_angles() -> None:
    motion = HeadMotion(emotion("angry"), 0)
    shift = motion.push(syllables()).shift
    assert 0 < np.abs(shift).max() < 0.05
    still = still_motion(7)
    assert still.angles.shape == still.shift.shape == (7, 3)
    assert not still.angles.any()


def test_quiet_and_loud_recordings_move_alike() -> None:
    speech = syllables()
    loud, quiet = angles_of("angry", 0, speech), angles_of("angry", 0, 0.3 * speech)
    late = slice(3 * FPS, None)
    assert np.abs(loud[late] - quiet[late]).max() < 0.3 * np.abs(loud).max()


def test_onset_strength_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    bands = np.random.default_rng(0).uniform(-80, 0, (50, 128))
    theirs = librosa.onset.onset_strength(S=bands.T, center=False)
    assert onset_strength(bands) == pytest.approx(theirs[1:], rel=1e-6)


def test_log_mel_of_a_frame_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    from emohead.mel import log_mel_128

    speech = syllables(2.0)
    power = librosa.feature.melspectrogram(
        y=speech, sr=RATE, n_fft=2048, hop_length=512, n_mels=128, pad_mode="constant"
    )
    theirs = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    assert log_mel_128(speech) == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize("name", EMOTIONS)
def test_amplitudes_are_those_of_the_table(name: str) -> None:
    assert amplitude_of(emotion(name)) == pytest.approx(AMPLITUDES[name])


def test_half_an_emotion_moves_half_as_much_more_than_neutral() -> None:
    half = 0.5 * emotion("angry") + 0.5 * emotion("neutral")
    expected = (AMPLITUDES["angry"] + AMPLITUDES["neutral"]) / 2
    assert amplitude_of(half) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [np.zeros(7), np.full(8, 2.0), np.full(8, np.nan)])
def test_impossible_emotions_are_refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="emotion"):
        HeadMotion(bad)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="seed"):
        HeadMotion(emotion("sad"), -1)


def test_an_onset_pushes_softly_and_alike_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    motion, pushes = HeadMotion(emotion("angry")), []
    monkeypatch.setattr(motion, "_swing", lambda push: pushes.append(np.abs(push).max()))
    onset = np.zeros(20)
    onset[8] = CEILING_DB
    motion._move(onset, np.ones(20, bool))
    late = 2  # frames, see LOOK_AHEAD_SAMPLES
    shape = np.array(pushes)[8 + late - 3 : 8 + late + 4]
    assert shape / shape.max() == pytest.approx([0, 0.25, 0.75, 1, 0.75, 0.25, 0])
