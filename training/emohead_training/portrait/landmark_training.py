"""Trainer of the landmarker: ``emohead-train face_landmarks``.

Not here: the loop (``emohead_training.loop``), the data (``landmark_data.py``), the losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from emohead.stages import FACE_LANDMARKS
from emohead_training.corpus import Split
from emohead_training.loop import Budget, RunConfig, falling, fit, set_rate
from emohead_training.models.face_landmarks import FaceLandmarks
from emohead_training.portrait.frames import FaceFrames, load_frames
from emohead_training.portrait.landmark_data import CropBatch, draw_batch, plain_crop
from emohead_training.portrait.landmark_loss import landmark_loss, point_error

__all__ = ["LandmarkConfig", "LandmarkTask", "images_to", "train", "warm_and_falling"]

_SPLITS: tuple[Split, ...] = ("train", "val")
_VALIDATION_FRAMES = 120


@dataclass(frozen=True, kw_only=True)
class LandmarkConfig:
    """One training of the landmarker."""

    budget: Budget
    """Steps and minutes."""
    batch: int = 32
    """Crops a step."""
    learning_rate: float = 2e-3
    """Peak learning rate of AdamW."""
    warm_up: int = 300
    """Steps to the peak."""
    negatives: float = 0.12
    """Share of crops without a face."""


def warm_and_falling(step: int, steps: int, warm_up: int) -> float:
    """Share of the peak rate at `step`: linear up to 1, then half a cosine to a hundredth."""
    if step < warm_up:
        return (step + 1) / warm_up
    return falling((step - warm_up) / max(1, steps - warm_up), 0.01)


def images_to(fabric: Fabric, images: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float in [0, 1] on the device, channels last."""
    on_device = fabric.to_device(torch.from_numpy(images))
    return on_device.permute(0, 3, 1, 2).float().div_(255)


class LandmarkTask:
    """The landmarker's side of the training loop.

    Parameters
    ----------
    config : LandmarkConfig
    steps : int
        Length of the learning-rate schedule.
    train, val : FaceFrames
        Frames of train people; frames of validation people.
    """

    name = FACE_LANDMARKS.name

    def __init__(
        self, config: LandmarkConfig, steps: int, train: FaceFrames, val: FaceFrames
    ) -> None:
        self.config, self.steps, self.train = config, steps, train
        self.network = FaceLandmarks().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=0.01
        )
        self.clip_norms = {FACE_LANDMARKS.name: 5.0}
        self.modules: Mapping[str, nn.Module] = {FACE_LANDMARKS.name: self.network}
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {FACE_LANDMARKS.name: self.optimizer}
        every = np.linspace(
            0, len(val.images) - 1, min(len(val.images), _VALIDATION_FRAMES)
        ).astype(int)
        crops = [plain_crop(np.asarray(val.images[i]), val.landmarks[i]) for i in every]
        self.val_images = np.stack([c[0] for c in crops])
        self.val_truth = torch.from_numpy(np.stack([c[1] for c in crops]))

    def batches(self, seed: int) -> Iterator[CropBatch]:
        """Endless augmented batches."""
        rng = np.random.default_rng(seed)
        while True:
            yield draw_batch(self.train, self.config.batch, rng, self.config.negatives)

    def step(self, batch: CropBatch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One optimiser step."""
        rate = self.config.learning_rate * warm_and_falling(step, self.steps, self.config.warm_up)
        set_rate(self.optimizer, rate)
        with fabric.autocast():
            found, logit = self.network.points_and_logit(images_to(fabric, batch.image))
        truth, face = (fabric.to_device(torch.from_numpy(a)) for a in (batch.landmarks, batch.face))
        loss, figures = landmark_loss(found.float(), logit.float(), truth, face)
        self.optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        self.optimizer.step()
        return {"loss": loss.detach(), **figures}

    def validate(self) -> dict[str, float]:
        """Error on validation people, crops framed by their labels."""
        device = next(self.network.parameters()).device
        found, sure = [], []
        for start in range(0, len(self.val_images), 16):
            part = torch.from_numpy(self.val_images[start : start + 16]).to(device)
            points, confidence = self.network(part.permute(0, 3, 1, 2).float() / 255)
            found.append(points.cpu())
            sure.append(confidence.cpu())
        points = torch.cat(found)
        figures = {f"val_error_{n}d": point_error(points, self.val_truth, n) for n in (2, 3)}
        return {k: round(float(v.mean()), 5) for k, v in figures.items()} | {
            "val_confidence": round(float(torch.cat(sure).mean()), 4)
        }


def train(run: RunConfig, config: LandmarkConfig) -> None:
    """Train the landmarker.

    Parameters
    ----------
    run : RunConfig
    config : LandmarkConfig
        The recipe.

    Raises
    ------
    InputError
        The corpus has no labelled faces of train or val people.
    """
    cv2.setNumThreads(1)
    cache = run.out / "cache"
    frames = {s: load_frames(run.data, cache, s) for s in _SPLITS}
    steps = run.budget(config.budget).steps
    torch.manual_seed(run.seed)
    fit(LandmarkTask(config, steps, frames["train"], frames["val"]), run, config.budget)
