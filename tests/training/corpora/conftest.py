"""Small recordings of the sample portrait, moving a little, with a tone as its voice."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from emohead.images import read_image
from emohead.samples import SAMPLE_FACE

RATE_HZ = 44_100


def tone(seconds: float, silent_s: float = 0.0) -> np.ndarray:
    """A tone of 300 Hz after some silence, at 44.1 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.where(time_s < silent_s, 0, 0.3 * np.sin(2 * np.pi * 300 * time_s)).astype(np.float32)


def _encode_sound(container, stream, samples: np.ndarray) -> None:
    plain = stream.codec_context.name == "pcm_s16le"
    values = (samples * 32767).astype(np.int16) if plain else samples.astype(np.float32)
    kind = "s16" if plain else "fltp"
    frame = av.AudioFrame.from_ndarray(values[None], format=kind, layout="mono")
    frame.rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_sound(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = {".wav": "pcm_s16le", ".mp3": "libmp3lame"}[path.suffix]
    with av.open(str(path), "w") as container:
        _encode_sound(container, container.add_stream(codec, rate=RATE_HZ, layout="mono"), samples)


def write_video(
    path: Path, pictures: list[np.ndarray], *, fps: int = 25, sound: np.ndarray | None = None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, voice = ("flv", "libmp3lame") if path.suffix == ".flv" else ("libx264", "aac")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        track = None if sound is None else container.add_stream(voice, rate=RATE_HZ, layout="mono")
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _encode_sound(container, track, sound)


def talking(count: int) -> list[np.ndarray]:
    """Frames (240, 320, 3) of a swaying portrait before a grey wall."""
    face = cv2.resize(read_image(SAMPLE_FACE), (200, 200), interpolation=cv2.INTER_AREA)
    pictures = []
    for index in range(count):
        picture = np.full((240, 320, 3), 90, np.uint8)
        x = 60 + round(6 * np.sin(index / 4))
        picture[20:220, x : x + 200] = face
        pictures.append(picture)
    return pictures


@pytest.fixture(scope="session")
def studio() -> SimpleNamespace:
    """Functions that make recordings."""
    return SimpleNamespace(
        tone=tone, talking=talking, write_sound=write_sound, write_video=write_video
    )
