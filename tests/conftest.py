"""Fixtures that every package's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the research data beside the repository; skips the test where it is absent."""
    if not _DATA.is_dir():
        pytest.skip("needs the research data in ../shared/data")
    return _DATA
