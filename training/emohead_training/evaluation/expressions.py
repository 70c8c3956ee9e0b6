"""Emotions on rendered faces, recognised by a network that no training run has seen.

Resting faces are stylised at strength 1, rendered through the bundle and judged as pictures.
Called by ``parts.py``. Not here: emotions in landmarks (``stylisation/measure.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.camera import place, project
from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.geometry.landmarks import LEFT_EYE, MOUTH, RIGHT_EYE
from emohead.images import read_image
from emohead.portrait import Portrait
from emohead.render import FrameRenderer, encode_portrait
from emohead.runner import Runner
from emohead.stylise import Stylist
from emohead_training.corpus import (
    VideoClip,
    acted_emotion,
    read_frames,
    read_labels,
    read_video_index,
)
from emohead_training.evaluation.critics import open_network, planes
from emohead_training.evaluation.intervals import Tally, numbers_of
from emohead_training.evaluation.pixels import read_cases
from emohead_training.evaluation.protocol import PROTOCOL

__all__ = [
    "EXPRESSION_FILE",
    "SIX",
    "ExpressionNetwork",
    "Face",
    "bundle_expression",
    "expression_report",
    "face_box",
    "faces_of",
]

EXPRESSION_FILE: Final = "face_expression_7.onnx"
CLASSES: Final = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""Order of the network's logits."""
SIX: Final = CLASSES[1:]
"""Emotions that are asked for."""

_SIDE_PX: Final = 112
_EYES_TO_MOUTH: Final = 0.4
"""Distance from eyes to mouth as a share of the face box: best of nine boxes on real clips of
train people."""
_CENTRE: Final = (0.5, 0.43)
"""Where the middle of eyes and mouth lies in the box."""

Frames = NDArray[np.uint8]
Points = NDArray[np.floating]
Express = Callable[[Portrait, NDArray[np.float64]], tuple[Frames, Points]]
"""A portrait and an emotion (8,) -> the RGB frame that shows it, and its landmarks (68, 2), px."""


class ExpressionNetwork:
    """Logits of seven expressions; never a critic in training.

    Parameters
    ----------
    folder : Path
        Holds ``face_expression_7.onnx``.
    """

    name = "face_expression_7 (7 classes)"

    def __init__(self, folder: Path) -> None:
        self._network = open_network(folder / EXPRESSION_FILE)

    def __call__(self, images: Frames, landmarks: Points) -> NDArray[np.float32]:
        """Judge faces.

        Parameters
        ----------
        images : (n, height, width, 3) uint8, RGB
        landmarks : (n, 68, 2 or more) floating, px

        Returns
        -------
        (n, 7) float32 ndarray
            Logits in the order of ``CLASSES``.
        """
        boxes = [face_box(image, points) for image, points in zip(images, landmarks, strict=True)]
        return np.asarray(self._network(planes(np.stack(boxes)))[0], np.float32)


