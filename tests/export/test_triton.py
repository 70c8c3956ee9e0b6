"""A Triton model repository: valid against Triton's schema, true to the specs, state in order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from emohead.bundle import DEFAULT_BUNDLE, Bundle
from emohead.cli import app
from emohead.contract import sample_inputs, zero_state
from emohead.errors import InputError
from emohead.runner import OrtRunner
from emohead.stages import BATCH, NEUTRAL_LANDMARKS, STAGES
from emohead_export.triton import CONFIG_NAME, batch_first, stage_config, write_repository

RECURRENT = [spec.name for spec in STAGES.values() if spec.state]


def parsed(text: str):
    """A config as Triton's own schema reads it."""
    schema = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    text_format = pytest.importorskip("google.protobuf.text_format")
    return schema, text_format.Parse(text, schema.ModelConfig())


@pytest.fixture(scope="module")
def repository(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("triton") / "models"
    write_repository(Bundle.open(tiny_bundle), out)
    return out


@pytest.mark.parametrize("stage", STAGES)
def test_config_fits_the_schema_and_the_graph_beside_it(stage: str, repository: Path) -> None:
    schema, config = parsed((repository / stage / CONFIG_NAME).read_text())
    assert (config.name, config.backend) == (stage, "onnxruntime")
    assert config.max_batch_size == BATCH.max
    graph = onnx.load(repository / stage / "1" / "model.onnx").graph
    states = config.sequence_batching.state
    shapes = {
        v.name: [d.dim_value or -1 for d in v.type.tensor_type.shape.dim]
        for v in (*graph.input, *graph.output)
    }
    told = {t.name: [-1, *t.dims] for t in (*config.input, *config.output)}
    for state in states:
        told |= {state.input_name: [-1, *state.dims], state.output_name: [-1, *state.dims]}
    assert told == shapes
    assert all(t.data_type == schema.TYPE_FP32 for t in (*config.input, *config.output, *states))


@pytest.mark.parametrize("stage", STAGES)
def test_recurrent_stages_keep_their_state_in_the_server(stage: str) -> None:
    _, config = parsed(stage_config(STAGES[stage]))
    pairs = [(s.input_name, s.output_name) for s in config.sequence_batching.state]
    assert pairs == [(s.input, s.output) for s in STAGES[stage].state]
    assert config.HasField("dynamic_batching") == (stage not in RECURRENT)
    for state in config.sequence_batching.state:
        (first,) = state.initial_state
        assert first.zero_data
        assert list(first.dims) == list(state.dims)
    if stage in RECURRENT:
        assert config.sequence_batching.HasField("oldest")


def test_tensorrt_platform_asks_for_the_accelerator() -> None:
    _, config = parsed(stage_config(NEUTRAL_LANDMARKS, "tensorrt"))
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"


def test_batch_first_graph_computes_the_same_for_two_streams() -> None:
    spec = NEUTRAL_LANDMARKS
    graph = (DEFAULT_BUNDLE / f"{spec.name}.onnx").read_bytes()
    golden, turned = OrtRunner(spec, graph), OrtRunner(spec, batch_first(spec, graph))
    feed = {k: np.concatenate((v, 2 * v), axis=0) for k, v in sample_inputs(spec).items()}
    states = zero_state(spec, batch=2)
    golden_state, turned_state = states, {k: v.swapaxes(0, 1) for k, v in states.items()}
    for _ in range(3):
        a = golden(**(feed | golden_state))
        b = turned._run(feed | turned_state)
        for state in spec.state:
            np.testing.assert_allclose(b[state.output].swapaxes(0, 1), a[state.output], atol=1e-6)
        (result,) = set(a) - {s.output for s in spec.state}
        np.testing.assert_allclose(b[result], a[result], atol=1e-6)
        golden_state = {s.input: a[s.output] for s in spec.state}
        turned_state = {s.input: b[s.output] for s in spec.state}
    assert any(np.abs(v).max() > 0 for v in golden_state.values())


def test_graphs_with_the_batch_first_stay_as_they_are() -> None:
    for name, spec in STAGES.items():
        graph = (DEFAULT_BUNDLE / f"{name}.onnx").read_bytes()
        assert (batch_first(spec, graph) == graph) == (name != NEUTRAL_LANDMARKS.name)


def test_repository_is_replaced_but_nothing_else_is(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    write_repository(bundle, tmp_path / "models")
    write_repository(bundle, tmp_path / "models", platform="tensorrt")
    assert [p.name for p in tmp_path.iterdir()] == ["models"]
    assert "accelerator" in (tmp_path / "models" / "renderer" / CONFIG_NAME).read_text()
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="found other files"):
        write_repository(bundle, tmp_path)
    for wrong in ({"platform": "x"}, {"precision": "fp8"}):
        with pytest.raises(InputError, match="expected"):
            write_repository(bundle, tmp_path / "models", **wrong)  # type: ignore[arg-type]


def test_command_line_writes_every_stage(tiny_bundle: Path, tmp_path: Path) -> None:
    arguments = ["export", "triton", str(tmp_path / "m"), "--bundle", str(tiny_bundle), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["models"] == list(STAGES)
    refused = CliRunner().invoke(app, [*arguments[:-1], "--precision", "int8"])
    assert refused.exit_code == 2
    assert "expected graphs in int8, the bundle has fp32" in refused.stderr


def test_missing_extra_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "emohead_export.triton", None)
    result = CliRunner().invoke(app, ["export", "triton", str(tmp_path / "m")])
    assert result.exit_code == 2
    assert "pip install 'emohead[export]'" in result.stderr
