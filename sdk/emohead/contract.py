"""Types that describe a network's interface, and everything derived from them.

A ``StageSpec`` is the single source of truth for tensor names, shapes, ranges, state, tolerance.
Export, bundle, runners, engines, tests and benchmarks call the pure functions below.
Not here: the specs themselves (``stages.py``). numpy only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Dim",
    "Size",
    "StageSpec",
    "StateSpec",
    "TensorSpec",
    "dynamic_axes",
    "fixed",
    "sample_inputs",
    "shape_of",
    "spec_as_dict",
    "spec_hash",
    "zero_state",
]

Size = Literal["min", "opt", "max"]
Array = NDArray[Any]


@dataclass(frozen=True)
class Dim:
    """One axis of a tensor; dynamic when its bounds differ."""

    name: str
    min: int
    opt: int
    max: int

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.opt <= self.max:
            raise ValueError(f"{self.name}: want 1 <= min <= opt <= max, got {self}")

    @property
    def is_dynamic(self) -> bool:
        """Whether the axis may take more than one length."""
        return self.min != self.max

    def at(self, size: Size) -> int:
        """Length of the axis at the named profile size."""
        return {"min": self.min, "opt": self.opt, "max": self.max}[size]


def fixed(name: str, length: int) -> Dim:
    """Make an axis of one length."""
    return Dim(name, length, length, length)


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Name, type, axes and meaning of one graph input or output."""

    name: str
    """Name inside the graph."""
    dims: tuple[Dim, ...]
    """Axes, outermost first."""
    unit: str
    """Physical unit or scale, for example ``px``."""
    doc: str
    """What the tensor holds, in a phrase."""
    dtype: str = "float32"
    """numpy name of the element type."""
    low: float = 0.0
    """Lower end of the range of sample values."""
    high: float = 1.0
    """Upper end of the range of sample values."""
    around: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """Typical value of the innermost axes, to which samples add their range; None for 0."""


@dataclass(frozen=True)
class StateSpec:
    """A recurrent state: the input that takes it and the output that returns it."""

    input: str
    output: str


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """Interface of one network: the contract between training, export, engines and runtime."""

    name: str
    """Stage name; also the stem of its files."""
    version: int
    """Raised when the meaning changes but no shape does."""
    inputs: tuple[TensorSpec, ...]
    """Graph inputs, in the order of the module's ``forward``."""
    outputs: tuple[TensorSpec, ...]
    """Graph outputs, in the order that ``forward`` returns them."""
    state: tuple[StateSpec, ...] = ()
    """Recurrent states, each named once among the inputs and once among the outputs."""
    tolerance: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"fp32": 1e-4, "fp16": 2e-2, "int8": 1e-1})
    )
    """Largest accepted error per precision, relative to the output's own scale."""
    opset: int = 17
    """ONNX operator set of the exported graph."""
    paper: str = ""
    """Section of the paper that the stage implements."""

    def __post_init__(self) -> None:
        names = [t.name for t in (*self.inputs, *self.outputs)]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: tensor names repeat: {names}")
        for state in self.state:
            if self.input(state.input).dims != self.output(state.output).dims:
                raise ValueError(f"{self.name}: state {state} changes its shape")

    def input(self, name: str) -> TensorSpec:
        """Return the input called `name`."""
        return next(t for t in self.inputs if t.name == name)

    def output(self, name: str) -> TensorSpec:
        """Return the output called `name`."""
        return next(t for t in self.outputs if t.name == name)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, in graph order."""
        return tuple(t.name for t in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in graph order."""
        return tuple(t.name for t in self.outputs)


def shape_of(tensor: TensorSpec, size: Size = "opt", **lengths: int) -> tuple[int, ...]:
    """Shape of a tensor at a profile size.

    Parameters
    ----------
    tensor : TensorSpec
    size : {"min", "opt", "max"}
    **lengths : int
        Lengths of axes by name, instead of those of the size.

    Returns
    -------
    tuple of int
    """
    return tuple(lengths.get(d.name, d.at(size)) for d in tensor.dims)


def dynamic_axes(spec: StageSpec) -> dict[str, dict[int, str]]:
    """Dynamic axes per tensor, in the form that the ONNX exporter takes."""
    tensors = (*spec.inputs, *spec.outputs)
    axes = {t.name: {i: d.name for i, d in enumerate(t.dims) if d.is_dynamic} for t in tensors}
    return {name: named for name, named in axes.items() if named}


def sample_inputs(spec: StageSpec, size: Size = "opt", seed: int = 0) -> dict[str, Array]:
    """Random inputs within the declared ranges.

    Parameters
    ----------
    spec : StageSpec
        The stage to feed.
    size : {"min", "opt", "max"}
        Which profile size every dynamic axis takes.
    seed : int
        Seed of the generator; equal seeds give equal samples.

    Returns
    -------
    dict of str to numpy.ndarray
        One array per input of the spec.
    """
    rng = np.random.default_rng(seed)

    def sample(t: TensorSpec) -> Array:
        noise = rng.uniform(t.low, t.high, shape_of(t, size))
        return (noise if t.around is None else noise + t.around).astype(t.dtype)

    return {t.name: sample(t) for t in spec.inputs}


def zero_state(spec: StageSpec, batch: int = 1) -> dict[str, Array]:
    """Make the zero state that streams start from.

    Parameters
    ----------
    spec : StageSpec
        Of a recurrent stage; of any other the state is empty.
    batch : int
        Number of streams.

    Returns
    -------
    dict of str to numpy.ndarray
        Zeros, by the inputs that take them.
    """
    taken = [spec.input(s.input) for s in spec.state]
    return {t.name: np.zeros(shape_of(t, batch=batch), dtype=t.dtype) for t in taken}


def spec_as_dict(spec: StageSpec) -> dict[str, Any]:
    """Plain-data form of what makes two graphs interchangeable; documentation is left out."""

    def tensor(t: TensorSpec) -> dict[str, Any]:
        dims = [[d.name, d.min, d.opt, d.max] for d in t.dims]
        return {"name": t.name, "dtype": t.dtype, "dims": dims, "unit": t.unit}

    return {
        "name": spec.name,
        "version": spec.version,
        "inputs": [tensor(t) for t in spec.inputs],
        "outputs": [tensor(t) for t in spec.outputs],
        "state": [[s.input, s.output] for s in spec.state],
        "opset": spec.opset,
    }


def spec_hash(spec: StageSpec) -> str:
    """sha256 of the spec's plain-data form, as hexadecimal text."""
    text = json.dumps(spec_as_dict(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
