"""Losses of the video synthesis stage: pixels, perceptual, adversarial, local identity (paper 3.4).

Critic networks are arguments; without a file the project's own identity net gives the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.errors import InputError
from emohead_training.loop.tensor_file import read_tensors
from emohead_training.models.components import Part, PatchBox
from emohead_training.models.drawing import pixel_grid, unit_from_px
from emohead_training.models.identity import IdentityNet
from emohead_training.models.warp import sample_image

__all__ = [
    "IdentityFeatures",
    "PatchCutter",
    "VggFeatures",
    "feature_distance",
    "feature_maps",
    "hinge_critic",
    "local_identity",
    "map_distance",
    "on_zeros",
    "opinion",
    "target_maps",
    "vgg_tensors",
]

_VGG_LAYERS = ("net.0", "net.2", "net.5", "net.9", "net.12", "net.16")


class VggFeatures(nn.Module):
    """First layers of VGG-19.

    Parameters
    ----------
    path : Path
        ONNX file whose convolutions are named as in the published style-transfer encoder, or a
        ``.safetensors`` file of the same tensors.

    Raises
    ------
    InputError
        When the file does not hold these layers.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        stored = vgg_tensors(path)
        weights = [(stored[f"{n}.weight"], stored[f"{n}.bias"]) for n in _VGG_LAYERS]
        self.convs = nn.ModuleList()
        for weight, bias in weights:
            side = weight.shape[2]
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], side, padding=side // 2)
            conv.load_state_dict({"weight": weight, "bias": bias})
            self.convs.append(conv)
        self.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image_B3HW: Tensor) -> list[Tensor]:
        """relu1_1, relu2_1 and relu3_1 of RGB in [0, 1]."""
        x, maps = self.convs[0](image_B3HW), []
        for i, conv in enumerate(self.convs[1:]):
            x = F.relu(conv(x))
            if i in (0, 2, 4):
                maps.append(x)
            if i in (1, 3):
                x = F.max_pool2d(x, 2)
        return maps


def vgg_tensors(path: Path) -> dict[str, Tensor]:
    """Read weights and biases of the layers that ``VggFeatures`` has, by name.

    Raises
    ------
    InputError
        When the file does not hold these layers.
    """
    if path.suffix == ".safetensors":
        stored = read_tensors(path)
    else:
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(path).graph
        stored = {i.name: torch.tensor(numpy_helper.to_array(i)) for i in graph.initializer}
    names = [f"{layer}.{kind}" for layer in _VGG_LAYERS for kind in ("weight", "bias")]
    missing = [name for name in names if name not in stored]
    if missing:
        raise InputError(
            f"{path}: expected VGG-19 layers, {missing[0]!r} is missing; give the file of the "
            "published style-transfer encoder as --perceptual"
        )
    return {name: stored[name] for name in names}


class IdentityFeatures(nn.Module):
    """Feature maps of the project's own identity net: the perceptual net without third parties."""

    def __init__(self, net: IdentityNet) -> None:
        super().__init__()
        self.net = net.requires_grad_(False)

    def forward(self, image_B3HW: Tensor) -> list[Tensor]:
        """Return maps from fine to coarse."""
        return self.net.features(image_B3HW)[:3]


def feature_distance(features: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of feature maps, each scaled by the target's own level."""
    return map_distance(feature_maps(features, image), target_maps(features, target))


def feature_maps(features: nn.Module, image: Tensor) -> list[Tensor]:
    """Run the net on an image, with a gradient to it."""
    maps: list[Tensor] = features(image.contiguous(memory_format=torch.channels_last))
    return maps


@torch.no_grad()
def target_maps(features: nn.Module, target: Tensor) -> list[Tensor]:
    """Run the net on a target, without a gradient."""
    return feature_maps(features, target)


def map_distance(maps: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of maps, each scaled by the wanted one's own level.

    Parameters
    ----------
    maps, wanted : sequence of (B, C, h, w) Tensor
        As many of one as of the other.

    Returns
    -------
    () Tensor
    """
    terms = [
        (a - b).abs().mean() / (b.abs().mean() + 1e-3) for a, b in zip(maps, wanted, strict=True)
    ]
    return torch.stack(terms).mean()


def hinge_critic(on_real: Sequence[Tensor], on_fake: Sequence[Tensor]) -> Tensor:
    """Hinge loss of a critic; maps weigh the same whatever their size.

    Parameters
    ----------
    on_real, on_fake : sequence of (B, 1, h, w) Tensor
        Its scores; larger is more real.

    Returns
    -------
    () Tensor
        2 for a critic that cannot tell.
    """
    terms = [
        F.relu(1.0 - a.float()).mean() + F.relu(1.0 + b.float()).mean()
        for a, b in zip(on_real, on_fake, strict=True)
    ]
    return torch.stack(terms).mean()


def opinion(scores: Sequence[Tensor]) -> Tensor:
    """Adversarial loss of the networks: minus the mean of a critic's score maps (B, 1, h, w)."""
    return -torch.stack([s.float().mean() for s in scores]).mean()


class PatchCutter(nn.Module):
    """Cuts a component's patch from whole frames."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part
        side = part.size_px
        self.register_buffer("grid", pixel_grid(side, side).reshape(1, -1, 2), persistent=False)

    def forward(self, image_B3HW: Tensor, points_px_BK2: Tensor) -> Tensor:
        """Patch (B, 3, size, size) around the component of the landmarks."""
        side = self.part.size_px
        at = PatchBox(self.part, unit_from_px(points_px_BK2)).positions(self.grid)  # type: ignore[arg-type]
        return sample_image(image_B3HW, at.reshape(-1, side, side, 2))


_MEAN_PLACE = {"mouth": (64, 112), "left_eye": (28, 60), "right_eye": (148, 60), "nose": (88, 96)}
"""Column and row, on the 224x224 tensor, of a component patch's upper left corner."""


def local_identity(net: nn.Module, part: Part, patch: Tensor, anchor_patch: Tensor) -> Tensor:
    """Identity distance of one component alone: on zeros, max-pooled, embedded (paper 3.4).

    Parameters
    ----------
    net : torch.nn.Module
        Maps (B, 3, 112, 112) RGB in [0, 1] to unit vectors (B, D).
    part : Part
    patch, anchor_patch : (B, 3, size, size) Tensor, RGB in [0, 1]

    Returns
    -------
    () Tensor, [0, 4]
        Squared distance of the unit vectors: D times the paper's mean squared error, so that the
        weight does not depend on the network's D.
    """
    with torch.no_grad():
        wanted = net(on_zeros(part, anchor_patch))
    return F.mse_loss(net(on_zeros(part, patch)), wanted) * wanted.shape[1]


def on_zeros(part: Part, patch: Tensor) -> Tensor:
    """Component patch at its mean place on a 224x224 zero tensor, max-pooled to 112x112."""
    column, row = _MEAN_PLACE[part.name]
    side = part.size_px
    canvas = F.pad(patch, (column, 224 - column - side, row, 224 - row - side))
    return F.max_pool2d(canvas, 2)
