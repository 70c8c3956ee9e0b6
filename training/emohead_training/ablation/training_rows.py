"""Training of the rows: every variant by the same recipe, budget and seed, resumable.

The identity net and the cached frames are shared, since no variant changes them.
Not here: judging (``judging.py``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from emohead.errors import InputError
from emohead_training.ablation.variants import Variant
from emohead_training.loop import Budget, RunConfig
from emohead_training.loop.checkpoints import PROGRESS_FILE
from emohead_training.loop.randomness import seed_all
from emohead_training.loop.record import config_json, data_hash
from emohead_training.recipe_book import config_of
from emohead_training.renderer.task import RendererConfig
from emohead_training.whole_files import read_json, write_json

__all__ = [
    "AblationConfig",
    "row_folder",
    "settings_of",
    "train_identity",
    "train_row",
    "trained",
]

log = logging.getLogger(__name__)

SETTINGS_FILE: Final = "settings.json"
TRAINED_FILE: Final = "trained.json"
PHASES: Final = ("local", "global")


@dataclass(frozen=True, kw_only=True)
class AblationConfig:
    """What every row has in common."""

    data: Path
    """Corpus root."""
    out: Path
    """Folder of all rows."""
    recipe: str = "default"
    """Recipe of the renderer's phases and of the identity net."""
    minutes: float | None = None
    """Wall-clock minutes of a row, both phases together; None for the recipe's."""
    steps: int | None = None
    """Optimiser steps of a row, both phases together; fairer than minutes on a busy machine."""
    local_share: float = 0.5
    """Share of the row's budget that the local phase takes."""
    device: str = "auto"
    """Fabric accelerator."""
    seed: int = 0
    """Of initial weights and data order."""
    perceptual: Path | None = None
    """ONNX file of VGG-19 for the perceptual loss."""
    identity_net: Path | None = None
    """ONNX file of an ArcFace network for the local identity loss, instead of the project's own."""

    def __post_init__(self) -> None:
        if not 0 < self.local_share < 1:
            raise InputError(f"expected a local share between 0 and 1, got {self.local_share}")

    def share_of(self, phase: str) -> float:
        """Share of a row's budget that a phase takes."""
        return self.local_share if phase == "local" else 1 - self.local_share

    def phase_budget(self, default: Budget, phase: str) -> Budget:
        """Budget of a phase: its share of this run's steps and minutes, else the recipe's."""
        share = self.share_of(phase)
        steps = default.steps if self.steps is None else max(1, round(share * self.steps))
        if self.minutes is None:
            # A number of steps that was asked for is not cut short by the recipe's clock.
            minutes = default.minutes if self.steps is None else None
        else:
            minutes = share * self.minutes
        return Budget(steps=steps, minutes=minutes)


def row_folder(config: AblationConfig, variant: Variant) -> Path:
    """Folder of a row's results."""
    return config.out / variant.name


def trained(config: AblationConfig, variant: Variant) -> dict[str, Any] | None:
    """Read what a finished training took, by phase; None where it is not finished."""
    return read_json(row_folder(config, variant) / TRAINED_FILE)


def train_row(config: AblationConfig, variant: Variant) -> dict[str, Any]:
    """Train a variant, or continue, or skip what is done.

    Parameters
    ----------
    config : AblationConfig
    variant : Variant

    Returns
    -------
    dict
        As ``trained`` gives.

    Raises
    ------
    InputError
        When the row was begun with other settings.
    """
    _check_settings(config, variant)
    done = trained(config, variant)
    if done is not None:
        return done
    train_identity(config)
    done = {phase: _train_phase(config, variant, phase) for phase in PHASES}
    write_json(row_folder(config, variant) / TRAINED_FILE, done)
    return done


def settings_of(config: AblationConfig) -> dict[str, Any]:
    """Return what must be equal for rows to be comparable, ready for JSON."""
    settings: dict[str, Any] = config_json(config)
    for key in ("data", "out", "device"):
        del settings[key]
    settings["data_sha256"] = data_hash(config.data)
    for key in ("perceptual", "identity_net"):
        path = getattr(config, key)
        settings[key] = None if path is None else path.name
    return settings


def _check_settings(config: AblationConfig, variant: Variant) -> None:
    """Write down how the row is trained, or compare with what was written."""
    settings = settings_of(config) | {"changes": dict(variant.changes)}
    path = row_folder(config, variant) / SETTINGS_FILE
    begun = read_json(path)
    if begun is None:
        write_json(path, settings)
    elif begun != settings:
        raise InputError(
            f"the row {variant.name!r} in {config.out} was begun with other settings, see {path}: "
            "repeat them or choose another --out"
        )


def _run_of(config: AblationConfig, out: Path) -> RunConfig:
    return RunConfig(
        data=config.data,
        out=out,
        recipe=config.recipe,
        device=config.device,
        seed=config.seed,
        perceptual=config.perceptual,
        identity_net=config.identity_net,
    )


def train_identity(config: AblationConfig) -> None:
    """Train the identity net of all rows to its end, where no file takes its place.

    Parameters
    ----------
    config : AblationConfig

    Raises
    ------
    EmoheadError
        The corpus does not fit, or the net was trained with other settings.
    """
    from emohead_training.pipeline import train_all

    if config.identity_net is None:
        train_all(_run_of(config, config.out), log.info, stages=("identity",))


def _train_phase(config: AblationConfig, variant: Variant, phase: str) -> dict[str, Any]:
    """Train one phase; returns its steps and minutes."""
    from emohead_training.renderer.train import train

    stage = f"renderer_{phase}"
    recipe: RendererConfig = config_of(config.recipe, stage)
    budget = config.phase_budget(recipe.budget, phase)
    run = _run_of(config, row_folder(config, variant))
    seed_all(config.seed)  # the networks are made before the loop seeds itself
    train(run, variant.applied_to(replace(recipe, budget=budget)), shared=config.out)
    progress = read_json(run.out / stage / PROGRESS_FILE)
    assert progress is not None
    return {"steps": progress["step"], "minutes": round(progress["seconds"] / 60, 2)}
