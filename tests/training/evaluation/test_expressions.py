"""Rendered emotions: what counts as recognised, for whom, and where the judge looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead.emotion import EMOTIONS
from emohead.errors import InputError
from emohead.geometry import TEMPLATE
from emohead_training.evaluation import expressions
from emohead_training.evaluation.expressions import (
    CLASSES,
    SIX,
    ExpressionNetwork,
    Face,
    expression_report,
    face_box,
)

POINTS: Any = (TEMPLATE[:, :2] * 90 + 128).astype(np.float32)


def face(person: str, group: str) -> Face:
    level = 1 if person.startswith("bad") else 0
    return Face(person=person, group=group, image=np.full((8, 8, 3), level, np.uint8))


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two test people and a portrait; on one of them anger looks neutral, then sad."""
    shown = [face("a", "test_people"), face("bad", "test_people"), face("c", "portraits")]
    shown.append(Face(person="none", group="portraits", image=np.full((8, 8, 3), 9, np.uint8)))
    monkeypatch.setattr(expressions, "faces_of", lambda data: iter(shown))
    monkeypatch.setattr(expressions, "read_video_index", lambda *_, **__: [])

    def portrait_of(image: Any) -> Any:
        if image[0, 0, 0] == 9:
            raise InputError("no face")
        return image

    def express(portrait: Any, emotion: Any) -> Any:
        return np.full((2, 2, 3), 10 * portrait[0, 0, 0] + emotion.argmax(), np.uint8), POINTS

    def judge(frames: Any, points: Any) -> Any:
        logits = np.zeros((len(frames), 7), np.float32)
        for row, value in zip(logits, frames[:, 0, 0, 0], strict=True):
            row[CLASSES.index(EMOTIONS[value % 10])] = 5
            if value == 10 + EMOTIONS.index("angry"):
                row[:] = [9, 0, 6, 0, 0, 0, 0]
        return logits

    return expression_report(Path(), judge, portrait_of, express)  # type: ignore[arg-type]


def test_accuracy_is_over_faces_and_six_emotions(report: dict[str, Any]) -> None:
    assert report["rendered_emotion_accuracy"] == pytest.approx(17 / 18)
    assert report["rendered_emotion_accuracy_with_neutral"] == pytest.approx(17 / 18)
    assert report["rendered_emotion_accuracy_test_people"] == pytest.approx(11 / 12)
    assert report["rendered_emotion_accuracy_portraits"] == 1
    assert report["rendered_emotion_recall"]["angry"] == pytest.approx(2 / 3)
    assert (report["num_faces"], report["missed"]) == (3, 1)


def test_unstyled_faces_are_at_chance_and_seen_as_neutral(report: dict[str, Any]) -> None:
    assert report["unstyled_rendered_emotion_accuracy"] == pytest.approx(1 / 6)
    assert report["rendered_neutral_share"] == 1


def test_confusion_leaves_neutral_out_or_in(report: dict[str, Any]) -> None:
    six = np.array(report["rendered_emotion_confusion"])
    seven = np.array(report["rendered_emotion_confusion_with_neutral"])
    assert six.shape == (6, 6)
    assert six[SIX.index("angry")].tolist() == [0, 1, 2, 0, 0, 0]
    assert seven[SIX.index("angry")].tolist() == [1, 0, 0, 2, 0, 0, 0]
    assert six.sum() == seven.sum() == 18


def test_box_is_around_eyes_and_mouth_at_any_size() -> None:
    y, x = np.mgrid[:256, :256]
    picture = np.stack((x, y, x), -1).astype(np.uint8)
    box = face_box(picture, POINTS)
    assert box.shape == (112, 112, 3)
    middle = np.mean([POINTS[36:42].mean(0), POINTS[42:48].mean(0), POINTS[48:68].mean(0)], axis=0)
    assert box[round(0.43 * 112), 56, :2].astype(float) == pytest.approx(middle, abs=2)
    smaller = face_box(picture, (POINTS - middle) * 0.5 + middle)
    assert np.ptp(smaller[56, :, 0]) == pytest.approx(np.ptp(box[56, :, 0].astype(int)) / 2, abs=3)


def test_real_faces_are_recognised_better_than_by_chance(shared_data: Path) -> None:
    from emohead_training.corpus import read_video_index

    clips = [c for c in read_video_index(shared_data) if c.source == "mead-spectre"]
    judge = ExpressionNetwork(shared_data / "teachers")
    happy = [c for c in clips if c.emotion.startswith("happy")]
    hits = []
    for clip in happy:
        frames, points = expressions._real_samples(clip)
        hits.extend(judge(frames, points)[:, 1:].argmax(1) == SIX.index("happy"))
    assert np.mean(hits) > 0.5
