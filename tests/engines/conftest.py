"""Stores, keys and stages that the tests of the engines share."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("filelock")

from emohead.stages import EMOTION_ENCODER
from emohead_engines.build import BuiltPlan
from emohead_engines.keys import EngineKey
from emohead_engines.profiles import profile_of
from emohead_engines.store import EngineStore


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines", allow_build=True)


@pytest.fixture
def key() -> EngineKey:
    return EngineKey(
        stage=EMOTION_ENCODER.name,
        precision="fp32",
        onnx_sha256="a" * 64,
        spec_sha256="b" * 64,
        flavour="tensorrt",
        tensorrt_version="10.3.0",
        gpu="NVIDIA L4",
        compute_capability="8.9",
        cuda_runtime="12.6",
        profile=profile_of(EMOTION_ENCODER),
        options={"level": 3},
        builder="c" * 64,
    )


@pytest.fixture
def plan() -> BuiltPlan:
    return BuiltPlan(plan=b"a plan", timings=b"timings", seconds=1.5)
