"""Judging the edge representation and the stylisation on people that nobody trained on.

Two judges of expressions: a small classifier of its own, which has seen the people whom the styles
come from, and `independent_judge.py`, which has not. Who calls: `emohead-train evaluate`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from emohead.emotion import EMOTIONS
from emohead.geometry import TEMPLATE, edges_from_landmarks, landmarks_from_edges
from emohead.geometry.pose import procrustes_rotation
from emohead.runner import Runner
from emohead.stages import EMOTION_LANDMARKS
from emohead.stylise import Stylist
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.models.landmark_critics import edge_weights
from emohead_training.mouth import mouth_opening
from emohead_training.stylisation.batches import FaceSampler
from emohead_training.stylisation.faces import FaceClip, read_faces
from emohead_training.stylisation.independent_judge import IndependentJudge
from emohead_training.stylisation.styles import complete_people, measure_styles
from emohead_training.voice.lip_scores import correlation

__all__ = ["ExpressionJudge", "edge_round_trip", "stylisation_report", "train_judge"]

Array = npt.NDArray[np.float64]

_JUDGED: Final = tuple(i for i, name in enumerate(EMOTIONS) if name not in ("neutral", "calm"))
_STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


def edge_round_trip(data_root: Path) -> dict[str, float]:
    """Landmarks to edges and back, on the test people.

    Parameters
    ----------
    data_root : Path
        Folder that holds `video.csv`.

    Returns
    -------
    dict
        ``edge_round_trip``: largest point error in canonical units, each face solved from another
        frame of its clip, from the template and from another person; ``edge_round_trip_mean``;
        ``edge_round_trip_faces``: how many faces.
    """
    clips = read_faces(data_root, "test")
    faces = np.concatenate([clip.landmarks[::12] for clip in clips])
    same = np.concatenate([np.roll(clip.landmarks, 5, axis=0)[::12] for clip in clips])
    edges = edges_from_landmarks(faces)
    starts = (same, np.broadcast_to(TEMPLATE, faces.shape), np.roll(faces, len(faces) // 2, 0))
    errors = np.concatenate([_rigid_error(landmarks_from_edges(edges, s), faces) for s in starts])
    return {
        "edge_round_trip": float(errors.max()),
        "edge_round_trip_mean": float(errors.mean()),
        "edge_round_trip_faces": float(len(faces)),
    }


def stylisation_report(data_root: Path, runners: Mapping[str, Runner]) -> dict[str, Any]:
    """Judge the stylisation on held-out people.

    Parameters
    ----------
    data_root : Path
        Folder that holds `video.csv`.
    runners : mapping of stage name to Runner
        Must hold ``emotion_landmarks``.

    Returns
    -------
    dict
        ``real_accuracy`` of the judge on labelled clips of val and test people, ``real_clips``;
        ``styled_accuracy`` on generated faces of val and test people, ``unstyled_accuracy`` on the
        same faces before, both against the emotion asked for (chance 1/6 of six emotions);
        ``styled_by_emotion``; the same with ``_independent`` by the judge that shares no person
        with the styles, beside ``independent_judge_accuracy`` of that judge on the real clips of
        those people and ``independent_judge_people`` it learnt each emotion from;
        ``opening_preserved``: correlation of the inner lips' opening before and after, mean over
        people and emotions, and ``opening_preserved_by_emotion``;
        ``neutral_change``: largest change by a neutral emotion;
        ``monotone_share``: share of face and emotion pairs whose change grows with every strength.
    """
    train_clips = read_faces(data_root, "train")
    held_out = read_faces(data_root, "val") + read_faces(data_root, "test")
    judges = {
        "": train_judge(train_clips, PROTOCOL.seed),
        "_independent": IndependentJudge(train_clips),
    }
    stylist = Stylist(runners[EMOTION_LANDMARKS.name])
    return (
        _real(judges[""], held_out)
        | _reliability(judges["_independent"], train_clips)
        | _generated(judges, stylist, held_out)
        | _ends(stylist, held_out)
    )


class Judge(Protocol):
    """Says what a face expresses."""

    def probabilities(self, landmarks: Array) -> Array:
        """Probabilities (N, 8) of canonical faces (N, 68, 3)."""


class ExpressionJudge(nn.Module):
    """Classifier of single faces.

    Parameters
    ----------
    mean : (E, 2) float32 tensor
        Edges of the mean neutral face.
    """

    def __init__(self, mean: torch.Tensor) -> None:
        super().__init__()
        self.mean = mean
        self.scale = edge_weights() / 0.03
        self.layers = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(mean.numel(), 64), nn.Tanh(), nn.Linear(64, len(EMOTIONS))
        )

    def forward(self, edges: torch.Tensor) -> torch.Tensor:
        """Logits (B, 8) of edges (B, E, 2)."""
        centred = ((edges - self.mean) * self.scale).clamp(-6, 6)
        logits: torch.Tensor = self.layers(centred.flatten(1))
        return logits

    @torch.no_grad()
    def probabilities(self, landmarks: Array) -> Array:
        """Probabilities (N, 8) of canonical faces (N, 68, 3)."""
        edges = torch.from_numpy(edges_from_landmarks(landmarks).astype(np.float32))
        return np.asarray(self.eval()(edges).softmax(1), np.float64)


def train_judge(clips: Sequence[FaceClip], seed: int = 0, steps: int = 600) -> ExpressionJudge:
    """Train the judge on train people.

    Parameters
    ----------
    clips : sequence of FaceClip
    seed : int
    steps : int

    Returns
    -------
    ExpressionJudge
    """
    torch.manual_seed(seed)
    sampler = FaceSampler(clips, measure_styles(clips), seed + 1000)
    judge = ExpressionJudge(sampler.statistics(1000)[0])
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    for _ in range(steps):
        edges, labels = sampler.labelled(48)
        loss = functional.cross_entropy(judge(edges), labels, label_smoothing=0.1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return judge


def _real(judge: ExpressionJudge, clips: Sequence[FaceClip]) -> dict[str, Any]:
    """Accuracy over labelled clips, each judged by the mean over its frames."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for clip in clips:
        if clip.emotion is not None:
            guess = judge.probabilities(clip.landmarks).mean(0).argmax()
            hits[clip.identity].append(bool(guess == clip.emotion))
    return {
        "real_accuracy": float(np.mean([np.mean(own) for own in hits.values()])),
        "real_clips": sum(map(len, hits.values())),
        "real_people": len(hits),
    }


