"""Who plays: seeded identities, from anny's phenotypes and local changes of the head.

Not here: skin, hair and eyes (``looks.py``), and the mesh (``body.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.random import Generator

__all__ = ["Person", "draw_person", "split_of"]

_ANCESTRIES: Final = ("african", "asian", "caucasian")
_REGIONS: Final = ("cheek", "chin", "ear", "eye", "eyebrows", "forehead", "head", "mouth", "nose")
_UNWANTED: Final = ("head-angle", "head-trans", "neck-", "trans-out", "head-age", "mouth-trans")
_SPREAD: Final = 0.24
_ASYMMETRY: Final = 0.06
_LIMIT: Final = 0.6
_BLOCK: Final = 10
_TEST_OF_BLOCK, _VAL_OF_BLOCK = 2, 1


@dataclass(frozen=True, kw_only=True)
class Person:
    """One actor's shape."""

    name: str
    """Unique within a cast, for example ``actor-00012``."""
    phenotypes: dict[str, float]
    """anny's, [0, 1]; gender 0 is male, 1 female."""
    changes: dict[str, float]
    """anny's local changes, [-1, 1]."""

    @property
    def is_female(self) -> bool:
        """Whether voice and hair are a woman's."""
        return self.phenotypes["gender"] > 0.5


def draw_person(number: int, seed: int, labels: Sequence[str]) -> Person:
    """Draw an actor.

    Parameters
    ----------
    number : int
        Position in the cast; an actor does not depend on how many others there are.
    seed : int
        Equal seeds give equal casts.
    labels : sequence of str
        anny's local changes.

    Returns
    -------
    Person
    """
    rng = np.random.default_rng((seed, number, 1))
    female = rng.random() < 0.5
    ancestry = rng.dirichlet((0.35,) * len(_ANCESTRIES))
    phenotypes = {
        "gender": float(rng.uniform(0.75, 1.0) if female else rng.uniform(0.0, 0.25)),
        "age": float(rng.uniform(0.6, 0.92)),
        "muscle": float(rng.uniform(0.3, 0.7)),
        "weight": float(rng.uniform(0.25, 0.75)),
        "height": 0.5,
        "proportions": float(rng.uniform(0.4, 0.9)),
        **{n: float(a) for n, a in zip(_ANCESTRIES, ancestry, strict=True)},
    }
    changes = _draw_changes(labels, rng)
    return Person(name=f"actor-{number:05d}", phenotypes=phenotypes, changes=changes)


def _draw_changes(labels: Sequence[str], rng: Generator) -> dict[str, float]:
    changes: dict[str, float] = {}
    for label in sorted(labels):
        plain = label[2:] if label[:2] in ("l-", "r-") else label
        if not plain.startswith(_REGIONS) or any(word in plain for word in _UNWANTED):
            continue
        if plain == label:
            changes[label] = float(np.clip(rng.normal(0, _SPREAD), -_LIMIT, _LIMIT))
        elif label.startswith("l-"):
            both = np.clip(rng.normal(0, _SPREAD), -_LIMIT, _LIMIT)
            for side in ("l-", "r-"):
                changes[side + plain] = float(both + rng.normal(0, _ASYMMETRY))
    return changes


def split_of(number: int, seed: int) -> Literal["train", "val", "test"]:
    """Side of the split by person: of every ten actors two test and one validates.

    Parameters
    ----------
    number : int
        Position in the cast.
    seed : int
        The cast's.

    Returns
    -------
    str
    """
    block, place = divmod(number, _BLOCK)
    rank = np.random.default_rng((seed, block, 2)).permutation(_BLOCK)[place]
    if rank < _TEST_OF_BLOCK:
        return "test"
    return "val" if rank < _TEST_OF_BLOCK + _VAL_OF_BLOCK else "train"
