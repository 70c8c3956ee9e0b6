"""Clips of two methods, as small as browsers take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emohead.audio import Audio
from emohead.video import VideoWriter

METHODS = ("ours", "rival")
SETS = ("anna", "bert")


def write_clip(path: Path, level: int) -> Path:
    """A grey second at ten frames a second, with a tone."""
    tone = 0.1 * np.sin(np.arange(16_000) / 8).astype(np.float32)
    with VideoWriter(path, fps=10, audio=Audio(tone)) as writer:
        for _ in range(10):
            writer.write(np.full((64, 64, 3), level, np.uint8))
    return path


@pytest.fixture(scope="session")
def method_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("clips")
    for number, method in enumerate(METHODS):
        (root / method).mkdir()
        for name in SETS:
            write_clip(root / method / f"{name}.mp4", 80 + 60 * number)
    return {method: root / method for method in METHODS}