def face_box(image: Frames, landmarks: Points) -> Frames:
    """Cut the square around eyes and mouth, (112, 112, 3) uint8."""
    import cv2

    points = np.asarray(landmarks, np.float64)[:, :2]
    left, right, mouth = (points[list(part)].mean(0) for part in (LEFT_EYE, RIGHT_EYE, MOUTH))
    reach = 0.5 * (np.linalg.norm(mouth - left) + np.linalg.norm(mouth - right))
    side = reach / _EYES_TO_MOUTH
    corner = (left + right + mouth) / 3 - np.array(_CENTRE) * side
    scale = _SIDE_PX / side
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = (_SIDE_PX, _SIDE_PX)
    cut = cv2.warpAffine(image, matrix, size, flags=kind, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


@dataclass(frozen=True, kw_only=True)
class Face:
    """A resting face to be given emotions."""

    person: str
    """Cluster of the bootstrap."""
    group: str
    """``test_people`` or ``portraits``."""
    image: Frames
    """(height, width, 3) RGB."""


def faces_of(data: Path) -> Iterator[Face]:
    """Faces at rest: the most closed frame of each test person, then staged portraits.

    Parameters
    ----------
    data : Path
        Corpus root; portraits are taken from its folder ``portraits`` where there is one.

    Yields
    ------
    Face
    """
    seen = set()
    for case in read_cases(data):
        if case.clip.identity not in seen:
            seen.add(case.clip.identity)
            yield Face(person=case.clip.identity, group="test_people", image=case.anchor)
    folder = data / "portraits"
    paths = sorted(folder.iterdir())[: PROTOCOL.max_portraits] if folder.is_dir() else []
    for path in paths:
        yield Face(person=f"portrait {path.stem}", group="portraits", image=read_image(path))


def expression_report(
    data: Path,
    judge: ExpressionNetwork,
    portrait_of: Callable[[Frames], Portrait],
    express: Express,
) -> dict[str, Any]:
    """Ask for six emotions on every face and let the network recognise them.

    Parameters
    ----------
    data : Path
        Corpus root.
    judge : ExpressionNetwork
    portrait_of : callable
        Photo to portrait; may raise ``InputError`` where there is no face.
    express : callable
        Shows an emotion on a portrait, for example ``bundle_expression(...)``.

    Returns
    -------
    dict
        ``rendered_emotion_accuracy`` (best of the six logits, neutral left out), with
        ``_with_neutral`` (best of seven), of ``_test_people`` and of ``_portraits`` alone;
        ``unstyled_rendered_emotion_accuracy`` of the same faces rendered neutrally;
        ``rendered_neutral_share`` of those that are judged neutral; ``real_frames_accuracy`` of
        the network on real acted frames of everybody; ``rendered_emotion_recall``;
        ``rendered_emotion_confusion``: asked for (rows of six), recognised (columns of six), and
        ``rendered_emotion_confusion_with_neutral`` (columns of seven); counts.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    guesses: list[NDArray[np.int64]] = []
    judged, missed = 0, 0
    for face in faces_of(data):
        try:
            portrait = portrait_of(face.image)
        except InputError:
            missed += 1
            continue
        judged += 1
        shown = [express(portrait, _one_hot(name)) for name in CLASSES]
        logits = judge(np.stack([f for f, _ in shown]), np.stack([p for _, p in shown]))
        guesses.append(_add_face(face, logits, tallies))
    return (
        numbers_of(tallies)
        | _confusions(guesses)
        | _real_frames(data, judge)
        | {"rendered_emotion_classes": list(CLASSES), "num_faces": judged, "missed": missed}
    )


def bundle_expression(stylist: Stylist, encoder: Runner, renderer: Runner) -> Express:
    """Show emotions through the graphs of a bundle.

    Parameters
    ----------
    stylist : Stylist
    encoder, renderer : Runner
        Of the stages ``portrait_encoder`` and ``renderer``.

    Returns
    -------
    callable
        Holds the expression for some frames, so that the recurrent state settles, and gives the
        last one.
    """

    def express(portrait: Portrait, emotion: NDArray[np.float64]) -> tuple[Frames, Points]:
        styled = stylist.stylise(portrait.canonical[None], emotion)
        points = project(place(styled, portrait.pose))[0]
        features = encode_portrait(encoder, portrait.image, portrait.landmarks)
        frames = FrameRenderer(renderer, features)
        for _ in range(PROTOCOL.expression_frames):
            frames.render(points)
        return frames.render(points), points

    return express


def _add_face(
    face: Face, logits: NDArray[np.float32], tallies: dict[str, Tally]
) -> NDArray[np.int64]:
    """Add a face's answers, (7, 7) logits by emotion asked for; return the (6, 2) guesses."""
    asked = np.arange(1, len(CLASSES))
    six, seven = logits[:, 1:].argmax(1) + 1, logits.argmax(1)
    hits = six[1:] == asked
    tallies["rendered_emotion_accuracy"].add(face.person, hits)
    tallies[f"rendered_emotion_accuracy_{face.group}"].add(face.person, hits)
    tallies["rendered_emotion_accuracy_with_neutral"].add(face.person, seven[1:] == asked)
    tallies["unstyled_rendered_emotion_accuracy"].add(face.person, six[0] == asked)
    tallies["rendered_neutral_share"].add(face.person, seven[0] == 0)
    return np.stack((six[1:], seven[1:]), axis=1)


def _confusions(guesses: list[NDArray[np.int64]]) -> dict[str, Any]:
    six, seven = np.zeros((6, 6), int), np.zeros((6, 7), int)
    for face in guesses:
        for row, (among_six, among_seven) in enumerate(face):
            six[row, among_six - 1] += 1
            seven[row, among_seven] += 1
    recalls = six.diagonal() / np.maximum(six.sum(1), 1)
    return {
        "rendered_emotion_recall": dict(zip(SIX, recalls.tolist(), strict=True)),
        "rendered_emotion_confusion": six.tolist(),
        "rendered_emotion_confusion_with_neutral": seven.tolist(),
    }


def _real_frames(data: Path, judge: ExpressionNetwork) -> dict[str, Any]:
    """Accuracy of the judge on frames of acted clips: how far it can be trusted."""
    tally, recalls = Tally(), {name: Tally() for name in SIX}
    for clip in read_video_index(data, may_be_empty=True):
        name = acted_emotion(clip.emotion)
        if name not in SIX:
            continue
        frames, points = _real_samples(clip)
        if len(frames):
            hits = judge(frames, points)[:, 1:].argmax(1) == SIX.index(name)
            tally.add(clip.identity, hits)
            recalls[name].add(clip.identity, hits)
    return tally.as_numbers("real_frames_accuracy") | {
        "real_frames_recall": {name: own.value for name, own in recalls.items()},
        "num_real_frames": int(tally.denominator),
    }


def _real_samples(clip: VideoClip) -> tuple[Frames, Points]:
    """Frames at the quarters of a clip, and their labels."""
    labels = read_labels(clip.path)
    usable = np.flatnonzero(labels.valid)
    wanted = {int(usable[len(usable) * n // 4]) for n in (1, 2, 3)} if len(usable) else set()
    kept = [(f, i) for i, f in enumerate(read_frames(clip.path)) if i in wanted]
    frames = np.stack([f for f, _ in kept]) if kept else np.zeros((0, 256, 256, 3), np.uint8)
    return frames, labels.landmarks[[i for _, i in kept]]


def _one_hot(name: str) -> NDArray[np.float64]:
    return np.asarray(np.eye(len(EMOTIONS))[EMOTIONS.index(name)], np.float64)
