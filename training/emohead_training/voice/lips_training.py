"""Training of the neutral landmarks on talking clips and on spelled synthetic speech.

Few people were filmed, so each clip gets an offset of its own that absorbs how that person holds
the mouth, and the network learns what they share. Not here: data (``lip_corpus.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from emohead.geometry.landmarks import JAW, LIP_PAIRS, MIRROR, MOUTH, NOSE_BASE
from emohead.stages import NEUTRAL_LANDMARKS, NUM_LANDMARKS
from emohead_training.loop import Budget, RunConfig, falling, fit, set_rate, weights_path
from emohead_training.loop.record import file_hash
from emohead_training.models.neutral_landmarks import NUM_MOVEMENTS, NeutralLandmarks
from emohead_training.voice.autovc_training import STAGE as AUTOVC
from emohead_training.voice.content_codes import CodeWriter
from emohead_training.voice.lip_bases import fill_bases, fill_posture
from emohead_training.voice.lip_corpus import LipBatch, LipCorpus, SpelledBatch, SpelledSpeech
from emohead_training.voice.lip_scores import Scores, predicted, score
from emohead_training.voice.posture import PostureMap, fit_posture, read_talking_shapes
from emohead_training.voice.sounds import read_sounds
from emohead_training.voice.spoken_clips import SpokenClip, read_spoken_clips

__all__ = ["LipsConfig", "LipsTask", "train"]

log = logging.getLogger(__name__)

STAGE: Final = NEUTRAL_LANDMARKS.name
NEARLY_CLOSED: Final = 0.02
"""Opening, in canonical units, below which true lips count as closed."""
ClipBatch = tuple[LipBatch, LipBatch | None, SpelledBatch]
"""Filmed people, digital actors where there are any, and spelled speech."""


@dataclass(frozen=True, kw_only=True)
class LipsConfig:
    """Size of the run and weight of each loss."""

    budget: Budget
    """When to stop."""
    synthetic_seconds: float = 6000.0
    """Length of synthesised speech in the cache that AutoVC's training made."""
    align: bool = True
    """Whether people's known sentences are aligned, which takes minutes."""
    num_spelled: int = 200
    """Synthesised utterances with known closures."""
    variants: int = 5
    """Codes per clip: one clean, the others degraded."""
    num_actors: int = 60
    """Size of the cast of digital actors, of whom the training ones speak."""
    num_actor_clips: int = 200
    """Sentences that they say; 0 does without them."""
    actor_steps: int = 400
    """Steps with actors alone at the start; filmed people refine what they taught."""
    actor_share: float = 0.15
    """Weight of the actors beside the filmed people afterwards."""
    actor_batch: int = 12
    """Stretches of actors a step."""
    batch: int = 16
    """Stretches a step."""
    spelled_batch: int = 6
    """Synthesised stretches a step."""
    num_frames: int = 80
    """Video frames a stretch."""
    learning_rate: float = 2e-3
    """AdamW's rate at its peak."""
    weight_decay: float = 1e-3
    """Of AdamW, on the network."""
    code_noise: float = 0.15
    """Noise added to content codes."""
    cheek_weight: float = 0.25
    """Weight of jaw and nose base beside the mouth."""
    velocity_weight: float = 0.5
    """Weight of the error of frame-to-frame motion."""
    opening_weight: float = 0.3
    """Weight of the error of the mouth's opening."""
    closure_weight: float = 0.3
    """Weight of lips that stay open where the filmed ones close."""
    spelled_closure_weight: float = 0.05
    """Weight of lips that stay open in a synthesised p, b or m."""
    silence_weight: float = 0.1
    """Weight of motion in synthesised silence."""
    offset_penalty: float = 5e-4
    """Pull of the clips' own offsets towards zero."""


