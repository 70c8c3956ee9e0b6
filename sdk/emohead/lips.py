"""Speech to neutral lip motion: mel, content code, displacement of the anchor's landmarks.

One accumulator runs offline and streams alike; every sum lies on a grid fixed in time, so the
result does not depend on how the sound was cut. Called by ``performance.py``. Not here: emotion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, num_frames_of
from emohead.contract import zero_state
from emohead.errors import InputError
from emohead.mel import BLOCK_FRAMES, CONTENT_HOP, CONTENT_SETTINGS, MelFrames, MelStream
from emohead.runner import Runner
from emohead.stages import (
    CONTENT_CENTRE_FRAMES,
    CONTENT_LEFT_FRAMES,
    CONTENT_RIGHT_FRAMES,
    CONTENT_SIZE,
    MOTION_FPS,
    NEUTRAL_LANDMARKS,
    NUM_LANDMARKS,
    NUM_MEL_BANDS,
    SPEAKER_FRAMES,
)

__all__ = ["LEAD_FRAMES", "LOOK_AHEAD_SAMPLES", "LipRunners", "LipSync", "code_at", "speech_gate"]

LEAD_FRAMES: Final = 3
"""Video frames of speech that the LSTM has heard beyond the frame it moves: lips move first."""

SILENCE_DB: Final = -65.0
"""Sound below this level is never speech."""
SPEECH_SPAN_DB: Final = 35.0
"""Sound further below the speaker's loudest is no speech either."""
ABOVE_FLOOR_DB: Final = 7.0
"""Sound that rises less above the background is part of it."""
GATE_BEFORE_S: Final = 0.15
"""The mouth may move this long before a sound."""
GATE_AFTER_S: Final = 0.25
GATE_TAPER: Final = (1, 2, 3, 2, 1)
"""Weights, over video frames, that open and close the gate softly."""

_FIRST_SPEAKER_WINDOWS: Final = (1, 4, 8)
_SPEAKER_EVERY: Final = SPEAKER_FRAMES // CONTENT_CENTRE_FRAMES
_SPEAKER_MEMORY: Final = 0.8

_MEL_PER_SECOND: Final = SAMPLE_RATE_HZ / CONTENT_HOP
_MEL_PER_FRAME: Final = Fraction(SAMPLE_RATE_HZ, CONTENT_HOP * MOTION_FPS)
"""Mel frames a video frame: 25 in 12."""
_GATE_BEFORE: Final = round(GATE_BEFORE_S * _MEL_PER_SECOND)
_GATE_AFTER: Final = round(GATE_AFTER_S * _MEL_PER_SECOND)
_MEL_AHEAD: Final = CONTENT_CENTRE_FRAMES + CONTENT_RIGHT_FRAMES + BLOCK_FRAMES
LOOK_AHEAD_SAMPLES: Final = (
    (CONTENT_CENTRE_FRAMES + CONTENT_RIGHT_FRAMES) * CONTENT_HOP
    + CONTENT_SETTINGS.n_fft // 2
    + LEAD_FRAMES * SAMPLE_RATE_HZ // MOTION_FPS
)
"""At most this much sound after a frame's own time is needed before the frame is given.

Mel blocks add nothing, for content windows begin and end with them."""
assert CONTENT_CENTRE_FRAMES % BLOCK_FRAMES == CONTENT_RIGHT_FRAMES % BLOCK_FRAMES == 0

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LipRunners:
    """The three networks between voice and lips."""

    speaker_encoder: Runner
    """Mel to voice."""
    content_encoder: Runner
    """Mel and voice to content code."""
    neutral_landmarks: Runner
    """Content code and anchor to displacements."""


@dataclass
class _Track:
    """Rows of a signal in time, of which the past is dropped once it is no longer needed."""

    width: int
    first: int = 0
    rows: Array = field(init=False)

    def __post_init__(self) -> None:
        self.rows = np.zeros((0, self.width), np.float32)

    @property
    def end(self) -> int:
        return self.first + len(self.rows)

    def append(self, rows: Array) -> None:
        self.rows = np.concatenate([self.rows, rows])

    def read(self, start: int, stop: int) -> Array:
        """Rows `start` to `stop`; zeros before the beginning of time."""
        before = np.zeros((max(0, -start), self.width), np.float32)
        return np.concatenate([before, self.rows[max(0, start) - self.first : stop - self.first]])

    def drop(self, until: int) -> None:
        count = max(0, min(until, self.end) - self.first)
        self.rows, self.first = self.rows[count:], self.first + count


