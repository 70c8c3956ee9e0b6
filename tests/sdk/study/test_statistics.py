from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emohead.errors import InputError
from emohead.study.statistics import bootstrap_interval, holm, wilcoxon_p


@given(st.integers(0, 1000), st.integers(3, 25))
@settings(max_examples=25, deadline=None)
def test_wilcoxon_is_scipys(seed: int, count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    x = np.random.default_rng(seed).normal(0.3, 1, count)
    assert wilcoxon_p(x) == pytest.approx(stats.wilcoxon(x, method="exact").pvalue, rel=1e-9)


@pytest.mark.parametrize("x", [[1, 1, -1, 2, 2, 3], [0.5, 0.5, 0.5, -0.5], [0, 2, 2, -1, 0]])
def test_wilcoxon_with_ties_and_zeros_counts_every_sign(x: list[float]) -> None:
    given_ = np.array([v for v in x if v])
    sizes = np.abs(given_)
    ranks = np.array([(sizes < s).sum() + ((sizes == s).sum() + 1) / 2 for s in sizes])
    sums = [ranks @ np.array(signs) for signs in product((0, 1), repeat=len(ranks))]
    observed = ranks[given_ > 0].sum()
    tails = np.mean(np.array(sums) >= observed), np.mean(np.array(sums) <= observed)
    assert wilcoxon_p(x) == pytest.approx(min(1.0, 2 * min(tails)))


def test_wilcoxon_of_nothing() -> None:
    assert wilcoxon_p([0.0, 1e-15]) is None
    with pytest.raises(InputError, match="finite"):
        wilcoxon_p([1.0, float("nan")])


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    spans = [bootstrap_interval(rng.normal(5, 2, 40), resamples=1000) for _ in range(200)]
    hit = np.mean([span is not None and span[0] <= 5 <= span[1] for span in spans])
    assert 0.9 <= hit <= 0.98


def test_one_participant_has_no_interval() -> None:
    assert bootstrap_interval([4.0]) is None
    assert bootstrap_interval([4.0, 4.0]) == (4.0, 4.0)


def test_holm_steps_down_and_keeps_the_order() -> None:
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03]), [0.06, 0.03, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
