"""The networks in PyTorch as one more path to compare and to time, on a CPU or a CUDA GPU.

Who calls: ``script/gpu/bench.py``. Not here: measuring (``emohead.bench``).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from emohead.backends import Backend
from emohead.bench.schema import Ceilings
from emohead.bench.targets import Target
from emohead.bundle import Bundle
from emohead.contract import StageSpec
from emohead.errors import BackendError, BundleError
from emohead.runner import Runner
from emohead.stages import STAGES
from emohead_export.registry import build_module
from emohead_training.warm_start import load_from_bundle

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Network", "TorchRunner", "TorchTarget", "network_of", "torch_ceilings", "torch_targets"]

Array = NDArray[Any]
Tensors = tuple[torch.Tensor, ...]
_WARMUP = 3
"""Runs before a CUDA graph is captured, in which libraries choose their kernels."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A stage's module, and what its results are compared with."""

    module: nn.Module
    """On the CPU, in evaluation mode."""
    reference: Runner
    """fp32 on the CPU, with the same weights."""
    note: str = ""
    """Why the weights are not the bundle's; empty where they are."""


def network_of(stage: str, bundle: Bundle) -> Network:
    """Make a stage's module with the bundle's weights where the graph kept their names.

    Parameters
    ----------
    stage : str
        Name of the stage.
    bundle : Bundle
        fp32 networks.

    Returns
    -------
    Network
        Compared with ONNX Runtime; where weights or ONNX Runtime are missing, with itself on the
        CPU, for which seeded weights are as good.
    """
    spec = STAGES[stage]
    torch.manual_seed(0)
    module = build_module(spec)
    try:
        load_from_bundle({stage: module}, bundle.path)
        return Network(module=module, reference=bundle.runner(stage, "cpu", threads=1))
    except (BundleError, BackendError, ImportError) as err:
        why = f"seeded weights, compared with PyTorch on the CPU, because {err}"
        return Network(module=module, reference=TorchRunner(spec, module), note=why)


class TorchRunner(Runner):
    """A module as a runner.

    Parameters
    ----------
    spec : StageSpec
        Contract.
    module : torch.nn.Module
        In evaluation mode; it is copied.
    device : str
        ``cpu`` or ``cuda``.
    half : bool
        Compute in fp16 where autocast finds it safe.
    captured : bool
        Launch whole runs as CUDA graphs, one for each shape of the feed.

    Raises
    ------
    BackendError
        When the device refuses the module.
    """

    def __init__(
        self,
        spec: StageSpec,
        module: nn.Module,
        *,
        device: str = "cpu",
        half: bool = False,
        captured: bool = False,
    ) -> None:
        super().__init__(spec)
        self._device, self._half = device, half
        with self._refusals():
            self._module = copy.deepcopy(module).to(device)
        self._captures: dict[tuple[Any, ...], _Capture] | None = {} if captured else None

    def close(self) -> None:
        """Release captured graphs."""
        if self._captures is not None:
            self._captures.clear()

    def _run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        given = [torch.from_numpy(feed[name]) for name in self.spec.input_names]
        with self._refusals(), torch.inference_mode():
            made = self._eager(given) if self._captures is None else self._replayed(given)
            # Copying to the host waits until the GPU has finished.
            arrays = [tensor.float().cpu().numpy() for tensor in made]
        return dict(zip(self.spec.output_names, arrays, strict=True))

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Make PyTorch's errors ours."""
        try:
            yield
        except RuntimeError as err:
            reason = str(err).splitlines()[0] if str(err) else type(err).__name__
            raise BackendError(
                f"{self.spec.name}: PyTorch on {self._device} failed: {reason}; "
                "free memory or choose another backend"
            ) from err

    def _eager(self, given: Sequence[torch.Tensor]) -> Tensors:
        return self._forward([tensor.to(self._device) for tensor in given])

    def _replayed(self, given: Sequence[torch.Tensor]) -> Tensors:
        assert self._captures is not None
        shapes = tuple(tuple(tensor.shape) for tensor in given)
        if shapes not in self._captures:
            inputs = [tensor.to(self._device) for tensor in given]
            self._captures[shapes] = _Capture(self._forward, inputs)
        return self._captures[shapes].replay(given)

    def _forward(self, inputs: Sequence[torch.Tensor]) -> Tensors:
        with torch.autocast(self._device, torch.float16, enabled=self._half):
            made = self._module(*inputs)
        return (made,) if isinstance(made, torch.Tensor) else tuple(made)


