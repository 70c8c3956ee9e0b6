"""Filmed faces: frames upright, as every player shows them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from emohead.footage import film_of
from emohead.video import VideoWriter

TURNS = {  # how a camera was held, as rows of the track's matrix, and where top left is then shown
    0: ((1, 0), (0, 1), (0, 0)),
    90: ((0, 1), (-1, 0), (0, -1)),
    180: ((-1, 0), (0, -1), (-1, -1)),
    270: ((0, -1), (1, 0), (-1, 0)),
}


def filmed(path: Path, degrees: int) -> Path:
    """Make a film of 64x96 px with a bright corner at its top left, to be turned clockwise."""
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:24, :24] = 255
    with VideoWriter(path) as writer:
        writer.write(frame)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    (a, b), (c, d), _ = TURNS[degrees]
    one = 1 << 16
    struct.pack_into(">4i", content, matrix, a * one, b * one, 0, c * one)
    struct.pack_into(">i", content, matrix + 16, d * one)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("degrees", TURNS)
def test_frames_are_upright_however_the_camera_was_held(tmp_path: Path, degrees: int) -> None:
    (frame,) = film_of(filmed(tmp_path / "a.mp4", degrees))
    assert frame.shape == ((64, 96, 3) if degrees % 180 == 0 else (96, 64, 3))
    y, x = TURNS[degrees][2]
    corners = {(i, j): frame[i * 8 :, j * 8 :][:1, :1].mean() for i in (0, -1) for j in (0, -1)}
    assert corners[y, x] > 200
    assert sum(v > 200 for v in corners.values()) == 1
