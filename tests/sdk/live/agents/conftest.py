"""Examples as modules, and voices as int16."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

with warnings.catch_warnings():
    # The frameworks warn of what they import themselves; here warnings are errors.
    warnings.simplefilter("ignore")
    for name in ("livekit.agents", "pipecat.tests.utils", "aiortc.contrib.media"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"


@pytest.fixture(scope="session")
def example() -> Callable[[str], ModuleType]:
    """Load an example by its name."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def pcm(voice: np.ndarray) -> np.ndarray:
    """0.8 s of voice at 24 kHz, int16."""
    return (voice[:19_000] * 32767).astype(np.int16)


@pytest.fixture
def live(tiny_head, tiny_face):
    """Open a stream of the toy networks."""
    with tiny_head.stream(tiny_face, sample_rate=24_000, emotion="neutral", still=True) as stream:
        yield stream
