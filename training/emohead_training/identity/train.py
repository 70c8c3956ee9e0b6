"""Identity net: ArcFace margin over the training people, whole faces and single components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.nn import functional as F

from emohead_training.loop import Budget, RunConfig, fit
from emohead_training.models.components import PARTS
from emohead_training.models.identity import ArcFaceHead, IdentityNet
from emohead_training.renderer.augment import batch_of
from emohead_training.renderer.dataset import FrameCache, build_cache
from emohead_training.renderer.losses import PatchCutter, on_zeros

__all__ = ["IdentityConfig", "train"]


@dataclass(frozen=True, kw_only=True)
class IdentityConfig:
    """Training of the identity net."""

    people_per_batch: int = 12
    """Samples in a batch, two frames each."""
    learning_rate: float = 1e-3
    """Adam's step size."""
    budget: Budget
    """How long to train."""


class IdentityTask:
    """``Task`` of the loop."""

    name = "identity"

    def __init__(self, config: IdentityConfig, train: FrameCache, val: FrameCache) -> None:
        self.config, self.train, self.val = config, train, val
        self.people = {person: i for i, person in enumerate(train.people)}
        self.net, self.head = IdentityNet(), ArcFaceHead(len(self.people))
        self.modules = {self.name: self.net, "head": self.head}
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        weights = [*self.net.parameters(), *self.head.parameters()]
        self.optimizers = {"all": torch.optim.Adam(weights, lr=config.learning_rate)}
        self.cutters = [PatchCutter(part) for part in PARTS]

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches of faces or components (N, 3, 112, 112) and person numbers (N,)."""
        rng = np.random.default_rng(seed)
        names = list(self.people)
        while True:
            chosen = rng.choice(len(names), self.config.people_per_batch, replace=True)
            samples = [self.train.draw_of(names[i], rng, 1) for i in chosen]
            batch = batch_of(samples, rng)
            images = torch.cat((batch.anchor, batch.frames[:, 0]))
            points = torch.cat((batch.anchor_points, batch.points[:, 0]))
            if rng.random() < 0.5:
                cutter = self.cutters[rng.integers(len(self.cutters))]
                faces = on_zeros(cutter.part, cutter(images, points))
            else:
                faces = _whole(images)
            yield faces, torch.as_tensor(np.concatenate((chosen, chosen)))

    def step(
        self, batch: tuple[Tensor, Tensor], step: int, fabric: Fabric
    ) -> dict[str, Tensor | float]:
        """One update."""
        faces, people = (t.to(fabric.device) for t in batch)
        with fabric.autocast():
            loss = self.head(self.net(faces), people)
        self.optimizers["all"].zero_grad(set_to_none=True)
        fabric.backward(loss)
        self.optimizers["all"].step()
        return {"loss": loss.detach()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Gap between same-person and other-person cosine on people never trained on."""
        pairs = [self.val.sample(i, len(c["runs"]) // 2, 1) for i, c in enumerate(self.val.index)]
        batch = batch_of(pairs, None)
        device = next(self.net.parameters()).device
        a = self.net(_whole(batch.anchor).to(device))
        b = self.net(_whole(batch.frames[:, 0]).to(device))
        cosine = a @ b.T
        same = cosine.diagonal().mean()
        other = (cosine.sum() - cosine.diagonal().sum()) / max(1, cosine.numel() - len(cosine))
        return {"val_same": round(float(same), 4), "val_other": round(float(other), 4)}


def _whole(images: Tensor) -> Tensor:
    return F.interpolate(images, size=(112, 112), mode="area")


def train(run: RunConfig, config: IdentityConfig) -> None:
    """Train the identity net on the frames of the training people."""
    cache = run.out / "renderer_frames"
    for split in ("train", "val"):
        build_cache(run.data, cache / split, split)  # type: ignore[arg-type]
    task = IdentityTask(config, FrameCache(cache / "train"), FrameCache(cache / "val"))
    fit(task, run, config.budget, ema_decay=0.99)
