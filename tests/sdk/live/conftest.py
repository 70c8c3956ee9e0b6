"""Streams over a face without networks, and over the toy bundle with its true contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emohead.audio import num_frames_of
from emohead.geometry import TEMPLATE
from emohead.head import TalkingHead
from emohead.motion import Motion
from emohead.performance import Looks
from emohead.portrait import Portrait
from emohead.samples import SAMPLE_FACE
from emohead.stream import TalkingStream

LOOK_AHEAD = 4800
"""Samples at 16 kHz that the fake performance waits for."""


class FakePerformance:
    """Gives each frame a face that is as wide as its sound is loud."""

    num_phrases = 0

    def __init__(self, fps: int) -> None:
        self._fps, self._sound, self._given = fps, np.zeros(0, np.float32), 0
        self._first = 0

    def push(self, samples: NDArray[np.float32]) -> Looks:
        self._sound = np.concatenate([self._sound, samples])
        end = self._first + len(self._sound)
        return self._looks(max(0, end - LOOK_AHEAD) * self._fps // 16_000)

    def close(self) -> Looks:
        return self._looks(num_frames_of(self._first + len(self._sound), self._fps))

    def _looks(self, stop: int) -> Looks:
        frames = range(self._given, max(stop, self._given))
        level = [np.abs(self._sound[self._slice(i)]).mean() for i in frames]
        faces = (1 + np.array(level).reshape(-1, 1, 1)) * TEMPLATE
        self._given = frames.stop
        drop = self._given * 16_000 // self._fps - self._first
        self._sound, self._first = self._sound[drop:], self._first + drop
        still = np.zeros((len(frames), 3))
        return Looks(faces=faces, motion=Motion(angles=still, shift=still))

    def _slice(self, frame: int) -> slice:
        start, stop = (i * 16_000 // self._fps - self._first for i in (frame, frame + 1))
        return slice(start, stop)


class FakeRole:
    """Acts without networks."""

    def __init__(self, fps: int = 30) -> None:
        self.fps, self.feeling = fps, self

    def perform(self, start_s: float, first_phrase: int) -> FakePerformance:
        return FakePerformance(self.fps)

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.zeros((len(times_s), 8), np.float32)

    def rest(self, time_s: float) -> Looks:
        zero = np.zeros((1, 3))
        return Looks(faces=TEMPLATE[None].astype(float), motion=Motion(angles=zero, shift=zero))

    def place(self, looks: Looks, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return looks.faces


def paint(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Two pixels, which tell how wide the face is."""
    width = np.uint8(np.clip(np.ptp(points[:, 0]) * 50, 0, 255))
    return np.full((1, 2, 3), width)


@pytest.fixture
def fake_stream() -> Iterator[Callable[..., TalkingStream]]:
    """Make streams without networks: ``fake_stream(fps=30, sample_rate=16000)``."""
    opened: list[TalkingStream] = []

    def make(fps: int = 30, sample_rate: int = 16_000, **others: Any) -> TalkingStream:
        opened.append(TalkingStream(FakeRole(fps), paint, sample_rate=sample_rate, **others))
        return opened[-1]

    yield make
    for stream in opened:
        stream.close()


@pytest.fixture(scope="session")
def tiny_head(tiny_bundle: Path) -> TalkingHead:
    """Toy networks, one thread each."""
    return TalkingHead.load(tiny_bundle, backend="cpu", threads=1)


@pytest.fixture(scope="session")
def tiny_face(tiny_head: TalkingHead) -> Portrait:
    """Face of the sample, as the toy networks see it."""
    return tiny_head.portrait(SAMPLE_FACE)


@pytest.fixture(scope="session")
def voice() -> NDArray[np.float32]:
    """A second and a bit of bursts of noise with pauses, 16 kHz."""
    loud = np.sin(np.arange(19_001) / 3000) > -0.3
    return (np.random.default_rng(1).normal(0, 0.1, 19_001) * loud).astype(np.float32)
