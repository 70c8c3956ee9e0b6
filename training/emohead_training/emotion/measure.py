"""Emotion accuracy on the people of the test side, as the runtime reads a clip.

Whole clips, windows averaged; a data set's clips compete only among the classes it labels.
Called by ``emohead-train evaluate``. Nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emohead.emotion import EMOTIONS
from emohead.emotion.reader import EmotionReader
from emohead.runner import Runner
from emohead.stages import EMOTION_ENCODER
from emohead_training.corpus import VoiceClip, read_sound, read_voice_index
from emohead_training.emotion.acted_voices import CLASSES_OF, known_classes
from emohead_training.emotion.calibration import calibration_error
from emohead_training.evaluation.intervals import Tally

__all__ = ["emotion_accuracy"]


def emotion_accuracy(data_root: Path, runners: Mapping[str, Runner]) -> dict[str, Any]:
    """Measure the encoder on acted sentences of people it never heard.

    Parameters
    ----------
    data_root : Path
        Corpus root.
    runners : mapping of stage name to Runner
        Needs ``emotion_encoder``.

    Returns
    -------
    dict
        ``emotion_accuracy_ravdess`` (8 classes) and ``emotion_accuracy_cremad`` (6 classes), each
        with its ``_ci`` over speakers, mean recall, clip count, recall per class, accuracy per
        group of speakers, confusion (rows are true classes) and expected calibration error of the
        clip scores.
    """
    runner = runners[EMOTION_ENCODER.name]
    clips = read_voice_index(data_root, "test")
    result: dict[str, Any] = {}
    for dataset, classes in CLASSES_OF.items():
        chosen = [c for c in clips if c.dataset == dataset]
        if not chosen:
            continue
        scores = np.stack([_scores(c, runner) for c in chosen])
        labels = np.array([EMOTIONS.index(c.emotion) for c in chosen])
        known = known_classes(dataset)
        key = dataset.replace("-", "")
        guesses = np.where(known, scores, -1).argmax(1)
        confusion = _confusion(labels, guesses)
        tally = Tally()
        for clip, hit in zip(chosen, guesses == labels, strict=True):
            tally.add(clip.speaker, hit)
        recalls = _recalls(confusion, classes)
        result |= tally.as_numbers(f"emotion_accuracy_{key}")
        result |= {
            f"emotion_mean_recall_{key}": float(np.mean(list(recalls.values()))),
            f"emotion_clips_{key}": len(chosen),
            f"emotion_recall_{key}": recalls,
            f"emotion_by_group_{key}": tally.by_group(_groups(dataset, tally.sums)),
            f"emotion_confusion_{key}": confusion.tolist(),
            f"emotion_calibration_error_{key}": _error(scores, labels, known),
        }
    return result


def _scores(clip: VoiceClip, runner: Runner) -> NDArray[np.float32]:
    reader = EmotionReader(runner)
    reader.push(read_sound(clip.path))
    scores = reader.close().scores
    return np.full(len(EMOTIONS), 0.5, np.float32) if scores is None else scores


def _groups(dataset: str, speakers: Iterable[str]) -> dict[str, str]:
    """Sex of RAVDESS actors, whose odd numbers are men; other corpora do not name it."""
    if dataset != "ravdess":
        return {}
    numbers = {speaker: int(speaker.rpartition("-")[2]) for speaker in speakers}
    return {speaker: "men" if number % 2 else "women" for speaker, number in numbers.items()}


def _confusion(labels: NDArray[np.int64], guesses: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
    np.add.at(counts, (labels, guesses), 1)
    return counts


def _recalls(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, float]:
    """Share of right answers per class that occurs."""
    rows = {name: confusion[EMOTIONS.index(name)] for name in classes}
    return {n: float(r[EMOTIONS.index(n)] / r.sum()) for n, r in rows.items() if r.sum()}


def _error(
    scores: NDArray[np.float32], labels: NDArray[np.int64], known: NDArray[np.bool_]
) -> float:
    truth = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    rows = torch.from_numpy(known).expand(scores.shape)
    return calibration_error(torch.from_numpy(scores), torch.from_numpy(truth), rows)
