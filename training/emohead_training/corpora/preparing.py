"""The course of a preparation: list a corpus, prepare what is missing, write shards and indices.

``CORPORA`` names the preparers; each lists its items and turns one into a record or a reason to
skip it. Called by ``command.py``. Not here: any corpus's layout.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from emohead.errors import InputError
from emohead_training.corpora.pool import prepared_in_order
from emohead_training.corpora.protocol import Item, PrepareConfig, Preparer, Skip
from emohead_training.corpora.report import write_report
from emohead_training.corpora.shards import ShardWriter, write_indices
from emohead_training.corpus import SHARDS_FOLDER

__all__ = ["CORPORA", "make_preparer", "prepare"]

log = logging.getLogger(__name__)

CORPORA: Final = {
    "ravdess": "emohead_training.corpora.ravdess:Ravdess",
    "crema-d": "emohead_training.corpora.crema_d:CremaD",
    "folder": "emohead_training.corpora.folder:OwnFootage",
    "digital-actors": "emohead_training.corpora.actors:DigitalActors",
    "voices": "emohead_training.corpora.voices:SpokenTexts",
}
"""Module and class of every corpus's preparer; the class is called with a ``PrepareConfig``."""


def make_preparer(config: PrepareConfig) -> Preparer:
    """Import and construct the preparer that the configuration names; ``InputError`` if none."""
    if config.corpus not in CORPORA:
        raise InputError(f"expected a corpus among {', '.join(CORPORA)}, got {config.corpus!r}")
    module, name = CORPORA[config.corpus].split(":")
    preparer: Preparer = getattr(import_module(module), name)(config)
    return preparer


def prepare(
    config: PrepareConfig, progress: Callable[[int, int, int], None] | None = None
) -> dict[str, Any]:
    """Prepare a corpus, or what an interrupted run left of it.

    Parameters
    ----------
    config : PrepareConfig
    progress : callable, optional
        Called with items done, items in all and items skipped, at the start and after each item.

    Returns
    -------
    dict
        The corpus's part of ``report.json``.

    Raises
    ------
    InputError
        The corpus is not there, or nothing of it could be prepared.
    """
    preparer = make_preparer(config)
    listing = preparer.listing()
    skipped = _Journal(config.out / SHARDS_FOLDER / f"{config.corpus}.skipped.jsonl")
    total, tell = len(listing.items), progress or (lambda *_: None)
    with ShardWriter(config.out, config.corpus) as writer:
        todo = [i for i in listing.items if i.key not in writer.done | skipped.reasons.keys()]
        done = total - len(todo)
        tell(done, total, len(skipped.reasons))
        for item, outcome in prepared_in_order(preparer, todo, config.workers):
            if isinstance(outcome, Skip):
                skipped.add(item, outcome)
            else:
                writer.add_packed(outcome)
            done += 1
            tell(done, total, len(skipped.reasons))
        num_prepared = len(writer.done)
    write_indices(config.out)
    report = write_report(config.out, config.corpus, listing.left_out, skipped.entries())
    if not num_prepared:
        reasons = Counter(entry["reason"] for entry in skipped.entries())
        raise InputError(
            f"expected usable clips of {config.corpus}, but all {total} were skipped, most because "
            f"{reasons.most_common(1)[0][0]}; see {config.out / 'report.json'}"
        )
    return report


class _Journal:
    """Skipped items on disk, a line each, so that no run tries them twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reasons: dict[str, dict[str, str]] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    log.warning("ignoring a torn line of %s", path)
                    continue
                self.reasons[entry["key"]] = entry

    def add(self, item: Item, skip: Skip) -> None:
        entry = {"key": item.key, "file": item.origin, "reason": skip.reason}
        self.reasons[item.key] = entry | ({"detail": skip.detail} if skip.detail else {})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.reasons[item.key], ensure_ascii=False) + "\n")

    def entries(self) -> list[dict[str, str]]:
        return [{k: v for k, v in e.items() if k != "key"} for e in self.reasons.values()]
