"""One ONNX graph to one plan, on every flavour; errors name stage, node and remedy.

Who calls: ``workshop.py``. Not here: where plans are kept (``store.py``), what the versions differ
in (``flavour.py``), how messages become remedies (``diagnosis.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from emohead.contract import StageSpec, TensorSpec
from emohead.errors import BackendError, ContractError
from emohead_engines.diagnosis import build_error, parse_error
from emohead_engines.flavour import Flavour
from emohead_engines.operators import check_operators
from emohead_engines.profiles import add_profile, network_shape

__all__ = ["BuildOptions", "BuiltPlan", "Progress", "build_plan", "check_network", "parse_network"]

Progress = Callable[[str, int, int], None]
"""Called with a phase of the build, its finished steps and how many it has."""

MIB: Final = 1 << 20
# trt.nptype of 8.6 fails with numpy 1.24 to 1.26, which have no numpy.bool.
DTYPES: Final = {"FLOAT": "float32", "HALF": "float16", "INT32": "int32", "INT64": "int64"}


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What may be chosen about a build; part of the engine's key.

    Raises
    ------
    BackendError
        When a number is out of range.
    """

    level: int = 3
    """How long the builder looks for fast kernels, 0 (briefly) to 5 (exhaustively)."""
    workspace_mib: int = 1024
    """Scratch memory that a layer may take, MiB."""
    tf32: bool = False
    """Whether fp32 products may be rounded to TF32; breaks the parity of 1e-4."""

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 5:
            raise BackendError(f"expected a builder level from 0 to 5, got {self.level}")
        if self.workspace_mib < 1:
            raise BackendError(f"expected at least 1 MiB of workspace, got {self.workspace_mib}")


@dataclass(frozen=True, kw_only=True)
class BuiltPlan:
    """A finished plan."""

    plan: bytes
    """The serialised engine."""
    timings: bytes
    """Timing cache after the build; empty where the flavour keeps none."""
    seconds: float
    """Duration of the build."""


def build_plan(
    flavour: Flavour,
    spec: StageSpec,
    model: bytes,
    precision: str = "fp32",
    *,
    options: BuildOptions | None = None,
    timings: bytes = b"",
    progress: Progress | None = None,
) -> BuiltPlan:
    """Build the engine of a stage.

    Parameters
    ----------
    flavour : Flavour
        The TensorRT to build with.
    spec : StageSpec
        Contract of the graph.
    model : bytes
        Content of an ONNX file of this precision.
    precision : {"fp32", "fp16", "int8"}
        Precision of the graph.
    options : BuildOptions, optional
        How to build.
    timings : bytes
        Timing cache of earlier builds on this GPU model.
    progress : callable, optional
        Called while the builder works.

    Returns
    -------
    BuiltPlan
        Plan and timing cache.

    Raises
    ------
    BackendError
        When the graph cannot be parsed or built; names stage, node and remedy.
    BundleError
        When the graph holds operators that are not allowed.
    ContractError
        When the parsed network is not the spec's.
    """
    options = options or BuildOptions()
    started = time.monotonic()
    with flavour.messages.collect() as heard:
        builder, network, _parser = parse_network(flavour, spec, model)
        config = _configure(flavour, builder, spec, precision, options)
        cache = _attach_timings(flavour, config, timings)
        monitor = _watch(flavour, config, progress)
        plan = builder.build_serialized_network(network, config)
        if monitor is not None and monitor.interrupted is not None:
            raise monitor.interrupted
        if plan is None:
            raise build_error(flavour, spec, precision, model, heard)
        kept = bytes(cache.serialize()) if cache is not None else b""
    return BuiltPlan(plan=bytes(plan), timings=kept, seconds=time.monotonic() - started)


