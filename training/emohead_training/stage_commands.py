"""Commands of ``emohead-train`` that train: one per stage, and ``all``.

Options, progress line, messages. Not here: the work (``trainers.py``, ``pipeline.py``).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emohead_training.recipe_book import RECIPES
from emohead_training.trainers import TRAINERS

if TYPE_CHECKING:
    from emohead_training.loop import Progress, RunConfig

__all__ = ["DataOption", "JsonOption", "register"]

Recipe = Enum("Recipe", {name: name for name in RECIPES}, type=str)  # type: ignore[misc]

DataOption = Annotated[Path, typer.Option(help="Corpus folder with video.csv and audio.csv.")]
OutOption = Annotated[Path, typer.Option(help="Folder of all stages' results.")]
RecipeOption = Annotated[Recipe, typer.Option(help="Settings and size of the run.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
MinutesOption = Annotated[
    float | None, typer.Option(min=0, help="Wall-clock budget of a stage instead of the recipe's.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
DevicesOption = Annotated[int, typer.Option(min=1, help="How many; gradients are averaged.")]
PrecisionOption = Annotated[str, typer.Option(help="32-true or bf16-mixed.")]
SeedOption = Annotated[int, typer.Option(help="Of data order and initial weights.")]
ResumeOption = Annotated[
    bool, typer.Option(help="Continue from the last checkpoint where there is one.")
]
BoardOption = Annotated[bool, typer.Option(help="Write curves and pictures for TensorBoard.")]
BundleOption = Annotated[
    str | None,
    typer.Option(help="Start a fresh run from the weights of this bundle, or of 'default'."),
]
PerceptualOption = Annotated[
    Path | None, typer.Option(help="VGG-19 as ONNX file, for the perceptual loss.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")]
IdentityOption = Annotated[
    Path | None, typer.Option(help="ArcFace network as ONNX file, for the local identity loss.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for stage, trainer in TRAINERS.items():
        make = _critic_command if trainer.takes_critics else _plain_command
        app.command(name=stage, help=trainer.summary)(make(stage))
    app.command(name="all")(_all)


def _plain_command(stage: str) -> Callable[..., None]:
    def command(
        data: DataOption,
        out: OutOption,
        recipe: RecipeOption = Recipe.default,
        steps: StepsOption = None,
        minutes: MinutesOption = None,
        device: DeviceOption = "auto",
        devices: DevicesOption = 1,
        precision: PrecisionOption = "32-true",
        seed: SeedOption = 0,
        resume: ResumeOption = True,
        tensorboard: BoardOption = True,
        from_bundle: BundleOption = None,
    ) -> None:
        _train_one(stage, locals())

    return command


def _critic_command(stage: str) -> Callable[..., None]:
    def command(
        data: DataOption,
        out: OutOption,
        recipe: RecipeOption = Recipe.default,
        steps: StepsOption = None,
        minutes: MinutesOption = None,
        device: DeviceOption = "auto",
        devices: DevicesOption = 1,
        precision: PrecisionOption = "32-true",
        seed: SeedOption = 0,
        resume: ResumeOption = True,
        tensorboard: BoardOption = True,
        from_bundle: BundleOption = None,
        perceptual: PerceptualOption = None,
        identity_net: IdentityOption = None,
    ) -> None:
        _train_one(stage, locals())

    return command


def _all(
    data: DataOption,
    out: OutOption,
    recipe: RecipeOption = Recipe.default,
    steps: StepsOption = None,
    minutes: MinutesOption = None,
    device: DeviceOption = "auto",
    devices: DevicesOption = 1,
    precision: PrecisionOption = "32-true",
    seed: SeedOption = 0,
    resume: ResumeOption = True,
    tensorboard: BoardOption = True,
    perceptual: PerceptualOption = None,
    identity_net: IdentityOption = None,
) -> None:
    """Train every stage in order; what is finished is skipped, what was stopped goes on."""
    from emohead_training.pipeline import train_all

    run = _run_config(locals())
    train = _train_shown if devices == 1 else _train_apart
    train_all(run, typer.echo, train=train)
    typer.echo(f"next: emohead-export bundle --checkpoints {out} --out {out / 'bundle'}")


def _run_config(options: dict[str, Any]) -> RunConfig:
    from emohead_training.loop import RunConfig

    chosen = {k: v for k, v in options.items() if k in RunConfig.__dataclass_fields__}
    return RunConfig(**{**chosen, "recipe": options["recipe"].value})


def _train_one(stage: str, options: dict[str, Any]) -> None:
    _train_shown(stage, _run_config(options))


def _train_shown(stage: str, run: RunConfig) -> None:
    """Train a stage under one line of progress."""
    from emohead_training.trainers import train_stage

    with _line() as tell:
        train_stage(stage, replace(run, progress=tell))


def _train_apart(stage: str, run: RunConfig) -> None:
    """Train a stage in a program of its own: each one starts processes for its devices."""
    from emohead.errors import InputError

    command = [sys.executable, "-m", "emohead_training", stage]
    if not TRAINERS[stage].takes_critics:
        run = replace(run, perceptual=None, identity_net=None)
    for name, value in vars(run).items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            command.append(option if value else f"--no-{option[2:]}")
        elif value is not None and name != "progress":
            command += [option, str(value)]
    result = subprocess.run(command, check=False)
    if result.returncode:
        raise InputError(f"its program ended with status {result.returncode}, see above")


@contextmanager
def _line() -> Iterator[Callable[[Progress], None]]:
    """One Rich line: stage, bar, steps, time, figures."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    text = "{task.description} {task.fields[note]}"
    with Bar(TextColumn(text), BarColumn(24), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, note="reading the corpus")

        def tell(progress: Progress) -> None:
            budget, minutes = progress.budget, progress.seconds / 60
            share = progress.step / budget.steps
            limit = ""
            if budget.minutes:
                share, limit = max(share, minutes / budget.minutes), f"/{budget.minutes:g}"
            figures = " ".join(f"{k} {v:.4g}" for k, v in list(progress.figures.items())[:4])
            note = f"{progress.step}/{budget.steps} {minutes:.1f}{limit} min {figures}"
            bar.update(task, description=progress.stage, completed=share, total=1.0, note=note)

        yield tell
