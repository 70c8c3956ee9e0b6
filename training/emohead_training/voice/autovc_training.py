"""Training of AutoVC: self-reconstruction through a narrow code that keeps the phonemes.

The decoder rebuilds clean sound from the code of a degraded copy in another throat; the code of the
rebuilt sound must be the same (AutoVC's content loss); synthesised and aligned voices must be
spelled out; and a critic must not be able to tell the voice.
Not here: the networks (``models/autovc.py``) and the reading of sound (``sounds.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emohead.stages import (
    CONTENT_CENTRE_FRAMES,
    CONTENT_ENCODER,
    CONTENT_LEFT_FRAMES,
    SPEAKER_ENCODER,
    SPEAKER_FRAMES,
    SPEAKER_SIZE,
)
from emohead_training.loop import Budget, RunConfig, falling, fit, set_rate
from emohead_training.models.autovc import (
    ContentEncoder,
    Decoder,
    PhonemeHead,
    SpeakerEncoder,
    VoiceCritic,
)
from emohead_training.voice.content_codes import WINDOW
from emohead_training.voice.mel_augmentation import degraded, warped
from emohead_training.voice.phonemes import PHONEMES
from emohead_training.voice.probes import Examples, linear_probe
from emohead_training.voice.sounds import UNLABELLED, Kind, Sounds, read_sounds

__all__ = ["AutovcConfig", "AutovcTask", "Batch", "train"]

STAGE: Final = "autovc"
WARM_UP_STEPS: Final = 100
VOICE_FRAMES: Final = SPEAKER_FRAMES // 2
"""Mel frames that the voice is learnt from: half of what the runtime has, at half the cost."""
OFFSETS: Final = (0, 6)
"""Frames ahead at which the phoneme is asked for: lips move about 100 ms before the sound."""
SPEAKER_SCALE: Final = 16.0
"""Sharpness of the speaker classification over cosines."""
SPEAKER_MARGIN: Final = 0.2
"""By how much the own voice's cosine must exceed the others'."""


@dataclass(frozen=True, kw_only=True)
class AutovcConfig:
    """Size of the run and weight of each loss."""

    budget: Budget
    """When to stop."""
    batch: int = 32
    """Windows a step."""
    synthetic_seconds: float = 6000.0
    """Length of synthesised speech."""
    align: bool = True
    """Whether people's known sentences are aligned, which takes minutes."""
    share_synthetic: float = 0.6
    """Share of windows from synthesised voices."""
    share_aligned: float = 0.25
    """Share of windows from people whose words were aligned; the rest is unlabelled."""
    learning_rate: float = 1.5e-3
    """Adam's rate at its peak."""
    schedule_steps: int = 0
    """Steps over which the rate falls, where they are more than the budget's."""
    content_weight: float = 0.5
    """Weight of the content loss."""
    phoneme_weight: float = 0.8
    """Weight of the phonemes' cross-entropy."""
    speaker_weight: float = 0.05
    """Weight of the speakers' cross-entropy."""
    critic_weight: float = 0.03
    """Weight of the loss of the critic that seeks the voice in the code."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows of speech and, for each, another stretch of the same voice."""

    mel: Tensor
    """(batch, 48, 80) float32, [0, 1]."""
    voice_mel: Tensor
    """(batch, 64, 80) float32, [0, 1]."""
    phonemes: Tensor
    """(batch, 48, offsets) int64, -1 where unknown."""
    speaker: Tensor
    """(batch,) int64, index of the voice."""


