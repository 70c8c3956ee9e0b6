"""The training stages: where each is trained, what it needs, and running one by name.

Who calls: the command line, ``pipeline.py`` and GPU machines without Typer. Not here: recipes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from emohead.errors import InputError

if TYPE_CHECKING:
    from emohead_training.loop import RunConfig

__all__ = ["TRAINERS", "Trainer", "train_stage", "trainer_of"]


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Where a stage's training lives."""

    module: str
    """Module below ``emohead_training`` with the function ``train`` of run and recipe."""
    summary: str
    """What the command's help says."""
    needs: tuple[str, ...] = ()
    """Stages whose weights it reads."""
    takes_critics: bool = False
    """Whether the run may name networks for the perceptual and the identity loss."""
    on_cpu: bool = False
    """Whether it trains on the CPU whatever the machine has: many tiny steps, one thread."""


TRAINERS: Final = {
    "face_detector": Trainer(
        module="portrait.detector_training", summary="Face boxes, distilled from the labels."
    ),
    "face_landmarks": Trainer(
        module="portrait.landmark_training", summary="68x3 landmarks, distilled from the labels."
    ),
    "identity": Trainer(
        module="identity.train",
        summary="Identity critic of the renderer, with the ArcFace margin.",
    ),
    "autovc": Trainer(
        module="voice.autovc_training",
        summary="Speaker and content encoder with their decoder.",
        on_cpu=True,
    ),
    "neutral_landmarks": Trainer(
        module="voice.lips_training",
        summary="Neutral lips from content; needs autovc.",
        needs=("autovc",),
        on_cpu=True,
    ),
    "emotion_encoder": Trainer(module="emotion.training", summary="Emotion from the voice."),
    "emotion_landmarks": Trainer(
        module="stylisation.training", summary="Emotional landmarks from neutral ones."
    ),
    "renderer_local": Trainer(
        module="renderer.train",
        summary="Component nets; needs identity.",
        needs=("identity",),
        takes_critics=True,
    ),
    "renderer_global": Trainer(
        module="renderer.train",
        summary="Composition, ConvGRU and all; needs renderer_local.",
        needs=("identity", "renderer_local"),
        takes_critics=True,
    ),
}
"""Training stages in the order in which they can be run."""


def trainer_of(stage: str) -> Trainer:
    """Look a stage up.

    Raises
    ------
    InputError
        When there is none of that name.
    """
    if stage not in TRAINERS:
        raise InputError(f"expected a stage among {', '.join(TRAINERS)}, got {stage!r}")
    return TRAINERS[stage]


def train_stage(stage: str, run: RunConfig) -> None:
    """Train a stage with the recipe that `run` names, and note that it is finished.

    Parameters
    ----------
    stage : str
        Name in ``TRAINERS``.
    run : RunConfig

    Raises
    ------
    EmoheadError
        When the corpus, an earlier stage or the recipe does not fit.
    """
    from emohead_training.finished import note_finished
    from emohead_training.loop.randomness import seed_all
    from emohead_training.recipe_book import check_corpus, config_of

    trainer = trainer_of(stage)
    config = config_of(run.recipe, stage)
    check_corpus(run.recipe, run.data)
    if trainer.on_cpu:
        run = replace(run, device="cpu", devices=1, precision="32-true")
    seed_all(run.seed)
    train = import_module(f"emohead_training.{trainer.module}").train
    train(run, config)
    note_finished(stage, run, config)
