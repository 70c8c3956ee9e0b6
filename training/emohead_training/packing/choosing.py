"""Which clips come first where not all of them fit: everybody before anybody's second.

Pure functions; called by ``packing.py``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

__all__ = ["fair_order"]


def fair_order(people: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Order clips so that every beginning of the order is fair.

    Rounds give each person one clip; a person's clips go through all of its labels before any
    label's second, and neighbours begin with different labels.

    Parameters
    ----------
    people : sequence of str
        Who is seen or heard, by clip.
    labels : sequence of str
        The clip's emotion, or empty.

    Returns
    -------
    list of int
        Positions of all clips.
    """
    kinds = {label: rank for rank, label in enumerate(sorted(set(labels)))}
    rounds: dict[str, list[int]] = defaultdict(list)
    for index, person in enumerate(people):
        rounds[person].append(index)
    for rank, person in enumerate(sorted(rounds)):
        seen: Counter[str] = Counter()
        keys = {}
        for index in rounds[person]:
            turn = (kinds[labels[index]] - rank) % len(kinds)
            keys[index] = (seen[labels[index]], turn, index)
            seen[labels[index]] += 1
        rounds[person].sort(key=keys.__getitem__)
    longest = max(map(len, rounds.values()), default=0)
    people_in_order = sorted(rounds)
    return [
        rounds[person][turn]
        for turn in range(longest)
        for person in people_in_order
        if turn < len(rounds[person])
    ]
