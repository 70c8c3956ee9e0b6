"""Arithmetic on weights leaves the graph; what depends on inputs, and the results, stay."""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import pytest

from emohead.runner import Array
from emohead_export.folding import fold_weights

torch = pytest.importorskip("torch")


def exported() -> tuple[onnx.ModelProto, dict[str, Array], torch.nn.Module]:  # type: ignore[name-defined]
    from emohead_training.models.blocks import ConvBlock, UpBlock

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.up = ConvBlock((3, 2), 4), UpBlock(3, 4, 5)

        def forward(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
            return self.up(c, self.enter(a, b + a[:, :2]))

    torch.manual_seed(0)
    net = Net().eval()
    shapes = {"a": (1, 3, 8, 8), "b": (1, 2, 8, 8), "c": (1, 3, 4, 4)}
    feed = {k: np.random.default_rng(0).normal(size=s).astype("f") for k, s in shapes.items()}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            tuple(torch.from_numpy(v) for v in feed.values()),
            file,
            input_names=list(shapes),
            opset_version=17,
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue()), feed, net


def test_every_kernel_is_stored_and_the_result_stays() -> None:
    import onnxruntime as ort

    from emohead_training.warm_start import _stored

    model, feed, net = exported()
    options = ort.SessionOptions()
    before = ort.InferenceSession(model.SerializeToString(), options).run(None, feed)
    fold_weights(model)
    onnx.checker.check_model(model, full_check=True)
    stored = {i.name for i in model.graph.initializer}
    convolutions = [n for n in model.graph.node if n.op_type.startswith("Conv")]
    assert len(convolutions) == 4
    assert all(n.input[1] in stored for n in convolutions)
    used = {name for n in model.graph.node for name in n.input}
    assert stored <= used
    after = ort.InferenceSession(model.SerializeToString(), options).run(None, feed)
    np.testing.assert_allclose(after[0], before[0], atol=1e-6)

    wanted = net.state_dict()
    back = _stored(model.SerializeToString(), wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(back[name], value.numpy(), atol=1e-6, err_msg=name)


def test_what_the_inputs_reach_is_kept() -> None:
    model = exported()[0]
    fold_weights(model)
    assert any(n.op_type == "Slice" for n in model.graph.node)
