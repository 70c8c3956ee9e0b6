"""Command line ``emohead-train``: corpora, a command per stage, ``all``, ``ablate``, ``evaluate``.

Everything heavy is imported when a command runs. Not here: recipes (``recipes.py``), loops.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from emohead.errors import EmoheadError
from emohead_training.ablation.command import ablate_command
from emohead_training.corpora.command import prepare_command
from emohead_training.packing.command import pack_command
from emohead_training.stage_commands import DataOption, JsonOption, register

__all__ = ["app", "main"]

app = typer.Typer(
    name="emohead-train",
    help="Train a stage, or judge a bundle on held-out people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


register(app)
app.command(name="prepare")(prepare_command)
app.command(name="ablate")(ablate_command)
app.command(name="pack")(pack_command)


BundleArgument = Annotated[
    Path | None, typer.Argument(help="Bundle to judge; by default the package's own.")
]
BundleAgainOption = Annotated[Path | None, typer.Option("--bundle", help="The same as an option.")]
HtmlOption = Annotated[
    Path | None, typer.Option(help="Write the report here: one file, opens offline.")
]
TeachersOption = Annotated[
    Path | None,
    typer.Option(help="Folder of judging networks; by default DATA/teachers where it exists."),
]
FidNetworkOption = Annotated[
    Path | None,
    typer.Option(help="ONNX file for the Fréchet distance, instead of the teachers' one."),
]
ActorsOption = Annotated[
    Path | None, typer.Option(help="Corpus of digital actors to judge lips on.")
]
MarkdownOption = Annotated[
    Path | None, typer.Option(help="Write the page here, for example docs/quality.md.")
]
PartsOption = Annotated[
    list[str] | None, typer.Option(help="Measure only this part; may be repeated.")
]


@app.command()
def evaluate(
    data: DataOption,
    bundle: BundleArgument = None,
    bundle_option: BundleAgainOption = None,
    json_path: JsonOption = None,
    html: HtmlOption = None,
    teachers: TeachersOption = None,
    fid_network: FidNetworkOption = None,
    actors: ActorsOption = None,
    markdown: MarkdownOption = None,
    sheets: Annotated[Path | None, typer.Option(help="Write contact sheets here.")] = None,
    part: PartsOption = None,
    backend: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Per session; 0 takes all cores.")] = 0,
) -> None:
    """Judge a bundle's graphs on the test people, beside baselines that need no learning."""
    from emohead_training.evaluation.evaluate import EvaluationConfig, evaluate_bundle
    from emohead_training.evaluation.html import SheetAlbum, write_html
    from emohead_training.evaluation.report import table, write_json, write_markdown
    from emohead_training.evaluation.sheets import SheetWriter

    config = EvaluationConfig(
        data=data,
        bundle=bundle or bundle_option,
        teachers=teachers,
        fid_network=fid_network,
        actors=actors,
        parts=tuple(part or ()),
        backend=backend,
        threads=threads,
    )
    album = SheetAlbum()
    on_case = [album, *([SheetWriter(sheets)] if sheets is not None else [])]
    report = evaluate_bundle(config, lambda text: typer.echo(text, err=True), on_case)
    if json_path is not None:
        write_json(report, json_path)
    if markdown is not None:
        write_markdown(report, markdown)
    if html is not None:
        write_html(report, html, album)
    typer.echo(table(report))


@app.command()
def following(
    data: DataOption,
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle to judge; by default the package's own.")
    ] = None,
    blend: Annotated[
        list[float] | None, typer.Option(help="A live_blend_coef to try; may be repeated.")
    ] = None,
    hysteresis: Annotated[
        list[float] | None, typer.Option(help="A hysteresis to try; may be repeated.")
    ] = None,
    json_path: JsonOption = None,
    backend: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Follow emotions of training people with several constants, to choose by."""
    from emohead.emotion.following import HYSTERESIS, LIVE_BLEND_COEF
    from emohead.emotion.hearing import open_encoder
    from emohead_training.evaluation.following import follow_grid, grid_table
    from emohead_training.whole_files import write_json

    encoder = open_encoder(bundle, backend)
    rows = follow_grid(data, encoder, blend or [LIVE_BLEND_COEF], hysteresis or [HYSTERESIS])
    if json_path is not None:
        write_json(json_path, rows)
    typer.echo(grid_table(rows))


def main() -> None:
    """Run the command line; our own errors become one sentence and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        app()
    except EmoheadError as err:
        typer.echo(f"error: {err}", err=True)
        sys.exit(1)