class LipsTask:
    """The landmark network's side of the training loop.

    Parameters
    ----------
    config : LipsConfig
    corpus : LipCorpus
        Filmed train people.
    spelled : SpelledSpeech
    validation : sequence of SpokenClip
        Of val people.
    writer : CodeWriter
        AutoVC's encoders, for the codes of `validation`.
    posture : PostureMap, optional
        Typical posture in speech; zero where None.
    actors : LipCorpus, optional
        Digital actors, numbered after the filmed clips.
    facts : mapping of str to str, optional
        What the codes were made with, for the run's record.
    """

    name = STAGE

    def __init__(
        self,
        config: LipsConfig,
        corpus: LipCorpus,
        spelled: SpelledSpeech,
        validation: Sequence[SpokenClip],
        writer: CodeWriter,
        posture: PostureMap | None = None,
        actors: LipCorpus | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        self.config, self.corpus, self.spelled, self.actors = config, corpus, spelled, actors
        self.facts = dict(facts or {})
        self.model = NeutralLandmarks()
        fill_bases(self.model, *self._weighted_clips())
        if posture is not None:
            fill_posture(self.model, posture)
        num_clips = len(corpus.clips) + (0 if actors is None else len(actors.clips))
        self.offsets = nn.Embedding(num_clips, NUM_MOVEMENTS)
        nn.init.zeros_(self.offsets.weight)
        self.modules: Mapping[str, nn.Module] = {STAGE: self.model, "clip_offsets": self.offsets}
        groups = [
            {"params": list(self.model.parameters()), "weight_decay": config.weight_decay},
            {"params": list(self.offsets.parameters()), "weight_decay": 0.0},
        ]
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {
            STAGE: torch.optim.AdamW(groups, lr=config.learning_rate)
        }
        self.clip_norms = {STAGE: 1.0}
        rng = np.random.default_rng(0)
        self._validation = [(c, writer.codes(c.mel, rng, degrade=False)) for c in validation]

    def _weighted_clips(self) -> tuple[list[SpokenClip], NDArray[np.float64]]:
        """All clips and how much each counts in the end."""
        weights = self.corpus.clip_weights()
        if self.actors is None:
            return self.corpus.clips, weights
        share = self.config.actor_share
        acted = self.actors.clip_weights()
        both = np.concatenate([(1 - share) * weights, share * acted])
        return [*self.corpus.clips, *self.actors.clips], both

    def batches(self, seed: int) -> Iterator[ClipBatch]:
        """Endless stream of filmed, acted and synthesised stretches."""
        rng = np.random.default_rng(seed)
        config = self.config
        while True:
            yield (
                self.corpus.batch(rng, config.batch, config.num_frames),
                None
                if self.actors is None
                else self.actors.batch(rng, config.actor_batch, config.num_frames),
                self.spelled.batch(rng, config.spelled_batch, config.num_frames),
            )

    def step(self, batch: ClipBatch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One update."""
        optimizer = self.optimizers[STAGE]
        filmed, acted, spelled = batch
        alone = acted is not None and step < self.config.actor_steps
        set_rate(optimizer, self.config.learning_rate * self._pace(step, alone))
        if acted is None or alone:
            losses = self._filmed_losses(acted or filmed)
        else:
            share = self.config.actor_share
            both = self._filmed_losses(filmed), self._filmed_losses(acted)
            losses = {k: (1 - share) * v + share * both[1][k] for k, v in both[0].items()}
        losses |= self._spelled_losses(spelled, filmed.anchor)
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        return {k: v.detach() for k, v in losses.items()}

    def _pace(self, step: int, alone: bool) -> float:
        """Share of the learning rate: a warm-up, level with the actors, then half a cosine."""
        first = 0 if self.actors is None or alone else self.config.actor_steps
        warm = min(1.0, (step - first + 1) / 50)
        if alone:
            return warm
        done = (step - first) / max(1, self.config.budget.steps - first)
        return warm * falling(done, 0.04)

    def _run(self, content: Tensor, anchor: Tensor) -> Tensor:
        """Displacements (voters, batch, frames, 68, 3); each network meets the goal by itself."""
        noisy = content + self.config.code_noise * torch.randn_like(content)
        moved: Tensor = self.model.votes(noisy, anchor, *self.model.zero_state(len(anchor)))[0]
        return moved

    def _clip_offset(self, batch: LipBatch) -> Tensor:
        """Displacement (batch, 68, 3) that each clip adds to the shared one."""
        flat = self.offsets(batch.clip) @ self.model.movements
        offset = flat.unflatten(1, (NUM_LANDMARKS, 3))
        flipped = offset[:, MIRROR.tolist()] * offset.new_tensor([-1, 1, 1])
        return torch.where(batch.is_mirrored[:, None, None], flipped, offset)

    def _filmed_losses(self, batch: LipBatch) -> dict[str, Tensor]:
        config = self.config
        moved = self._run(batch.content, batch.anchor) + self._clip_offset(batch)[:, None]
        error = _length(moved - batch.moved)
        speed = _length((moved - batch.moved).diff(dim=2))[..., list(MOUTH)].mean(-1)
        opening = _opening(moved + batch.anchor[:, None])
        true_opening = _opening(batch.moved + batch.anchor[:, None])
        excess = (opening - true_opening).relu() * (true_opening < NEARLY_CLOSED)
        known, pairs = batch.known, batch.known[:, 1:] & batch.known[:, :-1]
        cheeks = error[..., [*JAW, *NOSE_BASE]].mean(-1)
        penalty = self.offsets(batch.clip).square().mean()
        return {
            "mouth": _mean(error[..., list(MOUTH)].mean(-1), known),
            "cheeks": config.cheek_weight * _mean(cheeks, known),
            "velocity": config.velocity_weight * _mean(speed, pairs),
            "opening": config.opening_weight * _mean((opening - true_opening).abs(), known),
            "closure": config.closure_weight * _mean(excess, known),
            "offset": config.offset_penalty * penalty,
        }

    def _spelled_losses(self, batch: SpelledBatch, anchors: Tensor) -> dict[str, Tensor]:
        config = self.config
        anchor = anchors[: len(batch.content)]
        moved = self._run(batch.content, anchor)
        opening = _opening(moved + anchor[:, None])
        allowed = _opening(anchor).clamp(max=NEARLY_CLOSED)[:, None]
        distance = _length(moved)[..., list(MOUTH)].mean(-1)
        return {
            "spelled_closure": config.spelled_closure_weight
            * _mean((opening - allowed).relu(), batch.closed),
            "silence": config.silence_weight * _mean(distance, batch.silent),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Scores on held-out people, with clean sound."""
        if not self._validation:
            return {}
        clips = [c for c, _ in self._validation]
        moved = [
            predicted(self.model, codes, c.anchor, len(c.landmarks))
            for c, codes in self._validation
        ]
        scores: Scores = score(clips, moved)
        return {
            "mouth_landmark_ratio": scores.ratio,
            "opening_correlation": scores.correlation,
            "opening_spread": scores.spread,
        }


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length with a gradient at zero."""
    return vectors.square().sum(-1).add(1e-7).sqrt()


def _opening(landmarks: Tensor) -> Tensor:
    """Mean distance of facing inner-lip points, (...)."""
    upper, lower = (landmarks[..., [p[i] for p in LIP_PAIRS], :] for i in (0, 1))
    return _length(upper - lower).mean(-1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean over voters (the first axis) and where it counts."""
    return (values * where).sum() / (len(values) * where.sum()).clamp(min=1)


def _actor_speech(config: LipsConfig, run: RunConfig) -> list[SpokenClip]:
    """Sentences of digital actors; none where the recipe does without."""
    if config.num_actor_clips == 0:
        return []
    from emohead_training.voice.actor_speech import ACTOR_SPEECH_FILE, read_actor_speech

    return read_actor_speech(
        run.out / STAGE,
        num_people=config.num_actors,
        count=config.num_actor_clips,
        seed=run.seed,
        packed=run.data / ACTOR_SPEECH_FILE,
        progress=log.info,
    )


def train(run: RunConfig, config: LipsConfig) -> None:
    """Train the neutral landmarks on top of a finished AutoVC.

    Parameters
    ----------
    run : RunConfig
        Command-line settings.
    config : LipsConfig
        The recipe.

    Raises
    ------
    InputError
        AutoVC was not trained, or the corpus has nobody who speaks.
    """
    torch.set_num_threads(1)
    config = replace(config, budget=run.budget(config.budget))
    cache = run.out / AUTOVC / f"sounds_{config.synthetic_seconds:.0f}_{run.seed}.npz"
    sounds = read_sounds(
        run.data,
        cache,
        synthetic_seconds=config.synthetic_seconds,
        seed=run.seed,
        align=config.align,
    )
    clips = read_spoken_clips(run.data, ("train", "val"))
    posture = fit_posture(read_talking_shapes(run.data))
    speech = _actor_speech(config, run)
    # Codes of degraded sound depend on chance, and a resumed run must draw the same.
    torch.manual_seed(run.seed)
    encoders = weights_path(run.out, AUTOVC)
    writer = CodeWriter(encoders)
    trained = [c for c in clips if c.split == "train"]
    corpus = LipCorpus(trained, writer, seed=run.seed, variants=config.variants)
    spelled = SpelledSpeech(sounds, writer, count=config.num_spelled, seed=run.seed)
    first, actors = len(corpus.clips), None
    if speech:
        actors = LipCorpus(speech, writer, seed=run.seed, variants=2, first=first, in_step=True)
    validation = [c for c in clips if c.split == "val"]
    facts = {"autovc_sha256": file_hash(encoders)}
    task = LipsTask(config, corpus, spelled, validation, writer, posture, actors, facts)
    fit(task, run, config.budget, ema_decay=0.99)
