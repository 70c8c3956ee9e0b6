"""Shards: what is written is what the trainers read, from loose files and from shards alike."""

from __future__ import annotations

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest

from emohead.errors import InputError
from emohead.mel import content_mel
from emohead_training.corpora.records import Record, pack
from emohead_training.corpora.shards import ShardWriter, write_indices
from emohead_training.corpus import (
    read_frames,
    read_labels,
    read_sound,
    read_spelling,
    read_video_index,
    read_voice_index,
)

FRAMES = 12


def _click() -> np.ndarray:
    """A second of silence with a burst in its middle."""
    sound = np.zeros(16_000, np.float32)
    sound[8_000:8_320] = 0.5 * np.sin(2 * np.pi * 500 * np.arange(320) / 16_000)
    return sound


def _record(key: str, **changes) -> Record:
    y, x = np.mgrid[:256, :256]
    picture = np.stack([x, y, 255 - x], -1).astype(np.uint8)
    frames = np.stack([np.roll(picture, 2 * i, axis=0) for i in range(FRAMES)])
    points = np.random.default_rng(3).uniform(40, 210, (FRAMES, 68, 3))
    given = {
        "key": key,
        "source": "folder",
        "identity": "p1",
        "split": "train",
        "emotion": "happy",
        "intensity": "strong",
        "text": "naïve",
        "frames": frames,
        "landmarks": points,
        "valid": np.arange(FRAMES) > 0,
        "audio": _click(),
        "phonemes": np.array([0, 4]),
        "starts_s": np.array([0.0, 0.5]),
    }
    return Record(**(given | changes))


def _write(out: Path, *records: Record, **settings) -> None:
    with ShardWriter(out, "folder", **settings) as writer:
        for record in records:
            writer.add(record)
    write_indices(out)


def test_a_record_comes_back_through_the_trainers_readers(tmp_path):
    record = _record("a")
    _write(tmp_path, record)
    (clip,), (voice,) = read_video_index(tmp_path), read_voice_index(tmp_path, "train")
    assert (clip.identity, clip.split, clip.emotion, clip.fps) == (
        "folder-p1",
        "train",
        "happy/strong",
        30,
    )
    assert (voice.speaker, voice.dataset, voice.emotion) == ("folder-p1", "folder", "happy")
    frames = np.stack(list(read_frames(clip.path)))
    assert len(frames) == clip.num_frames == FRAMES
    error = frames[:, 30:-30, 10:-10].astype(float) - record.frames[:, 30:-30, 10:-10]
    assert np.abs(error).mean() < 3
    assert np.abs(error.mean((0, 1, 2))).max() < 2, "colours are shifted"
    labels = read_labels(clip.path)
    np.testing.assert_allclose(labels.landmarks, record.landmarks, atol=0.07)
    assert labels.valid.tolist() == record.valid.tolist()
    assert np.isnan(labels.iris).all()
    np.testing.assert_allclose(read_sound(voice.path), record.audio, atol=4e-5)
    spelling = read_spelling(voice.path)
    assert (spelling.phonemes.tolist(), spelling.text) == ([0, 4], "naïve")


def test_sound_in_the_video_is_in_sync(tmp_path):
    _write(tmp_path, _record("a"))
    heard = read_sound(read_video_index(tmp_path)[0].path)[:16_000]
    lag = np.correlate(heard, _click(), "full").argmax() - (len(heard) - 1)
    assert abs(lag) <= 8, "half a millisecond"


