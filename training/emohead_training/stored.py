"""Features that lie beside a corpus's clips, and how a data pack keeps them in few bytes.

A pack holds points as differences in time and mels as small integers; other corpora hold half
precision. Readers give the same from either. Not here: making a pack (``packing/``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.mel import content_mel, log_mel_128
from emohead_training.corpus import read_sound
from emohead_training.media import has_media, open_media

__all__ = [
    "PACK_FILE",
    "compact_content_mel",
    "compact_log_mel",
    "content_mel_from",
    "is_pack",
    "read_content_mel",
    "read_log_mel",
    "read_num_samples",
]

PACK_FILE: Final = "pack.json"
"""In the root of a corpus that was packed: what it holds and what was left out."""
_CONTENT_STEPS: Final = 128


def is_pack(root: Path) -> bool:
    """Whether a corpus is a data pack: no sound, nothing to be synthesised or aligned any more."""
    return (root / PACK_FILE).is_file()


def compact_content_mel(mel: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Content mel (T, 80) in [0, 1] in steps of 1/128: 0.8 dB."""
    return np.asarray(np.clip(np.round(mel * _CONTENT_STEPS), 0, 255), np.uint8)


def content_mel_from(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Content mel (T, 80) float32 from its compact form, or from floats."""
    scale = 1 if np.issubdtype(stored.dtype, np.floating) else _CONTENT_STEPS
    return np.asarray(stored, np.float32) / np.float32(scale)


def compact_log_mel(mel: NDArray[np.floating]) -> NDArray[np.int8]:
    """Log-mel (128, T), dB re full scale, in steps of 1 dB."""
    return np.asarray(np.clip(np.round(mel), -127, 127), np.int8)


def read_content_mel(path: Path) -> NDArray[np.float32]:
    """Content mel (T, 80) of a clip or a voice: a pack's own, else computed from the sound."""
    stored = _compact(path, "content_mel")
    return content_mel(read_sound(path)).mel if stored is None else content_mel_from(stored)


def read_log_mel(path: Path) -> NDArray[np.float32]:
    """Log-mel (128, T), dB, of a voice: a pack's own, else computed from the sound."""
    stored = _compact(path, "emotion_mel")
    return log_mel_128(read_sound(path)) if stored is None else stored.astype(np.float32)


def read_num_samples(path: Path) -> int | None:
    """Length in samples of a sound that a pack left out; None where the sound is there."""
    stored = _compact(path, "num_samples")
    return None if stored is None else int(stored)


def _compact(path: Path, name: str) -> NDArray[Any] | None:
    """Integers beside a clip; floats of prepared corpora do not count, the sound is exact."""
    labels = path.with_suffix(".npz")
    if not has_media(labels):
        return None
    with open_media(labels) as file, np.load(file, allow_pickle=False) as stored:
        if name not in stored.files or np.issubdtype(stored[name].dtype, np.floating):
            return None
        values: NDArray[Any] = stored[name]
        return values
