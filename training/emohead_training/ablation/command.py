"""The command ``emohead-train ablate``: options, lines of progress, files of the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.stage_commands import (
    DataOption,
    DeviceOption,
    IdentityOption,
    JsonOption,
    PerceptualOption,
    Recipe,
    RecipeOption,
    SeedOption,
)

__all__ = ["ablate_command"]

RowMinutesOption = Annotated[
    float | None, typer.Option(min=0.01, help="Wall-clock budget of a row.")
]
RowStepsOption = Annotated[
    int | None, typer.Option(min=2, help="Steps of a row; fairer on a busy machine.")
]
LocalShareOption = Annotated[
    float, typer.Option(help="Share of a row's budget for the local phase.")
]
TeachersOption = Annotated[
    Path | None, typer.Option(help="Folder of judging networks; by default DATA/teachers.")
]
WarmFramesOption = Annotated[int, typer.Option(min=0, help="Frames fed before each measured one.")]
MarkdownOption = Annotated[
    Path | None, typer.Option(help="Write the page here, for example docs/ablation.md.")
]


def ablate_command(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="Folder of all rows; continues what lies there.")],
    recipe: RecipeOption = Recipe.default,
    minutes: RowMinutesOption = None,
    steps: RowStepsOption = None,
    local_share: LocalShareOption = 0.5,
    row: Annotated[list[str] | None, typer.Option(help="Only this row; may be repeated.")] = None,
    teachers: TeachersOption = None,
    warm_frames: WarmFramesOption = PROTOCOL.ablation_warm_frames,
    perceptual: PerceptualOption = None,
    identity_net: IdentityOption = None,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    json_path: JsonOption = None,
    markdown: MarkdownOption = None,
) -> None:
    """Train the renderer without one module at a time and judge every row (paper, Table 3)."""
    from emohead_training.ablation.ablate import ablate
    from emohead_training.ablation.table import markdown_of, table
    from emohead_training.ablation.training_rows import AblationConfig
    from emohead_training.whole_files import write_json, write_text

    config = AblationConfig(
        data=data,
        out=out,
        recipe=recipe.value,
        minutes=minutes,
        steps=steps,
        local_share=local_share,
        perceptual=perceptual,
        identity_net=identity_net,
        device=device,
        seed=seed,
    )
    result = ablate(
        config,
        rows=tuple(row or ()),
        teachers=teachers,
        warm_frames=warm_frames,
        say=lambda line: typer.echo(line, err=True),
    )
    if json_path is not None:
        write_json(json_path, result)
    if markdown is not None:
        write_text(markdown, markdown_of(result))
    typer.echo(table(result["rows"]))
