"""Fréchet distance: the closed form of Gaussians, and the network that makes the features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from emohead.errors import InputError
from emohead_training.evaluation.frechet import (
    FEATURE_FILE,
    FeatureNetwork,
    frechet_distance,
    frechet_interval,
)


def samples(shift: float = 0.0, scale: float = 1.0, count: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (count, 7))


def test_distance_is_the_closed_form() -> None:
    a, b = samples(), samples(0.5, 2.0, 40, 1)
    first, second = np.cov(a.T), np.cov(b.T)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(
        first + second - 2 * np.real(sqrtm(first @ second))
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_equal_sets_are_at_zero_and_shifted_ones_at_the_square_of_the_shift() -> None:
    assert frechet_distance(samples(), samples()) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(samples(), samples() + 3) == pytest.approx(7 * 9)


def test_more_features_than_frames_is_no_problem() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(5, 400))
    assert frechet_distance(wide, wide[::-1]) == pytest.approx(0, abs=1e-8)


def test_interval_holds_the_distance_itself() -> None:
    made = {str(i): [samples(0.3, seed=i, count=8)] for i in range(6)}
    true = {str(i): [samples(0.0, seed=100 + i, count=8)] for i in range(6)}
    pooled = [np.concatenate([own[0] for own in side.values()]) for side in (made, true)]
    interval = frechet_interval(made, true)
    assert interval is not None
    assert interval[0] < frechet_distance(pooled[0], pooled[1]) < interval[1]
    assert frechet_interval({"a": made["0"]}, true) is None


def test_one_frame_is_refused() -> None:
    with pytest.raises(InputError, match="two or more frames"):
        frechet_distance(samples(count=1), samples())


def test_any_onnx_file_of_pictures_will_do(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Concat", ["mean", "mean"], ["wide"], axis=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", kind, [1, 3, 32, 32])],
        [
            helper.make_tensor_value_info("mean", kind, [1, 3, 1, 1]),
            helper.make_tensor_value_info("wide", kind, [1, 6, 1, 1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "means.onnx")
    network = FeatureNetwork(tmp_path / "means.onnx")
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0] = 192
    assert network.name == "means (32 px)"
    assert network(image[None]).tolist() == [[0.5, -1, -1, 0.5, -1, -1]]


def test_channels_last_networks_are_fed_so(shared_data: Path) -> None:
    network = FeatureNetwork(shared_data / "teachers" / FEATURE_FILE)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    features = network(images)
    assert features.shape == (2, 1280)
    assert not np.allclose(features[0], features[1])