def test_loose_files_and_shards_read_the_same(tmp_path):
    _write(tmp_path / "sharded", _record("a"))
    loose = tmp_path / "loose"
    for kind in ("video", "audio"):
        (loose / kind).mkdir(parents=True)
        text = (tmp_path / "sharded" / f"{kind}.csv").read_text()
        rows = list(csv.DictReader(text.splitlines()))
        with (loose / f"{kind}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(r | {"file": Path(r["file"]).name} for r in rows)
        with tarfile.open(tmp_path / "sharded" / "shards" / "folder-000000.tar") as shard:
            shard.extractall(loose / kind, filter="data")
    first, second = (read_video_index(root)[0] for root in (tmp_path / "sharded", loose))
    for ours, theirs in zip(read_frames(first.path), read_frames(second.path), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(
        read_labels(first.path).landmarks, read_labels(second.path).landmarks
    )
    np.testing.assert_array_equal(read_sound(first.path), read_sound(second.path))
    voices = [read_voice_index(root)[0].path for root in (tmp_path / "sharded", loose)]
    np.testing.assert_array_equal(*map(read_sound, voices))
    assert read_spelling(voices[0]).starts_s.tolist() == read_spelling(voices[1]).starts_s.tolist()


def test_shards_are_cut_at_their_size_and_indexed_in_order(tmp_path):
    voices = [_record(f"v{i}", frames=None, landmarks=None, valid=None) for i in range(5)]
    _write(tmp_path, *voices, shard_bytes=2 * sum(map(len, pack(voices[0]).members.values())))
    assert len(list((tmp_path / "shards").iterdir())) == 3
    assert [v.path.stem for v in read_voice_index(tmp_path)] == ["v0", "v1", "v2", "v3", "v4"]
    assert read_video_index(tmp_path, may_be_empty=True) == []


@pytest.mark.parametrize("torn_bytes", [0, 1, 700, 3_000])
def test_a_killed_writer_loses_nothing_that_was_complete(tmp_path, torn_bytes):
    records = [_record(k, frames=None, landmarks=None, valid=None) for k in "abc"]
    _write(tmp_path / "whole", *records)
    with pytest.raises(KeyboardInterrupt), ShardWriter(tmp_path / "torn", "folder") as writer:
        writer.add(records[0])
        writer.add(records[1])
        raise KeyboardInterrupt
    part = tmp_path / "torn" / "shards" / "folder-000000.part"
    part.write_bytes(part.read_bytes()[: part.stat().st_size - torn_bytes])
    with ShardWriter(tmp_path / "torn", "folder") as writer:
        assert writer.done == ({"a"} if torn_bytes else {"a", "b"})
        for record in records:
            if record.key not in writer.done:
                writer.add(record)
    name = "shards/folder-000000.tar"
    assert (tmp_path / "torn" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_loose_rows_and_other_corpora_stay_in_the_indices(tmp_path):
    (tmp_path / "audio.csv").write_text(
        "file,dataset,speaker,split,emotion\nx.ogg,ravdess,1,val,sad\n"
    )
    _write(tmp_path, _record("a"))
    with ShardWriter(tmp_path, "voices") as writer:
        writer.add(_record("a", source="voices", frames=None, landmarks=None, valid=None))
    assert write_indices(tmp_path) == (1, 3)
    assert write_indices(tmp_path) == (1, 3)
    assert [v.path.name for v in read_voice_index(tmp_path)] == ["x.ogg", "a.flac", "a.flac"]


def test_mels_lie_beside_the_sound(tmp_path):
    _write(tmp_path, _record("a"))
    with tarfile.open(tmp_path / "shards" / "folder-000000.tar") as shard:
        stored = np.load(shard.extractfile("a.npz"), allow_pickle=False)
        assert stored["emotion_mel"].shape == (128, 1 + 16_000 // 512)
        np.testing.assert_allclose(stored["content_mel"], content_mel(_click()).mel, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "a.b"}, "key"),
        ({"emotion": "joyful"}, "emotion"),
        ({"landmarks": None}, "landmarks"),
        ({"landmarks": np.zeros((3, 68, 3))}, "shape"),
        ({"frames": None, "audio": None}, "neither"),
        ({"starts_s": None}, "together"),
    ],
)
def test_impossible_records_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        _record(**({"key": "a"} | changes))


def test_same_key_twice_is_refused(tmp_path):
    with ShardWriter(tmp_path, "folder") as writer:
        writer.add(_record("a"))
        with pytest.raises(InputError, match="twice"):
            writer.add(_record("a"))


def test_missing_sides_and_members_are_one_sentence(tmp_path):
    _write(tmp_path, _record("a"))
    with pytest.raises(InputError, match="voices of the test people"):
        read_voice_index(tmp_path, "test")
    with pytest.raises(InputError, match="expected a file of the corpus"):
        read_sound(tmp_path / "shards" / "folder-000000.tar" / "b.flac")
