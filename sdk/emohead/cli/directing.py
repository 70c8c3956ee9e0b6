"""What ``emohead render`` is told about the emotion, in its several forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emohead.errors import InputError

__all__ = ["FITS", "emotion_fields"]

FITS = ("stretch", "hold")
"""How an emotion of another length is fitted: all of it, or from the start with its end held."""


def emotion_fields(
    emotion: str | None, va: str | None, track: Path | None, other: Path | None, fit: str
) -> dict[str, Any]:
    """Turn the options that name an emotion, of which one at most may be given, into a job's.

    Parameters
    ----------
    emotion, va : str, optional
        As typed.
    track : Path, optional
        File of a track.
    other : Path, optional
        Speech to take the emotion from.
    fit : str
        One of ``FITS``.

    Returns
    -------
    dict
        Fields of ``Job``.

    Raises
    ------
    InputError
        For several of them, or an option that cannot be used.
    """
    options = {"emotion": emotion, "va": va, "emotion-track": track, "emotion-from": other}
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise InputError(f"expected one source of the emotion, got {', '.join(given)}: choose one")
    if fit not in FITS:
        raise InputError(f"expected --emotion-fit {' or '.join(FITS)}, got {fit!r}")
    felt = emotion if va is None else _place(va)
    return {"emotion": felt, "emotion_track": track, "emotion_from": other, "emotion_fit": fit}


def _place(text: str) -> dict[str, float]:
    try:
        valence, arousal = (float(number) for number in text.split(","))
    except ValueError as err:
        raise InputError(
            f"expected --va valence,arousal, got {text!r}: write for example --va 0.6,-0.2"
        ) from err
    return {"valence": valence, "arousal": arousal}
