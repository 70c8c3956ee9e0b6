"""Streams without networks: every frame once, exact clocks, interruption, waiting, threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emohead.errors import InputError
from emohead.stream import AudioFrame, VideoFrame

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)


def tone(value: float, length: int) -> np.ndarray:
    return np.full(length, value, np.float32)


def checked(frames: list[Any], fps: int, rate: int, first: int = 0) -> None:
    """Pictures and sounds alternate, none is lost or repeated, and clocks are exact."""
    videos, audios = frames[::2], frames[1::2]
    assert all(isinstance(v, VideoFrame) for v in videos)
    assert all(isinstance(a, AudioFrame) for a in audios)
    for number, (video, audio) in enumerate(zip(videos, audios, strict=True), start=first):
        assert video.index == audio.index == number
        assert video.start == audio.start == number * rate // fps
        assert audio.start + len(audio.samples) == (number + 1) * rate // fps


ACTIONS = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 9000), st.sampled_from((None, *RATES))),
    st.tuples(st.just("take"), st.integers(1, 12), st.booleans()),
    st.tuples(st.sampled_from(("flush", "interrupt", "clear_buffer"))),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(ACTIONS, max_size=25), st.sampled_from((24, 25, 30, 60)), st.sampled_from(RATES[1:])
)
def test_whatever_happens_no_frame_is_lost_or_repeated(
    fake_stream, actions: list[Any], fps: int, rate: int
) -> None:
    stream, frames = fake_stream(fps=fps, sample_rate=rate), []
    for name, *values in actions:
        if name == "push":
            stream.push_audio(tone(0.5, values[0]), sample_rate=values[1])
        elif name == "take":
            for _ in range(values[0]):
                frames.extend(stream.take(idle=values[1]))
        else:
            getattr(stream, name)()
    stream.flush()
    frames.extend(stream)
    checked(frames, fps, rate)
    stats = stream.stats
    given_samples = sum(len(a.samples) for a in frames[1::2] if not a.is_idle)
    assert stats.num_samples == sum(len(a.samples) for a in frames[1::2])
    assert stats.num_frames == len(frames) // 2
    kept = stats.num_samples_pushed - stats.num_samples_dropped
    # Each utterance is filled up with silence to its last frame's end, which rounds by a sample.
    assert -stats.num_utterances <= given_samples - kept
    assert given_samples - kept <= stats.num_utterances * (2 * rate / fps + 2)


def test_what_was_heard_is_spoken_however_often_the_buffer_is_cleared(fake_stream) -> None:
    stream = fake_stream(fps=24, sample_rate=16_000)
    stream.push_audio(tone(0.5, 320))
    assert stream.take() == ()
    stream.clear_buffer()
    stream.clear_buffer()
    video, audio = stream
    assert audio.ends_speech
    assert video.index == 0


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=12), st.integers(0, 40))
def test_the_first_frame_after_an_interruption_belongs_to_the_new_sound(
    fake_stream, lengths: list[int], taken: int
) -> None:
    stream = fake_stream(sample_rate=24_000)
    for length in lengths:
        stream.push_audio(tone(0.25, length))
    before = [f for _ in range(taken) for f in stream.take()]
    stream.interrupt()
    stream.push_audio(tone(0.5, 12_000), last=True)
    after = list(stream)
    checked(before + after, 30, 24_000)
    assert {*np.concatenate([f.samples for f in after[1::2]])} == {np.float32(0.5)}
    assert len(after) == 2 * 15
    assert after[-1].ends_speech


def test_sound_that_is_pushed_comes_back_as_it_was(fake_stream) -> None:
    stream = fake_stream(fps=24, sample_rate=44_100)
    pcm = np.random.default_rng(0).integers(-32768, 32767, 44_100, np.int16, endpoint=True)
    stream.push_audio(pcm[:20_000])
    stream.push_audio(pcm[20_000:].tobytes(), last=True)
    given_back = np.concatenate([f.pcm16 for f in stream if isinstance(f, AudioFrame)])
    np.testing.assert_array_equal(given_back[: len(pcm)], pcm)
    assert not given_back[len(pcm) :].any()


def test_another_rate_keeps_the_length(fake_stream) -> None:
    stream = fake_stream(sample_rate=16_000)
    for rate in RATES:
        stream.push_audio(tone(0.1, rate), sample_rate=rate)
    stream.flush()
    frames = list(stream)
    assert stream.stats.num_samples_pushed == 16_000 * len(RATES)
    assert len(frames) // 2 == 30 * len(RATES)


def test_frames_come_as_soon_as_the_latency_allows(fake_stream) -> None:
    stream = fake_stream(sample_rate=24_000)
    for chunk in range(1, 60):
        stream.push_audio(tone(0.1, 240))
        count = sum(isinstance(f, VideoFrame) for f in stream)
        missing = chunk * 0.01 - stream.latency.total_s
        assert stream.stats.num_frames >= missing * 30 - 1
        assert count <= 30


def test_an_idle_frame_comes_where_sound_is_missing(fake_stream) -> None:
    stream = fake_stream()
    assert stream.take() == ()
    video, audio = stream.take(idle=True)
    assert video.is_idle
    assert audio.is_idle
    assert not audio.samples.any()
    assert video.time_s == audio.time_s == 0
    stream.push_audio(tone(0.5, 16_000))
    first = next(iter(stream))
    assert (first.index, first.is_idle) == (1, False)


def test_faces_settle_instead_of_jumping(fake_stream) -> None:
    stream = fake_stream()
    stream.push_audio(tone(1.0, 16_000), last=True)
    widths = [f.image[0, 0, 0] for f in stream if isinstance(f, VideoFrame)]
    widths += [stream.take(idle=True)[0].image[0, 0, 0] for _ in range(10)]
    steps = np.diff(np.array(widths, int))
    assert steps[:29].max() == 0
    assert np.ptp(widths) > 30
    assert np.abs(steps).max() < 0.45 * np.ptp(widths)
    assert widths[-1] == widths[-2]


def test_clearing_the_buffer_ends_what_was_begun(fake_stream) -> None:
    stream = fake_stream()
    stream.push_audio(tone(0.5, 160_000))
    first = [stream.take() for _ in range(3)]
    assert all(first)
    stream.clear_buffer()
    rest = list(stream)
    assert rest[-1].ends_speech
    assert 2 < len(rest) // 2 < 30
    assert stream.stats.num_samples_dropped > 100_000
    stream.clear_buffer()
    assert list(stream) == []


def test_a_half_that_was_left_is_given_next_and_silenced_by_an_interruption(fake_stream) -> None:
    stream = fake_stream()
    stream.push_audio(tone(0.5, 16_000))
    for left in (False, True):
        video = next(iter(stream))
        if left:
            stream.interrupt()
        (audio,) = stream.take()
        assert audio.index == video.index
        assert audio.samples.any() != left
    assert stream.take() == ()


def test_pushing_waits_for_room_and_one_thread_is_told(fake_stream) -> None:
    stream = fake_stream(buffer_s=0.5)
    stream.push_audio(tone(0.1, 16_000))
    assert list(stream)
    stream.push_audio(tone(0.1, 16_000))
    with pytest.raises(InputError, match="from another thread"):
        stream.push_audio(tone(0.1, 160))


def test_coroutines_that_wait_for_room_take_no_thread(fake_stream) -> None:
    """Frames are encoded in the loop's threads: with none left, nobody would ever make room."""

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        streams = [fake_stream(buffer_s=0.1) for _ in range(3)]
        for stream in streams:
            stream.push_audio(tone(0.1, 8_000))
        pushes = [asyncio.create_task(s.apush_audio(tone(0.1, 160))) for s in streams]
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 2) == "free"
        for stream in streams:
            while stream.take():
                pass
        await asyncio.wait_for(asyncio.gather(*pushes), 5)

    asyncio.run(main())


