"""The 40 sounds that content is taught to tell apart, and the synthesizers' names for them.

Names are ARPAbet's, as flite prints them, with schwa counted as ``ah``. Not here: speaking.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import InputError

__all__ = [
    "PHONEMES",
    "SILENCE",
    "phoneme_from_arpabet",
    "phoneme_from_espeak",
    "phoneme_from_flite",
    "spelled_frames",
]

_ESPEAK_BY_CLASS: Final = {
    "aa": "A: A@ 0 A#",
    "ae": "a aa &",
    "ah": "V @ a# @2 @5 V2",
    "ao": "O: O O@ o@ O2",
    "aw": "aU aU@",
    "ay": "aI aI2 aI3 aI@",
    "b": "b",
    "ch": "tS",
    "d": "d t#",
    "dh": "D",
    "eh": "E e@ E2",
    "er": "3 3: VR IR",
    "ey": "eI e:",
    "f": "f",
    "g": "g",
    "hh": "h",
    "ih": "I I2 I# i@ i@3",
    "iy": "i i:",
    "jh": "dZ",
    "k": "k x",
    "l": "l @L",
    "m": "m",
    "n": "n",
    "ng": "N",
    "ow": "oU o:",
    "oy": "OI",
    "p": "p",
    "r": "r r-",
    "s": "s",
    "sh": "S",
    "sil": "_ _: _! _|",
    "t": "t t2 t[ ?",
    "th": "T",
    "uh": "U U@",
    "uw": "u: u",
    "v": "v",
    "w": "w w#",
    "y": "j",
    "z": "z",
    "zh": "Z",
}
"""Mnemonics of espeak-ng, by class."""
PHONEMES: Final = ("sil", *sorted(set(_ESPEAK_BY_CLASS) - {"sil"}))
"""The classes, silence first."""
SILENCE: Final = PHONEMES.index("sil")

_INDEX: Final = {name: i for i, name in enumerate(PHONEMES)}
_ESPEAK: Final = {
    name: _INDEX[group] for group, names in _ESPEAK_BY_CLASS.items() for name in names.split()
}


def phoneme_from_espeak(name: str) -> int | None:
    """Class of an espeak-ng phoneme.

    Parameters
    ----------
    name : str
        Mnemonic, as phoneme events give it.

    Returns
    -------
    int or None
        Index into `PHONEMES`; None for marks that only lengthen the sound before them.

    Raises
    ------
    InputError
        A mnemonic that the table lacks.
    """
    if name in ("", ";", ":", "-"):
        return None
    if name not in _ESPEAK:
        raise InputError(
            f"expected an English espeak-ng phoneme, got {name!r}; add it to its class"
        )
    return _ESPEAK[name]


def phoneme_from_flite(name: str) -> int:
    """Class of a flite segment, which is ARPAbet but for pauses and schwa."""
    return _INDEX[{"pau": "sil", "ssil": "sil", "ax": "ah", "axr": "er"}.get(name, name)]


def phoneme_from_arpabet(name: str) -> int:
    """Class of a phone of the aligner: ARPAbet in capitals, noises between plus signs."""
    return SILENCE if name.startswith("+") else _INDEX[name.lower()]


def spelled_frames(
    phonemes: NDArray[np.int64],
    starts_s: NDArray[np.floating],
    num_frames: int,
    frame_seconds: float,
) -> NDArray[np.int64]:
    """Class at each frame's centre.

    Parameters
    ----------
    phonemes : (P,) int64
        Indices into `PHONEMES`.
    starts_s : (P,) floating
        Ascending start times in seconds; silence before the first.
    num_frames : int
    frame_seconds : float
        Time between two frames, the first at zero.

    Returns
    -------
    (num_frames,) int64
    """
    index = np.searchsorted(starts_s, np.arange(num_frames) * frame_seconds, side="right") - 1
    return np.where(index < 0, SILENCE, phonemes[np.maximum(index, 0)])
