"""Linear probes of the content code on voices unseen in training: phonemes kept, speaker dropped.

Ridge classifiers in closed form, so that the answer says what is there and not how well a network
was trained on it. Called by ``emohead-train evaluate``. Not here: the encoders.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.mel import content_mel
from emohead.stages import SPEAKER_FRAMES
from emohead_training.corpus import read_sound, read_voice_index
from emohead_training.voice.alignment import aligned
from emohead_training.voice.content_codes import CodeWriter
from emohead_training.voice.phonemes import spelled_frames
from emohead_training.voice.sounds import FRAME_SECONDS
from emohead_training.voice.synthesis import synthesise
from emohead_training.voice.transcripts import PROMPTS_FILE, read_prompts, transcript

__all__ = ["Examples", "content_probes", "linear_probe"]

Matrix = NDArray[np.float64]
CONTEXT_FRAMES: Final = 3
PAUSE_DB: Final = 30.0
"""Frames this much below the loudest are not speech."""
SYNTHESISED_SECONDS: Final = 180.0
CLIPS_PER_VOICE: Final = 24
_SEED: Final = 20_000_003
"""Of synthesised sentences; training uses small seeds and those plus a million and three."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a probe sees."""

    features: Matrix
    """(n, d)."""
    classes: NDArray[np.int64]
    """(n,) from 0."""


@dataclass(frozen=True, kw_only=True)
class _Voiced:
    """A sentence by an unseen voice."""

    voice: str
    words: str
    codes: Matrix
    mel: Matrix
    phonemes: NDArray[np.int64]
    spoken: NDArray[np.bool_]
    embedding: Matrix


def linear_probe(seen: Examples, unseen: Examples, penalty: float = 1e-2) -> float:
    """Accuracy on unseen examples of a ridge classifier fitted to seen ones.

    Parameters
    ----------
    seen, unseen : Examples
    penalty : float
        Ridge penalty, relative to the features' variance.

    Returns
    -------
    float, [0, 1]
    """
    mean, scale = seen.features.mean(0), seen.features.std(0) + 1e-6
    rows = np.c_[(seen.features - mean) / scale, np.ones(len(seen.features))]
    targets = np.eye(int(seen.classes.max()) + 1)[seen.classes]
    gram = rows.T @ rows + penalty * len(rows) * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, rows.T @ (targets - targets.mean(0)))
    other = np.c_[(unseen.features - mean) / scale, np.ones(len(unseen.features))]
    guess = (other @ weights + targets.mean(0)).argmax(1)
    return float((guess == unseen.classes).mean())


def content_probes(data_root: Path, writer: CodeWriter) -> dict[str, Any]:
    """Probe the code on test people and on synthesised sentences.

    The people's phonemes come from alignment of their known sentences; the probe is fitted to
    some of them and asked about the others. The speaker is sought in the mean code of a clip,
    fitted to some sentences and asked on others.

    Parameters
    ----------
    data_root : Path
        Corpus root.
    writer : CodeWriter
        The encoders.

    Returns
    -------
    dict
        ``phoneme_from_content`` and ``phoneme_from_mel`` (seven frames) of people, frame
        accuracies over 40 classes, and ``phoneme_majority``; the same with ``_synthesised`` where
        espeak-ng and flite are installed; ``speaker_from_embedding`` (should be high),
        ``speaker_from_content`` (should be near ``speaker_chance``), ``speaker_from_mel``;
        ``num_voices``.
    """
    people = _people(data_root, writer)
    voices = sorted({p.voice for p in people})
    if len(voices) < 2:
        raise InputError(
            f"expected known sentences of two or more test people in {data_root}, found "
            f"{len(voices)}; prepare RAVDESS or CREMA-D with emohead-train prepare and write "
            f"what their speakers were asked to say into {PROMPTS_FILE}"
        )
    asked = set(voices[::2])
    figures: dict[str, Any] = {"num_voices": len(voices), "speaker_chance": 1 / len(voices)}
    figures |= _phonemes(
        [p for p in people if p.voice not in asked], [p for p in people if p.voice in asked], ""
    )
    figures |= _speakers(people, voices)
    if shutil.which("flite") and shutil.which("espeak-ng"):
        seen, unseen = (_synthesised(writer, _SEED + i) for i in (0, 1))
        figures |= _phonemes(seen, unseen, "_synthesised")
    return figures


