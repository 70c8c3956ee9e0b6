"""TensorRT-RTX's parser takes every stage in every precision, strongly typed, without a GPU."""

from __future__ import annotations

import onnx
import pytest

from emohead.bundle import DEFAULT_BUNDLE
from emohead.stages import STAGES
from emohead_export.clean import prepared
from emohead_export.half import half_graph
from emohead_export.islands import starting_half
from emohead_export.parity import natural_inputs
from emohead_export.quantise import int8_graph, quantisable, ranges_seen

trt = pytest.importorskip("tensorrt_rtx")


def parsed(model: onnx.ModelProto) -> tuple[object, object]:
    """The network that TensorRT makes of a graph, and its owner, which must outlive it."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger)
    accepted = parser.parse(model.SerializeToString())
    assert accepted, [str(parser.get_error(i)) for i in range(parser.num_errors)]
    return network, (builder, parser)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_stage_is_parsed(stage: str, precision: str) -> None:
    spec = STAGES[stage]
    model = prepared(onnx.load(DEFAULT_BUNDLE / f"{stage}.onnx"))
    if precision == "fp16":
        model = half_graph(model, starting_half(spec, model))
    if precision == "int8":
        names = quantisable(model, "tensorrt")
        ranges = ranges_seen(model, names, [natural_inputs(spec, "opt")])
        model = int8_graph(model, names, ranges, "tensorrt")
    network, _owner = parsed(model)
    ends = [network.get_input(i) for i in range(network.num_inputs)]
    ends += [network.get_output(i) for i in range(network.num_outputs)]
    assert [e.name for e in ends] == [*spec.input_names, *spec.output_names]
    assert all(e.dtype == trt.DataType.FLOAT for e in ends)
    for end, tensor in zip(ends, (*spec.inputs, *spec.outputs), strict=True):
        assert len(end.shape) == len(tensor.dims)
        pairs = zip(end.shape, tensor.dims, strict=True)
        assert all(n in (-1, d.min) for n, d in pairs if not d.is_dynamic)
