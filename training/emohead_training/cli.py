"""Command line ``emohead-train``: one sub-command per training stage, and ``evaluate``.

Everything heavy is imported when a command runs. Not here: recipes (``recipes.py``), loops.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from emohead.errors import EmoheadError
from emohead_training.corpora.command import prepare_command

__all__ = ["TRAINERS", "app", "main"]

app = typer.Typer(
    name="emohead-train",
    help="Train a stage, or judge a bundle on held-out people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Recipe(str, Enum):
    """Size of a training run."""

    smoke = "smoke"
    default = "default"


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Where a stage's training lives."""

    module: str
    """Module below ``emohead_training`` with the function ``train``."""
    summary: str
    """What the command's help says."""
    takes_recipe: bool = False
    """Whether ``train`` takes the recipe's config beside the run."""


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
        takes_recipe=True,
    ),
    "autovc": Trainer(
        module="voice.autovc_training", summary="Speaker and content encoder with their decoder."
    ),
    "neutral_landmarks": Trainer(
        module="voice.lips_training", summary="Neutral lips from content; needs autovc."
    ),
    "emotion_encoder": Trainer(module="emotion.training", summary="Emotion from the voice."),
    "emotion_landmarks": Trainer(
        module="stylisation.training", summary="Emotional landmarks from neutral ones."
    ),
    "renderer_local": Trainer(
        module="renderer.train", summary="Component nets; needs identity.", takes_recipe=True
    ),
    "renderer_global": Trainer(
        module="renderer.train",
        summary="Composition, ConvGRU and all; needs renderer_local.",
        takes_recipe=True,
    ),
}
"""Training stages in the order in which they can be run."""

DataOption = Annotated[Path, typer.Option(help="Corpus folder with video.csv and audio.csv.")]


def _command(stage: str, trainer: Trainer) -> Callable[..., None]:
    def command(
        data: DataOption,
        out: Annotated[Path, typer.Option(help="Folder of all stages' results.")],
        recipe: Annotated[Recipe, typer.Option(help="Size of the run.")] = Recipe.default,
        steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
        minutes: Annotated[
            float | None, typer.Option(min=0, help="Wall-clock budget instead of the recipe's.")
        ] = None,
        device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
        precision: Annotated[str, typer.Option(help="Fabric's, e.g. bf16-mixed.")] = "32-true",
        seed: Annotated[int, typer.Option(help="Of data order and initial weights.")] = 0,
        resume: Annotated[
            bool, typer.Option(help="Continue from the last checkpoint where there is one.")
        ] = True,
    ) -> None:
        from emohead_training.loop import RunConfig

        run = RunConfig(
            data=data,
            out=out,
            recipe=recipe.value,
            device=device,
            precision=precision,
            seed=seed,
            resume=resume,
            steps=steps,
            minutes=minutes,
        )
        train_stage(stage, trainer, run)

    command.__doc__ = trainer.summary
    return command


def train_stage(stage: str, trainer: Trainer, run: Any) -> None:
    """Run a stage's training with the recipe that `run` names."""
    train = import_module(f"emohead_training.{trainer.module}").train
    if not trainer.takes_recipe:
        train(run)
        return
    recipes = import_module("emohead_training.recipes")
    train(run, getattr(recipes, f"{run.recipe}_{stage}")())


for _stage, _trainer in TRAINERS.items():
    app.command(name=_stage)(_command(_stage, _trainer))

app.command(name="prepare")(prepare_command)


@app.command()
def evaluate(
    data: DataOption,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers here.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle to judge; by default the package's own.")
    ] = None,
    teachers: Annotated[
        Path | None,
        typer.Option(help="Folder of judging networks; by default DATA/teachers where it exists."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the table here, for example docs/quality.md.")
    ] = None,
    sheets: Annotated[Path | None, typer.Option(help="Write contact sheets here.")] = None,
    part: Annotated[
        list[str] | None, typer.Option(help="Measure only this part; may be repeated.")
    ] = None,
    backend: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Per session; 0 takes all cores.")] = 0,
) -> None:
    """Judge a bundle's graphs on the test people, beside baselines that need no learning."""
    from emohead_training.evaluation.evaluate import EvaluationConfig, evaluate_bundle
    from emohead_training.evaluation.report import table, write_json, write_markdown

    config = EvaluationConfig(
        data=data,
        bundle=bundle,
        teachers=teachers,
        parts=tuple(part or ()),
        sheets=sheets,
        backend=backend,
        threads=threads,
    )
    report = evaluate_bundle(config, progress=lambda text: typer.echo(text, err=True))
    if json_path is not None:
        write_json(report, json_path)
    if markdown is not None:
        write_markdown(report, markdown)
    typer.echo(table(report))


def main() -> None:
    """Run the command line; our own errors become one sentence and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        app()
    except EmoheadError as err:
        typer.echo(f"error: {err}", err=True)
        sys.exit(1)
