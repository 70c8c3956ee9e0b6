"""The typical mouth in speech is found from the closed one, on made-up people."""

from __future__ import annotations

import numpy as np
import torch

from emohead.geometry import TEMPLATE
from emohead.geometry.landmarks import EYES, MOUTH
from emohead_training.models.neutral_landmarks import NeutralLandmarks
from emohead_training.voice.lip_bases import fill_bases, fill_posture
from emohead_training.voice.posture import fit_posture, talking_shapes
from emohead_training.voice.spoken_clips import SpokenClip


def person(chin: float, rng: np.random.Generator) -> np.ndarray:
    """Frames of somebody whose lower lip hangs lower the longer the chin is."""
    face = np.repeat(np.asarray(TEMPLATE, np.float32)[None], 50, 0)
    face[:, 8, 1] += chin
    face[:, [57, 65, 66, 67], 1] += (chin * rng.uniform(0, 2, 50))[:, None].astype(np.float32)
    return face


def test_long_chins_hang_lower() -> None:
    rng = np.random.default_rng(0)
    shapes = [talking_shapes(str(i), person(0.02 + 0.01 * i, rng)) for i in range(12)]
    posture = fit_posture(shapes)
    drops = []
    for shape in (shapes[1], shapes[10]):
        moved = posture.at(shape.anchors[0]).reshape(68, 3)
        drops.append(moved[66, 1])
        assert not moved[list(EYES)].any()
    assert drops[1] > drops[0] + 0.02


def test_the_network_adds_the_posture(small_clips: list[SpokenClip]) -> None:
    torch.manual_seed(0)
    shapes = [talking_shapes(c.identity, c.landmarks) for c in small_clips]
    posture = fit_posture(shapes)
    model = NeutralLandmarks().eval()
    fill_bases(model, small_clips, np.ones(3))
    feed = torch.zeros(1, 3, 64), torch.from_numpy(small_clips[2].anchor)[None]
    with torch.no_grad():
        without = model(*feed, *model.zero_state(1))[0]
        fill_posture(model, posture)
        added = (model(*feed, *model.zero_state(1))[0] - without)[0, 0].numpy()
    typical = posture.at(small_clips[2].anchor).reshape(68, 3)
    mouth = list(MOUTH)
    cosine = np.sum(added[mouth] * typical[mouth]) / (
        np.linalg.norm(added[mouth]) * np.linalg.norm(typical[mouth])
    )
    assert cosine > 0.9
