"""Linear probes of the content code: are the phonemes kept, is the speaker lost.

Ridge classifiers in closed form, so that the answer says what is there and not how well a network
was trained on it. Not here: the encoders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emohead.errors import InputError
from emohead.mel import content_mel
from emohead.stages import SPEAKER_FRAMES
from emohead_training.corpus import read_sound, read_voice_index
from emohead_training.voice.content_codes import CodeWriter
from emohead_training.voice.sounds import UNLABELLED, Sounds

__all__ = ["linear_probe", "phoneme_probe", "speaker_probe"]

Matrix = NDArray[np.float64]
CONTEXT_FRAMES = 3


@dataclass(frozen=True, kw_only=True)
class _Examples:
    features: Matrix
    classes: NDArray[np.int64]


def linear_probe(seen: _Examples, unseen: _Examples, penalty: float = 1e-2) -> float:
    """Accuracy on unseen examples of a ridge classifier fitted to seen ones.

    Parameters
    ----------
    seen, unseen : examples with (n, d) features and (n,) classes
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


def phoneme_probe(sounds: Sounds, writer: CodeWriter, *, count: int = 120) -> dict[str, float]:
    """Phonemes of held-out synthesised speech, from code and from mel.

    Parameters
    ----------
    sounds : Sounds
    writer : CodeWriter
    count : int
        Utterances to fit to.

    Returns
    -------
    dict of str to float
        ``phoneme_from_content``, ``phoneme_from_mel`` (frame accuracies; the mel with three frames
        on either side) and ``phoneme_majority`` (always the most frequent class).
    """
    rng = np.random.default_rng(0)
    labelled = sounds.phonemes[sounds.starts[:-1]] != UNLABELLED
    seen = rng.permutation(np.flatnonzero(labelled & ~sounds.held_out))[:count]
    unseen = np.flatnonzero(labelled & sounds.held_out)

    def content(mel: NDArray[np.float16]) -> Matrix:
        return writer.codes(mel, rng, degrade=False)[: len(mel)].astype(np.float64)

    from_mel = _utterances(sounds, seen, _with_context), _utterances(sounds, unseen, _with_context)
    from_code = _utterances(sounds, seen, content), _utterances(sounds, unseen, content)
    majority = np.bincount(from_code[0].classes).argmax()
    return {
        "phoneme_from_content": linear_probe(*from_code),
        "phoneme_from_mel": linear_probe(*from_mel),
        "phoneme_majority": float((from_code[1].classes == majority).mean()),
    }


def _with_context(mel: NDArray[np.float16]) -> Matrix:
    padded = np.pad(mel.astype(np.float64), ((CONTEXT_FRAMES, CONTEXT_FRAMES), (0, 0)))
    shifts = range(2 * CONTEXT_FRAMES + 1)
    return np.concatenate([padded[s : s + len(mel)] for s in shifts], axis=1)


def _utterances(
    sounds: Sounds, chosen: NDArray[np.int64], features: Callable[[NDArray[np.float16]], Matrix]
) -> _Examples:
    spans = [slice(sounds.starts[i], sounds.starts[i + 1]) for i in chosen]
    return _Examples(
        features=np.concatenate([features(sounds.mel[s]) for s in spans]),
        classes=np.concatenate([sounds.phonemes[s] for s in spans]).astype(np.int64),
    )


def speaker_probe(data_root: Path, writer: CodeWriter) -> dict[str, float]:
    """Speakers of RAVDESS train actors, fitted on one sentence and asked on the other.

    Parameters
    ----------
    data_root : Path
        Corpus root.
    writer : CodeWriter

    Returns
    -------
    dict of str to float
        ``speaker_from_embedding`` (should be high), ``speaker_from_content`` (mean code of the
        clip; should be near ``speaker_chance``) and ``speaker_from_mel`` (mean mel).
    """
    clips = [c for c in read_voice_index(data_root, "train") if c.dataset == "ravdess"]
    chosen = [c for c in clips if c.path.stem.split("-")[2] in ("01", "02", "03", "04")]
    if not chosen:
        raise InputError(
            f"expected RAVDESS voices in {data_root / 'audio.csv'}, found none; prepare RAVDESS "
            "into the same folder"
        )
    people = sorted({c.speaker for c in chosen})
    classes = np.array([people.index(c.speaker) for c in chosen])
    second = np.array([c.path.stem.split("-")[4] == "02" for c in chosen])
    rows = [_voice_features(c.path, writer) for c in chosen]
    figures = {"speaker_chance": 1 / len(people)}
    for i, name in enumerate(("embedding", "content", "mel")):
        features = np.stack([r[i] for r in rows])
        seen = _Examples(features=features[~second], classes=classes[~second])
        unseen = _Examples(features=features[second], classes=classes[second])
        figures[f"speaker_from_{name}"] = linear_probe(seen, unseen)
    return figures


@torch.no_grad()
def _voice_features(path: Path, writer: CodeWriter) -> tuple[Matrix, Matrix, Matrix]:
    """Embedding, mean code and mean mel of a clip's middle."""
    frames = content_mel(read_sound(path))
    spoken = frames.level_db > frames.reference_db - 30
    mel = frames.mel[spoken] if spoken.any() else frames.mel
    codes = writer.codes(frames.mel, np.random.default_rng(0), degrade=False)[: len(spoken)]
    window = torch.from_numpy(np.resize(mel, (1, SPEAKER_FRAMES, mel.shape[1])))
    voice = writer.speaker(window)[0].numpy().astype(np.float64)
    code = codes[spoken] if spoken.any() else codes
    return voice, code.astype(np.float64).mean(0), mel.astype(np.float64).mean(0)
