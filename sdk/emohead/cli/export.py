"""``emohead export``: networks in the form that another server takes.

Opens ``emohead_export`` inside functions: the runtime imports no ONNX.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead.cli.options import AsJson, EnginePrecision, GraphsOption
from emohead.cli.reporting import ends_cleanly, needs_extra, print_json

__all__ = ["export"]

export = typer.Typer(name="export", help="Write networks for another server.", no_args_is_help=True)


@export.callback()
def _options() -> None:
    """Write networks for another server."""


@export.command()
@ends_cleanly
def triton(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Model repository to write.")],
    bundle: GraphsOption = None,
    precision: EnginePrecision = "fp32",
    platform: Annotated[
        str, typer.Option(help="onnxruntime, or tensorrt for its TensorRT accelerator.")
    ] = "onnxruntime",
    as_json: AsJson = False,
) -> None:
    """Write a model repository for Triton Inference Server: every stage, with its config."""
    from emohead.bundle import Bundle

    with needs_extra("export"):
        from emohead_export.triton import write_repository
    opened = Bundle.open(bundle)
    models = write_repository(opened, folder, precision=precision, platform=platform)  # type: ignore[arg-type]
    if as_json:
        print_json({"path": str(folder), "models": [path.name for path in models]})
    else:
        print(f"{folder}: {len(models)} models; tritonserver --model-repository={folder}")
