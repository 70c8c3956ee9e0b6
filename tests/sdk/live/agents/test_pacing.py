"""Streams by the clock, with a clock that the test turns."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from emohead.agents.pacing import LATEST_S, paced


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_frames_come_when_they_are_due_and_speech_follows_idleness(fake_stream) -> None:
    clock, times, idle = Clock(), [], []

    async def watch() -> None:
        stream = fake_stream()
        async for video, audio in paced(stream, clock=clock, sleep=clock.sleep):
            assert video.index == audio.index == len(times)
            times.append(clock.now_s)
            idle.append(video.is_idle)
            if len(times) == 10:
                stream.push_audio(np.full(16_000, 0.1, np.float32), last=True)
            if len(times) == 60:
                stream.close()

    asyncio.run(watch())
    assert np.diff(times) == pytest.approx(1 / 30)
    assert idle == [True] * 10 + [False] * 30 + [True] * 20


def test_a_late_picture_moves_the_clock_instead_of_hurrying_the_next(fake_stream) -> None:
    clock, times = Clock(), []

    async def watch() -> None:
        stream = fake_stream()
        async for _ in paced(stream, clock=clock, sleep=clock.sleep):
            times.append(clock.now_s)
            if len(times) == 5:
                clock.now_s += 3 * LATEST_S
            if len(times) == 10:
                stream.close()

    asyncio.run(watch())
    assert np.diff(times)[4] == pytest.approx(3 * LATEST_S)
    assert np.diff(times)[5:] == pytest.approx(1 / 30)
