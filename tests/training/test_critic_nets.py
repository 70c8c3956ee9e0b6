"""Networks given as files to the renderer's losses: read rightly, named, or refused."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from emohead.errors import InputError  # noqa: E402
from emohead_training.renderer.critic_nets import OnnxIdentity, load_critic_nets  # noqa: E402
from emohead_training.renderer.onnx_network import OnnxNetwork  # noqa: E402


class _Face(torch.nn.Module):
    """A face network with every kind of layer that such networks have."""

    def __init__(self, ends_flat=True):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.bend = torch.nn.PReLU(8)
        self.depth = torch.nn.Conv2d(8, 8, 3, 2, (1, 0), groups=8)
        self.last = torch.nn.Linear(8 * 28 * 27, 5)
        self.ends_flat = ends_flat

    def forward(self, x):
        x = self.bend(self.norm(self.first((x - 127.5) / 128)))
        x = torch.relu(self.depth(x)).clamp(0, 6)
        return self.last(x.reshape(x.shape[0], -1)) if self.ends_flat else x


def _written(module, path):
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, 112, 112),),
            path,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    return path


@pytest.fixture
def face(tmp_path):
    torch.manual_seed(0)
    network = _Face()
    network.norm.running_mean.uniform_()
    return _written(network, tmp_path / "face.onnx")


def test_a_network_from_a_file_computes_what_onnxruntime_does(face):
    session = onnxruntime.InferenceSession(face, providers=["CPUExecutionProvider"])
    x = torch.rand(3, 3, 112, 112) * 255
    wanted = session.run(None, {"x": x.numpy()})[0]
    x.requires_grad_(True)
    got = OnnxNetwork(face)(x)
    np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-4)
    got.square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert not any(True for _ in OnnxNetwork(face).parameters())


def test_a_given_identity_network_is_used_and_named(face, tmp_path):
    vgg = tmp_path / "vgg.onnx"
    layers = {"0": (3, 3, 1), "2": (8, 3, 3), "5": (4, 8, 3), "9": (4, 4, 3), "12": (4, 4, 3)}
    layers["16"] = (4, 4, 3)
    stored = [
        onnx.numpy_helper.from_array(np.zeros(shape, np.float32), f"net.{key}.{name}")
        for key, (out, inp, side) in layers.items()
        for name, shape in (("weight", (out, inp, side, side)), ("bias", (out,)))
    ]
    graph = onnx.helper.make_graph([], "vgg", [], [], stored)
    onnx.save(onnx.helper.make_model(graph), vgg)
    run = SimpleNamespace(data=tmp_path, out=tmp_path, perceptual=vgg, identity_net=face)
    nets = load_critic_nets(run)
    assert isinstance(nets.identity, OnnxIdentity)
    assert nets.identity(torch.rand(2, 3, 112, 112)).norm(dim=1).tolist() == pytest.approx([1, 1])
    assert nets.facts["identity_net"]["file"] == "face.onnx"
    assert len(nets.facts["perceptual"]["sha256"]) == 64


def test_without_files_the_stage_identity_is_needed(tmp_path):
    run = SimpleNamespace(data=tmp_path, out=tmp_path, perceptual=None, identity_net=None)
    with pytest.raises(InputError, match="run the stage identity first, or give --perceptual"):
        load_critic_nets(run)


def test_files_that_are_no_such_network_are_refused(tmp_path):
    with pytest.raises(InputError, match="found no file"):
        OnnxIdentity(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a graph")
    with pytest.raises(InputError, match="cannot be read"):
        OnnxIdentity(tmp_path / "bad.onnx")
    maps = _written(_Face(ends_flat=False), tmp_path / "maps.onnx")
    with pytest.raises(InputError, match=r"expected embeddings \(2, D\)"):
        OnnxIdentity(maps)
    node = onnx.helper.make_node("Tanh", ["x"], ["y"])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [])), maps)
    with pytest.raises(InputError, match="operators Tanh are not known"):
        OnnxIdentity(maps)


def test_the_shared_identity_network_is_read_exactly(shared_data):
    path = shared_data / "teachers" / "mobilefacenet_112.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = torch.rand(2, 3, 112, 112)
    wanted = session.run(None, {"input": (255 * x).numpy()})[0]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    with torch.no_grad():
        np.testing.assert_allclose(OnnxIdentity(path)(x).numpy(), wanted, atol=1e-4)
