"""Executor frames against the frames of clips, on real networks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest

from emohead.audio import Audio, read_audio
from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


@pytest.fixture(scope="module")
def head() -> TalkingHead:
    return TalkingHead.load(backend="cpu", threads=1)


def test_frames_of_an_executor_equal_those_of_the_clips(head: TalkingHead) -> None:
    face = head.portrait(SAMPLE_FACE)
    voice = Audio(read_audio(SAMPLE_SPEECH).samples[8_000:14_000])
    clips = [head.animate(face, voice, emotion=e) for e in ("happy", "sad")]
    wanted = [list(islice(clip, 5)) for clip in clips]
    with head.executor(lanes=1) as executor:
        tracks = [executor.render(clip) for clip in clips]
        with ThreadPoolExecutor(2) as callers:
            taken = list(callers.map(lambda t: list(islice(t.frames(), 5)), tracks))
        assert executor.stats().num_batches < executor.stats().num_frames
    for mine, clip in zip(taken, wanted, strict=True):
        for a, b in zip(mine, clip, strict=True):
            # Batching changes the order of sums: single values round to the next byte.
            assert np.abs(a.astype(int) - b).max() <= 1
            assert (a != b).mean() < 1e-3
    assert np.abs(taken[0][4].astype(int) - taken[1][4]).max() > 20
