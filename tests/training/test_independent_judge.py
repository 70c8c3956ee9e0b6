"""The judge that shares no person with the styles: what it learns from, and what it leaves out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.errors import InputError
from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import BROWS
from emohead_training.stylisation.faces import FaceClip
from emohead_training.stylisation.independent_judge import IndependentJudge

RNG = np.random.default_rng(0)
OFFSETS = {"happy": (0.0, -0.06), "sad": (0.06, 0.0), "angry": (0.0, 0.06)}


def faces(emotion: str, seed: int) -> Any:
    """Speech of a person: a shape of its own, an open and close mouth, brows by the emotion."""
    rng = np.random.default_rng(seed)
    made = (
        TEMPLATE + rng.normal(scale=0.01, size=(68, 3)) + rng.normal(scale=2e-3, size=(40, 68, 3))
    )
    made[:, (56, 57, 58, 65, 66, 67), 1] += np.linspace(0, 0.1, 40)[:, None]
    shift = np.array((*OFFSETS.get(emotion, (0.0, 0.0)), 0.0))
    made[:, list(BROWS)] += shift * (np.sign(TEMPLATE[list(BROWS)][:, :1]) ** (shift[0] != 0))
    return made


def clip(person: str, emotion: str, seed: int) -> FaceClip:
    made = faces(emotion, seed)
    return FaceClip(
        identity=person,
        emotion=EMOTIONS.index(emotion),
        doubtful=False,
        landmarks=made,
        pitch=RNG.normal(size=40),
        yaw=RNG.normal(size=40),
    )


@pytest.fixture
def clips() -> list[FaceClip]:
    speech = [clip(f"n{i}", "neutral", i) for i in range(20)]
    acted = [clip(f"{e}{i}", e, 50 + i) for e in OFFSETS for i in range(3)]
    return speech + acted


def test_people_it_never_saw_are_judged_right(clips: list[FaceClip]) -> None:
    judge = IndependentJudge(clips)
    assert judge.people == {"happy": 3, "sad": 3, "angry": 3}
    for emotion in OFFSETS:
        found = judge.probabilities(faces(emotion, 99))
        assert found.shape == (40, 8)
        assert found.sum(1) == pytest.approx(1)
        assert EMOTIONS[int(found.mean(0).argmax())] == emotion


def test_people_of_the_styles_are_left_out(clips: list[FaceClip]) -> None:
    """One who acts everything, and every label wrongly, must not change the judge."""
    names = [n for n in EMOTIONS if n != "calm"]
    liar = [clip("complete", n, 70 + i) for i, n in enumerate(reversed(names))]
    liar = [
        FaceClip(**(vars(c) | {"emotion": EMOTIONS.index(n)}))
        for c, n in zip(liar, names, strict=True)
    ]
    seen = faces("sad", 99)
    before = IndependentJudge(clips).probabilities(seen)
    assert IndependentJudge([*clips, *liar]).probabilities(seen) == pytest.approx(before)
    assert NEUTRAL == 0


def test_nobody_else_to_learn_from_is_refused(clips: list[FaceClip]) -> None:
    with pytest.raises(InputError, match="other than those the styles"):
        IndependentJudge([c for c in clips if c.emotion == NEUTRAL])
