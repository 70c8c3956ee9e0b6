"""Which module implements a stage, and which training run its weights come from.

Who calls: ``packing.py`` and the parity tests. Not here: the modules (``emohead_training.models``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from emohead.contract import StageSpec
from emohead.errors import BundleError
from emohead.stages import (
    CONTENT_ENCODER,
    EMOTION_ENCODER,
    EMOTION_LANDMARKS,
    FACE_DETECTOR,
    FACE_LANDMARKS,
    NEUTRAL_LANDMARKS,
    PORTRAIT_ENCODER,
    RENDERER,
    SPEAKER_ENCODER,
    STAGES,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["IMPLEMENTATIONS", "Implementation", "build_module", "load_trained"]


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """Where a stage's network and weights are found."""

    module: str
    """Import path of the class below ``emohead_training.models``, as ``module:Class``."""
    training: str
    """Training stage whose folder holds the weights."""


IMPLEMENTATIONS: Final = MappingProxyType(
    {
        FACE_DETECTOR.name: Implementation(
            module="face_detector:FaceDetector", training="face_detector"
        ),
        FACE_LANDMARKS.name: Implementation(
            module="face_landmarks:FaceLandmarks", training="face_landmarks"
        ),
        SPEAKER_ENCODER.name: Implementation(module="autovc:SpeakerEncoder", training="autovc"),
        CONTENT_ENCODER.name: Implementation(module="autovc:ContentEncoder", training="autovc"),
        NEUTRAL_LANDMARKS.name: Implementation(
            module="neutral_landmarks:NeutralLandmarks", training="neutral_landmarks"
        ),
        EMOTION_ENCODER.name: Implementation(
            module="emotion_encoder:EmotionEncoder", training="emotion_encoder"
        ),
        EMOTION_LANDMARKS.name: Implementation(
            module="emotion_landmarks:EmotionLandmarks", training="emotion_landmarks"
        ),
        PORTRAIT_ENCODER.name: Implementation(
            module="portrait_encoder:PortraitEncoder", training="renderer_global"
        ),
        RENDERER.name: Implementation(module="renderer:Renderer", training="renderer_global"),
    }
)
"""Implementation of every stage, by stage name."""

assert set(IMPLEMENTATIONS) == set(STAGES)


def build_module(spec: StageSpec) -> nn.Module:
    """Make the untrained network of a stage.

    Parameters
    ----------
    spec : StageSpec
        The stage.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the CPU.
    """
    path, name = IMPLEMENTATIONS[spec.name].module.split(":")
    make: Callable[[], nn.Module] = getattr(import_module(f"emohead_training.models.{path}"), name)
    return make().eval()


def load_trained(spec: StageSpec, checkpoints: Path) -> nn.Module:
    """Make the network of a stage and load its trained weights.

    Parameters
    ----------
    spec : StageSpec
        The stage.
    checkpoints : pathlib.Path
        Folder with one sub-folder per training stage, as ``emohead-train`` writes it.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the CPU.

    Raises
    ------
    BundleError
        When the weights are missing or do not fit the network.
    """
    from emohead_training.loop import load_weights, weights_path

    module = build_module(spec)
    training = IMPLEMENTATIONS[spec.name].training
    path = weights_path(checkpoints, training)
    if not path.is_file():
        raise BundleError(
            f"{spec.name}: expected trained weights at {path}, found none; "
            f"run `emohead-train {training} --out {checkpoints}` first"
        )
    try:
        load_weights(module, path, spec.name)
    except RuntimeError as err:
        raise BundleError(
            f"{spec.name}: the weights in {path} do not fit the network: "
            f"{str(err).splitlines()[-1].strip()}; train it again with "
            f"`emohead-train {training} --out {checkpoints}`"
        ) from err
    return module.eval()