def _people(data_root: Path, writer: CodeWriter) -> list[_Voiced]:
    """Sentences of the test people, evenly many of each."""
    taken: dict[str, int] = {}
    found = []
    prompts = read_prompts(data_root)
    clips = read_voice_index(data_root, "test")
    order = np.random.default_rng(0).permutation(len(clips))
    for clip in (clips[i] for i in order):
        words = transcript(clip.path, prompts)
        if words is None or taken.get(clip.speaker, 0) >= CLIPS_PER_VOICE:
            continue
        samples = read_sound(clip.path)
        times = aligned(samples, words)
        if times is not None:
            taken[clip.speaker] = taken.get(clip.speaker, 0) + 1
            found.append(_voiced(writer, samples, clip.speaker, words, times))
    return found


def _synthesised(writer: CodeWriter, seed: int) -> list[_Voiced]:
    return [
        _voiced(writer, u.samples, u.voice, u.text, (u.phonemes, u.starts_s))
        for u in synthesise(SYNTHESISED_SECONDS, seed)
    ]


def _voiced(
    writer: CodeWriter,
    samples: NDArray[np.float32],
    voice: str,
    words: str,
    times: tuple[NDArray[np.int64], NDArray[np.floating]],
) -> _Voiced:
    frames = content_mel(samples)
    spoken = frames.level_db > frames.level_db.max() - PAUSE_DB
    codes = writer.codes(frames.mel, np.random.default_rng(0), degrade=False)[: len(spoken)]
    window = np.resize(frames.mel[spoken], (1, SPEAKER_FRAMES, frames.mel.shape[1]))
    with torch.no_grad():
        embedding = writer.speaker(torch.from_numpy(window))[0].numpy()
    return _Voiced(
        voice=voice,
        words=words,
        codes=codes.astype(np.float64),
        mel=frames.mel.astype(np.float64),
        phonemes=spelled_frames(*times, len(spoken), FRAME_SECONDS),
        spoken=spoken,
        embedding=embedding.astype(np.float64),
    )


def _with_context(mel: Matrix) -> Matrix:
    padded = np.pad(mel, ((CONTEXT_FRAMES, CONTEXT_FRAMES), (0, 0)))
    shifts = range(2 * CONTEXT_FRAMES + 1)
    return np.concatenate([padded[s : s + len(mel)] for s in shifts], axis=1)


def _phonemes(seen: Sequence[_Voiced], unseen: Sequence[_Voiced], suffix: str) -> dict[str, float]:
    def examples(voiced: Sequence[_Voiced], from_mel: bool) -> Examples:
        rows = [_with_context(v.mel) if from_mel else v.codes for v in voiced]
        labels = np.concatenate([v.phonemes for v in voiced])
        return Examples(features=np.concatenate(rows), classes=labels)

    known, asked = examples(seen, False), examples(unseen, False)
    majority = np.bincount(known.classes).argmax()
    return {
        f"phoneme_from_content{suffix}": linear_probe(known, asked),
        f"phoneme_from_mel{suffix}": linear_probe(examples(seen, True), examples(unseen, True)),
        f"phoneme_majority{suffix}": float((asked.classes == majority).mean()),
    }


def _speakers(people: Sequence[_Voiced], voices: Sequence[str]) -> dict[str, float]:
    sentences = sorted({p.words for p in people})
    asked = np.array([sentences.index(p.words) % 2 == 1 for p in people])
    classes = np.array([voices.index(p.voice) for p in people])
    features = {
        "embedding": np.stack([p.embedding for p in people]),
        "content": np.stack([p.codes[p.spoken].mean(0) for p in people]),
        "mel": np.stack([p.mel[p.spoken].mean(0) for p in people]),
    }
    return {
        f"speaker_from_{name}": linear_probe(
            Examples(features=rows[~asked], classes=classes[~asked]),
            Examples(features=rows[asked], classes=classes[asked]),
        )
        for name, rows in features.items()
    }
