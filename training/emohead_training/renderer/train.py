"""Entry points of the renderer's two training stages."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from emohead.errors import InputError
from emohead_training.loop import RunConfig, fit, load_weights, weights_path
from emohead_training.models.identity import IdentityNet
from emohead_training.renderer.dataset import FrameCache, build_cache
from emohead_training.renderer.losses import IdentityFeatures, VggFeatures
from emohead_training.renderer.task import RendererConfig, RendererTask, initial_weights

__all__ = ["train"]

log = logging.getLogger(__name__)

VGG_FILE = "teachers/vgg19_relu3_1.onnx"


def train(run: RunConfig, config: RendererConfig, perceptual: Path | None = None) -> None:
    """Train one phase of the renderer.

    Parameters
    ----------
    run : RunConfig
        Data, output folder, device, budget.
    config : RendererConfig
        The phase's recipe.
    perceptual : Path, optional
        ONNX file of VGG-19 for the perceptual loss; the corpus' own teacher file is taken where it
        exists, else the project's identity net gives the features.

    Raises
    ------
    InputError
        When the global phase has no local weights to start from, or the identity net is missing.
    """
    cache = run.out / "renderer_frames"
    for split in ("train", "val"):
        build_cache(run.data, cache / split, split)  # type: ignore[arg-type]
    identity = _identity(run.out)
    task = RendererTask(
        config,
        FrameCache(cache / "train"),
        FrameCache(cache / "val"),
        _perceptual(run.data, perceptual, identity),
        identity,
    )
    if config.phase == "global":
        local = weights_path(run.out, "renderer_local")
        if not local.is_file():
            raise InputError(f"{local} is missing; run the stage renderer_local first")
        initial_weights(task, local)
    fit(task, run, config.budget, ema_decay=0.998)


def _identity(out: Path) -> IdentityNet:
    path = weights_path(out, "identity")
    if not path.is_file():
        raise InputError(f"{path} is missing; run the stage identity first")
    net = IdentityNet()
    load_weights(net, path, "identity")
    return net


def _perceptual(data: Path, given: Path | None, identity: IdentityNet) -> nn.Module:
    path = given or data / VGG_FILE
    if path.is_file():
        log.info("perceptual net: %s", path.name)
        return VggFeatures(path)
    log.info("perceptual net: the project's own identity net")
    return IdentityFeatures(identity)
