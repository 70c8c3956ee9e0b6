"""``emohead inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.reporting import ends_cleanly, print_json, say
from emohead.reading import shown

if TYPE_CHECKING:
    from emohead.manifest import Manifest

__all__ = ["inspect"]


@ends_cleanly
def inspect(
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder or zip; by default the embedded bundle.")
    ] = None,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(help="Ed25519 key, PEM, that must have signed it; repeated: one of them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Show a bundle: its stages, hashes, licences and sources, all verified."""
    from emohead.bundle import Bundle

    opened = Bundle.open(bundle, trusted_keys=public_key)
    if opened.extra_files:
        say(f"note: the manifest does not name {shown(', '.join(opened.extra_files))}: ignored")
    if as_json:
        print_json({"path": str(opened.path), **opened.manifest.model_dump(mode="json")})
    else:
        _draw(opened.path, opened.manifest, "intact and signed" if public_key else "intact")


def _draw(path: Path, manifest: Manifest, state: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    console.print(f"{manifest.name} ({path})", soft_wrap=True)
    console.print(f"made by emohead {manifest.emohead_version} at {manifest.created}, {state}\n")
    stages = Table("stage", "precision", "parameters", "kB", "sha256", "licence")
    for name, stage in manifest.stages.items():
        size = f"{stage.num_bytes / 1000:,.0f}"
        numbers = (f"{stage.num_parameters:,}", size, stage.sha256[:12])
        stages.add_row(name, stage.precision, *numbers, stage.licence)
    console.print(stages)
    sources = Table("source", "licence", "origin", "used for")
    for source in manifest.sources():
        sources.add_row(source.name, source.licence, source.origin, source.used_for)
    console.print(sources)
    for metric, value in manifest.metrics.items():
        console.print(f"{metric}: {value:.4g}")
