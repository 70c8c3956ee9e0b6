"""Training of the emotion encoder: binary cross-entropy over all classes a clip is labelled for.

Every voter validates and calibrates on training people of its own; the test people stay unseen.
Not here: reading of sound (``acted_voices.py``), calibration (``calibration.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emohead.emotion import EMOTIONS
from emohead.stages import EMOTION_ENCODER, NUM_LOG_MEL_BANDS
from emohead_training.emotion.acted_voices import (
    FOLDS,
    ActedVoices,
    held_out_speakers,
    read_acted_voices,
)
from emohead_training.emotion.augment import SILENCE_DB, augmented, mixed
from emohead_training.emotion.calibration import calibrate, calibration_error
from emohead_training.emotion.windows import Windows, window_frames_of, windows_of
from emohead_training.loop import (
    Budget,
    RunConfig,
    falling,
    fit,
    load_weights,
    save_weights,
    set_rate,
    weights_path,
)
from emohead_training.models.emotion_encoder import (
    NUM_MEMBERS,
    WIDTHS,
    EmotionCnn,
    EmotionEncoder,
    pictured,
)

__all__ = ["EmotionConfig", "EmotionTask", "train"]

log = logging.getLogger(__name__)

STAGE: Final = EMOTION_ENCODER.name


@dataclass(frozen=True, kw_only=True)
class EmotionConfig:
    """How the emotion encoder is trained."""

    budget: Budget
    """Steps and minutes, all voters together; the rate sinks to zero at the last step."""
    members: int = NUM_MEMBERS
    """Voters, trained in turn."""
    folds: int = FOLDS
    """Parts of the training people; voter k never hears part k."""
    batch: int = 64
    """Windows in a step."""
    learning_rate: float = 2e-3
    """Largest rate of AdamW."""
    weight_decay: float = 3e-2
    """Of AdamW."""
    mixup_share: float = 0.0
    """Share of the steps that blend clips."""
    mixup_alpha: float = 0.4
    """Of the Beta distribution that blends clips."""
    smoothing: float = 0.03
    """How far labels are drawn from 0 and 1 towards the middle."""
    widths: tuple[int, ...] = WIDTHS
    """Channels of the six convolutions."""
    dropout: float = 0.35
    """Share of pooled features dropped."""
    ema_decay: float = 0.995
    """Of the averaged weights, per step of a voter."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows of speech and what is known of them."""

    member: int
    """The voter that they are for."""
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
    clips : ActedVoices
        The training side.
    config : EmotionConfig
    """

    name: str = STAGE

    def __init__(self, clips: ActedVoices, config: EmotionConfig) -> None:
        self.clips, self.config = clips, config
        self.encoder = EmotionEncoder(config.widths, config.dropout, config.members)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.modules: Mapping[str, nn.Module] = {STAGE: self.encoder}
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {
            f"{STAGE}_{k}": torch.optim.AdamW(
                member.parameters(), config.learning_rate, weight_decay=config.weight_decay
            )
            for k, member in enumerate(self.encoder.members)
        }
        self.clip_norms = dict.fromkeys(self.optimizers, 2.0)
        self.folds = [_Fold(clips, k, config.folds) for k in range(config.members)]

    def batches(self, seed: int) -> Iterator[Batch]:
        """Balanced windows of the people that a voter may hear, voters in turn."""
        rng = np.random.default_rng(seed)
        while True:
            for member, fold in enumerate(self.folds):
                yield self._batch(rng, member, fold.draw(rng, self.config.batch))

    def _batch(self, rng: np.random.Generator, member: int, chosen: NDArray[np.int64]) -> Batch:
        length = round(1.15 * window_frames_of())
        windows = np.stack([_excerpt(rng, self.clips.clip(int(i)), length) for i in chosen])
        return Batch(
            member=member,
            log_mel=torch.from_numpy(np.ascontiguousarray(windows.transpose(0, 2, 1))),
            labels=functional.one_hot(
                torch.from_numpy(self.clips.labels[chosen]), len(EMOTIONS)
            ).float(),
            known=torch.from_numpy(self.clips.known[chosen]).float(),
        )

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One update of one voter."""
        config, member = self.config, self.encoder.members[batch.member]
        optimizer = self.optimizers[f"{STAGE}_{batch.member}"]
        set_rate(optimizer, config.learning_rate * _schedule(step, config.budget.steps))
        log_mel, labels, known = self._varied(batch)
        device = fabric.device
        picture = pictured(log_mel.to(device)).contiguous(memory_format=torch.channels_last)
        with fabric.autocast():
            logits = member.logits(picture)
        loss = emotion_loss(logits.float(), labels.to(device), known.to(device))
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()
        return {"emotion": loss.detach()}

    def _varied(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        config, known = self.config, batch.known
        log_mel = augmented(batch.log_mel, window_frames_of())
        labels = batch.labels + config.smoothing * (0.5 - batch.labels)
        if float(torch.rand(())) < config.mixup_share:
            log_mel, labels, known = mixed(log_mel, labels, known, config.mixup_alpha)
        return log_mel, labels, known

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Accuracy of whole clips of training people, each by the voter that never heard them."""
        right: dict[str, list[NDArray[np.bool_]]] = {}
        losses = []
        for fold, logits in zip(self.folds, self.held_logits(), strict=True):
            for dataset, hits in fold.hits(torch.sigmoid(logits).numpy()).items():
                right.setdefault(dataset, []).append(hits)
            labels, known = fold.window_labels()
            losses.append(float(emotion_loss(logits, labels, known.float())))
        figures = {f"val_{k}": round(float(np.concatenate(v).mean()), 4) for k, v in right.items()}
        return figures | {"val_loss": round(float(np.mean(losses)), 4)}

    @torch.no_grad()
    def held_logits(self) -> list[Tensor]:
        """(W, 8) logits of every voter, of the windows of the people that it never heard."""
        pairs = zip(self.encoder.members, self.folds, strict=True)
        return [_logits(member, fold.windows.log_mel) for member, fold in pairs]

    def calibrated(self) -> dict[str, float]:
        """Fit each voter's temperature and offsets on the people it never heard.

        Returns
        -------
        dict
            Calibration error before and after, mean over the voters.
        """
        self.encoder.eval()
        errors = []
        for member, fold, logits in zip(
            self.encoder.members, self.folds, self.held_logits(), strict=True
        ):
            labels, known = fold.window_labels()
            temperature, offset = calibrate(logits, labels, known)
            member.temperature.copy_(temperature)
            member.offset.copy_(offset)
            after = torch.sigmoid(logits / temperature + offset)
            before = calibration_error(torch.sigmoid(logits), labels, known)
            errors.append((before, calibration_error(after, labels, known)))
        before, after = np.mean(errors, 0).tolist()
        return {"calibration_error_before": before, "calibration_error": after}


class _Fold:
    """The people that one voter hears, and those that it does not."""

    def __init__(self, clips: ActedVoices, fold: int, folds: int) -> None:
        self._clips = clips
        is_held = np.isin(clips.speakers, sorted(held_out_speakers(clips, fold, folds)))
        self.heard, self.held = np.flatnonzero(~is_held), np.flatnonzero(is_held)
        self.windows: Windows = windows_of(clips, self.held)
        self._chances = _chances(clips, self.heard)

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        return rng.choice(self.heard, size, p=self._chances)

    def window_labels(self) -> tuple[Tensor, Tensor]:
        """(W, 8) one-hot labels and known classes of the held-out windows."""
        owner = self.held[self.windows.owner]
        labels = functional.one_hot(torch.from_numpy(self._clips.labels[owner]), len(EMOTIONS))
        return labels.float(), torch.from_numpy(self._clips.known[owner])

    def hits(self, scores: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
        """Per data set: which held-out clips the (W, 8) window scores get right."""
        means = self.windows.clip_means(scores)
        guess = np.where(self._clips.known[self.held], means, -1).argmax(1)
        right = guess == self._clips.labels[self.held]
        datasets = self._clips.datasets[self.held]
        return {name: right[datasets == name] for name in sorted(set(datasets.tolist()))}


def _logits(member: EmotionCnn, log_mel: NDArray[np.float32]) -> Tensor:
    device = next(member.parameters()).device
    parts = torch.split(torch.from_numpy(log_mel), 64)
    return torch.cat([member.logits(pictured(p.to(device))).float().cpu() for p in parts])


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


def _chances(clips: ActedVoices, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
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
    return min(done / 0.05 + 0.02, falling(done, 0.0))


def train(run: RunConfig, config: EmotionConfig) -> None:
    """Train and calibrate the emotion encoder.

    Parameters
    ----------
    run : RunConfig
        Command-line settings.
    config : EmotionConfig
        The recipe.
    """
    torch.set_num_threads(1)
    config = replace(config, budget=run.budget(config.budget))
    clips = read_acted_voices(run.data, run.out / STAGE / "log_mels.npz")
    torch.manual_seed(run.seed)
    task = EmotionTask(clips, config)
    # The averages move at every step, a voter only at its own.
    fit(task, run, config.budget, ema_decay=config.ema_decay ** (1 / config.members))
    path = weights_path(run.out, STAGE)
    load_weights(task.encoder, path, STAGE)
    log.info("%s %s", STAGE, task.calibrated())
    save_weights(path, {STAGE: task.encoder})
