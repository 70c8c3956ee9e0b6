"""A corpus of drawn faces that hum: one who acts every emotion, others, and voices."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from emohead.emotion import EMOTIONS
from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import BROWS, LIP_PAIRS

NUM_FRAMES = 33
RATE_HZ = 16_000
VIDEO = ("file", "source", "identity", "split", "emotion", "fps", "frames", "has_speech")
AUDIO = ("file", "dataset", "speaker", "split", "emotion", "seconds")


def hum(seed: int, seconds: float = NUM_FRAMES / 30) -> np.ndarray:
    """A buzzing tone with noise, different for every seed."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = np.sign(np.sin(2 * np.pi * rng.uniform(90, 250) * time_s))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time_s)
    return (0.1 * tone * swell + rng.normal(0, 0.01, len(time_s))).astype(np.float32)


def landmarks(seed: int, emotion: int) -> np.ndarray:
    """(frames, 68, 3) px of a mouth that opens and closes, brows by emotion."""
    rng = np.random.default_rng(seed)
    faces = np.repeat(TEMPLATE[None] * (90, 90, 90) + (128, 120, 0), NUM_FRAMES, 0)
    faces += rng.normal(0, 2, (1, 68, 3)) + 2 * np.sin(np.arange(NUM_FRAMES))[:, None, None] / 3
    for upper, lower in LIP_PAIRS:
        faces[:, lower, 1] = faces[:, upper, 1] + 8 + 7 * np.sin(np.arange(NUM_FRAMES) + seed)
    faces[:, list(BROWS), 1] -= 2 * emotion
    return faces


def film(points: np.ndarray, seed: int) -> np.ndarray:
    import cv2

    colours = np.random.default_rng(seed).uniform(30, 220, (2, 3))
    pictures = []
    for face in points:
        picture = np.full((256, 256, 3), colours[0], np.uint8)
        for x, y in face[:, :2].round().astype(int):
            cv2.circle(picture, (int(x), int(y)), 4, tuple(colours[1]), -1)
        pictures.append(cv2.GaussianBlur(picture, (5, 5), 0))
    return np.stack(pictures)


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def _add_clip(folder: Path, name: str, seed: int, emotion: int) -> None:
    from emohead_training.corpora.encoding import mp4_bytes

    points = landmarks(seed, emotion)
    (folder / f"{name}.mp4").write_bytes(mp4_bytes(film(points, seed), hum(seed), fps=30))
    np.savez(
        folder / f"{name}.npz",
        landmarks=points.astype(np.float16),
        iris=np.full((NUM_FRAMES, 2, 3), np.nan, np.float16),
        valid=np.ones(NUM_FRAMES, bool),
        fps=30,
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpus root in the loose layout."""
    pytest.importorskip("torch")
    from emohead_training.corpora.encoding import flac_bytes

    root = tmp_path_factory.mktemp("corpus")
    (root / "video").mkdir()
    (root / "audio").mkdir()
    cast = {"ann": ("train", 8), "bob": ("train", 2), "cis": ("val", 2), "dan": ("test", 2)}
    films: list[tuple[object, ...]] = []
    for number, (person, (split, count)) in enumerate(cast.items()):
        for emotion in range(count):
            name = f"{person}-{emotion}"
            _add_clip(root / "video", name, 10 * number, emotion)
            cells = (f"{name}.mp4", "drawn", person, split, EMOTIONS[emotion], 30, NUM_FRAMES, 1)
            films.append((*cells, "-"))
    _write(root / "video.csv", (*VIDEO, "lag_frames"), films)
    voices = []
    for speaker in range(8):
        for emotion in EMOTIONS[:3]:
            name = f"{speaker}-{emotion}.flac"
            samples = hum(100 + speaker, 1.2)
            (root / "audio" / name).write_bytes(flac_bytes(samples))
            np.savez(
                root / "audio" / f"{speaker}-{emotion}.npz",
                phonemes=np.arange(12) % 5,
                starts_s=np.arange(12, dtype=np.float32) / 10,
                text="hum",
            )
            voices.append((name, "hums", speaker, "train", emotion, 1.2))
    _write(root / "audio.csv", AUDIO, voices)
    return root
