"""Warm start: a bundle's graphs give back the networks that they were exported from."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from emohead.bundle import Bundle  # noqa: E402
from emohead.contract import sample_inputs  # noqa: E402
from emohead.errors import BundleError  # noqa: E402
from emohead.stages import EMOTION_ENCODER, PORTRAIT_ENCODER, RENDERER  # noqa: E402
from emohead_training.models.emotion_encoder import EmotionEncoder  # noqa: E402
from emohead_training.models.portrait_encoder import PortraitEncoder  # noqa: E402
from emohead_training.models.renderer import Renderer  # noqa: E402
from emohead_training.warm_start import load_from_bundle  # noqa: E402


def test_the_renderer_from_the_default_bundle_computes_what_its_graph_does():
    modules = {PORTRAIT_ENCODER.name: PortraitEncoder(), RENDERER.name: Renderer()}
    critic = torch.nn.Linear(1, 1)
    before = critic.weight.clone()
    assert load_from_bundle({**modules, "critics": critic}, "default") == list(modules)
    assert torch.equal(critic.weight, before)
    bundle = Bundle.open()
    for spec in (PORTRAIT_ENCODER, RENDERER):
        feed = sample_inputs(spec)
        wanted = bundle.runner(spec.name, "cpu", threads=1)(**feed)
        with torch.no_grad():
            got = modules[spec.name].eval()(*(torch.from_numpy(v) for v in feed.values()))
        for name, value in zip(spec.output_names, got, strict=True):
            np.testing.assert_allclose(value.numpy(), wanted[name], atol=2e-4)


def test_a_stage_whose_names_were_folded_is_refused_unchanged():
    network = EmotionEncoder()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(BundleError, match="emotion_encoder: .*folded.*checkpoint"):
        load_from_bundle({EMOTION_ENCODER.name: network}, "default")
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_networks_that_no_bundle_holds_and_other_sizes_are_refused(tmp_path):
    with pytest.raises(BundleError, match="expected a network among"):
        load_from_bundle({"identity": torch.nn.Linear(1, 1)}, "default")
    other = PortraitEncoder()
    other.style[0] = torch.nn.Linear(96, 5)
    with pytest.raises(BundleError, match=r"style.0.weight of shape \(5, 96\)"):
        load_from_bundle({PORTRAIT_ENCODER.name: other}, "default")
    with pytest.raises(BundleError):
        load_from_bundle({PORTRAIT_ENCODER.name: PortraitEncoder()}, tmp_path / "none")
