"""A model repository for Triton Inference Server: every stage with a config from its spec.

Recurrent stages keep their state in the server: sequence batching with implicit state, zero at
the start of a sequence. Triton wants the batch first, so graphs whose state has it elsewhere get
Transposes around it. Who calls: ``emohead export triton``. Not here: a server, a client.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from emohead.bundle import Bundle
from emohead.contract import StageSpec, TensorSpec
from emohead.errors import InputError
from emohead.graph_choice import choose_precisions
from emohead.stages import BATCH, STAGES
from emohead_export.feeds import recorded_feeds
from emohead_export.precision import derive_graph
from emohead_export.writing import whole_folder

if TYPE_CHECKING:
    import onnx

__all__ = ["PLATFORMS", "batch_first", "stage_config", "write_repository"]

Platform = Literal["onnxruntime", "tensorrt"]
PLATFORMS: Final = ("onnxruntime", "tensorrt")
"""ONNX Runtime as it is, or with its TensorRT accelerator, which builds engines at first load."""
CONFIG_NAME: Final = "config.pbtxt"
_QUEUE_DELAY_US: Final = 500
_SEQUENCE_IDLE_US: Final = 30_000_000
"""A stream that is silent for longer loses its state."""
_TYPES: Final = {"float32": "TYPE_FP32"}


def write_repository(
    bundle: Bundle, out: Path, *, precision: str = "fp32", platform: Platform = "onnxruntime"
) -> list[Path]:
    """Write the repository, whole or not at all.

    Parameters
    ----------
    bundle : Bundle
        Verified, with every stage.
    out : pathlib.Path
        Folder to write; an earlier repository there is replaced.
    precision : {"fp32", "fp16", "int8"}
        Which graphs; fp16 is derived where the bundle has none.
    platform : {"onnxruntime", "tensorrt"}
        What Triton runs them with.

    Returns
    -------
    list of pathlib.Path
        The folders of the models.

    Raises
    ------
    InputError
        If an argument makes no sense, or `out` holds something else or cannot be written.
    BundleError
        If the bundle has no graphs of the precision and they cannot be derived.
    """
    if platform not in PLATFORMS:
        raise InputError(f"expected a platform among {', '.join(PLATFORMS)}, got {platform!r}")
    _refuse_other_content(out)
    graphs = _graphs(bundle, precision)
    with whole_folder(out) as made:
        for stage, graph in graphs.items():
            version = made / stage / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").write_bytes(batch_first(STAGES[stage], graph))
            config = stage_config(STAGES[stage], platform)
            (made / stage / CONFIG_NAME).write_text(config, encoding="utf-8")
    return [out / stage for stage in graphs]


def stage_config(spec: StageSpec, platform: Platform = "onnxruntime") -> str:
    """Text of a stage's ``config.pbtxt``.

    Parameters
    ----------
    spec : StageSpec
        The stage.
    platform : {"onnxruntime", "tensorrt"}
        What Triton runs the graph with.

    Returns
    -------
    str
        A ``ModelConfig`` in protobuf's text format; tensors without their batch axis, states
        among the sequence settings instead of the inputs and outputs.
    """
    kept = {s.input for s in spec.state} | {s.output for s in spec.state}
    lines = [
        f'name: "{spec.name}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {BATCH.max}",
        *(_tensor("input", t) for t in spec.inputs if t.name not in kept),
        *(_tensor("output", t) for t in spec.outputs if t.name not in kept),
        _sequences(spec) if spec.state else _dynamic_batching(),
    ]
    if platform == "tensorrt":
        accelerator = 'gpu_execution_accelerator [ { name: "tensorrt" } ]'
        lines.append(f"optimization {{ execution_accelerators {{ {accelerator} }} }}")
    return "\n".join(lines) + "\n"


def batch_first(spec: StageSpec, graph: bytes) -> bytes:
    """Give every tensor of a graph its batch axis first, under its own name.

    Parameters
    ----------
    spec : StageSpec
        The stage.
    graph : bytes
        Content of its ONNX file.

    Returns
    -------
    bytes
        The same file where nothing had to change.
    """
    moved = {t.name: _batch_axis(t) for t in (*spec.inputs, *spec.outputs)}
    if not any(moved.values()):
        return graph
    import onnx

    model = onnx.load_model_from_string(graph)
    given, made = list(_turned(model.graph.input, moved)), list(_turned(model.graph.output, moved))
    inner = {name: f"{name}__inner" for name, axis in moved.items() if axis}
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [inner.get(name, name) for name in names]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(_transpose(v.name, inner[v.name], moved[v.name]) for v in given)
    model.graph.node.extend(nodes)
    model.graph.node.extend(_transpose(inner[v.name], v.name, moved[v.name]) for v in made)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _refuse_other_content(out: Path) -> None:
    """Never replace what is not a repository of ours: its content would be lost."""
    is_ours = out.is_dir() and all(
        p.name in STAGES and (p / CONFIG_NAME).is_file() for p in out.iterdir()
    )
    if out.exists() and not is_ours:
        raise InputError(
            f"{out}: expected an empty folder or a model repository to replace, found other "
            "files; give another folder"
        )


def _graphs(bundle: Bundle, precision: str) -> dict[str, bytes]:
    if precision == "auto":
        raise InputError("expected the precision fp32, fp16 or int8, got 'auto'; name one of them")
    held = bundle.manifest.stages
    if precision == "fp16" and not any("fp16" in (e.precision, *e.variants) for e in held.values()):
        feeds = recorded_feeds(bundle)
        return {
            s: derive_graph(spec, bundle.model(s), "fp16", feeds[s]).model
            for s, spec in STAGES.items()
        }
    chosen = choose_precisions(bundle.manifest, precision, "cpu")
    return {stage: bundle.model(stage, chosen[stage]) for stage in STAGES}


def _dims(tensor: TensorSpec) -> str:
    """Lengths without the batch axis; -1 where any will do."""
    lengths = [-1 if d.is_dynamic else d.min for d in tensor.dims if d != BATCH]
    return f"[ {', '.join(map(str, lengths))} ]"


def _tensor(kind: str, tensor: TensorSpec) -> str:
    data = f'name: "{tensor.name}" data_type: {_TYPES[tensor.dtype]} dims: {_dims(tensor)}'
    return f"{kind} [ {{ {data} }} ]"


def _dynamic_batching() -> str:
    return f"dynamic_batching {{ max_queue_delay_microseconds: {_QUEUE_DELAY_US} }}"


def _sequences(spec: StageSpec) -> str:
    """Sequence batching over the oldest requests of all streams, each with its own state."""
    states = []
    for state in spec.state:
        tensor = spec.input(state.input)
        data = f"data_type: {_TYPES[tensor.dtype]} dims: {_dims(tensor)}"
        states.append(
            f'  state [ {{ input_name: "{state.input}" output_name: "{state.output}" {data}\n'
            f'    initial_state: {{ name: "zero" {data} zero_data: true }} }} ]'
        )
    oldest = f"max_candidate_sequences: 64 max_queue_delay_microseconds: {_QUEUE_DELAY_US}"
    return "\n".join(
        (
            "sequence_batching {",
            f"  max_sequence_idle_microseconds: {_SEQUENCE_IDLE_US}",
            f"  oldest {{ {oldest} }}",
            *states,
            "}",
        )
    )


def _batch_axis(tensor: TensorSpec) -> int:
    return tensor.dims.index(BATCH)


def _turned(
    values: list[onnx.ValueInfoProto], moved: dict[str, int]
) -> Iterator[onnx.ValueInfoProto]:
    """Turn the declared shapes in place; yield the values that changed."""
    for value in values:
        axis = moved[value.name]
        if axis:
            dims = list(value.type.tensor_type.shape.dim)
            dims = [type(d).FromString(d.SerializeToString()) for d in dims]
            del value.type.tensor_type.shape.dim[:]
            value.type.tensor_type.shape.dim.extend((dims[axis], *dims[:axis], *dims[axis + 1 :]))
            yield value


def _transpose(source: str, target: str, axis: int) -> onnx.NodeProto:
    """Swap the first axis with the batch's; its own inverse for neighbouring axes."""
    import onnx

    if axis != 1:
        raise InputError(f"{source}: expected the batch on the first or second axis, got {axis}")
    return onnx.helper.make_node("Transpose", [source], [target], perm=[1, 0, 2])
