"""Training of G with D_src and D_cls: the paper's losses (equations 3 to 6) and a mean style.

The way back of the cycle undoes the step, because a step to neutral is by construction none.
Not here: networks (`models/`), batches (`batches.py`), judging (`measure.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from emohead.emotion import EMOTIONS
from emohead_training.loop import Budget, RunConfig, falling, fit, set_rate
from emohead_training.models.emotion_landmarks import STAGE, EmotionLandmarks
from emohead_training.models.landmark_critics import EmotionCritic, SourceCritic, edge_weights
from emohead_training.stylisation.batches import FaceSampler, StyleBatch
from emohead_training.stylisation.digital import (
    ACTOR_FACES_FILE,
    DigitalPeople,
    expressive,
    read_people,
)
from emohead_training.stylisation.faces import FaceClip, read_faces
from emohead_training.stylisation.styles import measure_styles

__all__ = ["EmotionLandmarksConfig", "StylisationTask", "train"]

log = logging.getLogger(__name__)

_UNIT: Final = 0.02
"""Displacement in canonical units, about two pixels, that counts as an error of 1."""


@dataclass(frozen=True, kw_only=True)
class EmotionLandmarksConfig:
    """Size of the run and weight of each loss."""

    budget: Budget
    """When to stop."""
    batch: int = 32
    """Neutral faces of anybody a step."""
    critic_batch: int = 16
    """Further neutral faces a step, each matched with a real emotional one."""
    learning_rate: float = 1e-3
    """Adam's peak rate for G; the paper's 1e-4 wants days."""
    critic_rate: float = 2e-4
    """Adam's rate for both critics."""
    style_weight: float = 10.0
    """Weight of the supervised mean style."""
    adversarial_weight: float = 1.0
    """The paper's lambda_adv."""
    class_weight: float = 10.0
    """The paper's lambda_cls."""
    cycle_weight: float = 10.0
    """The paper's lambda_rec."""
    critic_warmup: int = 300
    """Steps before G listens to the critics."""
    num_actors: int = 0
    """Digital actors, of whom those of the train side act beside the filmed ones; 0 leaves the
    styles as filmed, and needs no anny."""