def test_coroutine_is_told_where_nobody_takes(fake_stream, monkeypatch) -> None:
    monkeypatch.setattr("emohead.stream.PATIENCE_S", 0.1)
    stream = fake_stream(buffer_s=0.1)
    stream.push_audio(tone(0.1, 8_000))
    with pytest.raises(InputError, match="expected somebody to take frames"):
        asyncio.run(stream.apush_audio(tone(0.1, 160)))


def test_threads_push_and_iterate(fake_stream) -> None:
    stream = fake_stream(buffer_s=0.2)
    longest = []

    def push() -> None:
        for _ in range(40):
            stream.push_audio(tone(0.1, 1600))
            longest.append(stream.pending_s)
        stream.flush()

    pusher = threading.Thread(target=push)
    pusher.start()
    frames = list(stream.frames(wait=True))
    pusher.join()
    checked(frames, 30, 16_000)
    assert len(frames) // 2 == 120
    assert max(longest) <= 0.3 + 1e-9


def test_closing_lets_waiting_threads_go(fake_stream) -> None:
    stream = fake_stream()
    waiting = threading.Thread(target=lambda: list(stream.frames(wait=True)))
    waiting.start()
    stream.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert stream.take(idle=True) == ()
    with pytest.raises(InputError, match="closed"):
        stream.push_audio(tone(0.1, 100))


