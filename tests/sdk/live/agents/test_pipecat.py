"""The Pipecat service in a real pipeline."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pipecat", reason="needs the extra agents")

from pipecat.frames.frames import (
    InterruptionFrame,
    OutputImageRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.tests.utils import SleepFrame, run_test

from emohead.agents.pipecat import TalkingVideoService

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def sent(live: Any, frames: list[Any]) -> list[Any]:
    """Send frames down a pipeline of the service alone; return what comes out."""

    async def run() -> list[Any]:
        down, _ = await run_test(
            TalkingVideoService(live), frames_to_send=frames, start_timeout=20.0
        )
        return list(down)

    return asyncio.run(run())


def sound(pcm: np.ndarray, rate: int = 24_000) -> TTSAudioRawFrame:
    return TTSAudioRawFrame(pcm.tobytes(), rate, 1)


def heard(frames: list[Any]) -> np.ndarray:
    parts = [np.frombuffer(f.audio, np.int16) for f in frames if isinstance(f, TTSAudioRawFrame)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def test_an_utterance_is_said_in_full_before_its_end_and_the_pipelines(live, pcm) -> None:
    down = sent(live, [TTSStartedFrame(), sound(pcm[:9000]), sound(pcm[9000:]), TTSStoppedFrame()])
    np.testing.assert_array_equal(heard(down)[: len(pcm)], pcm)
    kinds = [type(frame) for frame in down]
    assert kinds.count(TTSStoppedFrame) == 1
    last_sound = max(i for i, kind in enumerate(kinds) if kind is TTSAudioRawFrame)
    assert kinds.index(TTSStoppedFrame) > last_sound
    spoken = [f for f in down if isinstance(f, OutputImageRawFrame) and f.sync_with_audio]
    assert len(spoken) == -(-len(pcm) * 30 // 24_000)
    assert spoken[0].size == (256, 256)
    assert len(spoken[0].image) == 256 * 256 * 3
    with pytest.raises(Exception, match="closed"):
        live.flush()


def test_an_interruption_silences_at_once_and_new_speech_is_heard(live) -> None:
    old, new = np.full(72_000, 1000, np.int16), np.full(12_000, 2000, np.int16)
    down = sent(
        live,
        [
            sound(old),
            SleepFrame(1.0),
            InterruptionFrame(),
            sound(new),
            TTSStoppedFrame(),
        ],
    )
    kinds = [type(frame) for frame in down]
    cut = kinds.index(InterruptionFrame)
    assert 0 < len(heard(down[:cut])) < len(old)
    assert set(heard(down[:cut])) == {1000}
    assert set(heard(down[cut:])) == {2000}
    assert kinds[cut:].count(TTSStoppedFrame) == 1


def test_the_end_of_the_pipeline_waits_for_speech_that_nobody_stopped(live, pcm) -> None:
    down = sent(live, [sound(pcm)])
    np.testing.assert_array_equal(heard(down)[: len(pcm)], pcm)


def test_a_stop_without_speech_passes(live) -> None:
    down = sent(live, [TTSStartedFrame(), TTSStoppedFrame(), SleepFrame(0.2)])
    kinds = [type(frame) for frame in down]
    assert kinds.count(TTSStoppedFrame) == 1
    assert OutputImageRawFrame in kinds
    assert TTSAudioRawFrame not in kinds


def test_the_example_speaks_through_a_pipeline(example, live, pcm) -> None:
    recorder = asyncio.run(example("pipecat_avatar").say(live, pcm, 24_000))
    assert len(recorder.pictures) == len(recorder.sounds) == 24
    np.testing.assert_array_equal(np.concatenate(recorder.sounds)[: len(pcm)], pcm)


def test_a_stream_that_fails_lets_the_pipeline_end(live, pcm, monkeypatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the network is gone")

    monkeypatch.setattr(live._director, "draft", fail)

    async def run() -> None:
        frames = [SleepFrame(0.5), sound(pcm), TTSStoppedFrame()]
        pipeline = run_test(TalkingVideoService(live), frames_to_send=frames, start_timeout=20.0)
        await asyncio.wait_for(pipeline, 15)

    asyncio.run(run())
