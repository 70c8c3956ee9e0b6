"""``emohead verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.options import AsJson
from emohead.cli.reporting import (
    EXIT_ALTERED,
    EXIT_FOREIGN,
    ends_cleanly,
    print_json,
    print_rows,
)
from emohead.errors import InputError

if TYPE_CHECKING:
    from emohead.provenance.verifying import Verdict

__all__ = ["verify"]


@ends_cleanly
def verify(
    file: Annotated[Path, typer.Argument(help="Video file.", show_default=False)],
    trust: Annotated[
        Path | None, typer.Option(help="Root certificates, PEM, that a signature must lead to.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether emohead made a video, how, and whether it is still as it was written."""
    from emohead.provenance.verifying import verify_video

    verdict = verify_video(file, anchors=None if trust is None else _anchors(trust))
    if as_json:
        print_json(verdict.as_dict())
    else:
        _print(verdict)
    if not verdict.is_emohead:
        raise typer.Exit(EXIT_FOREIGN)
    if not verdict.is_intact:
        raise typer.Exit(EXIT_ALTERED)


def _anchors(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise InputError(
            f"the certificates {path} cannot be read ({err.strerror}): give a PEM file"
        ) from err


def _print(verdict: Verdict) -> None:
    manifest, signature = verdict.manifest, verdict.signature
    rows = {"emohead video": "yes" if verdict.is_emohead else f"no: {verdict.problem}"}
    if manifest is not None:
        made, settings = manifest.made, manifest.made.settings
        rows |= {
            "pictures": verdict.pictures,
            "sound": verdict.sound,
            "made": f"{manifest.run.created} by emohead {made.emohead} on {made.backend.name}",
            "bundle": "-" if made.bundle is None else f"{made.bundle.name} {made.bundle.sha256}",
            "face": made.face.file_sha256 or f"{made.face.pixels_sha256} (pixels)",
            "speech": made.speech.file_sha256 or f"{made.speech.samples_sha256} (samples)",
            "emotion": f"{_leading(made.emotion.shown)} (from the {made.emotion.source})",
            "strength": f"{settings.strength:g}",
            "seed": str(settings.seed),
            "frame rate": str(settings.fps),
        }
    rows["signature"] = signature.state
    if signature.signed_by:
        rows["signed by"] = signature.signed_by
    if signature.problems:
        rows["because"] = ", ".join(signature.problems)
    print_rows(rows)


def _leading(shown: dict[str, float]) -> str:
    return max(shown, key=lambda name: shown[name]) if shown else "-"
