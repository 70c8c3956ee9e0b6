"""Two acted sentences end to end, through the default bundle: the track shows the switch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ, Audio, read_audio
from emohead.emotion.hearing import open_encoder, read_emotion
from emohead.runner import Runner

CALM, ANGRY = "03-01-02-02-01-01", "03-01-05-02-01-01"
"""Strong acting of one sentence, first take, as RAVDESS numbers it."""
ACTORS = ("03", "04", "05")
"""People of the test side: this is a test, and no constant was chosen by it."""


@pytest.fixture(scope="module")
def encoder() -> Runner:
    return open_encoder(backend="cpu")


def _onset_s(sound: NDArray[np.float32]) -> float:
    """Time of the first block of 32 ms that is a tenth as loud as the loudest."""
    blocks = sound[: len(sound) // 512 * 512].reshape(-1, 512)
    loudness = np.sqrt(np.square(blocks).mean(axis=1))
    return float(np.argmax(loudness > 0.1 * loudness.max())) * 512 / SAMPLE_RATE_HZ


@pytest.mark.parametrize("actor", ACTORS)
def test_calm_then_angry_shows_within_a_second(
    shared_data: Path, encoder: Runner, actor: str
) -> None:
    folder = shared_data / "audio" / "ravdess"
    calm, angry = (read_audio(folder / f"{c}-{actor}.ogg").samples for c in (CALM, ANGRY))
    switch_s = len(calm) / SAMPLE_RATE_HZ + _onset_s(angry)
    both = Audio(np.concatenate([calm, angry]))
    segments = read_emotion(both, encoder).segments(both.duration_s)
    at_s = next(start for start, name in segments if name == "angry")
    assert {"neutral", "calm"} & {name for start, name in segments if start < at_s - 1}
    assert abs(at_s - switch_s) < 1.0
