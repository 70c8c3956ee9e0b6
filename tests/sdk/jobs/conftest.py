"""A short voice, jobs, and a head of toy networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emohead.head import TalkingHead
from emohead.jobs import Job, job_from
from emohead.samples import SAMPLE_FACE


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fifth of a second of sound: 6 frames at 30 a second."""
    path = tmp_path_factory.mktemp("voices") / "voice.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 180 * np.arange(3_200) / 16_000), 16_000)
    return path


@pytest.fixture(scope="session")
def head(tiny_bundle: Path) -> TalkingHead:
    return TalkingHead.load(tiny_bundle, threads=1)


@pytest.fixture
def make_job(voice: Path) -> Callable[..., Job]:
    def make(**fields: Any) -> Job:
        return job_from({"face": SAMPLE_FACE, "speech": voice, "output": "a.mp4", **fields})

    return make
