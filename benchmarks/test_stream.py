"""A live stream: time from the sound that the first picture depends on, and sustained speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emohead.audio import read_audio
from emohead.bench.targets import Target
from emohead.head import TalkingHead
from emohead.portrait import Portrait
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.stream import VideoFrame

CHUNK = 320
"""20 ms at 16 kHz, as a call's packets."""
LIMIT_S = 0.4
"""The first picture comes within this time, once the sound it depends on is there."""


@pytest.fixture
def actor(target: Target) -> tuple[TalkingHead, Portrait]:
    head = TalkingHead.load(target.bundle, backend=target.backend, precision=target.graphs)
    return head, head.portrait(SAMPLE_FACE)


@pytest.mark.parametrize("emotion", ["happy", None], ids=["told", "followed"])
def test_first_frame(benchmark: Any, actor: tuple[TalkingHead, Portrait], emotion: Any) -> None:
    head, face = actor
    speech = read_audio(SAMPLE_SPEECH).samples

    def first_frame() -> float:
        with head.stream(face, emotion=emotion) as live:
            for start in range(0, len(speech), CHUNK):
                live.push_audio(speech[start : start + CHUNK])
                if live.take():
                    break
            assert live.stats.first_frame_s is not None
            return live.stats.first_frame_s

    waits = [first_frame() for _ in range(8)]
    benchmark.pedantic(first_frame, rounds=5)
    benchmark.extra_info["first_frame_ms"] = round(1e3 * float(np.median(waits[1:])), 1)
    benchmark.extra_info["worst_first_frame_ms"] = round(1e3 * max(waits), 1)
    assert float(np.median(waits[1:])) <= LIMIT_S


def test_sustained(benchmark: Any, actor: tuple[TalkingHead, Portrait]) -> None:
    head, face = actor
    speech = read_audio(SAMPLE_SPEECH).samples

    def talk() -> int:
        with head.stream(face) as live:
            count = 0
            for start in range(0, len(speech), CHUNK):
                live.push_audio(speech[start : start + CHUNK], last=start + CHUNK >= len(speech))
                count += sum(isinstance(frame, VideoFrame) for frame in live)
            return count

    num_frames = benchmark.pedantic(talk, rounds=3, warmup_rounds=1)
    benchmark.extra_info["fps"] = round(num_frames / benchmark.stats["median"], 1)
    assert num_frames == -(-len(speech) * 30 // 16_000)


def test_idle_frame(benchmark: Any, actor: tuple[TalkingHead, Portrait]) -> None:
    head, face = actor
    with head.stream(face) as live:
        frames = benchmark(live.take, idle=True)
    assert frames[0].is_idle
