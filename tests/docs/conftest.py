"""A folder of what pages and examples take for granted, and quick networks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import emohead.bundle
from emohead.audio import audio_from_array, read_audio
from emohead.images import read_image
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.video import VideoWriter

SPEECH_S = 0.5
"""How much of the sample voice they hear."""


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
    sound = audio_from_array(samples, speech.sample_rate)
    with VideoWriter(folder / "talk.mp4", fps=25, audio=sound) as writer:
        for _ in range(round(SPEECH_S * 25)):
            writer.write(np.ascontiguousarray(face[:256, :256]))
    (folder / "BUNDLE").symlink_to(tiny_bundle)
    return folder


@pytest.fixture
def desk(media: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of these files, with toy networks of the true contract as the default."""
    shutil.copytree(media, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(emohead.bundle, "DEFAULT_BUNDLE", tiny_bundle)
    return tmp_path
