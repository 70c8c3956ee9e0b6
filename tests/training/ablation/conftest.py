"""A corpus of three people, one clip each: a drawn face whose mouth opens and closes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import LIP_PAIRS

NUM_FRAMES = 18
COLUMNS = ("file", "source", "identity", "split", "emotion", "fps", "frames", "has_speech")


def landmarks(person: int) -> np.ndarray:
    """(frames, 68, 3) px."""
    faces = np.repeat(TEMPLATE[None] * (90, 90, 90) + (128, 120, 0), NUM_FRAMES, 0)
    opening = 8 + 7 * np.sin(np.arange(NUM_FRAMES) + person)
    for upper, lower in LIP_PAIRS:
        faces[:, lower, 1] = faces[:, upper, 1] + opening
    return faces


def frame(points: np.ndarray, person: int) -> np.ndarray:
    import cv2

    picture = np.full((256, 256, 3), 60 + 50 * person, np.uint8)
    for x, y in points[:, :2].round().astype(int):
        cv2.circle(picture, (int(x), int(y)), 4, (200, 120, 40 * person), -1)
    return cv2.GaussianBlur(picture, (5, 5), 0)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from emohead.video import VideoWriter

    root = tmp_path_factory.mktemp("corpus")
    (root / "video").mkdir()
    rows = []
    for person, split in enumerate(("train", "val", "test")):
        points = landmarks(person)
        with VideoWriter(root / "video" / f"{split}.mp4", fps=30) as writer:
            for face in points:
                writer.write(frame(face, person))
        np.savez(
            root / "video" / f"{split}.npz",
            landmarks=points.astype(np.float16),
            iris=np.zeros((NUM_FRAMES, 2, 3), np.float16),
            valid=np.ones(NUM_FRAMES, bool),
            fps=30,
        )
        cells = (f"{split}.mp4", "drawn", f"person{person}", split, "-", "30", NUM_FRAMES, "0")
        rows.append(dict(zip(COLUMNS, cells, strict=True)) | {"lag_frames": "-"})
    with (root / "video.csv").open("w", newline="") as file:
        writer_of_rows = csv.DictWriter(file, (*COLUMNS, "lag_frames"))
        writer_of_rows.writeheader()
        writer_of_rows.writerows(rows)
    return root
