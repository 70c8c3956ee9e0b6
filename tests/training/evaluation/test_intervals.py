"""Intervals: people are resampled, not values."""

from __future__ import annotations

import numpy as np
import pytest

from emohead_training.evaluation.intervals import Tally, draws_of_people, numbers_of
from emohead_training.evaluation.protocol import PROTOCOL


def tally(values: dict[str, list[float]]) -> Tally:
    made = Tally()
    for person, own in values.items():
        made.add(person, own)
    return made


def test_value_is_the_mean_over_all_values_or_a_ratio_of_sums() -> None:
    assert tally({"a": [1, 2], "b": [6]}).value == 3
    ratio = Tally()
    ratio.add("a", [1, 2], [10, 10])
    ratio.add("b", [3], [4])
    assert ratio.value == 6 / 24
    assert tally({"a": [1, 2], "b": [6]}).denominator == 3


def test_interval_covers_the_mean_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        means = rng.normal(5, 1, 30)
        interval = tally({str(i): [m] for i, m in enumerate(means)}).interval
        assert interval is not None
        inside += interval[0] <= 5 <= interval[1]
    assert 0.88 <= inside / 100 <= 0.99


def test_many_values_of_one_person_do_not_narrow_the_interval() -> None:
    few = tally({"a": [0.0], "b": [1.0], "c": [2.0]}).interval
    many = tally({"a": [0.0] * 50, "b": [1.0] * 50, "c": [2.0] * 50}).interval
    assert few == pytest.approx(many)
    assert few is not None
    assert few[1] - few[0] > 1


def test_one_person_has_no_interval() -> None:
    assert tally({"a": [1, 2, 3]}).interval is None
    assert numbers_of({"k": tally({"a": [1.0]})}) == {"k": 1.0}
    assert np.isnan(Tally().value)


def test_numbers_carry_their_interval_beside_them() -> None:
    found = numbers_of({"k": tally({"a": [1.0], "b": [3.0]})})
    assert found["k"] == 2
    assert found["k_ci"] == [1.0, 3.0]


def test_groups_are_numbered_by_their_own_people() -> None:
    tally = Tally()
    for person, values in {"anna": [1.0, 2.0], "bert": [6.0], "cleo": [9.0, 9.0, 9.0]}.items():
        tally.add(person, values)
    groups = {"anna": "north", "bert": "north", "nobody": "south"}
    assert tally.by_group(groups) == {"north (2)": 3.0}


def test_draws_are_with_replacement_and_repeatable() -> None:
    drawn = draws_of_people(5, 400)
    assert (drawn.sum(1) == 5).all()
    assert (drawn == draws_of_people(5, 400)).all()
    assert (drawn == 0).any()
    assert drawn.mean(0) == pytest.approx(np.ones(5), abs=0.15)
    assert PROTOCOL.confidence == 0.95


def test_people_of_whom_nothing_was_measured_have_no_interval() -> None:
    nothing = tally({"a": [], "b": []})
    assert nothing.interval is None
    assert np.isnan(nothing.value)
