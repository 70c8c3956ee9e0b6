"""An onnxruntime with a pretended GPU: the real API's surface, computed by the real CPU provider.

It keeps the real traps: a provider that cannot be used is silently left out, values on the device
are no numpy arrays, a captured graph replays the addresses and shapes of its capture.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime as real

CUDA, TENSORRT, CPU = (
    "CUDAExecutionProvider",
    "TensorrtExecutionProvider",
    "CPUExecutionProvider",
)


class OrtValue:
    """Memory on a device; only copies leave it."""

    def __init__(self, array: np.ndarray, device: str) -> None:
        self.memory, self.device = array, device

    @staticmethod
    def ortvalue_from_numpy(array: np.ndarray, device: str = "cpu", number: int = 0) -> OrtValue:
        assert number == 0
        return OrtValue(np.array(array, order="C"), device)

    def update_inplace(self, array: np.ndarray) -> None:
        if array.shape != self.memory.shape or array.dtype != self.memory.dtype:
            raise RuntimeError("update_inplace: the shapes or types differ")
        self.memory[...] = array

    def numpy(self) -> np.ndarray:
        return self.memory.copy()

    def data_ptr(self) -> int:
        return int(self.memory.ctypes.data)


class RunOptions:
    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_run_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class IOBinding:
    def __init__(self) -> None:
        self.inputs: dict[str, OrtValue] = {}
        self.outputs: dict[str, OrtValue] = {}

    def bind_ortvalue_input(self, name: str, value: OrtValue) -> None:
        self.inputs[name] = value

    def bind_ortvalue_output(self, name: str, value: OrtValue) -> None:
        self.outputs[name] = value

    @property
    def addresses(self) -> tuple[int, ...]:
        return tuple(v.data_ptr() for v in (*self.inputs.values(), *self.outputs.values()))


class SessionOptions:
    """The real options, with the overrides of free axes seen."""

    def __init__(self) -> None:
        self.real = real.SessionOptions()
        self.axes: dict[str, int] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("real", "axes"):
            object.__setattr__(self, name, value)
        else:
            setattr(self.real, name, value)

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.real.add_session_config_entry(key, value)

    def add_free_dimension_override_by_name(self, name: str, length: int) -> None:
        self.axes[name] = length
        self.real.add_free_dimension_override_by_name(name, length)


class Driver:
    """What the pretended machine does."""

    def __init__(self) -> None:
        self.usable = {CUDA, TENSORRT, CPU}
        self.captures = True
        self.sessions: list[InferenceSession] = []
        self.replays = 0


def fake_onnxruntime(driver: Driver, version: str = "1.32.0") -> ModuleType:
    """Make the module; put it into ``sys.modules``."""
    module = ModuleType("onnxruntime")

    class Session(InferenceSession):
        machine = driver

    for name in ("GraphOptimizationLevel", "ExecutionMode"):
        setattr(module, name, getattr(real, name))
    module.__dict__.update(
        __version__=version,
        InferenceSession=Session,
        SessionOptions=SessionOptions,
        RunOptions=RunOptions,
        OrtValue=OrtValue,
        get_available_providers=lambda: [TENSORRT, CUDA, CPU],
    )
    return module


class InferenceSession:
    machine: Driver

    def __init__(self, model: bytes, options: SessionOptions, providers: list[Any]) -> None:
        pairs = [(p, {}) if isinstance(p, str) else p for p in providers]
        self.providers = [name for name, _ in pairs if name in self.machine.usable]
        self.provider_options = dict(pairs)
        first = self.provider_options[self.providers[0]]
        self.captures = "1" in (first.get("enable_cuda_graph"), first.get("trt_cuda_graph_enable"))
        if self.captures and not (self.machine.captures and options.axes):
            raise RuntimeError("This session cannot use the CUDA graph feature as requested")
        self.axes = options.axes
        self.session = real.InferenceSession(model, options.real, providers=[CPU])
        self.captured: dict[str, tuple[int, ...]] = {}
        self.machine.sessions.append(self)

    def get_providers(self) -> list[str]:
        return self.providers

    def get_modelmeta(self) -> Any:
        return self.session.get_modelmeta()

    def get_inputs(self) -> Any:
        return self.session.get_inputs()

    def get_outputs(self) -> Any:
        return self.session.get_outputs()

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert not self.captures, "graphs are captured with IO binding alone"
        return self.session.run(names, feed)

    def io_binding(self) -> IOBinding:
        return IOBinding()

    def run_with_iobinding(self, binding: IOBinding, options: RunOptions | None = None) -> None:
        values = (*binding.inputs.values(), *binding.outputs.values())
        assert all(v.device == "cuda" for v in values), "everything is bound on the device"
        if self.captures:
            assert options is not None
            key = options.entries["gpu_graph_id"]
            if key in self.captured:
                self.machine.replays += 1
            assert self.captured.setdefault(key, binding.addresses) == binding.addresses, (
                "a captured graph writes to where it was captured"
            )
        feed = {n: v.memory for n, v in binding.inputs.items()}
        made = self.session.run(list(binding.outputs), feed)
        for value, array in zip(binding.outputs.values(), made, strict=True):
            value.memory[...] = array
