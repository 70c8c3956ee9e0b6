"""What one prepared clip is, and its files inside a shard.

Workers pack records, so that encoding runs in parallel; ``shards.py`` only appends the bytes.
Not here: finding faces in recordings (``footage.py``) and reading shards (``media.py``).
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.mel import content_mel, log_mel_128
from emohead.stages import FRAME_SIZE_PX
from emohead_training.corpora.encoding import flac_bytes, mp4_bytes
from emohead_training.corpus import Split

__all__ = ["PREPARED_FPS", "Packed", "Record", "pack"]

PREPARED_FPS: Final = 30
"""Frame rate of every prepared video."""
_FRAME_SHAPE: Final = (FRAME_SIZE_PX, FRAME_SIZE_PX, 3)
_SPOKEN_RMS: Final = 1e-3
"""Sound whose loudest second is fainter holds no speech."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One clip: a talking face, a voice, or both."""

    key: str
    """Name, unique within the corpus, of letters, digits, ``-`` and ``_``."""
    source: str
    """Corpus: ``ravdess``, ``crema-d``, ``folder``, ``digital-actors``, ``voices``."""
    identity: str
    """Person or voice within the corpus."""
    split: Split
    """Side of the split by person."""
    emotion: str = ""
    """One of ``EMOTIONS``, or empty where nobody labelled it."""
    intensity: str = ""
    """How strongly it is acted, in the corpus's words."""
    text: str = ""
    """What is said, or the corpus's code of the sentence."""
    origin: str = ""
    """Where the clip comes from: a path below the corpus's root, or how it was made."""
    frames: NDArray[np.uint8] | None = None
    """(N, 256, 256, 3) RGB at 30 frames a second; None for a voice without a face."""
    landmarks: NDArray[np.floating] | None = None
    """(N, 68, 3) px of the frame."""
    valid: NDArray[np.bool_] | None = None
    """(N,) whether the frame's landmarks are known; None where all are."""
    iris: NDArray[np.floating] | None = None
    """(N, 2, 3) px of the frame; None where nobody measured them."""
    outline: NDArray[np.floating] | None = None
    """(N, 11, 3) px along the hairline; None where nobody measured it."""
    note: str = ""
    """Remark in ``video.csv``; ``SELF_LABELLED`` where this project's networks found the points."""
    audio: NDArray[np.float32] | None = None
    """(n,) mono, [-1, 1], 16 kHz, beginning with the first frame; None for silent footage."""
    is_voice: bool = True
    """Whether the sound is listed among the voices too; false where another record holds it."""
    phonemes: NDArray[np.int64] | None = None
    """(P,) indices into ``PHONEMES``."""
    starts_s: NDArray[np.floating] | None = None
    """(P,) ascending start times of the phonemes, in seconds."""

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise InputError(f"record {self.key!r}: expected {problem}")


def _problem(record: Record) -> str:
    """Say what a record should have, or nothing where all is well."""
    if not record.key or not all(c.isalnum() or c in "-_" for c in record.key):
        return "a key of letters, digits, - and _"
    if record.emotion not in ("", *EMOTIONS):
        return f"an emotion among {', '.join(EMOTIONS)} or none, got {record.emotion!r}"
    if record.frames is None and record.audio is None:
        return "frames or sound, got neither"
    if (record.phonemes is None) != (record.starts_s is None):
        return "phonemes and their start times together"
    if record.audio is not None and (record.audio.ndim != 1 or not len(record.audio)):
        return f"sound of shape (n,), got {record.audio.shape}"
    return "" if record.frames is None else _frames_problem(record, record.frames)


def _frames_problem(record: Record, frames: NDArray[np.uint8]) -> str:
    if frames.shape[1:] != _FRAME_SHAPE or frames.dtype != np.uint8 or not len(frames):
        return f"frames (N, {FRAME_SIZE_PX}, {FRAME_SIZE_PX}, 3) uint8, got {frames.shape}"
    if record.landmarks is None:
        return "landmarks beside the frames"
    shapes = {"landmarks": (68, 3), "valid": (), "iris": (2, 3), "outline": (11, 3)}
    for name, shape in shapes.items():
        array = getattr(record, name)
        if array is not None and array.shape != (len(frames), *shape):
            return f"{name} of shape {(len(frames), *shape)}, got {array.shape}"
    return ""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A record's files, ready to be appended to a shard."""

    key: str
    """Name of the record."""
    members: dict[str, bytes]
    """Content by extension; ``json`` holds the rows of the indices as ``video`` and ``voice``."""


