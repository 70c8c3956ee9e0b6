"""A plan brought to life: deserialised once, compared with its spec, shared by many lanes.

Who calls: ``runner.py``. Not here: running it (``execution.py``), buffers (``lane.py``).
"""

from __future__ import annotations

from typing import Any

from emohead.contract import StageSpec, TensorSpec
from emohead.errors import BackendError
from emohead_engines.build import DTYPES
from emohead_engines.device import Device
from emohead_engines.flavour import Flavour
from emohead_engines.profiles import network_shape

__all__ = ["Engine"]


class Engine:
    """A stage's engine on a GPU.

    Parameters
    ----------
    flavour : Flavour
        The TensorRT that built the plan.
    spec : StageSpec
        Contract that the engine must keep.
    plan : bytes
        From the store.
    device : Device
        The GPU.

    Raises
    ------
    BackendError
        When the plan does not fit this TensorRT, GPU or spec.
    """

    def __init__(self, flavour: Flavour, spec: StageSpec, plan: bytes, device: Device) -> None:
        self.flavour = flavour
        self.spec = spec
        self.device = device
        with device.active(), flavour.messages.collect() as heard:
            self._runtime = flavour.module.Runtime(flavour.messages.logger)
            self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            reason = " ".join(heard[-1].split()) if heard else "no reason given"
            raise BackendError(
                f"{spec.name}: expected a plan for {flavour} on {device.gpu.name}, it refuses it: "
                f"{reason}; {self._rebuild}"
            )
        self._check()

    @property
    def scratch_bytes(self) -> int:
        """Device memory that one execution context takes beside the buffers."""
        return self.flavour.device_memory_bytes(self._engine)

    def context(self) -> Any:
        """Make an execution context; inside ``device.active()``.

        Returns
        -------
        object of the library

        Raises
        ------
        BackendError
            When the GPU's memory does not suffice.
        """
        context = self._engine.create_execution_context()
        if context is None:
            raise BackendError(
                f"{self.spec.name}: expected {self.scratch_bytes >> 20} MiB of GPU memory for an "
                "execution context, got none; free GPU memory, or run fewer streams at once"
            )
        return context

    def refusal(self, what: str) -> BackendError:
        """Error to be raised where TensorRT returns False.

        Parameters
        ----------
        what : str
            What it would not accept, for example ``the work``.

        Returns
        -------
        BackendError
        """
        return BackendError(
            f"{self.spec.name}: expected {self.flavour} to accept {what}, it did not; free GPU "
            f"memory, or {self._rebuild}"
        )

    @property
    def _rebuild(self) -> str:
        return f"build it again with `emohead engines build --stage {self.spec.name}`"

    def _check(self) -> None:
        """Compare names, directions, types and shapes with the spec."""
        engine, modes = self._engine, self.flavour.module.TensorIOMode
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        found = {
            n: (
                engine.get_tensor_mode(n) == modes.INPUT,
                DTYPES.get(engine.get_tensor_dtype(n).name, engine.get_tensor_dtype(n).name),
                tuple(engine.get_tensor_shape(n)),
            )
            for n in names
        }
        wanted = {t.name: _described(t, True) for t in self.spec.inputs}
        wanted |= {t.name: _described(t, False) for t in self.spec.outputs}
        for name in (*wanted, *found):
            if wanted.get(name) != found.get(name):
                raise BackendError(
                    f"{self.spec.name}: expected an engine with {name} as "
                    f"{_text(wanted.get(name))}, got {_text(found.get(name))}; {self._rebuild}"
                )


_Described = tuple[bool, str, tuple[int, ...]]


def _described(tensor: TensorSpec, is_input: bool) -> _Described:
    return is_input, tensor.dtype, network_shape(tensor)


def _text(described: _Described | None) -> str:
    if described is None:
        return "no tensor"
    is_input, dtype, shape = described
    return f"{'input' if is_input else 'output'} {dtype} {shape}"