class _Capture:
    """One CUDA graph with its own inputs and outputs."""

    def __init__(
        self, forward: Callable[[Sequence[torch.Tensor]], Tensors], inputs: list[torch.Tensor]
    ) -> None:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARMUP):
                forward(inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._inputs, self._graph = inputs, torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = forward(inputs)

    def replay(self, given: Sequence[torch.Tensor]) -> Tensors:
        for mine, theirs in zip(self._inputs, given, strict=True):
            mine.copy_(theirs)
        self._graph.replay()
        return self._outputs


@dataclass(frozen=True, kw_only=True)
class TorchTarget(Target):
    """Modules in PyTorch; the bundle names their precision and cost."""

    networks: Mapping[str, Network]
    """By stage."""
    device: str
    """``cpu`` or ``cuda``."""
    captured: bool = False
    """Whether CUDA graphs are launched."""

    def open(self, stage: str) -> Runner:
        """Copy one stage's module to the device.

        Parameters
        ----------
        stage : str
            Name of the stage.

        Returns
        -------
        TorchRunner
        """
        return TorchRunner(
            STAGES[stage],
            self.networks[stage].module,
            device=self.device,
            half=self.backend.precision == "fp16",
            captured=self.captured,
        )


def torch_targets(
    bundle: Bundle, networks: Mapping[str, Network], device: str
) -> list[TorchTarget]:
    """List the ways in which PyTorch runs on a device.

    Parameters
    ----------
    bundle : Bundle
        Names the precision and cost of the networks.
    networks : mapping of str to Network
        By stage.
    device : {"cpu", "cuda"}
        On CUDA also fp16 and CUDA graphs; TF32 is switched off, for fp32 shall mean fp32.

    Returns
    -------
    list of TorchTarget
        fp32 first.

    Raises
    ------
    BackendError
        When PyTorch finds no CUDA GPU and one was asked for.
    """
    if device == "cuda":
        if not torch.cuda.is_available():
            raise BackendError(
                f"expected a CUDA GPU, PyTorch {torch.__version__} finds none; use --device cpu"
            )
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    ways = [("fp32", False)]
    if device == "cuda":
        ways += [("fp16", False), ("fp32", True), ("fp16", True)]
    return [
        TorchTarget(
            backend=Backend(
                name=f"torch-{device}{'-graph' if captured else ''}",
                provider="",
                reason="PyTorch was asked for",
                version=torch.__version__,
                precision=precision,
            ),
            bundle=bundle,
            networks=networks,
            device=device,
            captured=captured,
        )
        for precision, captured in ways
    ]


def torch_ceilings(
    device: str, *, side: int = 8192, num_bytes: int = 1 << 30, rounds: int = 8
) -> list[Ceilings]:
    """Measure the best matrix product and the best copy that PyTorch reaches on a device.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Where.
    side : int
        Rows and columns of the square matrices.
    num_bytes : int
        Copied at once.
    rounds : int
        The best of so many counts.

    Returns
    -------
    list of Ceilings
        fp32 without TF32, and fp16 on CUDA.
    """
    source = torch.zeros(num_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = 2e-9 * num_bytes / _best_s(lambda: target.copy_(source), device, rounds)
    found = []
    for precision in ("fp32", "fp16") if device == "cuda" else ("fp32",):
        kind = torch.float16 if precision == "fp16" else torch.float32
        a = torch.randn(side, side, device=device, dtype=kind)
        seconds = _best_s(lambda a=a: a @ a, device, rounds)  # type: ignore[misc]
        found.append(
            Ceilings(
                device="gpu" if device == "cuda" else "cpu",
                precision=precision,
                gemm_gflops=round(2e-9 * side**3 / seconds, 1),
                bandwidth_gb_s=round(copied, 2),
                threads=torch.get_num_threads(),
            )
        )
    return found


def _best_s(call: Callable[[], object], device: str, rounds: int) -> float:
    def finished() -> None:
        call()
        if device == "cuda":
            torch.cuda.synchronize()

    finished()
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        finished()
        best = min(best, time.perf_counter() - began)
    return best
