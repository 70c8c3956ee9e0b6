"""A folder of what pages and examples take for granted, and quick networks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import emohead.bundle
from emohead.audio import SAMPLE_RATE_HZ, audio_from_array, read_audio
from emohead.images import read_image
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.video import VideoWriter

SPEECH_S = 0.5
"""How much of the sample voice they hear."""
LONG_TALK_S = 3.2
"""How long the longer film of a talking person is: a style wants 3 s."""
TALK_FPS = 10


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    """Folder of what the pages take for granted: faces, voices, a talk, a bundle."""
    folder = tmp_path_factory.mktemp("media")
    speech = read_audio(SAMPLE_SPEECH)
    samples = speech.samples[: round(SPEECH_S * speech.sample_rate)]
    face = read_image(SAMPLE_FACE)
    for name in ("face.jpg", "other.jpg"):
        shutil.copy(SAMPLE_FACE, folder / name)
    for name in ("speech.wav", "other.wav"):
        soundfile.write(folder / name, samples, speech.sample_rate)
    _write_talk(folder / "talk.mp4", face, samples)
    long = speech.samples[: round(LONG_TALK_S * speech.sample_rate)]
    _write_talk(folder / "long-talk.mp4", face, long)
    (folder / "BUNDLE").symlink_to(tiny_bundle)
    return folder


def _write_talk(path: Path, face: np.ndarray, samples: np.ndarray) -> None:
    """Film of a person who looks as the photo does, whatever is said."""
    sound = audio_from_array(samples, SAMPLE_RATE_HZ)
    with VideoWriter(path, fps=TALK_FPS, audio=sound) as writer:
        for _ in range(round(len(samples) / SAMPLE_RATE_HZ * TALK_FPS)):
            writer.write(face)


@pytest.fixture
def desk(media: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of these files, with toy networks of the true contract as the default."""
    shutil.copytree(media, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(emohead.bundle, "DEFAULT_BUNDLE", tiny_bundle)
    return tmp_path