def parse_network(flavour: Flavour, spec: StageSpec, model: bytes) -> tuple[Any, Any, Any]:
    """Parse a graph and compare the network with the spec.

    Parameters
    ----------
    flavour : Flavour
        The TensorRT to parse with.
    spec : StageSpec
        Contract of the graph.
    model : bytes
        Content of the ONNX file.

    Returns
    -------
    builder, network, parser : objects of the library
        The parser owns the weights: keep it while the network is used.

    Raises
    ------
    BackendError
        When the graph cannot be parsed.
    BundleError
        When the graph holds operators that are not allowed.
    ContractError
        When the network is not the spec's.
    """
    import onnx

    check_operators(spec.name, onnx.load_from_string(model))
    trt, log = flavour.module, flavour.messages.logger
    builder = trt.Builder(log)
    network = builder.create_network(flavour.network_flags())
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        spare = builder.create_network(flavour.network_flags())  # must outlive its parser
        unsupported = flavour.unsupported_nodes(trt.OnnxParser(spare, log), model)
        raise parse_error(flavour, spec, model, parser, unsupported)
    check_network(spec, network)
    return builder, network, parser


def check_network(spec: StageSpec, network: Any) -> None:
    """Compare names, order, shapes and types of a network with a spec.

    Parameters
    ----------
    spec : StageSpec
        Contract.
    network : object of the library
        Parsed from the stage's graph.

    Raises
    ------
    ContractError
        At the first difference.
    """
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    for kind, wanted, found in (
        ("inputs", spec.inputs, inputs),
        ("outputs", spec.outputs, outputs),
    ):
        names = [t.name for t in found]
        if names != [t.name for t in wanted]:
            raise ContractError(
                f"{spec.name}: expected the {kind} {[t.name for t in wanted]}, the network has "
                f"{names}; export the stage again with `emohead-export bundle`"
            )
        for tensor, value in zip(wanted, found, strict=True):
            _check_tensor(spec, tensor, value)


def _check_tensor(spec: StageSpec, tensor: TensorSpec, value: Any) -> None:
    shape, dtype = tuple(value.shape), DTYPES.get(value.dtype.name, value.dtype.name)
    wanted = network_shape(tensor)
    if shape != wanted or dtype != tensor.dtype:
        raise ContractError(
            f"{spec.name}: expected {tensor.name} as {tensor.dtype} {wanted}, the network has "
            f"{dtype} {shape}; export the stage again with `emohead-export bundle`"
        )


def _configure(
    flavour: Flavour, builder: Any, spec: StageSpec, precision: str, options: BuildOptions
) -> Any:
    trt = flavour.module
    config = builder.create_builder_config()
    config.builder_optimization_level = options.level
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * MIB)
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION"):  # else RTX can capture no graph
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
    flavour.set_precision(builder, config, precision)
    flavour.share_profiles(config)
    add_profile(builder, config, spec)
    return config


def _attach_timings(flavour: Flavour, config: Any, timings: bytes) -> Any:
    """Give the build what earlier ones measured; a cache of another driver starts afresh."""
    if not flavour.keeps_timings:
        return None
    cache = config.create_timing_cache(timings)
    if not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _watch(flavour: Flavour, config: Any, progress: Progress | None) -> Any:
    """Report phases where the flavour can (not 8.6); Ctrl-C ends the build between two steps."""
    trt = flavour.module
    if progress is None or not hasattr(trt, "IProgressMonitor"):
        return None
    tell = progress

    class Monitor(flavour.module.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.steps: dict[str, int] = {}
            self.interrupted: BaseException | None = None

        def phase_start(self, name: str, parent: str | None, num_steps: int) -> None:
            self.steps[name] = num_steps
            self._tell(name, 0)

        def step_complete(self, name: str, step: int) -> bool:
            self._tell(name, step + 1)
            return self.interrupted is None

        def phase_finish(self, name: str) -> None:
            self._tell(name, self.steps.get(name, 0))

        def _tell(self, name: str, done: int) -> None:
            try:
                tell(name, done, self.steps.get(name, done))
            except BaseException as err:  # must not cross the library's frames
                self.interrupted = err

    monitor = Monitor()
    config.progress_monitor = monitor
    return monitor