def _mel_frame(frame: int) -> int:
    """Last mel frame at or before a video frame."""
    return int(frame * _MEL_PER_FRAME // 1)


def code_at(codes: Array, frame: int, first: int = 0) -> Array:
    """Content code at a video frame's time, linear between mel frames.

    Parameters
    ----------
    codes : (T, 64) float32
        Codes at mel rate, 62.5 a second.
    frame : int
        Video frame at 30 a second.
    first : int
        Mel frame that ``codes[0]`` belongs to.

    Returns
    -------
    (64,) float32
    """
    index, rest = divmod(frame * _MEL_PER_FRAME, 1)
    low, high = codes[index - first], codes[index + 1 - first]
    share = np.float32(float(rest))
    return np.asarray((1 - share) * low + share * high, np.float32)


def speech_gate(spoken: NDArray[np.bool_], frame: int, first: int = 0) -> float:
    """Tell how open the gate is at a video frame.

    Parameters
    ----------
    spoken : (T,) bool
        Whether each mel frame holds speech.
    frame : int
        Video frame at 30 a second.
    first : int
        Mel frame that ``spoken[0]`` belongs to; earlier and later ones are silent.

    Returns
    -------
    float, [0, 1]
        0 far from any speech, 1 within it.
    """
    reach = len(GATE_TAPER) // 2
    total = 0
    for weight, near in zip(GATE_TAPER, range(frame - reach, frame + reach + 1), strict=True):
        mel = _mel_frame(near)
        heard = spoken[max(0, mel - _GATE_AFTER - first) : max(0, mel + _GATE_BEFORE + 1 - first)]
        total += weight * bool(heard.any())
    return total / sum(GATE_TAPER)


class LipSync:
    """Accumulator from sound to displacements of the neutral face.

    Parameters
    ----------
    anchor : (68, 3) floating, canonical units
        Landmarks of the portrait.
    runners : LipRunners

    Raises
    ------
    InputError
        An anchor of another shape.

    References
    ----------
    .. [1] Paper, section 3.1: ``x'_t = x_anchor + Δx_t``; this gives the Δx.
    """

    def __init__(self, anchor: NDArray[np.floating], runners: LipRunners) -> None:
        if np.shape(anchor) != (NUM_LANDMARKS, 3):
            raise InputError(
                f"expected an anchor of shape ({NUM_LANDMARKS}, 3), got {np.shape(anchor)}; "
                "pass one portrait's canonical landmarks"
            )
        self._runners = runners
        self._anchor = np.ascontiguousarray(anchor, np.float32)[None]
        self._mel_stream = MelStream()
        self._num_samples = 0
        self._mel = _Track(NUM_MEL_BANDS)
        self._spoken = _Track(1)
        self._codes = _Track(CONTENT_SIZE)
        self._speaker: Array | None = None
        self._spoken_windows = 0
        self._lstm = tuple(zero_state(NEUTRAL_LANDMARKS).values())
        self._fed = 0
        self._moved = _Track(NUM_LANDMARKS * 3)
        self._given = 0

    def push(self, samples: Array) -> Array:
        """Take sound and return the frames that it completes.

        Parameters
        ----------
        samples : (n,) float32, mono, [-1, 1], 16 kHz

        Returns
        -------
        (T, 68, 3) float32, canonical units
            Displacements at 30 frames a second; exactly zero away from speech.
        """
        self._num_samples += len(samples)
        self._hear(self._mel_stream.push(samples))
        return self._advance(num_frames=None)

    def close(self) -> Array:
        """Return the remaining frames: ``ceil(num_samples * 30 / 16000)`` were given in all."""
        num_frames = num_frames_of(self._num_samples, MOTION_FPS)
        self._hear(self._mel_stream.close())
        last = _mel_frame(num_frames + LEAD_FRAMES) + _MEL_AHEAD + _GATE_BEFORE
        silent = max(0, last - self._mel.end)
        self._mel.append(np.zeros((silent, NUM_MEL_BANDS), np.float32))
        self._spoken.append(np.zeros((silent, 1), np.float32))
        return self._advance(num_frames)

    def _hear(self, frames: MelFrames) -> None:
        threshold = np.maximum(SILENCE_DB, frames.reference_db - SPEECH_SPAN_DB)
        threshold = np.maximum(threshold, frames.floor_db + ABOVE_FLOOR_DB)
        self._mel.append(frames.mel)
        self._spoken.append((frames.level_db > threshold).astype(np.float32)[:, None])

    def _advance(self, num_frames: int | None) -> Array:
        self._encode()
        while _mel_frame(self._fed) + 1 < self._codes.end:
            self._move()
        return self._give(num_frames)

    def _encode(self) -> None:
        """Encode every content window whose right context has been heard."""
        while self._codes.end + CONTENT_CENTRE_FRAMES + CONTENT_RIGHT_FRAMES <= self._mel.end:
            start = self._codes.end
            stop = start + CONTENT_CENTRE_FRAMES + CONTENT_RIGHT_FRAMES
            speaker = self._listen(start, stop)
            window = self._mel.read(start - CONTENT_LEFT_FRAMES, stop)[None]
            (codes,) = self._runners.content_encoder.run(window, speaker)
            self._codes.append(codes[0])
        self._mel.drop(self._codes.end - SPEAKER_FRAMES)

    def _listen(self, start: int, stop: int) -> Array:
        """Voice of the speaker, measured anew every two seconds of speech, sooner at the start."""
        spoken = bool(self._spoken.read(start, stop).any())
        self._spoken_windows += spoken
        count = self._spoken_windows
        due = spoken and (count in _FIRST_SPEAKER_WINDOWS or count % _SPEAKER_EVERY == 0)
        if self._speaker is None or due:
            mel = self._mel.read(max(0, stop - SPEAKER_FRAMES), stop)
            full = np.resize(mel, (1, SPEAKER_FRAMES, NUM_MEL_BANDS))
            (voice,) = self._runners.speaker_encoder.run(full)
            old = self._speaker if count > _SPEAKER_EVERY else None
            mixed = voice if old is None else _SPEAKER_MEMORY * old + voice
            self._speaker = np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-6), np.float32)
        return self._speaker

    def _move(self) -> None:
        """Step the LSTM by one frame; frame by frame, so that batching cannot change a sum."""
        code = code_at(self._codes.rows, self._fed, self._codes.first)[None, None]
        moved, *lstm = self._runners.neutral_landmarks.run(code, self._anchor, *self._lstm)
        self._lstm = tuple(lstm)
        self._fed += 1
        if self._fed > LEAD_FRAMES:
            self._moved.append(moved.reshape(1, -1))
        self._codes.drop(_mel_frame(self._fed))

    def _give(self, num_frames: int | None) -> Array:
        """Gate and return frames; up to `num_frames` in all once the sound has ended."""
        ready = self._moved.end
        if num_frames is None:
            reach = len(GATE_TAPER) // 2
            heard = (self._spoken.end - 1 - _GATE_BEFORE) // _MEL_PER_FRAME - reach
            ready = min(ready, heard)
        else:
            ready = min(ready, num_frames)
        frames = range(self._given, max(ready, self._given))
        spoken = self._spoken.rows[:, 0] > 0
        gates = [speech_gate(spoken, n, self._spoken.first) for n in frames]
        moved = self._moved.read(frames.start, frames.stop)
        moved = moved * np.asarray(gates, np.float32).reshape(-1, 1)
        self._given = frames.stop
        self._moved.drop(self._given)
        self._spoken.drop(
            min(_mel_frame(self._given) - 2 * _GATE_AFTER, self._codes.end - SPEAKER_FRAMES)
        )
        return moved.reshape(-1, NUM_LANDMARKS, 3)
