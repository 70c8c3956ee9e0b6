"""TensorRT 8.6, 10, 11 and RTX as far as we call them; engines compute with ONNX Runtime.

``make_trt`` gives a module whose classes have the names, arguments and absences of the version:
what a version lacks is not there. A plan is a header and the ONNX graph; its engine reads and
writes the imagined GPU's memory, in stream order, as the real one does.
"""

from __future__ import annotations

import json
import re
import weakref
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from .fake_cuda import FakeGpu
from .fake_trt_names import (
    DataType,
    ILogger,
    IProgressMonitor,
    MemoryPoolType,
    ParserError,
    PreviewFeature,
    Profile,
    TensorIOMode,
    TimingCache,
    builder_flags,
    creation_flags,
)

VERSIONS = {
    "8.6": ("tensorrt", "8.6.1"),
    "10": ("tensorrt", "10.3.0"),
    "11": ("tensorrt", "11.4.0"),
    "rtx": ("tensorrt_rtx", "1.7.1.116"),
}
HALF, FLOAT, INT64 = 10, 1, 7


class Tensor:
    def __init__(self, value: Any) -> None:
        kind = value.type.tensor_type
        self.name = value.name
        self.shape = tuple(d.dim_value or -1 for d in kind.shape.dim)
        self.dtype = {FLOAT: DataType.FLOAT, HALF: DataType.HALF, INT64: DataType.INT64}[
            kind.elem_type
        ]


class Network:
    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.model: Any = None
        self._inputs: list[Tensor] = []
        self._outputs: list[Tensor] = []

    def load(self, content: bytes) -> None:
        self.model = onnx.load_from_string(content)
        self._inputs = [Tensor(v) for v in self.model.graph.input]
        self._outputs = [Tensor(v) for v in self.model.graph.output]

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    @property
    def num_outputs(self) -> int:
        return len(self._outputs)

    def get_input(self, index: int) -> Tensor:
        return self._inputs[index]

    def get_output(self, index: int) -> Tensor:
        return self._outputs[index]


class Config:
    def __init__(self) -> None:
        self.builder_optimization_level = 3
        self.flags: set[int] = {7}  # TF32 is on at first
        self.profiles: list[Profile] = []
        self.pools: dict[int, int] = {}
        self.cache: TimingCache | None = None
        self.progress_monitor: Any = None
        self.previews: set[int] = set()

    def set_preview_feature(self, feature: int, enable: bool) -> None:
        assert enable
        self.previews.add(int(feature))

    def set_flag(self, flag: int) -> None:
        self.flags.add(int(flag))

    def clear_flag(self, flag: int) -> None:
        self.flags.discard(int(flag))

    def set_memory_pool_limit(self, pool: int, pool_size: int) -> None:
        self.pools[int(pool)] = pool_size

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache:
        return TimingCache(bytes(serialized_timing_cache))

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        if cache.content.startswith(b"foreign"):
            return False
        self.cache = cache
        return True


class Parser:
    _unsupported: tuple[str, ...] = ()

    def __init__(self, network: Network, logger: ILogger) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    def _bad(self, content: bytes) -> list[int]:
        nodes = onnx.load_from_string(content).graph.node
        return [i for i, n in enumerate(nodes) if n.op_type in self._unsupported]

    def parse(self, model: bytes) -> bool:
        self._errors = [ParserError(i, "No importer registered") for i in self._bad(model)]
        if not self._errors:
            self._network.load(model)
        return not self._errors

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]


class OldParser(Parser):
    def supports_model(self, model: bytes) -> tuple[bool, list[tuple[list[int], bool]]]:
        bad = self._bad(model)
        return not bad, [([i], False) for i in bad]


class NewParser(Parser):
    def supports_model_v2(self, model: bytes) -> bool:
        self._groups = [([i], False) for i in self._bad(model)]
        return not self._groups

    @property
    def num_subgraphs(self) -> int:
        return len(self._groups)

    def is_subgraph_supported(self, index: int) -> bool:
        return self._groups[index][1]

    def get_subgraph_nodes(self, index: int) -> list[int]:
        return self._groups[index][0]