def test_coroutines_push_and_iterate(fake_stream) -> None:
    async def talk() -> list[Any]:
        async with fake_stream(buffer_s=0.2) as stream:

            async def push() -> None:
                for _ in range(20):
                    await stream.apush_audio(tone(0.1, 1600))
                stream.flush()

            pushing = asyncio.create_task(push())
            frames = [frame async for frame in stream]
            await pushing
            return frames

    frames = asyncio.run(talk())
    checked(frames, 30, 16_000)
    assert len(frames) // 2 == 60


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_coroutine_that_iterates_over_a_closed_stream_ends(fake_stream, when: str) -> None:
    stream = fake_stream()
    draft = stream._director.draft

    def closing(*given: Any) -> Any:
        stream.close()
        return draft(*given)

    async def act() -> list[Any]:
        return [frame async for frame in stream]

    stream.push_audio(tone(0.5, 160))
    if when == "before":
        stream.close()
    else:
        stream._director.draft, stream._release = closing, None
        stream._work = threading.RLock()  # the closing thread is the drafting one
    assert asyncio.run(act()) == []
    assert not asyncio.run(stream.aprepare(idle=True))
    with pytest.raises(InputError, match="closed one"):
        stream.push_audio(tone(0.5, 160))


def test_a_cancelled_coroutine_loses_no_frame(fake_stream) -> None:
    async def talk() -> list[Any]:
        async with fake_stream() as stream:
            stream.push_audio(tone(0.1, 16_000), last=True)
            frames: list[Any] = []
            for delay_s in (0.0, 0.0, 0.001, 0.002) * 10:
                taking = asyncio.create_task(stream.atake())
                await asyncio.sleep(delay_s)
                taking.cancel()
                try:
                    frames.extend(await taking)
                except asyncio.CancelledError:
                    continue
            return frames + [frame async for frame in stream]

    checked(frames := asyncio.run(talk()), 30, 16_000)
    assert len(frames) // 2 == 30


@pytest.mark.parametrize(
    ("pcm", "message"),
    [
        (b"123", "3 bytes"),
        (np.full(5, np.nan, np.float32), "NaN"),
        (np.full(5, 500.0), "peaks"),
        (np.zeros((2, 2, 2)), "shape"),
    ],
)
def test_sound_that_is_none_is_refused_and_the_stream_lives(fake_stream, pcm, message) -> None:
    stream = fake_stream()
    with pytest.raises(InputError, match=message):
        stream.push_audio(pcm)
    stream.push_audio(tone(0.1, 1600), last=True)
    assert len(list(stream)) == 2 * 3


@pytest.mark.parametrize("rate", [0, -1, 7, 10**7])
def test_a_rate_that_is_none_is_refused_and_leaves_no_utterance(fake_stream, rate: int) -> None:
    stream = fake_stream()
    with pytest.raises(InputError, match="expected 1,000 to 768,000"):
        stream.push_audio(tone(0.5, 160), sample_rate=rate)
    stream.flush()
    assert not stream.is_speaking
    stream.push_audio(tone(0.5, 16_000), last=True)
    frames = list(stream)
    checked(frames, 30, 16_000)
    assert len(frames) // 2 == 30


def test_an_hour_of_odd_rates_does_not_drift(fake_stream) -> None:
    stream = fake_stream(fps=24, sample_rate=11_025)
    for number in range(200):
        stream.push_audio(tone(0.1, 1000 + number), last=True)
        frames = [*stream, *stream.take(idle=True)]
        clock = frames[-1].start + len(frames[-1].samples)
        assert abs(clock / 11_025 - (frames[-2].index + 1) / 24) < 1 / 11_025


@pytest.mark.slow
def test_ten_minutes_stay_in_step_and_in_memory(fake_stream) -> None:
    stream, pages = fake_stream(fps=30, sample_rate=16_000), []
    num_audio = num_video = 0
    worst_s = 0.0
    for minute in range(10):
        for _ in range(60):
            stream.push_audio(tone(0.1, 16_000), last=minute % 7 == 0)
            for frame in stream:
                if isinstance(frame, VideoFrame):
                    # Sound given so far against the time at which this picture is due.
                    worst_s = max(worst_s, abs(num_audio / 16_000 - num_video / 30))
                    num_video += 1
                else:
                    num_audio += len(frame.samples)
        pages.append(int(Path("/proc/self/statm").read_text().split()[1]))
    stream.flush()
    rest = list(stream)
    num_video += len(rest) // 2
    num_audio += sum(len(frame.samples) for frame in rest[1::2])
    assert num_video == stream.stats.num_frames == 10 * 60 * 30
    assert num_audio == stream.stats.num_samples == 10 * 60 * 16_000
    assert worst_s < 1 / 30
    assert (pages[-1] - pages[2]) * 4096 < 8e6
