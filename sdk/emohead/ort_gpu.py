"""ONNX Runtime on NVIDIA GPUs: the CUDA and TensorRT providers, state on the device, CUDA graphs.

A stage runs there or raises: never on the CPU instead. Opened by ``backends.py``.
Not here: choosing (``choosing.py``), TensorRT without ONNX Runtime (``emohead_engines``).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.contract import StageSpec, TensorSpec, shape_of
from emohead.errors import BackendError, BundleError, first_line
from emohead.machine import CUDA_PROVIDER, TENSORRT_PROVIDER
from emohead.private_files import private_folder
from emohead.runner import OrtRunner
from emohead.sessions import open_session, session_options
from emohead.steps import State, Steps, unbatched

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["DeviceSteps", "OrtGpuRunner", "provider_options"]

logger = logging.getLogger(__name__)

Array = NDArray[Any]
DEVICE: Final = "cuda"
CACHE_VARIABLE: Final = "EMOHEAD_ORT_CACHE"
"""Environment variable: folder where ONNX Runtime's TensorRT provider keeps its engines."""
GRAPH_KEY: Final = "gpu_graph_id"
"""Run option that tells captured CUDA graphs apart."""


def provider_options(
    spec: StageSpec, provider: str, *, precision: str = "fp32", captures: bool = False
) -> list[tuple[str, dict[str, str]]]:
    """List execution providers for a stage on a GPU, the wanted one first.

    Parameters
    ----------
    spec : StageSpec
        Gives the shape profiles of engines.
    provider : str
        ONNX Runtime's name of the CUDA or the TensorRT provider.
    precision : {"fp32", "fp16"}
        Arithmetic of engines; fp32 means fp32, TF32 is off.
    captures : bool
        Whether work is captured into CUDA graphs: fixed shapes and IO binding.

    Returns
    -------
    list of (name, options)
    """
    flag = "1" if captures else "0"
    cuda = {"device_id": "0", "use_tf32": "0", "enable_cuda_graph": flag}
    if provider == CUDA_PROVIDER:
        return [(CUDA_PROVIDER, cuda)]
    cache = _cache_folder()
    engines = {
        "device_id": "0",
        "trt_fp16_enable": "1" if precision == "fp16" else "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": cache,
        "trt_engine_cache_prefix": f"{spec.name}-{precision}",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": cache,
        "trt_cuda_graph_enable": flag,
    }
    if not captures:
        engines |= {
            f"trt_profile_{size}_shapes": _profile(spec, size) for size in ("min", "opt", "max")
        }
    return [(TENSORRT_PROVIDER, engines), (CUDA_PROVIDER, {**cuda, "enable_cuda_graph": "0"})]


def _cache_folder() -> str:
    """Folder of the TensorRT provider's engines, which are code."""
    folder = Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/emohead/ort")
    try:
        folder = folder.expanduser()
    except RuntimeError as err:
        raise BackendError(
            f"expected a home for engines, got: {first_line(err)}; set {CACHE_VARIABLE}"
        ) from err
    try:
        return str(private_folder(folder))
    except OSError as err:
        raise BackendError(
            f"expected a folder for engines at {folder}, got: {err.strerror}; set {CACHE_VARIABLE}"
        ) from err


class OrtGpuRunner(OrtRunner):
    """A stage on one of ONNX Runtime's GPU providers.

    Parameters
    ----------
    spec : StageSpec
        The contract that the graph must keep.
    model : bytes
        The ONNX file's content.
    provider : str
        Provider that must run the graph.
    precision : {"fp32", "fp16"}
        Arithmetic of the TensorRT provider's engines.
    captures : bool
        Whether `steps` captures CUDA graphs; without, it still keeps everything on the device.

    Raises
    ------
    BackendError, BundleError, ContractError
        As for ``OrtRunner``.
    """

    def __init__(
        self,
        spec: StageSpec,
        model: bytes,
        *,
        provider: str = CUDA_PROVIDER,
        precision: str = "fp32",
        captures: bool = True,
    ) -> None:
        self._model = model
        self._precision = precision
        self._captures = captures
        self._fixed: dict[int, _Fixed] = {}
        self._idle: dict[int, list[_Slot]] = {}
        self._num_slots = 0
        super().__init__(spec, model, provider=provider)

    def steps(
        self, held: Sequence[Mapping[str, Array]], states: Sequence[State] | None = None
    ) -> Steps:
        """Open streams whose held inputs and states never leave the GPU."""
        self._opened()
        return DeviceSteps(self, held, states)

    def close(self) -> None:
        """Free every session and its memory."""
        super().close()
        with self._opening:
            self._fixed.clear()
            self._idle.clear()

    def _open_session(self, model: bytes, threads: int) -> InferenceSession:
        providers = provider_options(self.spec, self.provider, precision=self._precision)
        return open_session(self.spec, model, providers, session_options(threads))

    def _take(self, batch: int, fed: Sequence[str], given: Sequence[str]) -> _Slot:
        """Lend buffers for a batch: idle ones, for a captured graph keeps its memory for ever."""
        with self._opening:
            idle = self._idle.setdefault(batch, [])
            for i, slot in enumerate(idle):
                if slot.fed == tuple(fed):
                    return idle.pop(i)
            if batch not in self._fixed:
                self._fixed[batch] = self._open_fixed(batch)
            self._num_slots += 1
            return _Slot(self.spec, self._fixed[batch], batch, fed, given, self._num_slots)

    def _put_back(self, slot: _Slot) -> None:
        with self._opening:
            if self._session is not None:
                self._idle[slot.batch].append(slot)

    def _open_fixed(self, batch: int) -> _Fixed:
        options = session_options(0)
        # With a number in its place, shape arithmetic folds away and no node is left for the CPU.
        options.add_free_dimension_override_by_name("batch", batch)
        try:
            if self._captures:
                providers = provider_options(
                    self.spec, self.provider, precision=self._precision, captures=True
                )
                return _Fixed(open_session(self.spec, self._model, providers, options), True)
        except BundleError as err:
            logger.warning("%s: runs on the GPU without CUDA graphs: %s", self.spec.name, err)
        providers = provider_options(self.spec, self.provider, precision=self._precision)
        return _Fixed(open_session(self.spec, self._model, providers, options), False)