class Builder:
    _version: str
    _gpu: FakeGpu
    _creation: Any
    _complaint: str
    _seen: dict[str, Any]

    def __init__(self, logger: ILogger) -> None:
        self._logger = logger

    def create_network(self, flags: int = 0) -> Network:
        known = sum(1 << int(f) for f in self._creation)
        assert flags & ~known == 0, "a flag that this version does not know"
        if self._version == "8.6":
            assert flags & 1, "8.6 parses ONNX with EXPLICIT_BATCH only"
        return Network(flags)

    def create_builder_config(self) -> Config:
        return Config()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> Any:
        self._seen["config"], self._seen["network"] = config, network
        if config.progress_monitor is not None:
            config.progress_monitor.phase_start("Building engine", None, 1)
            if not config.progress_monitor.step_complete("Building engine", 0):
                return None
            config.progress_monitor.phase_finish("Building engine")
        problem = self._complaint or _problem(self._version, network, config)
        if problem:
            self._logger.log(ILogger.ERROR, problem)
            return None
        if config.cache is not None:
            config.cache.content += b"|timed"
        shares = self._version != "8.6" or bool(config.previews)
        header = {"version": VERSIONS[self._version][1], "gpu": self._gpu.name, "shares": shares}
        return memoryview(json.dumps(header).encode() + b"\n" + network.model.SerializeToString())


def _problem(version: str, network: Network, config: Config) -> str:
    (profile,) = config.profiles
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        if -1 in tensor.shape and tensor.name not in profile.shapes:
            return f"{tensor.name}: dynamic, but no optimization profile gives its dimensions"
    is_half = any(i.data_type == HALF for i in network.model.graph.initializer)
    if version == "8.6" and is_half and 0 not in config.flags:
        return "half weights, but the FP16 flag is not set"
    if network.flags & 2 and config.flags & {0, 1}:
        return "precision flags in a strongly typed network"
    return ""


class Engine:
    _gpu: FakeGpu

    def __init__(self, content: bytes, logger: ILogger, shares_profile: bool = True) -> None:
        network = Network(0)
        network.load(content)
        self.shares_profile = shares_profile
        self.contexts: weakref.WeakSet[Any] = weakref.WeakSet()
        self.content = content
        self.logger = logger
        self.inputs = {t.name: t for t in (network.get_input(i) for i in range(network.num_inputs))}
        outputs = (network.get_output(i) for i in range(network.num_outputs))
        self.tensors = self.inputs | {t.name: t for t in outputs}
        self.num_io_tensors = len(self.tensors)
        self.session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def get_tensor_dtype(self, name: str) -> DataType:
        return self.tensors[name].dtype

    def create_execution_context(self) -> Any:
        self._gpu.need_context()
        context = self._context(self)
        context._has_profile = self.shares_profile or not self.contexts
        self.contexts.add(context)
        return context


