"""Probes on made-up features, and through stand-in encoders."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from emohead_training.voice.content_codes import GraphCodeWriter
from emohead_training.voice.probes import Examples, linear_probe


def test_a_linear_probe_finds_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 800)
    told = np.eye(4)[classes] + 0.2 * rng.standard_normal((800, 4))
    for features, low, high in ((told, 0.95, 1.0), (rng.standard_normal((800, 4)), 0.1, 0.4)):
        seen = Examples(features=features[:400], classes=classes[:400])
        unseen = Examples(features=features[400:], classes=classes[400:])
        assert low <= linear_probe(seen, unseen) <= high


def test_graphs_write_codes_in_batches_that_they_take() -> None:
    sizes: list[int] = []

    def content(windows: np.ndarray, speaker: np.ndarray) -> tuple[np.ndarray]:
        sizes.append(len(windows))
        assert speaker.shape == (len(windows), 256)
        return (np.repeat(windows[:, 24:32].mean(2, keepdims=True), 64, 2),)

    speaker = SimpleNamespace(run=lambda mel: (np.ones((len(mel), 256), np.float32),))
    writer = GraphCodeWriter(speaker, SimpleNamespace(run=content))  # type: ignore[arg-type]
    mel = torch.linspace(0, 1, 300)[:, None].expand(-1, 80).numpy()
    codes = writer.codes(mel, np.random.default_rng(0), degrade=False)
    np.testing.assert_allclose(codes[:300, 0], mel[:, 0], atol=2e-3)
    assert max(sizes) <= 16
    assert sum(sizes) == len(codes) // 8
