"""PyTorch as a path of the benchmark, on the CPU; CUDA needs a machine that has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emohead.bench.networks import measure_stage
from emohead.bench.timing import Budget
from emohead.bundle import Bundle
from emohead.errors import BackendError
from emohead.stages import SPEAKER_ENCODER

torch = pytest.importorskip("torch")
from emohead_export.torch_path import (  # noqa: E402
    TorchRunner,
    network_of,
    torch_ceilings,
    torch_targets,
)

STAGE = SPEAKER_ENCODER.name


def test_a_module_is_compared_and_timed_as_any_other_path(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    network = network_of(STAGE, bundle)
    assert "seeded weights" in network.note
    targets = torch_targets(bundle, {STAGE: network}, "cpu")
    brief = Budget(warmup=1, min_rounds=2, max_rounds=2)
    (result,) = measure_stage(network.reference, targets, (2,), brief)
    assert (result.backend, result.precision, result.refused) == ("torch-cpu", "fp32", "")
    assert result.timing is not None


def test_wrong_weights_are_refused(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    network = network_of(STAGE, bundle)
    targets = torch_targets(bundle, {STAGE: network}, "cpu")
    with torch.no_grad():
        for parameter in network.module.parameters():
            parameter.mul_(1.5)
    (result,) = measure_stage(network.reference, targets, (1,), Budget(min_rounds=2, max_rounds=2))
    assert result.timing is None
    assert "not timed" in result.refused


def test_a_failing_module_is_a_backend_error() -> None:
    class Failing(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, mel: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
            raise RuntimeError("out of memory")

    mel = SPEAKER_ENCODER.inputs[0]
    feed = {mel.name: np.zeros([d.opt for d in mel.dims], np.float32)}
    with pytest.raises(BackendError, match="out of memory"):
        TorchRunner(SPEAKER_ENCODER, Failing())(**feed)


def test_a_device_that_refuses_a_module_is_a_backend_error() -> None:
    class Refused(torch.nn.Module):  # type: ignore[misc, name-defined]
        def to(self, device: str) -> None:
            raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be")

    with pytest.raises(
        BackendError, match="PyTorch on cuda failed: CUDA error: out of memory; free"
    ):
        TorchRunner(SPEAKER_ENCODER, Refused(), device="cuda")


def test_ceilings_of_the_processor() -> None:
    (found,) = torch_ceilings("cpu", side=64, num_bytes=1 << 16, rounds=2)
    assert (found.device, found.precision) == ("cpu", "fp32")
    assert found.gemm_gflops > 0
    assert found.bandwidth_gb_s > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_was_asked_for_must_be_there(tiny_bundle: Path) -> None:
    with pytest.raises(BackendError, match="--device cpu"):
        torch_targets(Bundle.open(tiny_bundle), {}, "cuda")
