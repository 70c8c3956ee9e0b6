"""What is said in clips whose file names tell: RAVDESS, CREMA-D and GRID.

Not here: when it is said (``alignment.py``).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Final

__all__ = ["transcript"]

_RAVDESS: Final = MappingProxyType({"01": "", "02": ""})
"""By the statement number, fifth in the name."""
_CREMA_D: Final = MappingProxyType({"": ""})
"""By the sentence code, second in the name; the prompts as the corpus's page lists them."""

_COMMANDS: Final = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
_COLOURS: Final = {"b": "blue", "g": "green", "r": "red", "w": "white"}
_PREPOSITIONS: Final = {"a": "at", "b": "by", "i": "in", "w": "with"}
_LETTERS: Final = {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"}
_DIGITS: Final = {
    "z": "zero",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
}
_ADVERBS: Final = {"a": "again", "n": "now", "p": "please", "s": "soon"}
_GRID: Final = (_COMMANDS, _COLOURS, _PREPOSITIONS, _LETTERS, _DIGITS, _ADVERBS)
"""Word by letter, for each of the six letters of a GRID name."""


def transcript(path: Path) -> str | None:
    """Sentence that a clip's name stands for.

    Parameters
    ----------
    path : Path
        A clip under its corpus's own name, such as ``03-01-05-01-02-01-12.wav`` (RAVDESS),
        ``1001_DFA_ANG_XX.wav`` (CREMA-D) or ``bbaf2n.mp4`` (GRID).

    Returns
    -------
    str or None
        Words in lower case; None where the name tells nothing.
    """
    stem = path.stem
    ravdess = re.fullmatch(r"\d\d-0[13]-\d\d-\d\d-(0[12])-\d\d-\d\d", stem)
    crema_d = re.fullmatch(r"\d{4}_([A-Z]{3})_[A-Z]{3}_[A-Z]{2}", stem)
    if ravdess is not None:
        return _RAVDESS[ravdess[1]]
    if crema_d is not None:
        return _CREMA_D.get(crema_d[1])
    grid = re.search(r"(?:^|_)([blps][bgrw][abiw][a-vx-z][z1-9][anps])$", stem)
    if grid is not None:
        return " ".join(words[c] for words, c in zip(_GRID, grid[1], strict=True))
    return None
