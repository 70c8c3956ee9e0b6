"""What a corpus's preparer takes and gives; settings, items, listings, reasons to skip.

Implemented by a module per corpus, driven by ``preparing.py``. Not here: any work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from emohead_training.corpora.records import Record

__all__ = ["Item", "Listing", "PrepareConfig", "Preparer", "Skip"]


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """What is prepared, from where, to where."""

    corpus: str
    """Name in ``preparing.CORPORA``."""
    out: Path
    """Corpus root to be; several corpora may share it."""
    root: Path | None = None
    """Folder of the recordings; None for corpora that are made rather than recorded."""
    workers: int = 1
    """Processes."""
    minutes: float = 60.0
    """Length of a corpus that is made."""
    seed: int = 0
    """Seed of a corpus that is made."""
    people: int = 48
    """Number of digital actors."""
    clips_per_person: int = 2
    """Performances of each digital actor."""
    seconds: float = 3.0
    """Length of each performance."""
    teachers: Path | None = None
    """Folder of MediaPipe's networks to label with; None takes the default bundle's."""


class Item(Protocol):
    """A unit of work: what one record is made from. Frozen and picklable."""

    @property
    def key(self) -> str:
        """Key of its record."""
        ...

    @property
    def origin(self) -> str:
        """How reports call it: the path below the corpus's root, or a name."""
        ...


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything that a corpus holds."""

    items: Sequence[Item]
    """What to prepare, in the order of the shards."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many files are no items, by reason."""


@dataclass(frozen=True, kw_only=True)
class Skip:
    """Why an item gives no record."""

    reason: str
    """A clause that fits many items, such as ``no face is found``."""
    detail: str = ""
    """What is particular to this one."""


class Preparer(Protocol):
    """A corpus's side of the work; it is sent to every worker, so it holds settings only."""

    def listing(self) -> Listing:
        """List the corpus.

        Raises
        ------
        InputError
            Nothing of the corpus is there; the message names its download page.
        """
        ...

    def prepare(self, item: Any) -> Record | Skip:
        """Turn an item of the listing into a record; errors count as reasons to skip it."""
        ...
