"""``emohead replay``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.options import AsJson, VideoOut
from emohead.cli.reporting import (
    EXIT_ALTERED,
    ends_cleanly,
    print_json,
    print_rows,
    printable,
    progress_bar,
)

if TYPE_CHECKING:
    from emohead.provenance.replaying import Replay

__all__ = ["replay"]


@ends_cleanly
def replay(
    file: Annotated[Path, typer.Argument(help="Video written by emohead.", show_default=False)],
    face: Annotated[Path, typer.Option(help="The photo that it was made from.")],
    speech: Annotated[Path, typer.Option(help="The voice that it was made from.")],
    out: VideoOut,
    backend: Annotated[
        str | None, typer.Option(help="Another backend than the one that made it.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder or zip of its networks.")] = None,
    as_json: AsJson = False,
) -> None:
    """Render a video again from its manifest, and compare."""
    from emohead.provenance import replaying
    from emohead.video import check_output
    from emohead.whole_files import check_apart

    check_output(out)
    check_apart(out, (file, face, speech), "video")
    with progress_bar("rendering", quiet=as_json) as progress:
        result = replaying.replay(
            file, face, speech, out, bundle=bundle, backend=backend, progress=progress
        )
    _report(result, as_json)
    if not (result.landmarks_same and result.frames_same):
        raise typer.Exit(EXIT_ALTERED)


def _report(result: Replay, as_json: bool) -> None:
    same = {
        "landmarks": result.landmarks_same,
        "frames": result.frames_same,
        "pictures": result.pictures_same,
        "sound": result.sound_same,
    }
    if as_json:
        differences = list(result.differences)
        print_json({"path": str(result.path), "same": same, "differences": differences})
        return
    told = {name: "the same bytes" if is_same else "other bytes" for name, is_same in same.items()}
    print_rows({**told, "path": result.path})
    for difference in result.differences:
        print(printable(f"note: {difference}"))
