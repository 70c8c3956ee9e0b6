"""What a run keeps of a corpus is of that corpus as it is now, and whole."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from emohead_training.emotion.acted_voices import read_acted_voices
from emohead_training.portrait.frames import load_frames
from emohead_training.renderer.dataset import FrameCache, build_cache
from emohead_training.whole_files import keep

COLUMNS = ("file", "source", "identity", "split", "emotion", "fps", "frames", "has_speech")


def _films(root: Path, splits: dict[str, str]) -> None:
    """One clip of each person, nine grey frames."""
    from emohead_training.corpora.encoding import mp4_bytes

    (root / "video").mkdir(parents=True, exist_ok=True)
    with (root / "video.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow((*COLUMNS, "lag_frames"))
        for person, split in splits.items():
            rows.writerow((f"{person}.mp4", "drawn", person, split, "-", 30, 9, 0, "-"))
            frames = np.full((9, 256, 256, 3), 90, np.uint8)
            (root / "video" / f"{person}.mp4").write_bytes(mp4_bytes(frames, None, fps=30))
            points = np.random.default_rng(0).uniform(60, 200, (9, 68, 3))
            np.savez(
                root / "video" / f"{person}.npz",
                landmarks=points.astype(np.float16),
                iris=np.zeros((9, 2, 3), np.float16),
                valid=np.ones(9, bool),
                fps=30,
            )


def test_who_moves_to_the_test_side_leaves_the_renderers_frames(tmp_path):
    _films(tmp_path, {"anna": "train", "boris": "train"})
    build_cache(tmp_path, tmp_path / "cache", "train")
    assert list(FrameCache(tmp_path / "cache").people) == ["anna", "boris"]
    _films(tmp_path, {"anna": "train", "boris": "test"})
    build_cache(tmp_path, tmp_path / "cache", "train")
    assert list(FrameCache(tmp_path / "cache").people) == ["anna"]


def test_who_moves_to_the_test_side_leaves_the_portrait_networks_frames(tmp_path):
    _films(tmp_path, {"anna": "train", "boris": "train"})
    assert load_frames(tmp_path, tmp_path / "cache", "train").person.max() == 1
    _films(tmp_path, {"anna": "train", "boris": "test"})
    assert load_frames(tmp_path, tmp_path / "cache", "train").person.max() == 0


def _voices(root: Path, splits: dict[str, str]) -> None:
    from emohead_training.corpora.encoding import flac_bytes

    (root / "audio").mkdir(parents=True, exist_ok=True)
    lines = ["file,dataset,speaker,split,emotion"]
    for person, split in splits.items():
        lines.append(f"{person}.flac,ravdess,{person},{split},sad")
        noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
        (root / "audio" / f"{person}.flac").write_bytes(flac_bytes(noise))
    (root / "audio.csv").write_text("\n".join(lines) + "\n")


def test_who_moves_to_the_test_side_is_not_heard_any_more(tmp_path):
    cache = tmp_path / "log_mels.npz"
    _voices(tmp_path, {"01": "train", "02": "train"})
    assert set(read_acted_voices(tmp_path, cache).speakers) == {"ravdess-01", "ravdess-02"}
    _voices(tmp_path, {"01": "train", "02": "test"})
    assert set(read_acted_voices(tmp_path, cache).speakers) == {"ravdess-01"}


def test_half_a_cache_is_made_again(tmp_path):
    place, tries = tmp_path / "cache", []

    def make() -> None:
        place.write_text("half" if not tries else "whole")
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        keep(place, {"data": "a"}, make)
    for made_of, count in (("a", 2), ("a", 2), ("b", 3)):
        keep(place, {"data": made_of}, make)
        assert (place.read_text(), len(tries)) == ("whole", count)
    place.unlink()
    keep(place, {"data": "b"}, make)
    assert place.read_text() == "whole"
