"""The paper's settings, for RAVDESS and for CREMA-D: Adam's rates, loss weights, no warp.

The paper names no number of steps; those are ours, for a GPU. It knows no digital actors, so none
join. Stages that it takes ready-made (detector, landmarker, AutoVC, ArcFace) are trained by the
default recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from emohead_training import recipes
from emohead_training.emotion.training import EmotionConfig
from emohead_training.loop import Budget
from emohead_training.renderer.task import RendererConfig
from emohead_training.stylisation.training import EmotionLandmarksConfig
from emohead_training.voice.lips_training import LipsConfig

__all__ = ["PAPER_STAGES"]

LANDMARK_RATE: Final = 1e-4
"""Adam's rate for neutral landmarks, emotion encoder and emotional landmarks (paper 4)."""
PIXEL_RATE: Final = 2e-4
"""Adam's rate for local translation and global generation (paper 4)."""


def _neutral_landmarks() -> LipsConfig:
    """LSTM of 256 cells, which the stage's specification fixes; no weight decay."""
    return replace(
        recipes.default_neutral_landmarks(),
        budget=Budget(steps=20_000),
        learning_rate=LANDMARK_RATE,
        weight_decay=0.0,
        num_actor_clips=0,
    )


def _emotion_encoder() -> EmotionConfig:
    """Adam is AdamW without decay."""
    return replace(
        recipes.default_emotion_encoder(),
        budget=Budget(steps=20_000),
        learning_rate=LANDMARK_RATE,
        weight_decay=0.0,
    )


def _emotion_landmarks() -> EmotionLandmarksConfig:
    """Equation 6 alone: adversarial 1, class 10, cycle 10, no supervised style."""
    return replace(
        recipes.default_emotion_landmarks(),
        budget=Budget(steps=50_000),
        learning_rate=LANDMARK_RATE,
        critic_rate=LANDMARK_RATE,
        style_weight=0.0,
        adversarial_weight=1.0,
        class_weight=10.0,
        cycle_weight=10.0,
        critic_warmup=0,
        num_actors=0,
    )


def _renderer_local() -> RendererConfig:
    """Without the warp prior: the networks paint every pixel."""
    return replace(
        recipes.default_renderer_local(),
        budget=Budget(steps=200_000),
        learning_rate=PIXEL_RATE,
        critic_learning_rate=PIXEL_RATE,
        use_warp=False,
    )


def _renderer_global() -> RendererConfig:
    """Without the warp prior, on sequences."""
    return replace(
        recipes.default_renderer_global(),
        budget=Budget(steps=200_000),
        learning_rate=PIXEL_RATE,
        critic_learning_rate=PIXEL_RATE,
        use_warp=False,
    )


PAPER_STAGES: Final[Mapping[str, Callable[[], Any]]] = MappingProxyType(
    {
        "face_detector": recipes.default_face_detector,
        "face_landmarks": recipes.default_face_landmarks,
        "identity": recipes.default_identity,
        "autovc": recipes.default_autovc,
        "neutral_landmarks": _neutral_landmarks,
        "emotion_encoder": _emotion_encoder,
        "emotion_landmarks": _emotion_landmarks,
        "renderer_local": _renderer_local,
        "renderer_global": _renderer_global,
    }
)
"""Configuration of each stage, the same for both corpora."""