class Context:
    """Whoever changes it after its work was recorded, or records too early, is told."""

    _has_profile = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._has_run = False

    def set_input_shape(self, name: str, shape: Any) -> bool:
        wanted = self._engine.inputs[name].shape
        self._shapes[name] = tuple(shape)
        self._has_run = False
        fits = all(w in (-1, s) for w, s in zip(wanted, shape, strict=True))
        return fits and (self._has_profile or -1 not in wanted)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = int(memory)
        return name in self._engine.tensors

    def execute_async_v3(self, stream_handle: int) -> bool:
        shapes, addresses = dict(self._shapes), dict(self._addresses)
        if set(addresses) != set(self._engine.tensors) or set(shapes) != set(self._engine.inputs):
            return False
        assert len(set(addresses.values())) == len(addresses), "two tensors share a buffer"
        is_recorded = stream_handle in self._engine._gpu.capturing
        assert self._has_run or not is_recorded, "recorded before a run with these shapes"
        self._has_run = True

        def compute() -> None:
            is_same = (shapes, addresses) == (self._shapes, self._addresses)
            assert is_same or not is_recorded, "the context was changed since this was recorded"
            self._compute(shapes, addresses)

        self._engine._gpu.enqueue(stream_handle, compute)
        return True

    def _compute(self, shapes: dict[str, Any], addresses: dict[str, int]) -> None:
        feed = {}
        for name, shape in shapes.items():
            size = int(np.prod(shape)) * 4
            held = self._engine._gpu.bytes_at(addresses[name], size)
            feed[name] = held.copy().view(np.float32).reshape(shape)
        names = [n for n in self._engine.tensors if n not in shapes]
        for name, array in zip(names, self._engine.session.run(names, feed), strict=True):
            flat = np.ascontiguousarray(array).view(np.uint8).ravel()
            self._engine._gpu.bytes_at(addresses[name], flat.nbytes)[:] = flat


class RtxContext(Context):
    def is_stream_capturable(self, stream: int) -> bool:
        gpu = self._engine._gpu
        return gpu.is_capturable and stream in gpu.streams


class Runtime:
    _version: str
    _engine: type[Engine]

    def __init__(self, logger: ILogger) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Engine | None:
        self._engine._gpu.need_context()
        header, _, content = serialized_engine.partition(b"\n")
        if (
            not re.match(rb"^\{.*\}$", header)
            or json.loads(header)["version"] != VERSIONS[self._version][1]
        ):
            self._logger.log(ILogger.ERROR, "Version tag does not match")
            return None
        return self._engine(content, self._logger, json.loads(header)["shares"])


def make_trt(
    version: str,
    gpu: FakeGpu,
    *,
    unsupported: tuple[str, ...] = (),
    has_fast_fp16: bool = True,
    complaint: str = "",
) -> ModuleType:
    """One version of the library on an imagined GPU.

    ``unsupported`` operators do not parse; a ``complaint`` makes every build fail with it.
    """
    name, full = VERSIONS[version]
    trt = ModuleType(name)
    creation, seen = creation_flags(version), dict[str, Any]()
    own: dict[str, Any] = {"_version": version, "_gpu": gpu, "_creation": creation}
    own |= {"_complaint": complaint, "_seen": seen}
    if version in ("8.6", "10"):
        own |= {"platform_has_fast_fp16": has_fast_fp16, "platform_has_fast_int8": has_fast_fp16}
    memory = "device_memory_size_v2" if version in ("11", "rtx") else "device_memory_size"
    context = RtxContext if version == "rtx" else Context
    engine: Any = type("Engine", (Engine,), {"_gpu": gpu, "_context": context, memory: 1 << 20})
    parser = OldParser if version == "8.6" else NewParser
    vars(trt).update(
        __version__=full,
        ILogger=ILogger,
        NetworkDefinitionCreationFlag=creation,
        BuilderFlag=builder_flags(version),
        MemoryPoolType=MemoryPoolType,
        TensorIOMode=TensorIOMode,
        DataType=DataType,
        Builder=type("Builder", (Builder,), own),
        OnnxParser=type("OnnxParser", (parser,), {"_unsupported": unsupported}),
        Runtime=type("Runtime", (Runtime,), {"_version": version, "_engine": engine}),
        seen=seen,
    )
    if version in ("8.6", "10"):
        trt.PreviewFeature = PreviewFeature  # type: ignore[attr-defined]
    if version != "8.6":
        trt.IProgressMonitor = IProgressMonitor  # type: ignore[attr-defined]
    trt.ICudaEngine, trt.IExecutionContext = engine, context  # type: ignore[attr-defined]
    trt.IBuilderConfig, trt.INetworkDefinition = Config, Network  # type: ignore[attr-defined]
    return trt
