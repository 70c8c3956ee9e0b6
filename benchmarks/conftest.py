"""Fixtures of the benchmarks: the embedded bundle, opened once."""

from __future__ import annotations

from typing import Any

import pytest

from emohead.backends import choose_backend
from emohead.bundle import Bundle


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """Open the embedded bundle."""
    return Bundle.open()


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Name the backend beside the machine in saved results."""
    backend = choose_backend("auto")
    machine_info["backend"] = f"{backend.name}, onnxruntime {backend.version}"
