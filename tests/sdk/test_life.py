from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emohead.errors import InputError
from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import EYELID_PAIRS, EYES, RIGID
from emohead.life import apply_blink, apply_gaze, blinks, check_life, glances

UPPER, LOWER = np.array(EYELID_PAIRS).T
FPS = 30


def times(num_frames: int, fps: float = FPS) -> np.ndarray:
    return (np.arange(num_frames) + 0.5) / fps


def faces(count: int) -> np.ndarray:
    return np.repeat(TEMPLATE[None].astype(np.float64), count, axis=0)


def events(closed: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the blinks, seconds."""
    starts = np.flatnonzero((closed[1:] > 0) & (closed[:-1] == 0))
    stops = np.flatnonzero((closed[1:] == 0) & (closed[:-1] > 0))
    count = min(len(starts), len(stops))
    return starts / fps, (stops[:count] - starts[:count]) / fps


@pytest.mark.parametrize("rate", [8, 17, 26])
def test_the_rate_is_the_one_asked_for(rate: int) -> None:
    counts = [len(events(blinks(times(FPS * 300), s, rate), FPS)[0]) / 5 for s in range(12)]
    assert np.mean(counts) == pytest.approx(rate, rel=0.1)


def test_pauses_vary_as_peoples_do() -> None:
    starts, lengths = events(blinks(times(100 * 1800, 100), 3), 100)
    pauses = np.diff(starts)
    assert 0.19 <= lengths.min() <= lengths.max() <= 0.41
    assert pauses.min() > 0.5
    assert 0.35 < pauses.std() / pauses.mean() < 0.8
    skewness = ((pauses - pauses.mean()) ** 3).mean() / pauses.std() ** 3
    assert skewness > 0.7


def test_eyes_close_faster_than_they_open() -> None:
    closed = blinks(times(12_000, 200), 5)
    steps = np.diff(closed)
    assert closed.max() > 0.99
    assert closed.min() == 0
    assert 1.5 < (steps < 0).sum() / (steps > 0).sum() < 2.5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=5), st.integers(0, 500))
def test_chunking_changes_nothing(cuts: list[int], seed: int) -> None:
    whole = times(4000)
    pieces = np.split(whole, sorted(cuts))
    np.testing.assert_array_equal(
        np.concatenate([blinks(p, seed) for p in pieces]), blinks(whole, seed)
    )
    looked = np.concatenate([glances(p, seed) for p in pieces])
    np.testing.assert_array_equal(looked, glances(whole, seed))


def test_seeds_repeat_and_differ_and_minutes_too() -> None:
    minute = times(1800)
    for life in (blinks, glances):
        assert (life(minute, 7) == life(minute, 7)).all()
        assert (life(minute, 7) != life(minute, 8)).any()
        assert (life(minute, 7) != life(minute + 60, 7)).any()
        assert len(life(minute[:0], 7)) == 0


def test_nothing_happens_where_nothing_is_asked_for() -> None:
    assert not blinks(times(3000), 1, 0.0).any()
    assert not glances(times(3000), 1, 0.0).any()
    still = faces(3)
    assert (apply_gaze(apply_blink(still, np.zeros(3)), np.zeros((3, 2))) == still).all()


def test_a_minute_joins_the_next_without_a_jump() -> None:
    around = 60 + np.array([-0.001, 0.0, 0.001])
    for seed in range(20):
        assert np.ptp(blinks(around, seed)) < 0.01
        assert np.abs(np.diff(glances(around, seed), axis=0)).max() < 0.01


def test_eyes_rest_on_the_viewer_and_step_quickly_aside() -> None:
    looked = np.concatenate([glances(times(1800), seed, 1.0) for seed in range(10)])
    aside = np.abs(looked[:, 0]) > 0.3
    assert np.abs(looked).max() <= 1
    assert 0.1 < aside.mean() < 0.4
    moving = np.abs(np.diff(looked[:, 0])) > 0.1
    assert 0.01 < moving.mean() < 0.12
    half = np.concatenate([glances(times(1800), seed, 0.5) for seed in range(10)])
    np.testing.assert_allclose(half, looked / 2, atol=1e-12)


def test_blinking_closes_the_eyes_and_nothing_else() -> None:
    shut = apply_blink(faces(3), np.array([0.0, 0.5, 1.0]))
    gap = (shut[:, LOWER] - shut[:, UPPER])[..., 1]
    assert (gap[1] < 0.6 * gap[0]).all()
    assert (gap[2] < 0.1 * gap[0]).all()
    assert (gap[2] > 0).all()
    others = np.setdiff1d(np.arange(68), [*UPPER, *LOWER])
    assert (shut[:, others] == faces(3)[:, others]).all()


def test_glances_carry_the_lids_and_leave_corners_and_pose() -> None:
    directions = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    shift = apply_gaze(faces(4), directions) - faces(4)
    lids = np.setdiff1d(EYES, RIGID)
    others = np.setdiff1d(np.arange(68), lids)
    assert not shift[:, others].any()
    assert (shift[0, lids, 0] > 0.02).all()
    np.testing.assert_allclose(shift[1], -shift[0])
    down = shift[2]
    assert (down[UPPER, 1] > down[LOWER, 1]).all()
    assert (down[LOWER, 1] > 0).all()


def test_closed_eyes_stay_closed_wherever_they_look() -> None:
    looking = apply_gaze(faces(2), np.array([[1.0, 1.0], [-1.0, -1.0]]))
    shut = apply_blink(looking, np.ones(2))
    gap = (shut[:, LOWER] - shut[:, UPPER])[..., 1]
    assert (gap > 0).all()
    assert gap.max() < 0.01


@pytest.mark.parametrize(("rate", "gaze"), [(-1, 0), (41, 0), (float("nan"), 0), (0, 1.1), (0, -1)])
def test_impossible_amounts_are_refused(rate: float, gaze: float) -> None:
    with pytest.raises(InputError, match="blink rate|gaze"):
        check_life(rate, gaze)


def test_shapes_times_and_seeds_must_make_sense() -> None:
    with pytest.raises(InputError, match="one value per frame"):
        apply_blink(np.zeros((3, 68, 3)), np.zeros(2))
    with pytest.raises(InputError, match="one value per frame"):
        apply_gaze(np.zeros((3, 68, 3)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="seed"):
        blinks(times(3), -1)
    with pytest.raises(InputError, match="0 s or more"):
        glances(np.array([-1.0]), 0)
