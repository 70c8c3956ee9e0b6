from __future__ import annotations

import pytest

from emohead.bench.timing import Budget, interleaved, summarised


class Clock:
    """Stands still unless a contestant works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def contestant(self, name: str, *, takes_s: float):
        def work() -> None:
            self.order.append(name)
            self.now += takes_s

        return work


def test_percentiles_are_those_of_the_samples():
    found = summarised([float(n) for n in range(1, 102)])
    assert (found.num_samples, found.min_ms, found.max_ms) == (101, 1.0, 101.0)
    assert (found.median_ms, found.p95_ms, found.p99_ms) == (51.0, 96.0, 100.0)
    assert found.jitter_ms == 1.0


def test_jitter_sees_the_order_and_the_median_does_not():
    calm, restless = summarised([1, 1, 3, 3]), summarised([1, 3, 1, 3])
    assert calm.median_ms == restless.median_ms == 2.0
    assert calm.jitter_ms == pytest.approx(2 / 3, abs=1e-4)
    assert restless.jitter_ms == 2.0
    assert summarised([5.0]).jitter_ms == 0.0


def test_contestants_take_turns_and_each_begins_a_round_equally_often():
    clock = Clock()
    calls = {n: clock.contestant(n, takes_s=0.001) for n in "ab"}
    interleaved(calls, Budget(warmup=0, min_rounds=4, max_rounds=4), clock)
    assert "".join(clock.order) == "abbaabba"


def test_warmup_is_not_timed():
    clock, durations = Clock(), iter([9.0, 9.0, 1.0, 1.0, 1.0])

    def work() -> None:
        clock.now += next(durations)

    found = interleaved({"a": work}, Budget(warmup=2, min_rounds=3, max_rounds=3), clock)
    assert found["a"].max_ms == 1000.0


@pytest.mark.parametrize(("takes_s", "expected"), [(0.3, 5), (0.01, 100), (1e-4, 150)])
def test_rounds_end_with_the_budget_but_not_before_the_least(takes_s, expected):
    clock = Clock()
    budget = Budget(warmup=0, min_rounds=5, max_rounds=150, seconds=0.995)
    found = interleaved({"a": clock.contestant("a", takes_s=takes_s)}, budget, clock)
    assert found["a"].num_samples == expected
    assert found["a"].median_ms == pytest.approx(1e3 * takes_s, rel=1e-3)
