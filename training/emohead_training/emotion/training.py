"""Training of the emotion encoder: binary cross-entropy over all classes a clip is labelled for.

Validates and calibrates on training people who are held out; the test people stay unseen.
Not here: reading of sound (``spoken_clips.py``), calibration (``calibration.py``).
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from emohead.emotion import EMOTIONS
from emohead.stages import EMOTION_ENCODER, NUM_LOG_MEL_BANDS
from emohead_training.emotion.augment import SILENCE_DB, augmented, mixed
from emohead_training.emotion.calibration import calibrate, calibration_error
from emohead_training.emotion.spoken_clips import (
    SpokenClips,
    read_spoken_clips,
    validation_speakers,
)
from emohead_training.emotion.windows import window_frames_of, windows_of
from emohead_training.loop import Budget, RunConfig, fit, load_weights, weights_path
from emohead_training.models.emotion_encoder import EmotionEncoder
from emohead_training.recipe_book import config_of

__all__ = ["EmotionConfig", "EmotionTask", "train"]

log = logging.getLogger(__name__)

STAGE: Final = EMOTION_ENCODER.name


@dataclass(frozen=True, kw_only=True)
class EmotionConfig:
    """How the emotion encoder is trained."""

    budget: Budget
    """Steps and minutes; the learning rate sinks to zero at the last step."""
    batch: int = 64
    """Windows in a step."""
    learning_rate: float = 2e-3
    """Largest rate of AdamW."""
    weight_decay: float = 2e-2
    """Of AdamW."""
    mixup_alpha: float = 0.0
    """Of the Beta distribution that blends clips; 0 for none."""
    widths: tuple[int, ...] = (16, 32, 48, 64, 96, 160)
    """Channels of the six convolutions."""
    dropout: float = 0.25
    """Share of pooled features dropped."""
    ema_decay: float = 0.995
    """Of the averaged weights."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows of speech and what is known of them."""

    log_mel: Tensor
    """(B, 128, M) dB, not augmented yet."""
    labels: Tensor
    """(B, 8) 0 or 1."""
    known: Tensor
    """(B, 8) 0 or 1."""


class EmotionTask:
    """Everything ``loop.fit`` needs.

    Parameters
    ----------
    clips : SpokenClips
        The training side.
    config : EmotionConfig
    """

    name: str = STAGE

    def __init__(self, clips: SpokenClips, config: EmotionConfig) -> None:
        self.clips, self.config = clips, config
        self.encoder = EmotionEncoder(config.widths, config.dropout)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.modules: Mapping[str, nn.Module] = {STAGE: self.encoder}
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {
            STAGE: torch.optim.AdamW(
                self.encoder.parameters(), config.learning_rate, weight_decay=config.weight_decay
            )
        }
        held_out = validation_speakers(clips)
        is_held = np.isin(clips.speakers, sorted(held_out))
        self.train_clips, self.held_clips = np.flatnonzero(~is_held), np.flatnonzero(is_held)
        self._held = windows_of(clips, self.held_clips)

    def batches(self, seed: int) -> Iterator[Batch]:
        """Balanced windows of the training people."""
        rng = np.random.default_rng(seed)
        chances = _chances(self.clips, self.train_clips)
        while True:
            yield self._batch(rng, rng.choice(self.train_clips, self.config.batch, p=chances))

    def _batch(self, rng: np.random.Generator, chosen: NDArray[np.int64]) -> Batch:
        length = round(1.15 * window_frames_of())
        windows = np.stack([_excerpt(rng, self.clips.clip(int(i)), length) for i in chosen])
        return Batch(
            log_mel=torch.from_numpy(np.ascontiguousarray(windows.transpose(0, 2, 1))),
            labels=functional.one_hot(
                torch.from_numpy(self.clips.labels[chosen]), len(EMOTIONS)
            ).float(),
            known=torch.from_numpy(self.clips.known[chosen]).float(),
        )

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One update of the encoder."""
        optimizer = self.optimizers[STAGE]
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(step, self.config.budget.steps)
        log_mel, labels, known = (
            augmented(batch.log_mel, window_frames_of()),
            batch.labels,
            batch.known,
        )
        if self.config.mixup_alpha > 0:
            log_mel, labels, known = mixed(log_mel, labels, known, self.config.mixup_alpha)
        device = fabric.device
        with fabric.autocast():
            logits = self.encoder.logits(log_mel.to(device))
        loss = emotion_loss(logits.float(), labels.to(device), known.to(device))
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 2.0)
        optimizer.step()
        return {"emotion": loss.detach()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Accuracy of whole clips of the held-out training people, per data set."""
        logits = self.held_logits()
        scores = self._held.clip_means(torch.sigmoid(logits).numpy())
        figures = {}
        for dataset in sorted(set(self.clips.datasets.tolist())):
            rows = self.clips.datasets[self.held_clips] == dataset
            chosen = self.held_clips[rows]
            guess = np.where(self.clips.known[chosen], scores[rows], -1).argmax(1)
            right = guess == self.clips.labels[chosen]
            figures[f"val_{dataset}"] = round(float(right.mean()), 4)
        return figures

    @torch.no_grad()
    def held_logits(self) -> Tensor:
        """(W, 8) logits of every window of the held-out people."""
        device = next(self.encoder.parameters()).device
        parts = torch.split(torch.from_numpy(self._held.log_mel), 64)
        return torch.cat([self.encoder.logits(p.to(device)).float().cpu() for p in parts])

    def calibrated(self) -> dict[str, float]:
        """Fit temperature and offsets on the held-out people; return the error before and after."""
        self.encoder.eval()
        logits = self.held_logits()
        labels = functional.one_hot(
            torch.from_numpy(self.clips.labels[self.held_clips][self._held.owner]), len(EMOTIONS)
        ).float()
        known = torch.from_numpy(self.clips.known[self.held_clips][self._held.owner])
        before = calibration_error(torch.sigmoid(logits), labels, known)
        temperature, offset = calibrate(logits, labels, known)
        self.encoder.temperature.copy_(temperature)
        self.encoder.offset.copy_(offset)
        after = calibration_error(torch.sigmoid(logits / temperature + offset), labels, known)
        return {"calibration_error_before": before, "calibration_error": after}


