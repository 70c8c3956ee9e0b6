"""The renderer's adversaries: one critic per component, one on the mouth's features, ``D_global``.

Called by ``task.py`` for the networks' adversarial loss and for the critics' own (paper 3.4).
Not here: the critics' architectures (``models/critics.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from emohead_training.models.components import PARTS
from emohead_training.models.critics import FeatureCritic, PatchCritic
from emohead_training.renderer.losses import feature_maps, hinge_critic, opinion

__all__ = ["Adversaries", "Shown"]

PROBE_PX = 64


class Shown(NamedTuple):
    """What the critics see of one side, rendered or real."""

    patches: Mapping[str, Tensor]
    """(N, 3, size, size) patch of each component, RGB in [0, 1]."""
    mouth_maps: Sequence[Tensor]
    """Feature maps of the mouth patch by the perceptual net."""
    frames: Tensor
    """(N, 3, 256, 256) RGB in [0, 1]."""

    def detached(self) -> Shown:
        """Cut off from the networks' gradient."""
        patches = {name: patch.detach() for name, patch in self.patches.items()}
        return Shown(patches, [m.detach() for m in self.mouth_maps], self.frames.detach())


class Adversaries(nn.Module):
    """All critics of one phase.

    Parameters
    ----------
    perceptual : torch.nn.Module
        Maps images to feature maps; frozen. Its maps of the mouth have a critic of their own.
    judges_frames : bool
        Whether ``D_global`` is among them.
    """

    def __init__(self, perceptual: nn.Module, *, judges_frames: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({part.name: PatchCritic(3) for part in PARTS})
        with torch.no_grad():
            maps = feature_maps(perceptual, torch.zeros(1, 3, PROBE_PX, PROBE_PX))
        self.features = FeatureCritic([m.shape[1] for m in maps])
        self.whole = PatchCritic(3, levels=4) if judges_frames else None

    def _scores(self, shown: Shown) -> dict[str, list[Tensor]]:
        """Score maps by critic."""
        scores = {name: [critic(shown.patches[name])] for name, critic in self.parts.items()}
        scores["features"] = self.features(shown.mouth_maps)
        if self.whole is not None:
            scores["frames"] = [self.whole(shown.frames)]
        return scores

    def opinion(self, rendered: Shown) -> Tensor:
        """Adversarial loss of the networks: the sum over critics."""
        return torch.stack([opinion(s) for s in self._scores(rendered).values()]).sum()

    def loss(self, real: Shown, rendered: Shown) -> dict[str, Tensor]:
        """Hinge loss of each critic; 2 is a critic that cannot tell."""
        on_real, on_fake = self._scores(real), self._scores(rendered.detached())
        return {name: hinge_critic(on_real[name], on_fake[name]) for name in on_real}
