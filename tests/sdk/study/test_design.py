from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emohead.errors import InputError
from emohead.study.design import latin_square, plan_screens


@given(st.integers(2, 9))
def test_a_square_balances_places_and_neighbours(size: int) -> None:
    square = latin_square(size)
    assert (np.sort(square, axis=1) == np.arange(size)).all()
    for column in square.T:
        assert set(Counter(column.tolist()).values()) == {len(square) // size}
    after = Counter(pair for row in square.tolist() for pair in pairwise(row))
    assert len(after) == size * (size - 1)
    assert len(set(after.values())) == 1


def test_one_thing_has_one_order() -> None:
    assert latin_square(1).tolist() == [[0]]
    with pytest.raises(InputError, match="at least one"):
        latin_square(0)


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 99))
def test_every_set_shows_every_method_equally_often_in_every_place(
    num_sets: int, num_methods: int, seed: int
) -> None:
    rows = len(latin_square(num_methods))
    plan = plan_screens(num_sets, num_methods, rows, seed)
    for way in plan:
        assert sorted(screen.set_index for screen in way) == list(range(num_sets))
    for number in range(num_sets):
        orders = [s.methods for way in plan for s in way if s.set_index == number]
        for place in zip(*orders, strict=True):
            assert set(Counter(place).values()) == {rows // num_methods}


def test_no_participant_meets_one_side_too_often() -> None:
    for way in plan_screens(8, 2, 6, seed=1):
        assert Counter(screen.methods for screen in way) == {(0, 1): 4, (1, 0): 4}


def test_seeds_repeat_and_differ() -> None:
    assert plan_screens(6, 3, 6, 1) == plan_screens(6, 3, 6, 1)
    assert plan_screens(6, 3, 6, 1) != plan_screens(6, 3, 6, 2)