@dataclass(frozen=True)
class _Fixed:
    """A session of one batch length.

    Threads take turns: ONNX Runtime captures and replays graphs of a session one at a time.
    """

    session: InferenceSession
    captures: bool
    turn: threading.Lock = field(default_factory=threading.Lock)


class DeviceSteps(Steps):
    """Streams whose held inputs and states are ONNX Runtime values on a device.

    Parameters
    ----------
    runner : OrtGpuRunner
        Lends the buffers; takes them back at `close`.
    held, states
        As for ``Steps``.
    """

    def __init__(
        self,
        runner: OrtGpuRunner,
        held: Sequence[Mapping[str, Array]],
        states: Sequence[State] | None = None,
    ) -> None:
        super().__init__(runner.spec, held, states)
        constants, begin = self._joined(held, states)
        self._runner = runner
        self._slot: _Slot | None = runner._take(self.batch, self.fed, self.given)
        self._slot.begin({**constants, **begin})

    def states(self) -> list[dict[str, Array]]:
        """Copy the state of every stream to the host."""
        return unbatched(self.spec, self._lent().states(), self.batch)

    def close(self) -> None:
        """Give the buffers back; the streams cannot step afterwards."""
        slot, self._slot = self._slot, None
        if slot is not None:
            self._runner._put_back(slot)

    def _step(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        return self._lent().run(feed)

    def _lent(self) -> _Slot:
        if self._slot is None:
            raise BackendError(f"{self.spec.name}: the streams are closed; open others")
        return self._slot


class _Slot:
    """Buffers of one batch on the device; those of states are two that change places.

    So there are two bindings and, where work is captured, two graphs, which nobody else replays:
    a graph remembers addresses.
    """

    def __init__(
        self,
        spec: StageSpec,
        fixed: _Fixed,
        batch: int,
        fed: Sequence[str],
        given: Sequence[str],
        number: int,
    ) -> None:
        self.batch = batch
        self.fed = tuple(fed)
        self._spec, self._fixed, self._parity = spec, fixed, 0
        graph = 2 * number - 1 if fixed.captures else None
        taken = {s.input for s in spec.state}
        plain = [t for t in spec.inputs if t.name not in taken]
        self._inputs = {t.name: _buffer(t, batch) for t in plain}
        self._made = {n: _buffer(spec.output(n), batch) for n in given}
        self._pairs = {n: tuple(_buffer(spec.input(n), batch) for _ in (0, 1)) for n in taken}
        self._bindings = [self._bound(parity) for parity in (0, 1)]
        self._options = [_run_options(None if graph is None else graph + p) for p in (0, 1)]

    def begin(self, feed: Mapping[str, Array]) -> None:
        """Upload held inputs and states."""
        for name, array in feed.items():
            pair = self._pairs.get(name)
            value = self._inputs[name] if pair is None else pair[self._parity]
            value.update_inplace(np.ascontiguousarray(array))

    def states(self) -> dict[str, Array]:
        """Download the states."""
        return {n: np.asarray(pair[self._parity].numpy()) for n, pair in self._pairs.items()}

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Upload what is new, run, download what is given."""
        for name, array in feed.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(array))
        binding, options = self._bindings[self._parity], self._options[self._parity]
        try:
            with self._fixed.turn:
                self._fixed.session.run_with_iobinding(binding, options)
        except Exception as err:  # onnxruntime's own exceptions share no public root
            raise BackendError(
                f"{self._spec.name}: expected to run on the GPU, onnxruntime failed: "
                f"{first_line(err)}; free GPU memory or choose another backend"
            ) from err
        self._parity ^= 1
        return {name: np.asarray(value.numpy()) for name, value in self._made.items()}

    def _bound(self, parity: int) -> Any:
        """Bind everything, with the states of one parity to read and of the other to write."""
        binding = self._fixed.session.io_binding()
        for name, value in self._inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in self._made.items():
            binding.bind_ortvalue_output(name, value)
        for state in self._spec.state:
            pair = self._pairs[state.input]
            binding.bind_ortvalue_input(state.input, pair[parity])
            binding.bind_ortvalue_output(state.output, pair[parity ^ 1])
        return binding


def _buffer(tensor: TensorSpec, batch: int) -> Any:
    from onnxruntime import OrtValue

    zeros = np.zeros(shape_of(tensor, batch=batch), tensor.dtype)
    return OrtValue.ortvalue_from_numpy(zeros, DEVICE, 0)


def _run_options(graph: int | None) -> Any:
    """Options for the captured graph of a number, from 1."""
    if graph is None:
        return None
    from onnxruntime import RunOptions

    options = RunOptions()
    options.add_run_config_entry(GRAPH_KEY, str(graph))
    return options


def _profile(spec: StageSpec, size: Any) -> str:
    """Shapes of every input at a profile size, as the TensorRT provider reads them."""
    return ",".join(f"{t.name}:{'x'.join(map(str, shape_of(t, size)))}" for t in spec.inputs)
