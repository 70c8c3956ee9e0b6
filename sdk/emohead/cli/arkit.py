"""``emohead arkit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead.cli.options import AsJson
from emohead.cli.reporting import ends_cleanly, print_json, print_rows

__all__ = ["arkit"]


@ends_cleanly
def arkit(
    landmarks: Annotated[
        Path,
        typer.Argument(
            help="Landmarks of every frame, from `emohead landmarks`.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Curves to write, .csv.")],
    as_json: AsJson = False,
) -> None:
    """Turn landmarks into ARKit's 52 blendshapes, as a CSV of Live Link Face."""
    from emohead.landmarks.arkit import BLENDSHAPES
    from emohead.landmarks.files import read_landmarks
    from emohead.landmarks.live_link import check_live_link_output, write_live_link
    from emohead.whole_files import check_apart

    check_live_link_output(out)
    check_apart(out, [landmarks], "curves")
    track = read_landmarks(landmarks)
    write_live_link(track, out)
    told = {
        "frames": len(track),
        "frame_rate": track.fps,
        "blendshapes": len(BLENDSHAPES),
        "path": str(out),
    }
    if as_json:
        print_json(told)
        return
    print_rows(told)
