"""Trainer of the face detector: ``emohead-train face_detector``.

Not here: the loop (``emohead_training.loop``), the scenes (``scenes.py``), the losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from emohead.detector import faces_from_cells
from emohead.stages import FACE_DETECTOR
from emohead_training.corpus import Split
from emohead_training.loop import Budget, RunConfig, fit, set_rate
from emohead_training.models.face_detector import FaceDetector
from emohead_training.portrait.detector_loss import detector_loss, overlap
from emohead_training.portrait.frames import FaceFrames, load_frames
from emohead_training.portrait.landmark_training import images_to, warm_and_falling
from emohead_training.portrait.scenes import SceneBatch, draw_scenes, with_mirrored

__all__ = ["DetectorConfig", "DetectorTask", "train"]

_SPLITS: tuple[Split, ...] = ("train", "val")
_VALIDATION_SCENES = 64
_EMA_DECAY = 0.995
_HIT_OVERLAP = 0.5


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """One training of the detector."""

    budget: Budget
    """Steps and minutes."""
    batch: int = 16
    """Scenes a step, half of them mirror images of the others."""
    learning_rate: float = 2e-3
    """Peak learning rate of AdamW."""
    warm_up: int = 100
    """Steps to the peak."""


class DetectorTask:
    """The detector's side of the training loop.

    Parameters
    ----------
    config : DetectorConfig
    steps : int
        Length of the learning-rate schedule.
    train, val : FaceFrames
        Frames of train people; frames of validation people.
    """

    name = FACE_DETECTOR.name

    def __init__(
        self, config: DetectorConfig, steps: int, train: FaceFrames, val: FaceFrames
    ) -> None:
        self.config, self.steps, self.train = config, steps, train
        self.network = FaceDetector().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=0.01
        )
        self.clip_norms = {FACE_DETECTOR.name: 10.0}
        self.modules: Mapping[str, nn.Module] = {FACE_DETECTOR.name: self.network}
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {FACE_DETECTOR.name: self.optimizer}
        self.scenes = draw_scenes(val, _VALIDATION_SCENES, np.random.default_rng(0), plain=True)

    def batches(self, seed: int) -> Iterator[SceneBatch]:
        """Endless scenes."""
        rng = np.random.default_rng(seed)
        while True:
            yield with_mirrored(draw_scenes(self.train, self.config.batch // 2, rng))

    def step(self, batch: SceneBatch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One optimiser step."""
        rate = self.config.learning_rate * warm_and_falling(step, self.steps, self.config.warm_up)
        set_rate(self.optimizer, rate)
        with fabric.autocast():
            boxes, logits = self.network.boxes_and_logits(images_to(fabric, batch.image))
        truth = fabric.to_device(torch.from_numpy(batch.boxes))
        loss, figures = detector_loss(boxes.float(), logits.float(), truth, self.network.cells[0])
        self.optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        self.optimizer.step()
        return {"loss": loss.detach(), **figures}

    def validate(self) -> dict[str, float]:
        """Recall, false alarms and overlap on scenes of validation people."""
        device = next(self.network.parameters()).device
        hits = alarms = faces = 0
        overlaps: list[float] = []
        for image, truth in zip(self.scenes.image, self.scenes.boxes, strict=True):
            feed = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
            boxes, scores = (t[0].cpu().numpy() for t in self.network(feed))
            found = np.array([f.box for f in faces_from_cells(boxes, scores)]).reshape(-1, 4)
            real = truth[truth[:, 2] > truth[:, 0]]
            faces += len(real)
            best = _best_overlaps(real, found)
            hits += int((best > _HIT_OVERLAP).sum())
            overlaps += [float(v) for v in best if v > _HIT_OVERLAP]
            alarms += int((_best_overlaps(found, real) < 0.3).sum())
        return {
            "val_recall": round(hits / max(faces, 1), 4),
            "val_false_alarms": round(alarms / len(self.scenes.image), 4),
            "val_overlap": round(float(np.mean(overlaps)) if overlaps else 0.0, 4),
        }


def _best_overlaps(of: Any, among: Any) -> Any:
    """Highest overlap of each box (A, 4) with any of (B, 4)."""
    if not len(of) or not len(among):
        return np.zeros(len(of))
    a, b = (torch.as_tensor(np.asarray(v, np.float32)) for v in (of, among))
    return overlap(a[:, None], b[None])[0].amax(1).numpy()


def train(run: RunConfig, config: DetectorConfig) -> None:
    """Train the detector.

    Parameters
    ----------
    run : RunConfig
    config : DetectorConfig
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
    task = DetectorTask(config, steps, frames["train"], frames["val"])
    fit(task, run, config.budget, ema_decay=_EMA_DECAY)