def emotion_loss(logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy over the known classes (eq. 2 with its log), summed per clip.

    Parameters
    ----------
    logits : (B, 8) tensor
    labels : (B, 8) tensor in [0, 1]
    known : (B, 8) tensor, 0 or 1

    Returns
    -------
    () tensor
    """
    each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (each * known).sum() / len(logits)


def _chances(clips: SpokenClips, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Equal chances for the two data sets; within one, rarer classes a little more often."""
    keys = np.char.add(clips.datasets[chosen].astype("U16"), clips.labels[chosen].astype("U2"))
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(np.maximum(counts[inverse], 40))
    for dataset in set(clips.datasets.tolist()):
        rows = clips.datasets[chosen] == dataset
        weight[rows] /= max(weight[rows].sum(), 1e-12)
    return np.asarray(weight / weight.sum())


def _excerpt(
    rng: np.random.Generator, log_mel: NDArray[np.float32], length: int
) -> NDArray[np.float32]:
    """(length, 128): a random stretch of a clip, with silence around short ones."""
    spare = len(log_mel) - length
    if spare >= 0:
        start = int(rng.integers(spare + 1))
        return log_mel[start : start + length]
    result = np.full((length, NUM_LOG_MEL_BANDS), SILENCE_DB, np.float32)
    start = int(rng.integers(-spare + 1))
    result[start : start + len(log_mel)] = log_mel
    return result


def _schedule(step: int, steps: int) -> float:
    """Warm-up over a twentieth, then a cosine to zero."""
    done = min(1.0, step / steps)
    return min(done / 0.05 + 0.02, 0.5 + 0.5 * math.cos(math.pi * done))


def train(run: RunConfig) -> None:
    """Train and calibrate the emotion encoder.

    Parameters
    ----------
    run : RunConfig
        Command-line settings; the recipe names the `EmotionConfig`.
    """
    torch.set_num_threads(1)
    recipe: EmotionConfig = config_of(run.recipe, STAGE)
    config = replace(recipe, budget=run.budget(recipe.budget))
    clips = read_spoken_clips(run.data, run.out / STAGE / "log_mels.npz")
    torch.manual_seed(run.seed)
    task = EmotionTask(clips, config)
    fit(task, run, config.budget, ema_decay=config.ema_decay)
    path = weights_path(run.out, STAGE)
    load_weights(task.encoder, path, STAGE)
    log.info("%s %s", STAGE, task.calibrated())
    _replace_weights(path, task.encoder)


def _replace_weights(path: Path, encoder: EmotionEncoder) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({f"{STAGE}.{k}": v.contiguous() for k, v in encoder.state_dict().items()}, temporary)
    os.replace(temporary, path)
