"""A report made by hand, of which tests know every number."""

from __future__ import annotations

from pathlib import Path

import pytest

from emohead.backends import choose_backend
from emohead.bench.schema import (
    Ceilings,
    ClipResult,
    Machine,
    Report,
    Scenario,
    StageResult,
    Timing,
)
from emohead.bench.targets import Target
from emohead.bundle import Bundle
from emohead.stages import RENDERER


def timing(median_ms: float) -> Timing:
    return Timing(
        num_samples=9,
        median_ms=median_ms,
        p95_ms=2 * median_ms,
        p99_ms=3 * median_ms,
        min_ms=median_ms / 2,
        max_ms=4 * median_ms,
        jitter_ms=0.25,
    )


def clip(kind: str, **changed: object) -> ClipResult:
    numbers = {
        "scenario": Scenario(kind=kind),
        "precision": "fp32",
        "num_frames": 90,
        "duration_s": 3.0,
        "frame_size": (256, 256),
        "import_s": 0.1,
        "load_s": 0.2,
        "portrait_s": 0.3,
        "cold_start_s": 1.25,
        "first_frame_ms": 80.0,
        "frames": timing(16.0),
        "steady_fps": 62.5,
        "fps": 50.0,
        "real_time_factor": 0.6,
        "peak_rss_mib": 246.0,
        "gpu_memory_mib": None,
    }
    return ClipResult.model_validate(numbers | changed)


def stage(batch: int, **changed: object) -> StageResult:
    numbers = {
        "stage": RENDERER.name,
        "backend": "cpu",
        "precision": "fp32",
        "batch": batch,
        "error": 1e-6,
        "tolerance": 1e-4,
        "open_s": 0.1,
        "timing": timing(20.0 * batch),
        "mega_macs": 1000.0,
    }
    return StageResult.model_validate(numbers | changed)


@pytest.fixture
def report() -> Report:
    return Report(
        created="2026-11-28T10:00:00+00:00",
        emohead="0.1.0",
        quick=False,
        bundles={"0123456789abcdef": "default"},
        machine=Machine(
            cpu="Some <fast> CPU",
            cores=2,
            memory_gib=8.0,
            gpus=(),
            driver=None,
            system="Linux",
            python="3.11",
            packages={"numpy": "2.0"},
            load_average=0.1,
        ),
        ceilings=(Ceilings(gemm_gflops=200.0, bandwidth_gb_s=20.0, threads=2),),
        stages=(
            stage(1),
            stage(4),
            stage(1, precision="int8", timing=None, refused="too far off", error=0.5),
        ),
        clips=(
            clip("pipeline"),
            clip("length"),
            clip("length", duration_s=60.0, peak_rss_mib=250.0),
        ),
        absent={"cuda": "no GPU here"},
    )


@pytest.fixture
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture
def on_cpu(tiny: Bundle) -> Target:
    return Target(backend=choose_backend("cpu"), bundle=tiny)
