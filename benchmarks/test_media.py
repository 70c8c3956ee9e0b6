"""Time of reading and writing media, without any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead.audio import read_audio
from emohead.images import read_image
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.video import VideoWriter


def test_read_audio(benchmark: Any) -> None:
    assert benchmark(read_audio, SAMPLE_SPEECH).duration_s > 1


def test_read_image(benchmark: Any) -> None:
    assert benchmark(read_image, SAMPLE_FACE).shape[2] == 3


@pytest.mark.parametrize("side", [256, 1080])
def test_write_a_second_of_video(benchmark: Any, tmp_path: Path, side: int) -> None:
    picture = read_image(SAMPLE_FACE)
    tiles = (side // picture.shape[0] + 1, side // picture.shape[1] + 1, 1)
    frames = [np.roll(np.tile(picture, tiles)[:side, :side], 2 * i, axis=1) for i in range(30)]
    audio = read_audio(SAMPLE_SPEECH)

    def write() -> None:
        with VideoWriter(tmp_path / "a.mp4", audio=audio) as writer:
            for frame in frames:
                writer.write(frame)

    benchmark(write)
    assert (tmp_path / "a.mp4").stat().st_size > 1000
