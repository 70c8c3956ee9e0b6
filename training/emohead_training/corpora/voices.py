"""The corpus ``voices``: random English sentences by espeak-ng and flite, with phoneme times.

Not here: the synthesizers (``voice/synthesis.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from emohead_training.corpora.people import split_by_hash
from emohead_training.corpora.protocol import Listing, PrepareConfig
from emohead_training.corpora.records import Record
from emohead_training.voice.synthesis import speak_with_espeak, speak_with_flite, synthesise

__all__ = ["SpokenTexts"]

_MEAN_SECONDS: Final = 5.0
"""Length of a sentence on average."""


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    key: str
    origin: str
    seed: int


class SpokenTexts:
    """Preparer of synthesised speech; each item is one sentence by its own seed."""

    def __init__(self, config: PrepareConfig) -> None:
        self._count = max(1, math.ceil(config.minutes * 60 / _MEAN_SECONDS))
        self._seed = config.seed

    def listing(self) -> Listing:
        """List the sentences; a missing synthesizer raises ``InputError`` here."""
        speak_with_espeak("yes", "en-us")
        speak_with_flite("yes", "slt")
        seeds = range(self._seed * 1_000_003, self._seed * 1_000_003 + self._count)
        items = [_Sentence(key=f"voice-{s:09d}", origin=f"seed {s}", seed=s) for s in seeds]
        return Listing(items=items)

    def prepare(self, item: _Sentence) -> Record:
        """Speak a sentence."""
        utterance = next(synthesise(1.0, item.seed))
        return Record(
            key=item.key,
            source="voices",
            identity=utterance.voice,
            split=split_by_hash(utterance.voice),
            text=utterance.text,
            origin=item.origin,
            audio=utterance.samples,
            phonemes=utterance.phonemes,
            starts_s=utterance.starts_s,
        )
