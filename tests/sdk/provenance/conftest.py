"""One rendered clip of toy networks, and a certificate made for the occasion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emohead.clip import Clip
from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE

from .authority import Authority, make_authority

EMOTION = "happy=0.4,sad=0.25"


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    time_s = np.arange(6_400) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 180 * time_s)
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(path, tone, 16_000)
    return path


@pytest.fixture(scope="session")
def head(tiny_bundle: Path) -> TalkingHead:
    return TalkingHead.load(tiny_bundle, backend="cpu", threads=1)


@pytest.fixture(scope="session")
def clip(head: TalkingHead, voice: Path) -> Clip:
    face = head.portrait(SAMPLE_FACE)
    return head.animate(face, voice, emotion=EMOTION, strength=0.5, seed=7, fps=25)


@pytest.fixture(scope="session")
def rendered(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip.save(tmp_path_factory.mktemp("rendered") / "a.mp4")


@pytest.fixture(scope="session")
def authority() -> Authority:
    pytest.importorskip("cryptography")
    return make_authority()
