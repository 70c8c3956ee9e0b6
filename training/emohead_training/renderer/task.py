"""Training of portrait encoder and renderer: the local phase, then the global one (ConvGRU).

Local: single frames, losses on the composition, one critic per component. Global: short sequences,
losses on the finished frames, ``D_global`` beside the component critics. Paper 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.stages import FRAME_SIZE_PX, GRU_CHANNELS, GRU_SIZE, PORTRAIT_ENCODER, RENDERER
from emohead_training.loop import Budget, falling, load_weights, set_rate
from emohead_training.models.components import PARTS
from emohead_training.models.portrait_encoder import PortraitEncoder
from emohead_training.models.renderer import Renderer
from emohead_training.renderer.adversary import Adversaries, Shown
from emohead_training.renderer.augment import FrameBatch, batch_of
from emohead_training.renderer.dataset import FrameCache
from emohead_training.renderer.losses import (
    PatchCutter,
    feature_distance,
    feature_maps,
    local_identity,
    map_distance,
    target_maps,
)

__all__ = ["RendererConfig", "RendererTask", "initial_weights"]

NUM_VALIDATION_CLIPS: Final = 9
WARM_UP_STEPS: Final = 50
WINDOW_PX: Final = 128
"""Side of the window of the whole frame's perceptual loss."""


@dataclass(frozen=True, kw_only=True)
class RendererConfig:
    """One phase of the renderer's training."""

    phase: Literal["local", "global"]
    """Which outputs are trained."""
    batch: int = 4
    """Samples in a batch."""
    run_length: int = 1
    """Frames of a sample, rendered one after the other."""
    learning_rate: float = 2e-4
    """Adam's step size (paper, implementation details)."""
    critic_learning_rate: float = 2e-4
    """Adam's step size of the critics."""
    budget: Budget
    """How long to train."""
    pixel: float = 4.0
    """Weight of absolute and squared error of the frame."""
    mouth: float = 4.0
    """Extra weight of the same error in the component patches."""
    perceptual: float = 0.5
    """Weight of the feature distance in a random window of the frame."""
    perceptual_mouth: float = 0.5
    """Weight of the feature distance of the mouth patch."""
    identity: float = 0.2
    """Weight of the local identity loss."""
    adversarial: float = 0.02
    """Weight of the critics' opinion."""
    critics_from_step: int = 600
    """The critics judge from this step on."""
    use_warp: bool = True
    """See ``Renderer``."""
    use_local: bool = True
    """See ``Renderer``."""
    use_gru: bool = True
    """See ``Renderer``."""