class AutovcTask:
    """AutoVC's side of the training loop."""

    name = STAGE

    def __init__(self, sounds: Sounds, config: AutovcConfig) -> None:
        self.sounds, self.config = sounds, config
        self.voices, self.voice_of = np.unique(sounds.voices, return_inverse=True)
        self.speaker, self.content = SpeakerEncoder(), ContentEncoder()
        self.decoder = Decoder()
        self.phoneme = PhonemeHead(len(PHONEMES), len(OFFSETS))
        self.speaker_classes = nn.Linear(SPEAKER_SIZE, len(self.voices), bias=False)
        self.critic = VoiceCritic(len(self.voices))
        self.modules: Mapping[str, nn.Module] = {
            SPEAKER_ENCODER.name: self.speaker,
            CONTENT_ENCODER.name: self.content,
            "decoder": self.decoder,
            "phoneme_head": self.phoneme,
            "speaker_classes": self.speaker_classes,
            "voice_critic": self.critic,
        }
        parameters = [p for m in self.modules.values() for p in m.parameters()]
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {
            STAGE: torch.optim.Adam(parameters, lr=config.learning_rate)
        }
        self.clip_norms = {STAGE: 1.0}
        self._lengths = np.diff(sounds.starts)
        corpora = [re.split(r"[ _-]", voice)[0] for voice in self.voices]
        self._corpus = torch.from_numpy(np.unique(corpora, return_inverse=True)[1])
        self._of_voice = [
            np.flatnonzero((self.voice_of == v) & ~sounds.held_out) for v in range(len(self.voices))
        ]

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless stream of random windows of the training voices."""
        rng = np.random.default_rng(seed)
        config = self.config
        usable = ~self.sounds.held_out & (self._lengths > WINDOW + max(OFFSETS))
        shares = {
            Kind.SYNTHESISED: config.share_synthetic,
            Kind.ALIGNED: config.share_aligned,
            Kind.UNKNOWN: 1 - config.share_synthetic - config.share_aligned,
        }
        groups = [np.flatnonzero(usable & (self.sounds.kinds == kind)) for kind in shares]
        odds = np.array([s * (len(g) > 0) for s, g in zip(shares.values(), groups, strict=True)])
        while True:
            counts = rng.multinomial(config.batch, odds / odds.sum())
            drawn = [self._by_length(rng, g, n) for g, n in zip(groups, counts, strict=True) if n]
            yield self._batch(rng, list(np.concatenate(drawn)))

    def _by_length(
        self, rng: np.random.Generator, group: NDArray[np.int64], count: int
    ) -> NDArray[np.int64]:
        """Draw utterances by the square root of their length, so that no long clip dominates."""
        weights = np.sqrt(self._lengths[group])
        return rng.choice(group, count, p=weights / weights.sum())

    def _batch(self, rng: np.random.Generator, utterances: list[np.int64]) -> Batch:
        firsts = [self._position(rng, int(u), WINDOW + max(OFFSETS)) for u in utterances]
        voices = [self._of_voice[self.voice_of[u]] for u in utterances]
        others = [
            int(rng.choice(own)) if len(own) else int(u)
            for own, u in zip(voices, utterances, strict=True)
        ]
        labels = [[self.sounds.phonemes[f + o : f + o + WINDOW] for o in OFFSETS] for f in firsts]
        return Batch(
            mel=_tensor(np.stack([self.sounds.mel[f : f + WINDOW] for f in firsts])),
            voice_mel=_tensor(np.stack([self._voice_window(rng, u) for u in others])),
            phonemes=torch.from_numpy(np.array(labels, np.int64)).transpose(1, 2),
            speaker=torch.from_numpy(self.voice_of[np.array(utterances)]),
        )

    def _position(self, rng: np.random.Generator, utterance: int, length: int) -> int:
        room = max(1, int(self._lengths[utterance]) - length)
        return int(self.sounds.starts[utterance] + rng.integers(room))

    def _voice_window(self, rng: np.random.Generator, utterance: int) -> NDArray[np.float16]:
        """Stretch of an utterance, repeated where it is shorter."""
        first = self._position(rng, utterance, VOICE_FRAMES)
        last = min(first + VOICE_FRAMES, int(self.sounds.starts[utterance + 1]))
        return np.resize(self.sounds.mel[first:last], (VOICE_FRAMES, self.sounds.mel.shape[1]))

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One update of all networks."""
        optimizer = self.optimizers[STAGE]
        steps = max(self.config.schedule_steps, self.config.budget.steps)
        warm = min(1.0, (step + 1) / WARM_UP_STEPS)
        set_rate(optimizer, self.config.learning_rate * warm * falling(step / steps, 0.02))
        losses = self._losses(batch)
        weights = {
            "content": self.config.content_weight,
            "phoneme": self.config.phoneme_weight,
            "speaker": self.config.speaker_weight,
            "critic": self.config.critic_weight,
        }
        total = torch.stack([weights.get(k, 1.0) * v for k, v in losses.items()]).sum()
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(total)
        optimizer.step()
        return {k: v.detach() for k, v in losses.items()}

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        heard, rebuilt_in = torch.empty(2, len(batch.mel)).uniform_(0.88, 1.14)
        clean = warped(batch.mel, rebuilt_in)
        voice = self.speaker(degraded(warped(batch.voice_mel, rebuilt_in), 0.7))
        with torch.no_grad():
            heard_voice = self.speaker(degraded(warped(batch.voice_mel, heard), 0.7))
        code = self.content.codes(degraded(warped(batch.mel, heard)), heard_voice)
        noisy_code = code + 0.05 * torch.randn_like(code)
        coarse, refined = self.decoder(noisy_code, voice)
        rebuilt = functional.l1_loss(coarse, clean) + functional.l1_loss(refined, clean)
        few = len(clean) // 4
        again = self.content.codes(refined[:few], voice[:few])
        logits = self.phoneme(noisy_code)
        return {
            "rebuilt": 4 * rebuilt,
            "content": functional.l1_loss(again, code[:few].detach()),
            "phoneme": functional.cross_entropy(
                logits.flatten(0, 2), batch.phonemes.flatten(), ignore_index=UNLABELLED
            ),
            "speaker": functional.cross_entropy(
                self._voice_scores(voice, batch.speaker), batch.speaker
            ),
            "critic": self._critic_loss(code, batch.speaker),
        }

    def _critic_loss(self, code: Tensor, own: Tensor) -> Tensor:
        """Cross-entropy among the voices of the same corpus, who say the same kind of things."""
        other = self._corpus[own][:, None] != self._corpus
        return functional.cross_entropy(self.critic(code).masked_fill(other, -1e4), own)

    def _voice_scores(self, voice: Tensor, own: Tensor) -> Tensor:
        """Scaled cosines to every voice's direction, the own one lowered by the margin."""
        cosines = functional.linear(voice, _unit(self.speaker_classes.weight))
        margins = SPEAKER_MARGIN * functional.one_hot(own, len(self.voices))
        return SPEAKER_SCALE * (cosines - margins)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Share of frames of held-out voices named rightly, and the rebuilding error."""
        figures = self._judged(Kind.SYNTHESISED)
        aligned = self._judged(Kind.ALIGNED)
        return figures | {f"aligned_{name}": value for name, value in aligned.items()}

    def _judged(self, kind: Kind) -> dict[str, float]:
        rng = np.random.default_rng(0)
        usable = self.sounds.held_out & (self._lengths > WINDOW + max(OFFSETS))
        held = np.flatnonzero(usable & (self.sounds.kinds == kind))
        if len(held) == 0:
            return {}
        batch = self._batch(rng, list(rng.choice(held, 192)))
        voice = self.speaker(batch.voice_mel)
        code = self.content.codes(batch.mel, voice)
        centre = slice(CONTENT_LEFT_FRAMES, CONTENT_LEFT_FRAMES + CONTENT_CENTRE_FRAMES)
        right = self.phoneme(code)[:, centre].argmax(-1) == batch.phonemes[:, centre]
        now, ahead = right.float().mean((0, 1)).tolist()
        return self._voice_probes(code, voice, batch.speaker) | {
            "phoneme_accuracy": now,
            "phoneme_ahead_accuracy": ahead,
            "rebuilt_error": float(functional.l1_loss(self.decoder(code, voice)[1], batch.mel)),
        }

    def _voice_probes(self, code: Tensor, voice: Tensor, own: Tensor) -> dict[str, float]:
        """Share of held-out voices that linear probes find, fitted to the first half."""
        classes = np.unique(own.numpy(), return_inverse=True)[1]
        half = len(classes) // 2
        figures = {}
        for name, features in {"code": code.mean(1), "embedding": voice}.items():
            rows = features.numpy().astype(np.float64)
            seen = Examples(features=rows[:half], classes=classes[:half])
            unseen = Examples(features=rows[half:], classes=classes[half:])
            figures[f"voice_from_{name}"] = linear_probe(seen, unseen)
        return figures


def _unit(weight: Tensor) -> Tensor:
    return functional.normalize(weight, dim=1)


def _tensor(array: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))


def train(run: RunConfig, config: AutovcConfig) -> None:
    """Train the speaker and content encoders.

    Parameters
    ----------
    run : RunConfig
        Command-line settings.
    config : AutovcConfig
        The recipe.
    """
    torch.set_num_threads(1)
    config = replace(config, budget=run.budget(config.budget))
    cache: Path = run.out / STAGE / f"sounds_{config.synthetic_seconds:.0f}_{run.seed}.npz"
    sounds = read_sounds(
        run.data,
        cache,
        synthetic_seconds=config.synthetic_seconds,
        seed=run.seed,
        align=config.align,
    )
    torch.manual_seed(run.seed)
    fit(AutovcTask(sounds, config), run, config.budget)
