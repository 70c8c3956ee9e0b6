"""What a pack keeps of one clip or voice: a film without sound, points and mels in few bytes.

Called by ``groups.py``. Not here: which clips, and the archive.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.errors import EmoheadError
from emohead.mel import content_mel, log_mel_128
from emohead_training.compact_points import compact_points
from emohead_training.corpora.encoding import mp4_bytes
from emohead_training.corpus import (
    VideoClip,
    VoiceClip,
    read_frames,
    read_labels,
    read_sound,
    read_spelling,
)
from emohead_training.media import open_media
from emohead_training.stored import compact_content_mel, compact_log_mel
from emohead_training.voice.alignment import aligned
from emohead_training.voice.transcripts import transcript

__all__ = ["MAX_SECONDS", "npz_bytes", "sound_arrays", "video_files", "voice_files"]

MAX_SECONDS: Final = 12.0
"""Of a clip; the renderer draws at most eight seconds of any."""
_RATE_BYTES: Final = 18_000
"""A second of film that is larger is encoded again."""
_CRF: Final = 26


def video_files(clip: VideoClip, prompts: Mapping[tuple[str, str], str]) -> dict[str, bytes]:
    """Shrink a talking clip.

    Parameters
    ----------
    clip : VideoClip
    prompts : mapping
        From ``read_prompts``; known words are aligned to the sound.

    Returns
    -------
    dict of str to bytes
        ``mp4`` without sound, and ``npz`` with points, mel and phonemes.
    """
    labels = read_labels(clip.path)
    count = min(len(labels.valid), int(MAX_SECONDS * labels.fps))
    arrays: dict[str, Any] = {
        "fps": np.float32(labels.fps),
        "landmarks": compact_points(labels.landmarks[:count]),
        "iris": compact_points(labels.iris[:count]),
        "valid": labels.valid[:count],
    }
    if labels.outline is not None:
        arrays["forehead"] = compact_points(labels.outline[:count])
    if clip.has_speech:
        samples = read_sound(clip.path)[: round(count / labels.fps * SAMPLE_RATE_HZ)]
        arrays |= sound_arrays(samples, content=True, emotion=False)
        arrays |= _phonemes(clip, samples, prompts)
    return {"mp4": _film(clip, count), "npz": npz_bytes(arrays)}


def voice_files(
    voice: VoiceClip, prompts: Mapping[tuple[str, str], str], *, content: bool
) -> dict[str, bytes]:
    """Shrink a voice to what the trainings read of it.

    Parameters
    ----------
    voice : VoiceClip
    prompts : mapping
        From ``read_prompts``.
    content : bool
        Whether AutoVC shall hear it too; voices without an emotion are for it alone.

    Returns
    -------
    dict of str to bytes
        ``npz`` with mels and phonemes.
    """
    samples = read_sound(voice.path)
    content = content or not voice.emotion
    arrays = sound_arrays(samples, content=content, emotion=bool(voice.emotion))
    if content:
        arrays |= _phonemes(voice, samples, prompts)
    return {"npz": npz_bytes(arrays)}


def sound_arrays(samples: NDArray[np.float32], *, content: bool, emotion: bool) -> dict[str, Any]:
    """Mels of a sound, and its length, as ``stored.py`` reads them."""
    arrays: dict[str, Any] = {"num_samples": np.int64(len(samples))}
    if content:
        arrays["content_mel"] = compact_content_mel(content_mel(samples).mel)
    if emotion:
        arrays["emotion_mel"] = compact_log_mel(log_mel_128(samples))
    return arrays


def npz_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Compress arrays; equal ones give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _phonemes(
    clip: VideoClip | VoiceClip,
    samples: NDArray[np.float32],
    prompts: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Phonemes that the corpus knows, or those of known words where they can be aligned."""
    spelling = read_spelling(clip.path)
    if spelling is not None:
        known = {"is_aligned": np.True_} if spelling.is_aligned else {}
        return {
            "phonemes": spelling.phonemes,
            "starts_s": spelling.starts_s,
            "text": np.array(spelling.text),
            **known,
        }
    words = transcript(clip.path, prompts)
    found = None if words is None else aligned(samples, words)
    if found is None:
        return {}
    phonemes, starts_s = found
    times = {"phonemes": phonemes, "starts_s": np.asarray(starts_s, np.float32)}
    return {**times, "text": np.array(words), "is_aligned": np.True_}


def _film(clip: VideoClip, count: int) -> bytes:
    """Copy the pictures as they are, or encode the first `count` again where they are large."""
    if count == clip.num_frames:
        copied = _without_sound(clip)
        if len(copied) <= _RATE_BYTES * count / clip.fps:
            return copied
    frames = np.stack(list(islice(read_frames(clip.path), count)))
    return mp4_bytes(frames, None, fps=round(clip.fps), crf=_CRF)


def _without_sound(clip: VideoClip) -> bytes:
    import av

    buffer = io.BytesIO()
    with open_media(clip.path) as file, av.open(file) as source:
        pictures = source.streams.video[0]
        with av.open(buffer, "w", format="mp4") as copy:
            stream = copy.add_stream_from_template(pictures)
            for packet in source.demux(pictures):
                if packet.dts is not None:
                    packet.stream = stream
                    copy.mux(packet)
    return buffer.getvalue()


def unreadable(error: Exception) -> str:
    """Reason to leave a clip out, for the report."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if isinstance(error, EmoheadError) else f"{type(error).__name__}: {text}"