class StylisationTask:
    """Losses of the stylisation, for the training loop.

    Parameters
    ----------
    clips : sequence of FaceClip
        Train people.
    held_out : sequence of FaceClip
        Val people, for the figures at every checkpoint.
    config : EmotionLandmarksConfig
    seed : int
    actors : DigitalPeople, optional
        Who join the train people.
    """

    name = STAGE

    def __init__(
        self,
        clips: Sequence[FaceClip],
        held_out: Sequence[FaceClip],
        config: EmotionLandmarksConfig,
        seed: int,
        actors: DigitalPeople | None = None,
    ) -> None:
        self.config = config
        self._clips, self._styles = list(clips), measure_styles(clips)
        if actors is not None:
            self._clips += actors.clips
            self._styles = expressive(self._styles, actors.fields)
        clips = self._clips
        sampler = FaceSampler(clips, self._styles, seed)
        self.generator, self.source, self.emotion = (
            EmotionLandmarks(),
            SourceCritic(),
            EmotionCritic(),
        )
        mean, std = sampler.statistics()
        self.generator.edge_mean.copy_(mean)
        self.generator.edge_std.copy_(std)
        for critic in (self.source, self.emotion):
            critic.edge_mean.copy_(mean)
        self.modules: Mapping[str, nn.Module] = {
            STAGE: self.generator,
            "emotion_landmarks_source": self.source,
            "emotion_landmarks_class": self.emotion,
        }
        critics = [*self.source.parameters(), *self.emotion.parameters()]
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {
            "generator": torch.optim.Adam(self.generator.parameters(), config.learning_rate),
            "critics": torch.optim.Adam(critics, config.critic_rate, betas=(0.5, 0.9)),
        }
        self.clip_norms = {"generator": 5.0}
        self._weights = edge_weights() / _UNIT
        self._held_out = next(FaceSampler(held_out, self._styles, 0).batches(512, 0))

    def batches(self, seed: int) -> Iterator[StyleBatch]:
        """Endless batches of train people."""
        sampler = FaceSampler(self._clips, self._styles, seed)
        return sampler.batches(self.config.batch, self.config.critic_batch)

    def step(self, batch: StyleBatch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One step of both critics, then one of G."""
        batch = _on(batch, fabric.device)
        self._schedule(step)
        styled = self.generator(batch.neutral, batch.emotion)
        figures = self._step_critics(batch, styled.detach(), fabric)
        figures |= self._step_generator(batch, styled, step, fabric)
        return figures

    def validate(self) -> dict[str, float]:
        """Style error on val people, as a share of the change asked for."""
        batch = _on(self._held_out, next(self.generator.parameters()).device)
        styled = self.generator(batch.neutral, batch.emotion)
        error = self._distance(styled, batch.target)
        return {"style_error": (error / self._distance(batch.neutral, batch.target)).item()}

    def _step_critics(
        self, batch: StyleBatch, styled: Tensor, fabric: Fabric
    ) -> dict[str, Tensor | float]:
        fake = styled[-len(batch.real) :]
        real_logit, fake_logit = self.source(batch.real), self.source(fake)
        source = _bce(real_logit, 1.0) + _bce(fake_logit, 0.0)
        faces = torch.cat([batch.real, batch.neutral])
        neutral = functional.one_hot(
            torch.zeros(len(batch.neutral), dtype=torch.long, device=faces.device), len(EMOTIONS)
        )
        labels = torch.cat([batch.real_emotion, neutral.to(batch.real_emotion)])
        emotion = functional.binary_cross_entropy_with_logits(self.emotion(faces), labels)
        optimizer = self.optimizers["critics"]
        optimizer.zero_grad()
        fabric.backward(source + emotion)
        optimizer.step()
        return {"source": source.detach(), "emotion": emotion.detach()}

    def _step_generator(
        self, batch: StyleBatch, styled: Tensor, step: int, fabric: Fabric
    ) -> dict[str, Tensor | float]:
        config, listens = self.config, float(step >= self.config.critic_warmup)
        style = self._distance(styled, batch.target)
        fake, wanted = styled[-len(batch.real) :], batch.real_emotion
        # The saturating log of equation 3 has no gradient while D_src wins; this is its usual twin.
        adversarial = _bce(self.source(fake), 1.0)
        emotion = functional.mse_loss(torch.sigmoid(self.emotion(fake)), wanted)
        cycle = self._distance(undone(self.generator, styled, batch.emotion), batch.neutral)
        loss = config.style_weight * style + config.cycle_weight * cycle
        critics = config.adversarial_weight * adversarial + config.class_weight * emotion
        optimizer = self.optimizers["generator"]
        optimizer.zero_grad()
        fabric.backward(loss + listens * critics)
        optimizer.step()
        return {
            "style": style.detach(),
            "adversarial": adversarial.detach(),
            "class": emotion.detach(),
            "cycle": cycle.detach(),
        }

    def _distance(self, first: Tensor, second: Tensor) -> Tensor:
        weights = self._weights.to(first.device)
        difference = (first - second) * weights
        # Angles of slivers may wrap; a smooth L1 keeps them from ruling the mean.
        return functional.smooth_l1_loss(difference, torch.zeros_like(difference))

    def _schedule(self, step: int) -> None:
        warm = min(1.0, (step + 1) / 100)
        share = warm * falling(step / self.config.budget.steps, 0.05)
        set_rate(self.optimizers["generator"], self.config.learning_rate * share)


def undone(generator: EmotionLandmarks, styled: Tensor, emotion: Tensor) -> Tensor:
    """Take the emotion out again, with the change that G sees in the stylised face.

    Parameters
    ----------
    generator : EmotionLandmarks
    styled : (B, E, 2) float32
    emotion : (B, 8) float32
        The emotion that was put in.

    Returns
    -------
    (B, E, 2) float32
        Equals the neutral face where G's change does not depend on what it already changed.
    """
    size = emotion[:, 1:].sum(dim=1, keepdim=True)
    direction = emotion[:, 1:] / size.clamp(min=1e-6)
    amount = size.clamp(max=1.0).unsqueeze(2)
    stretch, bend = generator.change(styled, direction)
    lengths = styled[:, :, :1] / (1 + amount * stretch)
    return torch.cat([lengths, styled[:, :, 1:] - amount * bend], dim=2)


def train(run: RunConfig, config: EmotionLandmarksConfig) -> None:
    """Train the emotional landmark generator and its critics.

    Parameters
    ----------
    run : RunConfig
        Command-line settings.
    config : EmotionLandmarksConfig
        The recipe.
    """
    torch.set_num_threads(1)
    config = replace(config, budget=run.budget(config.budget))
    clips, held_out = read_faces(run.data, "train"), read_faces(run.data, "val")
    actors = None
    if config.num_actors:
        cache = run.out / STAGE / "cast"
        actors = read_people(config.num_actors, cache, run.data / ACTOR_FACES_FILE, log.info)
    torch.manual_seed(run.seed)
    fit(StylisationTask(clips, held_out, config, run.seed, actors), run, config.budget)


def _bce(logits: Tensor, goal: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, goal))


def _on(batch: StyleBatch, device: torch.device) -> StyleBatch:
    return StyleBatch(**{name: tensor.to(device) for name, tensor in vars(batch).items()})
