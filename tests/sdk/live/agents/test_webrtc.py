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
