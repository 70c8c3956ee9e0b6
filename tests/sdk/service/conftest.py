"""Services with a quick renderer and toy networks for live streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("fastapi")

from emohead.client import Client
from emohead.head import TalkingHead
from emohead.service.settings import ServiceSettings

from .quick import QuickRenderer, Running, serving


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voices") / "voice.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 180 * np.arange(3_200) / 16_000), 16_000)
    return path


@pytest.fixture(scope="session")
def head(tiny_bundle: Path) -> TalkingHead:
    return TalkingHead.load(tiny_bundle, backend="cpu", threads=1)


@pytest.fixture
def renderer() -> QuickRenderer:
    return QuickRenderer()


@pytest.fixture
def start(tmp_path: Path, renderer: QuickRenderer) -> Iterator[Callable[..., Running]]:
    """Start services; all of them have ended after the test."""
    with ExitStack() as running:

        def begin(head: Any = None, renderer: Any = renderer, **settings: Any) -> Running:
            chosen = {"data_dir": tmp_path / "data", "grace_s": 5, "rate": 0, **settings}
            return running.enter_context(serving(ServiceSettings(**chosen), renderer, head))

        yield begin


@pytest.fixture
def client(start: Callable[..., Running]) -> Iterator[Client]:
    with Client(start().url) as client:
        yield client
