"""Writing WebDataset shards that survive being killed, and the indices of what they hold.

A sample is ``key.mp4``, ``key.flac``, ``key.npz`` and, always last, ``key.json``. A shard grows
under a temporary name; its complete samples are kept when work goes on. Not here: encoding.
"""

from __future__ import annotations

import csv
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from emohead.errors import InputError
from emohead_training.corpora.records import Packed, Record, pack
from emohead_training.corpus import SHARDS_FOLDER
from emohead_training.media import SHARD_SUFFIX

__all__ = ["AUDIO_COLUMNS", "VIDEO_COLUMNS", "ShardWriter", "write_indices"]

VIDEO_COLUMNS: Final = (
    "file",
    "source",
    "identity",
    "split",
    "emotion",
    "seconds",
    "fps",
    "frames",
    "landmark_coverage",
    "has_speech",
    "sync",
    "lag_frames",
    "face_fraction",
    "repo",
    "commit",
    "path",
    "note",
)
"""Columns of ``video.csv``."""
AUDIO_COLUMNS: Final = (
    "file",
    "dataset",
    "speaker",
    "split",
    "emotion",
    "intensity",
    "sentence",
    "seconds",
    "peak",
    "rms",
    "source_repo",
)
"""Columns of ``audio.csv``."""
_PART: Final = ".part"
_BLOCK: Final = tarfile.BLOCKSIZE


class ShardWriter:
    """Append samples to ``OUT/shards/<corpus>-<number>.tar``; a context manager.

    Leaving the block by an exception leaves an unfinished shard under its temporary name, whose
    samples the next writer of the same corpus keeps.

    Parameters
    ----------
    out : Path
        Corpus root to be.
    corpus : str
        Name of the corpus.
    shard_bytes : int
        Size from which a shard is finished.

    Examples
    --------
    >>> with ShardWriter(out, "digital-actors") as writer:  # doctest: +SKIP
    ...     if record.key not in writer.done:
    ...         writer.add(record)
    >>> write_indices(out)  # doctest: +SKIP
    """

    def __init__(self, out: Path, corpus: str, *, shard_bytes: int = 64_000_000) -> None:
        self._folder, self._corpus, self._limit = out / SHARDS_FOLDER, corpus, shard_bytes
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO | None = None
        self._path = self._folder
        self.done: set[str] = set()
        """Keys of the samples that the corpus has, those of earlier runs included."""
        for shard in _shards(self._folder, corpus):
            self.done.update(_keys(shard))
        self._continue_part()

    def add(self, record: Record) -> None:
        """Encode a record and append it."""
        self.add_packed(pack(record))

    def add_packed(self, sample: Packed) -> None:
        """Append an encoded record; its ``json`` goes last.

        Raises
        ------
        InputError
            The corpus has a sample of that key.
        """
        if sample.key in self.done:
            raise InputError(f"expected a new key, got {sample.key!r} twice; name records apart")
        file = self._file or self._begin()
        members = {k: v for k, v in sample.members.items() if k != "json"}
        for extension, content in (members | {"json": sample.members["json"]}).items():
            entry = tarfile.TarInfo(f"{sample.key}.{extension}")
            entry.size = len(content)
            file.write(entry.tobuf(tarfile.USTAR_FORMAT))
            file.write(content + bytes(-len(content) % _BLOCK))
        file.flush()
        self.done.add(sample.key)
        if file.tell() >= self._limit:
            self._finish()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        elif self._file is not None:
            self._file.close()

    def _begin(self) -> BinaryIO:
        number = len(list(_shards(self._folder, self._corpus)))
        self._path = self._folder / f"{self._corpus}-{number:06d}{SHARD_SUFFIX}"
        self._file = self._path.with_suffix(_PART).open("wb")
        return self._file

    def _continue_part(self) -> None:
        """Reopen the unfinished shard behind its last complete sample."""
        for part in sorted(self._folder.glob(f"{self._corpus}-??????{_PART}")):
            kept, end = _complete(part)
            self._file, self._path = part.open("r+b"), part.with_suffix(SHARD_SUFFIX)
            self._file.truncate(end)
            self._file.seek(end)
            self.done.update(kept)

    def _finish(self) -> None:
        if self._file is None:
            return
        self._file.write(bytes(2 * _BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        os.replace(self._path.with_suffix(_PART), self._path)


def _shards(folder: Path, corpus: str) -> list[Path]:
    return sorted(folder.glob(f"{corpus}-??????{SHARD_SUFFIX}"))


def _keys(shard: Path) -> Iterator[str]:
    with tarfile.open(shard, "r:") as archive:
        yield from (m.name.removesuffix(".json") for m in archive if m.name.endswith(".json"))


def _complete(part: Path) -> tuple[list[str], int]:
    """Keys of the complete samples of an unfinished shard and where the last one ends."""
    keys: list[str] = []
    end, size = 0, part.stat().st_size
    with part.open("rb") as file:
        while True:
            try:
                entry = tarfile.TarInfo.frombuf(file.read(_BLOCK), tarfile.ENCODING, "strict")
            except tarfile.HeaderError:
                return keys, end
            position = file.tell() + -(-entry.size // _BLOCK) * _BLOCK
            if position > size:
                return keys, end
            file.seek(position)
            if entry.name.endswith(".json"):
                keys.append(entry.name.removesuffix(".json"))
                end = position


def write_indices(out: Path) -> tuple[int, int]:
    """Write ``video.csv`` and ``audio.csv`` of all finished shards.

    Rows of loose files that were there before are kept.

    Parameters
    ----------
    out : Path
        Corpus root.

    Returns
    -------
    num_videos, num_voices : int
    """
    videos, voices = _loose(out / "video.csv"), _loose(out / "audio.csv")
    for shard in sorted((out / SHARDS_FOLDER).glob(f"*{SHARD_SUFFIX}")):
        for facts in _facts(shard):
            place = f"{SHARDS_FOLDER}/{shard.name}/{facts['key']}"
            if "video" in facts:
                videos.append({"file": f"{place}.mp4", **facts["video"]})
            if "voice" in facts:
                voices.append({"file": f"{place}.flac", **facts["voice"]})
    _write(out / "video.csv", VIDEO_COLUMNS, videos)
    _write(out / "audio.csv", AUDIO_COLUMNS, voices)
    return len(videos), len(voices)


def _facts(shard: Path) -> Iterator[dict[str, Any]]:
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".json") else None
            if content is not None:
                yield json.load(content)


def _loose(index: Path) -> list[dict[str, Any]]:
    if not index.is_file():
        return []
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [r for r in rows if not r["file"].startswith(f"{SHARDS_FOLDER}/")]


def _write(index: Path, columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> None:
    temporary = index.with_suffix(_PART)
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, index)
