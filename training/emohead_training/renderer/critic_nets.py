"""The frozen networks behind the renderer's losses: given as files, or the project's own.

Their names and hashes go into the run's record. Called by ``train.py``. Not here: the losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emohead.errors import InputError
from emohead_training.loop import RunConfig, load_weights, weights_path
from emohead_training.loop.record import file_hash
from emohead_training.models.identity import IdentityNet
from emohead_training.renderer.losses import IdentityFeatures, VggFeatures
from emohead_training.renderer.onnx_network import OnnxNetwork

__all__ = ["VGG_FILES", "CriticNets", "OnnxIdentity", "load_critic_nets"]

VGG_FILES = ("teachers/vgg19_relu3_1.onnx", "teachers/vgg19_relu3_1.safetensors")
"""Below the corpus root; the first that exists is taken where no other file is given."""
_OWN = "the project's own identity network"


@dataclass(frozen=True, kw_only=True)
class CriticNets:
    """What the losses compare features of."""

    perceptual: nn.Module
    """Images to feature maps; frozen."""
    identity: nn.Module
    """112x112 RGB in [0, 1] to unit vectors; frozen."""
    facts: dict[str, Any]
    """Which networks these are, for the run's record."""


class OnnxIdentity(nn.Module):
    """An ArcFace network from an ONNX file.

    Parameters
    ----------
    path : Path
        Takes RGB in [0, 255], (N, 3, 112, 112); returns embeddings (N, D).

    Raises
    ------
    InputError
        When the file is no such network.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.net = OnnxNetwork(path).eval()
        try:
            size = tuple(self.net(torch.zeros(2, 3, 112, 112)).shape)
        except RuntimeError as error:
            raise InputError(
                f"{path}: expected a network of (N, 3, 112, 112) faces, it takes other inputs; "
                "give another as --identity-net"
            ) from error
        if len(size) != 2 or size[0] != 2:
            raise InputError(
                f"{path}: expected embeddings (2, D) of two faces, got {size}; give another "
                "network as --identity-net"
            )

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Identity (B, D), unit norm, of RGB in [0, 1]."""
        return F.normalize(self.net(image_B3HW * 255.0).float(), dim=1)


def load_critic_nets(run: RunConfig) -> CriticNets:
    """Load the networks that a run names, else the corpus' own, else the stage identity's.

    Raises
    ------
    InputError
        When a file is missing or another network, or the stage identity is needed and missing.
    """
    perceptual = run.perceptual
    if perceptual is None:
        perceptual = next((p for f in VGG_FILES if (p := run.data / f).is_file()), None)
    if perceptual is not None and not perceptual.is_file():
        raise InputError(f"expected VGG-19 at {perceptual}, found no file; mend --perceptual")
    own = None if perceptual is not None and run.identity_net is not None else _own(run.out)
    facts = {"perceptual": _named(perceptual), "identity_net": _named(run.identity_net)}
    features: nn.Module
    if perceptual is not None:
        features = VggFeatures(perceptual)
    else:
        assert own is not None
        features = IdentityFeatures(own)
    identity = own if run.identity_net is None else OnnxIdentity(run.identity_net)
    assert identity is not None
    return CriticNets(perceptual=features, identity=identity, facts=facts)


def _own(out: Path) -> IdentityNet:
    path = weights_path(out, "identity")
    if not path.is_file():
        raise InputError(
            f"expected the identity net at {path}, found none; run the stage identity first, or "
            "give --perceptual and --identity-net"
        )
    net = IdentityNet()
    load_weights(net, path, "identity")
    return net


def _named(path: Path | None) -> dict[str, str] | str:
    return _OWN if path is None else {"file": path.name, "sha256": file_hash(path)}
