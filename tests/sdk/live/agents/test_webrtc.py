"""The WebRTC tracks, alone and between two peers of this machine."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

pytest.importorskip("aiortc", reason="needs the extra agents")

from aiortc.mediastreams import MediaStreamError

from emohead.agents.webrtc import TalkingTracks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_tracks_keep_one_clock_and_end_with_the_stream(live, pcm) -> None:
    async def receive() -> tuple[list[Any], list[Any]]:
        tracks = TalkingTracks(live)
        live.push_audio(pcm, last=True)
        videos = [await tracks.video.recv() for _ in range(24)]
        audios = [await tracks.audio.recv() for _ in range(38)]
        live.close()
        with pytest.raises(MediaStreamError):
            for _ in range(100):
                await tracks.video.recv()
        await tracks.aclose()
        return videos, audios

    videos, audios = asyncio.run(receive())
    assert [v.pts for v in videos] == [3000 * i for i in range(24)]
    assert {(v.width, v.height) for v in videos} == {(256, 256)}
    assert [a.pts for a in audios] == [480 * i for i in range(38)]
    heard = np.concatenate([a.to_ndarray()[0] for a in audios])
    np.testing.assert_array_equal(heard, pcm[: len(heard)])


def test_sound_that_nobody_read_leaves_the_later_one_in_step(fake_stream) -> None:
    async def receive() -> tuple[Any, list[Any]]:
        live = fake_stream(fps=60, sample_rate=24_000)
        tracks = TalkingTracks(live)
        videos = [await tracks.video.recv() for _ in range(40)]
        audios = [await tracks.audio.recv() for _ in range(20)]
        live.close()
        await tracks.aclose()
        return videos[-1], audios

    video, audios = asyncio.run(receive())
    starts = [float(a.pts * a.time_base) for a in audios]
    assert starts[0] > 0.1
    assert starts[0] == pytest.approx(float(video.pts * video.time_base), abs=31 / 60)
    assert np.diff(starts) == pytest.approx(1 / 50)


def test_a_stream_that_fails_ends_its_tracks(fake_stream) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the network is gone")

    async def receive() -> None:
        live = fake_stream()
        live._director.draft = fail
        tracks = TalkingTracks(live)
        for track in (tracks.video, tracks.audio):
            with pytest.raises(MediaStreamError):
                await asyncio.wait_for(track.recv(), 5)
        await tracks.aclose()

    asyncio.run(receive())


class Sink:
    """Receives tracks as aiortc's recorders do."""

    def __init__(self) -> None:
        self.frames: dict[str, list[Any]] = {"audio": [], "video": []}
        self._tasks: list[asyncio.Task[None]] = []

    def addTrack(self, track: Any) -> None:  # noqa: N802 - aiortc's name
        self._tasks.append(asyncio.ensure_future(self._read(track)))

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, track: Any) -> None:
        while True:
            self.frames[track.kind].append(await track.recv())


def test_the_example_is_seen_and_heard_by_another_peer(example, live, pcm) -> None:
    sink = Sink()
    asyncio.run(example("webrtc_loopback").say(live, pcm.astype(np.float32) / 32768, sink))
    assert len(sink.frames["video"]) >= 5
    assert sink.frames["video"][0].width == 256
    heard = np.concatenate([f.to_ndarray().ravel() for f in sink.frames["audio"]])
    assert np.abs(heard.astype(int)).max() > 1000
