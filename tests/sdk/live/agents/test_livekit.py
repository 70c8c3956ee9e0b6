"""The LiveKit adapter in LiveKit's own runner, without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

pytest.importorskip("livekit.agents", reason="needs the extra agents")

from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd

from emohead.agents.livekit import TalkingVideoGenerator, avatar_options

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def chunk(pcm: np.ndarray, channels: int = 1, rate: int = 24_000) -> rtc.AudioFrame:
    spread = np.repeat(pcm, channels)
    return rtc.AudioFrame(spread.tobytes(), rate, channels, len(pcm))


async def until_end(frames: Any) -> list[Any]:
    found = []
    async for frame in frames:
        found.append(frame)
        if isinstance(frame, AudioSegmentEnd):
            return found
    return found


def test_sound_and_pictures_of_an_utterance_and_then_its_end(live, pcm) -> None:
    async def talk() -> list[Any]:
        generator = TalkingVideoGenerator(live)
        await generator.push_audio(chunk(pcm, channels=2))
        await generator.push_audio(AudioSegmentEnd())
        return await until_end(generator.__aiter__())

    frames = asyncio.run(talk())
    videos = [f for f in frames if isinstance(f, rtc.VideoFrame)]
    audios = [f for f in frames if isinstance(f, rtc.AudioFrame)]
    assert len(videos) == len(audios) == -(-len(pcm) * 30 // 24_000)
    assert {(v.width, v.height, v.type) for v in videos} == {(256, 256, rtc.VideoBufferType.RGB24)}
    heard = np.concatenate([np.frombuffer(a.data, np.int16) for a in audios])
    np.testing.assert_array_equal(heard[: len(pcm)], pcm)
    assert isinstance(frames[-1], AudioSegmentEnd)


def test_pictures_alone_while_nobody_speaks(live) -> None:
    async def watch() -> list[Any]:
        frames = TalkingVideoGenerator(live).__aiter__()
        return [await anext(frames) for _ in range(5)]

    assert all(isinstance(f, rtc.VideoFrame) for f in asyncio.run(watch()))


def test_after_an_interruption_only_new_sound_is_heard(live, pcm) -> None:
    async def talk() -> list[Any]:
        generator = TalkingVideoGenerator(live)
        frames = generator.__aiter__()
        await generator.push_audio(chunk(np.full(24_000, 1000, np.int16)))
        old = [await anext(frames) for _ in range(4)]
        assert any(isinstance(f, rtc.AudioFrame) for f in old)
        generator.clear_buffer()
        await generator.push_audio(chunk(np.full(12_000, 2000, np.int16)))
        await generator.push_audio(AudioSegmentEnd())
        return await until_end(frames)

    frames = asyncio.run(talk())
    heard = np.concatenate(
        [np.frombuffer(f.data, np.int16) for f in frames if isinstance(f, rtc.AudioFrame)]
    )
    assert set(heard) == {2000}


def test_options_say_what_the_stream_gives(live) -> None:
    options = avatar_options(live, height=100, width=200)
    assert (options.video_width, options.video_height, options.video_fps) == (200, 100, 30)
    assert (options.audio_sample_rate, options.audio_channels) == (24_000, 1)


def test_the_example_speaks_through_livekits_runner(example, live, pcm) -> None:
    module = example("livekit_avatar")
    event = asyncio.run(module.say(live, module.NoRoom(), pcm, 24_000))
    assert not event.interrupted
    assert event.playback_position == pytest.approx(len(pcm) / 24_000, abs=0.05)


def test_the_runner_reports_an_interruption(example, live, pcm) -> None:
    from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput

    async def talk() -> Any:
        audio = QueueAudioOutput(sample_rate=24_000)
        runner = AvatarRunner(
            example("livekit_avatar").NoRoom(),
            audio_recv=audio,
            video_gen=TalkingVideoGenerator(live),
            options=avatar_options(live),
        )
        await runner.start()
        await audio.capture_frame(chunk(np.tile(pcm, 4)))
        audio.flush()
        while live.stats.num_frames - live.stats.num_idle_frames < 10:
            await asyncio.sleep(0.01)
        audio.clear_buffer()
        event = await audio.wait_for_playout()
        await runner.aclose()
        return event

    event = asyncio.run(talk())
    assert event.interrupted
    assert 0 < event.playback_position < 2
    assert not live.is_speaking
