"""Entry points of the renderer's two training stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from emohead_training.loop import RunConfig, fit, weights_path
from emohead_training.renderer.critic_nets import load_critic_nets
from emohead_training.renderer.dataset import FrameCache, build_cache
from emohead_training.renderer.task import RendererConfig, RendererTask, initial_weights

__all__ = ["train"]


def train(run: RunConfig, config: RendererConfig, shared: Path | None = None) -> None:
    """Train one phase of the renderer.

    Parameters
    ----------
    run : RunConfig
        Data, output folder, device, budget, networks of the perceptual and the identity loss.
    config : RendererConfig
        The phase's recipe.
    shared : Path, optional
        Folder with the identity net and the cached frames where several runs share them; by
        default the run's own.

    Raises
    ------
    InputError
        When the global phase has no local weights to start from, or a network is missing.
    """
    shared = shared or run.out
    cache = shared / "renderer_frames"
    for split in ("train", "val"):
        build_cache(run.data, cache / split, split)  # type: ignore[arg-type]
    nets = load_critic_nets(replace(run, out=shared))
    config = replace(config, budget=run.budget(config.budget))
    task = RendererTask(
        config,
        FrameCache(cache / "train"),
        FrameCache(cache / "val"),
        nets.perceptual,
        nets.identity,
        nets.facts,
    )
    if config.phase == "global" and run.from_bundle is None:
        initial_weights(task, weights_path(run.out, "renderer_local"))
    fit(task, run, config.budget, ema_decay=0.998)