def pack(record: Record) -> Packed:
    """Encode a record.

    Parameters
    ----------
    record : Record

    Returns
    -------
    Packed
        ``mp4`` (H.264, AAC) where there are frames, ``flac`` where the sound is a voice, ``npz``
        with landmarks, mels and phonemes, ``json`` with everything that the indices state.
    """
    members: dict[str, bytes] = {}
    facts: dict[str, Any] = {"key": record.key, "origin": record.origin, "text": record.text}
    if record.frames is not None:
        members["mp4"] = mp4_bytes(record.frames, record.audio, fps=PREPARED_FPS)
        facts["video"] = _video_row(record, record.frames)
    if record.audio is not None and record.is_voice:
        members["flac"] = flac_bytes(record.audio)
        facts["voice"] = _voice_row(record, record.audio)
    members["npz"] = _arrays(record)
    members["json"] = json.dumps(facts, ensure_ascii=False, indent=1).encode()
    return Packed(key=record.key, members=members)


def _arrays(record: Record) -> bytes:
    """Landmarks in half precision (an eighth of a pixel at 256), mels, phonemes."""
    arrays: dict[str, Any] = {"fps": np.float32(PREPARED_FPS)}
    if record.frames is not None and record.landmarks is not None:
        count = len(record.frames)
        unknown = np.full((count, 2, 3), np.nan)
        arrays["landmarks"] = record.landmarks.astype(np.float16)
        arrays["iris"] = (unknown if record.iris is None else record.iris).astype(np.float16)
        arrays["valid"] = np.ones(count, bool) if record.valid is None else record.valid
        if record.outline is not None:
            arrays["forehead"] = record.outline.astype(np.float16)
    if record.audio is not None:
        arrays["content_mel"] = content_mel(record.audio).mel.astype(np.float16)
        arrays["emotion_mel"] = log_mel_128(record.audio).astype(np.float16)
    if record.phonemes is not None and record.starts_s is not None:
        arrays["phonemes"] = record.phonemes.astype(np.int64)
        arrays["starts_s"] = record.starts_s.astype(np.float32)
        arrays["text"] = np.array(record.text)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _video_row(record: Record, frames: NDArray[np.uint8]) -> dict[str, Any]:
    valid = np.ones(len(frames), bool) if record.valid is None else record.valid
    points = np.asarray(record.landmarks, np.float64)[valid]
    size = np.ptp(points[..., :2], axis=1).max(-1) if len(points) else np.zeros(1)
    graded = record.intensity and record.emotion not in ("", EMOTIONS[0])
    spoken = record.audio is not None and _loudest_rms(record.audio) > _SPOKEN_RMS
    return {
        "source": record.source,
        "identity": f"{record.source}-{record.identity}",
        "split": record.split,
        "emotion": f"{record.emotion}/{record.intensity}" if graded else record.emotion or "-",
        "seconds": round(len(frames) / PREPARED_FPS, 2),
        "fps": PREPARED_FPS,
        "frames": len(frames),
        "landmark_coverage": round(float(valid.mean()), 3),
        "has_speech": int(spoken),
        "sync": "unproven" if spoken else "-",
        "lag_frames": "",
        "face_fraction": round(float(np.median(size)) / FRAME_SIZE_PX, 2),
        "path": record.origin,
        "note": record.note,
    }


def _voice_row(record: Record, audio: NDArray[np.float32]) -> dict[str, Any]:
    return {
        "dataset": record.source,
        "speaker": record.identity,
        "split": record.split,
        "emotion": record.emotion,
        "intensity": record.intensity or "unspecified",
        "sentence": record.text,
        "seconds": round(len(audio) / SAMPLE_RATE_HZ, 3),
        "peak": round(float(np.abs(audio).max()), 4),
        "rms": round(float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))), 5),
    }


def _loudest_rms(audio: NDArray[np.float32]) -> float:
    """Root mean square of the loudest second."""
    count = -(-len(audio) // SAMPLE_RATE_HZ)
    padded = np.pad(audio.astype(np.float64), (0, count * SAMPLE_RATE_HZ - len(audio)))
    power = np.square(padded).reshape(count, -1).mean(1)
    return float(np.sqrt(power.max()))
