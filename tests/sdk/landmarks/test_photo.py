"""Landmarks of one photo, as users bring them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emohead.geometry import TEMPLATE
from emohead.landmarks.photo import landmarks_from

POINTS = np.round(100 + 40 * TEMPLATE, 3)


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_byte_order_mark_costs_no_point(tmp_path: Path, suffix: str) -> None:
    rows = "\n".join(",".join(f"{v}" for v in row) for row in POINTS)
    text = rows if suffix == ".csv" else json.dumps(POINTS.tolist())
    path = tmp_path / f"a{suffix}"
    path.write_text(text, encoding="utf-8-sig")
    assert landmarks_from(path) == pytest.approx(POINTS)
