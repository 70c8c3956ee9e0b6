"""Fixtures that every package's tests share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# Threads of torch and BLAS that wait for a core spin, and take it from whoever has the work; a test
# beside another was ten times slower. Set before either is loaded, and for the processes of tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: at the end nobody waits for one of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none; the summary counts it."""
    if item.get_closest_marker("gpu") is not None and shutil.which("nvidia-smi") is None:
        pytest.skip("needs an NVIDIA GPU")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the research data beside the repository; skips the test where it is absent."""
    if not _DATA.is_dir():
        pytest.skip("needs the research data in ../shared/data")
    return _DATA


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle of toy graphs that keep the true contract."""
    pytest.importorskip("onnx")
    from emohead_export.tiny import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").path
