"""Time of one call of each network, at the opt size of its specification."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emohead.bundle import Bundle
from emohead.contract import sample_inputs
from emohead.stages import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_stage(benchmark: Any, bundle: Bundle, stage: str) -> None:
    runner = bundle.runner(stage)
    feed = sample_inputs(STAGES[stage])
    outputs = benchmark(lambda: runner(**feed))
    assert all(np.isfinite(array).all() for array in outputs.values())