class RendererTask:
    """``Task`` of the loop for one phase.

    Parameters
    ----------
    config : RendererConfig
        The phase.
    train, val : FrameCache
        Frames of the training people and of the validation people.
    perceptual : torch.nn.Module
        Maps images to feature maps; frozen.
    identity : torch.nn.Module
        Maps (N, 3, 112, 112) RGB in [0, 1] to unit vectors, for the local identity loss; frozen.
    facts : dict, optional
        Which networks those two are, for the run's record.
    """

    def __init__(
        self,
        config: RendererConfig,
        train: FrameCache,
        val: FrameCache,
        perceptual: nn.Module,
        identity: nn.Module,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.name = f"renderer_{config.phase}"
        self.config, self.train, self.val, self.facts = config, train, val, facts or {}
        self.perceptual, self.identity = perceptual.eval(), identity.eval().requires_grad_(False)
        self.cutters = nn.ModuleList(PatchCutter(part) for part in PARTS)
        self.encoder = PortraitEncoder()
        self.renderer = Renderer(
            use_warp=config.use_warp, use_local=config.use_local, use_gru=config.use_gru
        )
        self.critics = Adversaries(self.perceptual, judges_frames=config.phase == "global")
        self.modules = {
            PORTRAIT_ENCODER.name: self.encoder,
            RENDERER.name: self.renderer,
            "critics": self.critics,
        }
        for module in self.modules.values():
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        shown = [*self.encoder.parameters(), *self.renderer.parameters()]
        self.optimizers = {
            "networks": torch.optim.Adam(shown, lr=config.learning_rate, betas=(0.5, 0.99)),
            "critics": torch.optim.Adam(
                self.critics.parameters(), lr=config.critic_learning_rate, betas=(0.0, 0.99)
            ),
        }
        self.clip_norms = {"networks": 1.0, "critics": 10.0}
        self.rng = np.random.default_rng(0)
        """Of the window and of the component whose identity is compared; seeded at every step."""

    def batches(self, seed: int) -> Iterator[FrameBatch]:
        """Endless augmented batches."""
        draws = self.train.draws(seed, self.config.run_length)
        rng = np.random.default_rng(seed + 1)
        while True:
            yield batch_of([next(draws) for _ in range(self.config.batch)], rng)

    def step(self, batch: FrameBatch, step: int, fabric: Fabric) -> dict[str, Tensor | float]:
        """One update of the networks and, once they started, of the critics."""
        device = fabric.device
        for module in (self.perceptual, self.identity, self.cutters):
            module.to(device)
        batch = batch.to(device)
        self._set_rates(step)
        judged = step >= self.config.critics_from_step and self.config.adversarial > 0
        with fabric.autocast():
            frames = self.render(batch)
            rendered, real, anchors = self._shown(frames, batch)
            losses = self._losses(rendered, real, anchors)
            if judged:
                opinion = self.critics.opinion(rendered)
                losses["adversarial"] = self.config.adversarial * opinion
            total = torch.stack(list(losses.values())).sum()
        self._update("networks", total, fabric)
        figures: dict[str, Tensor | float] = {k: v.detach() for k, v in losses.items()}
        if judged:
            with fabric.autocast():
                terms = self.critics.loss(real, rendered)
                doubt = torch.stack(list(terms.values())).mean()
            self._update("critics", doubt, fabric)
            figures |= {f"critic_{name}": term.detach() for name, term in terms.items()}
        return figures

    def _set_rates(self, step: int) -> None:
        """Warm up over 50 steps, fewer in short runs; then a cosine to a twentieth."""
        config = self.config
        warm_up = max(1, min(WARM_UP_STEPS, config.budget.steps // 20))
        share = min(1.0, (step + 1) / warm_up) * falling(step / config.budget.steps, 0.05)
        set_rate(self.optimizers["networks"], config.learning_rate * share)
        set_rate(self.optimizers["critics"], config.critic_learning_rate * share)

    def render(self, batch: FrameBatch) -> Tensor:
        """Frames (B * T, 3, 256, 256) of a batch, in the phase's sense."""
        features = self.encoder(batch.anchor, batch.anchor_points)
        size, length = batch.points.shape[:2]
        *parts, remaining, style = features
        shape = (size, GRU_CHANNELS, GRU_SIZE, GRU_SIZE)
        states = tuple(batch.anchor.new_zeros(shape) for _ in RENDERER.state)
        frames = []
        for t in range(length):
            composite = self.renderer.compose(
                batch.points[:, t],
                batch.anchor,
                batch.anchor_points,
                tuple(parts),
                remaining,
                style,
            )
            if self.config.phase == "local":
                frames.append(composite.image)
                continue
            frame, *states = self.renderer.refine(composite, *states)  # type: ignore[assignment]
            frames.append(frame)
        return torch.stack(frames, 1).flatten(0, 1)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Absolute errors, 8-bit levels, and mouth feature distance on the validation people."""
        rows = []
        count = min(NUM_VALIDATION_CLIPS, len(self.val.index))
        device = next(self.encoder.parameters()).device
        for clip in range(count):
            runs = len(self.val.index[clip]["runs"])
            chosen = sorted({0, runs // 3, 2 * runs // 3})
            samples = [self.val.sample(clip, run, max(2, self.config.run_length)) for run in chosen]
            batch = batch_of(samples, None).to(device)
            frames, real = self.render(batch), batch.frames.flatten(0, 1)
            cutter = self.cutters[0].to(device)
            points = batch.points.flatten(0, 1)
            mouth, true = cutter(frames, points), cutter(real, points)
            rows.append(
                (
                    255 * float(F.l1_loss(frames, real)),
                    255 * float(F.l1_loss(mouth, true)),
                    float(feature_distance(self.perceptual, mouth, true)),
                )
            )
        means = np.mean(rows, 0)
        return dict(
            zip(("val_frame", "val_mouth", "val_features"), means.round(4).tolist(), strict=True)
        )

    def _shown(self, frames: Tensor, batch: FrameBatch) -> tuple[Shown, Shown, dict[str, Tensor]]:
        """Return what is rendered, what is real, and the anchor's patches."""
        length = batch.points.shape[1]
        real, points = batch.frames.flatten(0, 1), batch.points.flatten(0, 1)
        anchors = batch.anchor.repeat_interleave(length, 0)
        at = batch.anchor_points.repeat_interleave(length, 0)
        fake_patches, true_patches, anchor_patches = (
            {cutter.part.name: cutter(images, where) for cutter in self.cutters}  # type: ignore[union-attr,misc]
            for images, where in ((frames, points), (real, points), (anchors, at))
        )
        maps = feature_maps(self.perceptual, fake_patches["mouth"])
        wanted = target_maps(self.perceptual, true_patches["mouth"])
        rendered = Shown(fake_patches, maps, frames)
        return rendered, Shown(true_patches, wanted, real), anchor_patches

    def _losses(
        self, rendered: Shown, real: Shown, anchors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        weights = self.config
        fake, true = rendered.patches, real.patches
        inside = torch.stack([_pixel(fake[name], true[name]) for name in fake])
        near = map_distance(rendered.mouth_maps, real.mouth_maps)
        far = feature_distance(self.perceptual, *self._window(rendered.frames, real.frames))
        losses = {
            "pixel": weights.pixel * _pixel(rendered.frames, real.frames),
            "patches": weights.mouth * (inside.mean() + inside[0]) / 2,
            "perceptual_mouth": weights.perceptual_mouth * near,
            "perceptual": weights.perceptual * far,
        }
        if weights.identity > 0:
            part = PARTS[int(self.rng.integers(len(PARTS)))]
            distance = local_identity(self.identity, part, fake[part.name], anchors[part.name])
            losses["identity"] = weights.identity * distance
        return losses

    def _window(self, frames: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """One random window of both, for the perceptual loss of the whole frame."""
        row, column = (int(v) for v in self.rng.integers(0, FRAME_SIZE_PX - WINDOW_PX + 1, 2))
        cut = (..., slice(row, row + WINDOW_PX), slice(column, column + WINDOW_PX))
        return frames[cut], real[cut]

    def _update(self, name: str, loss: Tensor, fabric: Fabric) -> None:
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimizer.step()


def _pixel(image: Tensor, target: Tensor) -> Tensor:
    """Absolute plus squared error."""
    error = image - target
    return error.abs().mean() + error.square().mean()


def initial_weights(task: RendererTask, path: Path) -> None:
    """Start the global phase from the local phase's weights."""
    for name in (PORTRAIT_ENCODER.name, RENDERER.name):
        load_weights(task.modules[name], path, name)
