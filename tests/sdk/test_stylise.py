"""The stylist: no-op, chunking, guards, and what it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emohead.emotion import EMOTIONS, NEUTRAL
from emohead.errors import InputError
from emohead.geometry import TEMPLATE, TOPOLOGY
from emohead.geometry.landmarks import EYELID_PAIRS, INNER_LIPS, LIP_PAIRS, MOUTH
from emohead.runner import Runner
from emohead.stages import EMOTION_LANDMARKS
from emohead.stylise import Stylist, separated

Array = npt.NDArray[np.float64]
HAPPY = np.eye(len(EMOTIONS))[EMOTIONS.index("happy")]
_IN_MOUTH = np.isin(TOPOLOGY.edges, MOUTH).all(axis=1)
_ACROSS = np.isin(TOPOLOGY.edges, INNER_LIPS).all(axis=1)


class _WiderMouth(Runner):
    """Stretches the mouth's edges with the emotion's size; counts its calls."""

    def __init__(self, stretch: float = 0.15) -> None:
        super().__init__(EMOTION_LANDMARKS)
        self.stretch, self.calls = stretch, 0

    def _run(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        self.calls += 1
        edges, emotion = (feed[name] for name in self.spec.input_names)
        styled = edges.copy()
        size = emotion[:, 1:].sum(1, keepdims=True)
        styled[:, _IN_MOUTH, 0] *= 1 + self.stretch * size
        return {self.spec.output_names[0]: styled}


class _ShutMouth(_WiderMouth):
    """Pulls the inner lips through each other."""

    def _run(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        styled = feed[self.spec.input_names[0]].copy()
        styled[:, _ACROSS, 0] *= 0.05
        styled[:, TOPOLOGY.hinges, 1] += 0.3
        return {self.spec.output_names[0]: styled}


def _talking(count: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    faces = TEMPLATE + rng.normal(scale=0.004, size=(count, 68, 3))
    faces[:, [57, 66, 67, 65, 8], 1] += 0.1 * np.abs(np.sin(np.arange(count)))[:, None]
    return faces


def test_neutral_returns_the_same_bits_without_running_the_net() -> None:
    runner = _WiderMouth()
    faces = _talking(4)
    neutral = np.eye(len(EMOTIONS))[NEUTRAL]
    assert np.array_equal(Stylist(runner).stylise(faces, neutral), faces)
    assert np.array_equal(Stylist(runner).stylise(faces, 0 * neutral), faces)
    assert runner.calls == 0


def test_a_net_that_changes_nothing_returns_the_same_bits() -> None:
    faces = _talking(3)
    assert np.array_equal(Stylist(_WiderMouth(0.0)).stylise(faces, HAPPY), faces)


@settings(deadline=None, max_examples=8)
@given(cuts=st.lists(st.integers(1, 19), max_size=4), seed=st.integers(0, 999))
def test_chunks_give_the_bits_of_the_whole(cuts: list[int], seed: int) -> None:
    faces = _talking(20, seed)
    emotion = HAPPY * np.linspace(0, 1, 20)[:, None]
    stylist = Stylist(_WiderMouth())
    whole = stylist.stylise(faces, emotion)
    bounds = [0, *sorted(set(cuts)), 20]
    parts = [stylist.stylise(faces[a:b], emotion[a:b]) for a, b in itertools.pairwise(bounds)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_strength_grows_the_change_and_leaves_the_eyes() -> None:
    face = _talking(1)
    stylist = Stylist(_WiderMouth())
    changes = [np.abs(stylist.stylise(face, s * HAPPY) - face) for s in (0.25, 0.5, 1.0)]
    width = [float(change[0, [48, 54]].max()) for change in changes]
    assert 0.002 < width[0] < width[1] < width[2] < 0.1
    assert changes[2][0, 36:48].max() < 0.01


def test_lips_and_eyelids_never_cross() -> None:
    faces = _talking(5)
    styled = Stylist(_ShutMouth()).stylise(faces, HAPPY)
    for pairs in (LIP_PAIRS, EYELID_PAIRS):
        for upper, lower in pairs:
            assert (styled[:, lower, 1] > styled[:, upper, 1]).all()


def test_separated_moves_only_what_is_too_close() -> None:
    face = TEMPLATE[None]
    crossed = face.copy()
    crossed[:, 66, 1] = crossed[:, 62, 1] - 0.02
    apart = separated(crossed, face, LIP_PAIRS, 0.5)
    gap = face[0, 66, 1] - face[0, 62, 1]
    assert apart[0, 66, 1] - apart[0, 62, 1] == pytest.approx(0.5 * gap)
    others = np.setdiff1d(np.arange(68), [62, 66])
    assert np.array_equal(apart[:, others], crossed[:, others])
    assert np.array_equal(separated(face, face, LIP_PAIRS, 0.5), face)


@pytest.mark.parametrize(
    ("faces", "emotion"),
    [
        (TEMPLATE, HAPPY),
        (np.zeros((2, 67, 3)), HAPPY),
        (_talking(3), np.zeros((2, 8))),
        (_talking(3), 2 * HAPPY),
        (_talking(3), HAPPY * np.nan),
    ],
)
def test_unusable_input_is_refused(faces: Array, emotion: Array) -> None:
    with pytest.raises(InputError):
        Stylist(_WiderMouth()).stylise(faces, emotion)


def test_no_frames_give_no_frames() -> None:
    assert Stylist(_WiderMouth()).stylise(np.zeros((0, 68, 3)), HAPPY).shape == (0, 68, 3)
