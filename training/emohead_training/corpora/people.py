"""Who trains, who validates and who tests, for every corpus; a person is on one side only.

Called by the preparers.
"""

from __future__ import annotations

import hashlib
from typing import Final

from emohead_training.corpus import Split

__all__ = ["PAPER_TEST_PEOPLE", "VALIDATION_PEOPLE", "split_by_hash", "split_by_paper"]

PAPER_TEST_PEOPLE: Final[dict[str, frozenset[str]]] = {
    "ravdess": frozenset({"03", "04", "05", "06"}),
    "crema-d": frozenset({"1015", "1020", "1021", "1030", "1033", "1052", "1062", "1081", "1089"}),
}
"""The paper's Table 4."""
VALIDATION_PEOPLE: Final[dict[str, frozenset[str]]] = {
    "ravdess": frozenset({"11", "12"}),
    "crema-d": frozenset({"1006", "1025", "1043", "1068", "1077"}),
}
"""A few of the paper's training people, on whom choices are made."""
_TEST_SHARE: Final = 0.15
_VALIDATION_SHARE: Final = 0.10


def split_by_paper(corpus: str, person: str) -> Split:
    """Side of an actor of RAVDESS or CREMA-D.

    Parameters
    ----------
    corpus : {"ravdess", "crema-d"}
    person : str
        The corpus's own number of the actor.

    Returns
    -------
    {"train", "val", "test"}
    """
    if person in PAPER_TEST_PEOPLE[corpus]:
        return "test"
    return "val" if person in VALIDATION_PEOPLE[corpus] else "train"


def split_by_hash(person: str) -> Split:
    """Side of anybody else: the same for ever, however many people join.

    Parameters
    ----------
    person : str

    Returns
    -------
    {"train", "val", "test"}
        About 75, 10 and 15 % of all names.
    """
    digest = hashlib.sha256(person.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < _TEST_SHARE:
        return "test"
    return "val" if share < _TEST_SHARE + _VALIDATION_SHARE else "train"
