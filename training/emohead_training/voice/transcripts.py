"""What is said in clips whose file names tell: RAVDESS, CREMA-D and GRID.

Not here: when it is said (``alignment.py``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from emohead.errors import InputError

__all__ = ["NO_PROMPTS", "PROMPTS_FILE", "Prompts", "read_prompts", "transcript"]

PROMPTS_FILE: Final = "prompts.csv"
"""Of a corpus root: columns ``corpus`` (``ravdess`` or ``crema-d``), ``code`` and ``words``."""
_COLUMNS: Final = ("corpus", "code", "words")
_CORPORA: Final = ("ravdess", "crema-d")

Prompts = Mapping[tuple[str, str], str]
"""Words by corpus and code: the statement number of RAVDESS, the sentence code of CREMA-D."""
NO_PROMPTS: Final[Prompts] = MappingProxyType({})

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


def read_prompts(root: Path) -> Prompts:
    """Read what the speakers of a corpus were asked to say; the sentences are its makers'.

    Parameters
    ----------
    root : Path
        Corpus root.

    Returns
    -------
    mapping of (str, str) to str
        Empty where there is no ``prompts.csv``.

    Raises
    ------
    InputError
        When the file is not such a table.
    """
    path = root / PROMPTS_FILE
    if not path.is_file():
        return NO_PROMPTS
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if any(not row.get(c) for c in _COLUMNS) or row["corpus"] not in _CORPORA:
            raise InputError(
                f"{path}: expected rows of {', '.join(_COLUMNS)} with a corpus among "
                f"{', '.join(_CORPORA)}, got {dict(row)}; mend the row or remove the file"
            )
    return {(row["corpus"], row["code"]): row["words"].lower() for row in rows}


def transcript(path: Path, prompts: Prompts = NO_PROMPTS) -> str | None:
    """Sentence that a clip's name stands for.

    Parameters
    ----------
    path : Path
        A clip under its corpus's own name, such as ``03-01-05-01-02-01-12.wav`` (RAVDESS),
        ``1001_DFA_ANG_XX.wav`` (CREMA-D) or ``bbaf2n.mp4`` (GRID, whose names spell the words).
    prompts : mapping of (str, str) to str
        From ``read_prompts``.

    Returns
    -------
    str or None
        Words in lower case; None where the name tells nothing or its prompt is not given.
    """
    stem = path.stem
    ravdess = re.fullmatch(r"\d\d-0[13]-\d\d-\d\d-(0[12])-\d\d-\d\d", stem)
    crema_d = re.fullmatch(r"\d{4}_([A-Z]{3})_[A-Z]{3}_[A-Z]{2}", stem)
    if ravdess is not None:
        return prompts.get(("ravdess", ravdess[1]))
    if crema_d is not None:
        return prompts.get(("crema-d", crema_d[1]))
    grid = re.search(r"(?:^|_)([blps][bgrw][abiw][a-vx-z][z1-9][anps])$", stem)
    if grid is not None:
        return " ".join(words[c] for words, c in zip(_GRID, grid[1], strict=True))
    return None
