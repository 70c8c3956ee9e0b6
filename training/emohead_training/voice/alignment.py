"""Phoneme times of real speech whose words are known, by forced alignment with pocketsphinx.

Not here: the words (``transcripts.py``), synthesised speech, which brings its own times.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.errors import InputError
from emohead_training.voice.phonemes import phoneme_from_arpabet

if TYPE_CHECKING:
    from pocketsphinx import Decoder

__all__ = ["aligned"]

ALIGNER_HOP_S: Final = 0.01
"""Seconds between two frames of the aligner."""
PEAK: Final = 0.6
"""Level that the sound is brought to first; some corpora are very quiet."""


def aligned(
    samples: NDArray[np.float32], words: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Find when each sound of a sentence begins.

    Silence between words and other usual pronunciations are allowed for.

    Parameters
    ----------
    samples : (n,) float32, mono, [-1, 1], 16 kHz
    words : str
        What is said, in lower case, without punctuation.

    Returns
    -------
    phonemes : (P,) int64
        Classes, indices into ``PHONEMES``.
    starts_s : (P,) float32
        Ascending start times in seconds.
        None in place of both where the sound does not fit the words.

    Raises
    ------
    InputError
        pocketsphinx is missing.
    """
    decoder = _decoder()
    loudest = max(float(np.abs(samples).max(initial=0)), 1e-6)
    sound = (samples * (PEAK / loudest * 32767)).astype(np.int16).tobytes()
    try:
        decoder.set_align_text(words)
        _hear(decoder, sound)
        decoder.set_alignment()
        _hear(decoder, sound)
        phones = [p for word in decoder.get_alignment() for p in word]
    except RuntimeError:
        return None
    starts = np.array([p.start for p in phones], np.float32) * np.float32(ALIGNER_HOP_S)
    return np.array([phoneme_from_arpabet(p.name) for p in phones], np.int64), starts


def _hear(decoder: Decoder, sound: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()


@cache
def _decoder() -> Decoder:
    """Acoustic model and dictionary of American English that pocketsphinx brings."""
    try:
        from pocketsphinx import Decoder
    except ImportError as err:
        raise InputError(
            "expected pocketsphinx for aligning speech, found none; "
            'install it with pip install "emohead[train]"'
        ) from err
    assert SAMPLE_RATE_HZ == 16000, "the acoustic model was trained at 16 kHz"
    return Decoder(lm=None, bestpath=False, loglevel="FATAL")
