"""Making a data pack: a corpus in few MiB that trainings read with torch and OpenCV alone.

Films lose their sound, sounds become mels; what has no room is left out fairly over people and
emotions, and ``pack.json`` says what that was. Called by ``command.py``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from emohead.errors import InputError
from emohead_training.corpora.shards import AUDIO_COLUMNS, VIDEO_COLUMNS
from emohead_training.corpus import read_video_index, read_voice_index
from emohead_training.loop.record import data_hash
from emohead_training.packing.archive import Archive
from emohead_training.packing.extras import actor_files, perceptual_files, portrait_files
from emohead_training.packing.groups import Clips, Group, Offer, Spoken, Voices, held_share
from emohead_training.recipe_book import config_of
from emohead_training.stored import PACK_FILE, is_pack
from emohead_training.voice.transcripts import read_prompts

__all__ = ["PackConfig", "pack"]

_VERSION: Final = 1
_INDEX_ROOM: Final = 24 << 10
"""Bytes kept free for ``pack.json`` and the ends of the indices."""
_MISSES: Final = 5
"""Clips in a row that have no room, after which a group is full."""
_HELD_CLIPS: Final = {"val": 3, "test": 1}
"""Talking clips of each person who is not trained on."""
_HELD_VOICES: Final = {"val": 4, "test": 1}
_SHARES: Final = {"actors": 0.14, "spoken": 0.12, "voices": 0.30}
"""Of the pack, at first; the talking clips take the rest, and leave what they do not need."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """What is packed, and how large it may be."""

    data: Path
    """Corpus root."""
    out: Path
    """The archive to write."""
    max_mib: float = 60.0
    """Largest size of the archive, MiB."""
    actors: bool = True
    """Whether digital actors join, which needs the extra ``actors`` and minutes."""
    synthesise: bool = True
    """Whether synthesised voices join."""
    seed: int = 0
    """Of the trainings that will read the pack; chooses the synthesised sentences."""


def pack(config: PackConfig, tell: Tell | None = None) -> dict[str, Any]:
    """Write a data pack.

    Parameters
    ----------
    config : PackConfig
    tell : callable, optional
        Called with what is packed, how many clips of it are in, and how many there are.

    Returns
    -------
    dict
        What ``pack.json`` says: kept and left out, by group.

    Raises
    ------
    InputError
        The folder is no corpus, or a pack itself; or not everybody fits.
    """
    tell = tell or (lambda *_: None)
    groups = _groups(config)
    with Archive(config.out, int(config.max_mib * (1 << 20))) as archive:
        writer = _Writer(archive, tell)
        writer.extras(config)
        size = archive.free
        shares = {"voices": _SHARES["voices"] * size, "spoken": _SHARES["spoken"] * size}
        for name in ("held clips", "held voices"):
            writer.take(groups[name])
        for name in ("voices", "spoken"):
            if name in groups:
                writer.take(groups[name], shares[name])
        writer.take(groups["clips"])
        _check_everybody(groups["clips"], writer, config)
        for name in ("voices", "spoken"):
            if name in groups:
                writer.take(groups[name])
        return writer.finish(config)


def _groups(config: PackConfig) -> dict[str, Any]:
    """Everything that there is, unencoded."""
    root = config.data
    if is_pack(root):
        raise InputError(f"expected a corpus in {root}, it is a data pack itself; give its source")
    clips = read_video_index(root, may_be_empty=True)
    voices = read_voice_index(root, may_be_empty=True) if (root / "audio.csv").is_file() else []
    if not any(c.split == "train" for c in clips):
        raise InputError(
            f"expected talking clips of train people in {root / 'video.csv'}, found none; "
            "prepare a corpus first (emohead-train prepare)"
        )
    prompts = read_prompts(root)
    films = list(zip(range(len(clips)), _rows(root / "video.csv"), clips, strict=True))
    sounds = list(zip(range(len(voices)), _rows(root / "audio.csv"), voices, strict=True))
    held_films = _held(films, [clip.identity for clip in clips], _HELD_CLIPS)
    held_sounds = _held(sounds, [voice.speaker for voice in voices], _HELD_VOICES)
    seen = [film for film in films if film[2].split == "train"]
    heard = [sound for sound in sounds if sound[2].split == "train"]
    groups: dict[str, Any] = {
        "held clips": Clips(name="clips of val and test", chosen=held_films, prompts=prompts),
        "held voices": Voices(name="voices of val and test", chosen=held_sounds, prompts=prompts),
        "clips": Clips(name="clips of train", chosen=seen, prompts=prompts),
        "voices": Voices(name="voices of train", chosen=heard, prompts=prompts),
    }
    if config.synthesise:
        seconds = config_of("default", "autovc").synthetic_seconds
        groups["spoken"] = Spoken(seconds=seconds, seed=config.seed)
    return groups


def _held(found: list[Any], people: list[str], most: Mapping[str, int]) -> list[Any]:
    """At most so many clips of each person of the sides that are not trained on."""
    kept = []
    for split, count in most.items():
        places = [i for i, (_, _, clip) in enumerate(found) if clip.split == split]
        labels = [found[i][2].emotion for i in places]
        chosen = held_share([people[i] for i in places], labels, count)
        kept += [found[places[k]] for k in chosen]
    return kept


def _rows(index: Path) -> list[dict[str, str]]:
    if not index.is_file():
        return []
    with index.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _check_everybody(clips: Clips, writer: _Writer, config: PackConfig) -> None:
    people, kept = clips.people(), writer.tallies[clips.name].people
    if len(kept) + sum(clips.broken.values()) < len(people):
        raise InputError(
            f"expected room for a clip of each of {len(people)} train people, {config.max_mib:g} "
            f"MiB hold {len(kept)}; give a larger --max-mib, or a corpus of fewer people"
        )


@dataclass(kw_only=True)
class _Tally:
    """What went into the archive of one group."""

    offers: Iterator[Offer]
    kept: int = 0
    no_room: int = 0
    num_bytes: int = 0
    seconds: float = 0.0
    people: set[str] = field(default_factory=set)
    waiting: list[Offer] = field(default_factory=list)


class _Writer:
    """Fills the archive and remembers the rows of the indices."""

    def __init__(self, archive: Archive, tell: Tell) -> None:
        self.archive, self.tell = archive, tell
        self.tallies: dict[str, _Tally] = {}
        self.groups: list[Group] = []
        self.rows: dict[str, list[dict[str, str]]] = {"video.csv": [], "audio.csv": []}
        self.remarks: dict[str, str] = {}
        self._index_bytes = _INDEX_ROOM

    def room(self) -> int:
        """Bytes for more clips."""
        return self.archive.free - self._index_bytes

    def extras(self, config: PackConfig) -> None:
        """Add networks, portraits and actors, or say why not."""
        total = self.archive.free
        self._add_extra("perceptual network", perceptual_files, total, config.data)
        self._add_extra("portraits", portrait_files, 0.05 * total, config.data)
        if config.actors:
            cache = config.out.parent / "actors"
            limit = _SHARES["actors"] * total
            self._add_extra("digital actors", actor_files, limit, cache, config.seed, self._say)
        else:
            self.remarks["digital actors"] = "left out: not asked for"

    def _say(self, text: str) -> None:
        self.tell(text, 0, 0)

    def _add_extra(
        self, name: str, make: Callable[..., dict[str, bytes]], limit: float, *arguments: Any
    ) -> None:
        self.tell(name, 0, 0)
        try:
            files = make(*arguments)
        except InputError as error:
            self.remarks[name] = f"left out: {error}"
            return
        cost = Archive.cost(files)
        if not files:
            self.remarks[name] = "left out: the corpus has none"
        elif cost > min(limit, self.room()):
            self.remarks[name] = f"left out: {cost >> 10} KiB are more than their share"
        else:
            self.archive.add(files)
            self.remarks[name] = f"{len(files)} files, {cost >> 10} KiB"

    def take(self, group: Group, limit: float = float("inf")) -> None:
        """Take clips while there is room, and below `limit` bytes; goes on where it stopped."""
        if group.name not in self.tallies:
            self.tallies[group.name] = _Tally(offers=group.offers())
            self.groups.append(group)
        tally, spent, misses = self.tallies[group.name], 0, 0
        while misses < _MISSES:
            self.tell(group.name, tally.kept, group.total)
            offer = tally.waiting.pop(0) if tally.waiting else self._next(group, tally)
            if offer is None:
                return
            row_bytes = 2 + len(",".join(offer.row.values()).encode())
            cost = Archive.cost(offer.files)
            if spent + cost > limit:
                tally.waiting.append(offer)
                return
            if cost + row_bytes > self.room():
                tally.no_room += 1
                misses += 1
                continue
            misses, spent = 0, spent + cost
            self._index_bytes += row_bytes
            self._keep(group, tally, offer, cost)

    def _next(self, group: Group, tally: _Tally) -> Offer | None:
        try:
            return next(tally.offers, None)
        except InputError as error:
            self.remarks[group.name] = f"ended: {error}"
            return None

    def _keep(self, group: Group, tally: _Tally, offer: Offer, cost: int) -> None:
        self.archive.add(offer.files)
        self.rows[group.index].append(offer.row)
        tally.kept += 1
        tally.num_bytes += cost
        tally.seconds += offer.seconds
        tally.people.add(offer.person)

    def finish(self, config: PackConfig) -> dict[str, Any]:
        """Write the indices and the report."""
        report = {
            "version": _VERSION,
            "max_mib": config.max_mib,
            "seed": config.seed,
            "corpus_sha256": data_hash(config.data),
            "groups": {group.name: self._facts(group) for group in self.groups},
            "extras": self.remarks,
        }
        self.archive.add(
            {
                "video.csv": _table(self.rows["video.csv"], VIDEO_COLUMNS),
                "audio.csv": _table(self.rows["audio.csv"], AUDIO_COLUMNS),
                PACK_FILE: json.dumps(report, indent=1, ensure_ascii=False).encode(),
            }
        )
        return report

    def _facts(self, group: Group) -> dict[str, Any]:
        tally = self.tallies[group.name]
        broken = dict(group.broken.most_common(8))
        return {
            "kept": tally.kept,
            "of": group.total,
            "people": len(tally.people),
            "minutes": round(tally.seconds / 60, 2),
            "kib": tally.num_bytes >> 10,
            "left_out": {"no room": group.total - tally.kept - sum(broken.values()), **broken},
        }


def _table(rows: list[dict[str, str]], columns: tuple[str, ...]) -> bytes:
    """Rows as CSV, sorted by file, with the columns that trainings read."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["file"]))
    return text.getvalue().encode()
