"""What ``emohead render`` is told about the emotion, in its several forms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from emohead.emotion import Emotion, parse_emotion
from emohead.errors import InputError

if TYPE_CHECKING:
    from emohead.audio import Audio
    from emohead.emotion_track import EmotionTrack
    from emohead.head import TalkingHead
    from emohead.valence_arousal import VA

__all__ = ["FITS", "borrowed_emotion", "check_fit", "chosen_emotion"]

FITS: Final = ("stretch", "hold")
"""How an emotion of another length is fitted: all of it, or from the start with its end held."""


def chosen_emotion(
    emotion: str | None, va: str | None, track: Path | None, other: Path | None
) -> Emotion | VA | EmotionTrack | None:
    """Understand the options that name an emotion, of which one at most may be given.

    Parameters
    ----------
    emotion, va : str, optional
        As typed.
    track : Path, optional
        File of a track.
    other : Path, optional
        Speech to take the emotion from; read later.

    Returns
    -------
    Emotion, VA, EmotionTrack or None
        None where a voice has to be read.

    Raises
    ------
    InputError
        For several of them, or one that cannot be used.
    """
    options = {"emotion": emotion, "va": va, "emotion-track": track, "emotion-from": other}
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise InputError(f"expected one source of the emotion, got {', '.join(given)}: choose one")
    if emotion is not None:
        return parse_emotion(emotion)
    if va is not None:
        return _place(va)
    if track is not None:
        from emohead.emotion_files import read_track

        return read_track(track)
    return None


def check_fit(fit: str) -> None:
    """Raise InputError for an unknown way to fit an emotion of another length."""
    if fit not in FITS:
        raise InputError(f"expected --emotion-fit {' or '.join(FITS)}, got {fit!r}")


def borrowed_emotion(head: TalkingHead, other: Audio, speech: Audio, fit: str) -> EmotionTrack:
    """Emotion of another speech, over time, fitted to the length of `speech`."""
    track = head.read_emotion(other)
    return track if fit == "hold" else track.stretched(speech.duration_s / other.duration_s)


def _place(text: str) -> VA:
    from emohead.valence_arousal import VA

    try:
        valence, arousal = (float(number) for number in text.split(","))
    except ValueError as err:
        raise InputError(
            f"expected --va valence,arousal, got {text!r}: write for example --va 0.6,-0.2"
        ) from err
    return VA(valence, arousal)