def _speech_by_person(clips: Sequence[FaceClip]) -> dict[str, Array]:
    speech: dict[str, Array] = {}
    for clip in clips:
        if clip.is_speech and clip.identity not in speech:
            speech[clip.identity] = clip.landmarks[::10]
    return speech


def _reliability(judge: IndependentJudge, clips: Sequence[FaceClip]) -> dict[str, Any]:
    """Accuracy of the independent judge on the real clips of the people that it left out."""
    sources, tally = set(complete_people(clips)), Tally()
    for clip in clips:
        if clip.identity in sources and clip.emotion in _JUDGED:
            guess = judge.probabilities(clip.landmarks).mean(0).argmax()
            tally.add(clip.identity, guess == clip.emotion)
    return tally.as_numbers("independent_judge_accuracy") | {
        "independent_judge_clips": int(tally.denominator),
        "independent_judge_people": judge.people,
    }


def _generated(
    judges: Mapping[str, Judge], stylist: Stylist, clips: Sequence[FaceClip]
) -> dict[str, Any]:
    """Accuracy over people and emotions, six-way, each person judged by the mean of frames."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    by_emotion: dict[str, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    people = _speech_by_person(clips)
    for person, faces in people.items():
        for index, emotion in enumerate(_JUDGED):
            name, styled = EMOTIONS[emotion], stylist.stylise(faces, np.eye(len(EMOTIONS))[emotion])
            for suffix, judge in judges.items():
                hit, unstyled = (_guess(judge, x) == index for x in (styled, faces))
                tallies[f"styled_accuracy{suffix}"].add(person, hit)
                tallies[f"unstyled_accuracy{suffix}"].add(person, unstyled)
                by_emotion[f"styled_by_emotion{suffix}"][name].add(person, hit)
            kept = correlation(mouth_opening(faces), mouth_opening(styled))
            tallies["opening_preserved"].add(person, kept)
            by_emotion["opening_preserved_by_emotion"][name].add(person, kept)
    named = {k: {n: tally.value for n, tally in own.items()} for k, own in by_emotion.items()}
    return numbers_of(tallies) | named | {"styled_people": len(people)}


def _guess(judge: Judge, faces: Array) -> int:
    return int(judge.probabilities(faces)[:, _JUDGED].mean(0).argmax())


def _ends(stylist: Stylist, clips: Sequence[FaceClip]) -> dict[str, Any]:
    """Neutral must change nothing, and strength must only ever add."""
    people = _speech_by_person(clips)
    faces = np.stack([frames[0] for frames in people.values()])
    neutral = stylist.stylise(faces, np.eye(len(EMOTIONS))[0])
    grows = []
    for emotion in _JUDGED:
        vectors = [strength * np.eye(len(EMOTIONS))[emotion] for strength in _STRENGTHS]
        changes = [np.linalg.norm(stylist.stylise(faces, v) - faces, axis=(1, 2)) for v in vectors]
        grows.append((np.diff(np.stack(changes), axis=0) > 0).all(axis=0))
    tally = Tally()
    for person, own in zip(people, np.transpose(grows), strict=True):
        tally.add(person, own)
    return tally.as_numbers("monotone_share") | {
        "neutral_change": float(np.abs(neutral - faces).max()),
    }


def _rigid_error(found: Array, wanted: Array) -> Array:
    """Largest point distance (N,) after the best rigid fit."""
    first, second = (x - x.mean(1, keepdims=True) for x in (found, wanted))
    rotation = procrustes_rotation(second, first, np.ones((first.shape[1], 1)))
    error: Array = np.linalg.norm(second @ np.swapaxes(rotation, 1, 2) - first, axis=-1).max(1)
    return error
