"""Command line ``emohead-export``: thin wrappers around the modules beside it."""

from __future__ import annotations

import json
import logging
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from emohead.bundle import Bundle
from emohead.errors import EmoheadError, InputError
from emohead.reading import json_from, read_file
from emohead.stages import STAGES
from emohead_export.packing import export_bundle
from emohead_export.precise_bundle import derive_bundle
from emohead_export.tiny import write_tiny_bundle

__all__ = ["app", "main"]


class Wanted(str, Enum):
    """Precisions that can be derived."""

    fp16 = "fp16"
    int8 = "int8"


app = typer.Typer(
    name="emohead-export",
    help="Turn trained checkpoints into a verified bundle of ONNX graphs.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def bundle(
    checkpoints: Annotated[Path, typer.Option(help="Folder that emohead-train wrote.")],
    out: Annotated[Path, typer.Option(help="Folder to write, or a path ending in .zip.")],
    name: Annotated[str, typer.Option(help="Name of the bundle.")] = "default",
    stage: Annotated[
        list[str] | None, typer.Option(help="Export only this stage; may be repeated.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="Bundle that gives the stages not named by --stage, as they are."),
    ] = None,
    quality: Annotated[
        Path | None,
        typer.Option(help="JSON of `emohead-train evaluate`; its numbers go into the manifest."),
    ] = None,
) -> None:
    """Export every stage, compare each graph with its network, pack the bundle."""
    _refuse_unknown(stage or [])
    written = export_bundle(
        checkpoints,
        out,
        name=name,
        stages=stage or tuple(STAGES),
        base=Bundle.open(base) if base else None,
        metrics=_numbers(quality) if quality else None,
        progress=lambda done, error: typer.echo(f"{done}: parity error {error:.1e}"),
    )
    size = sum(entry.num_bytes for entry in written.manifest.stages.values())
    typer.echo(f"{out}: {len(written.manifest.stages)} stages, {size / 1e6:.1f} MB")


@app.command()
def precision(
    bundle: Annotated[Path, typer.Argument(help="Folder or zip of fp32 graphs.")],
    out: Annotated[Path, typer.Option(help="Folder to write, or a path ending in .zip.")],
    precision: Annotated[
        list[Wanted], typer.Option(help="Variant to add: fp16, int8; may be repeated.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add fp16 and int8 variants to a bundle, compared stage by stage and on a sample clip."""
    written = derive_bundle(
        Bundle.open(bundle),
        [wanted.value for wanted in dict.fromkeys(precision)],
        out,
        progress=lambda sentence: typer.echo(sentence, err=as_json),
    )
    manifest = written.manifest
    if as_json:
        stages = {
            n: {p: v.metrics for p, v in e.variants.items()} for n, e in manifest.stages.items()
        }
        typer.echo(json.dumps({"path": str(out), "clip": manifest.metrics, "stages": stages}))
    else:
        variants = [v for entry in manifest.stages.values() for v in entry.variants.values()]
        size = sum(variant.num_bytes for variant in variants)
        typer.echo(f"{out}: {len(variants)} variants, {size / 1e6:.1f} MB")


@app.command()
def tiny(
    out: Annotated[Path, typer.Argument(help="Folder to write, or a path ending in .zip.")],
) -> None:
    """Write a bundle of toy graphs that keep the true contract, for fast tests."""
    write_tiny_bundle(out)
    typer.echo(str(out))


@app.command()
def sign(
    bundle: Annotated[Path, typer.Argument(help="Folder or zip, signed in its place.")],
    key: Annotated[Path, typer.Option(help="Ed25519 private key, PEM.")],
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line opens the key.")
    ] = None,
) -> None:
    """Sign a bundle, so that whoever trusts the public key can tell that it is yours."""
    from emohead_export.signing import sign_bundle

    password = None
    if password_file is not None:
        text = read_file(password_file, "the password file", "give its path")
        password = text.splitlines()[0] if text else b""
    signer = sign_bundle(bundle, key, password)
    typer.echo(f"{bundle}: signed by {signer}")


@app.command()
def roofline(
    results: Annotated[
        list[Path] | None,
        typer.Argument(help="JSON of `emohead bench`; without any, only costs and predictions."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("docs/roofline.md"),
    bundle: Annotated[
        Path | None, typer.Option(help="Networks that were measured; the embedded ones otherwise.")
    ] = None,
) -> None:
    """Write the roofline: cost of each graph, shares that were reached, predictions for GPUs."""
    from emohead.bench.schema import read_report, write_text
    from emohead_export.roofline_page import roofline_page

    reports = [read_report(path) for path in results or ()]
    write_text(out, roofline_page(Bundle.open(bundle), reports))
    typer.echo(str(out))


def main() -> None:
    """Run the command line; our own errors become one sentence and exit status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except EmoheadError as err:
        typer.echo(f"error: {err}", err=True)
        sys.exit(1)


def _refuse_unknown(names: list[str]) -> None:
    unknown = [n for n in names if n not in STAGES]
    if unknown:
        raise typer.BadParameter(f"unknown stage {unknown[0]}; choose among {', '.join(STAGES)}")


def _numbers(path: Path) -> dict[str, float]:
    advice = "give the file that `emohead-train evaluate --json` wrote"
    try:
        content = json_from(read_file(path, "the quality file", advice))
        return {k: float(v) for k, v in content.items() if isinstance(v, (int, float))}
    except (AttributeError, ValueError) as err:
        raise InputError(f"the quality file {path} is no JSON object ({err}): {advice}") from err
