"""``emohead style``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead.cli.options import AsJson, BundleOption, CpuBackend
from emohead.cli.reporting import ends_cleanly, print_json, print_rows, say

__all__ = ["style"]


@ends_cleanly
def style(
    reference: Annotated[
        Path, typer.Argument(help="Video of one person who talks.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Style to write, .json.")] = None,
    backend: CpuBackend = "auto",
    bundle: BundleOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure a person's own way of talking from a short video, for --style."""
    from emohead.footage import film_of
    from emohead.head import TalkingHead
    from emohead.style import BOUNDS
    from emohead.style.files import check_style_output, style_as_dict, write_style

    if out is not None:
        check_style_output(out)
    film_of(reference)  # before the networks load, for a bad file should fail at once
    found = TalkingHead.load(bundle, backend=backend).style(reference)
    for note in found.notes:
        say(f"note: {note}")
    if out is not None:
        write_style(found, out)
    if as_json:
        print_json({**style_as_dict(found), "path": None if out is None else str(out)})
        return
    rows = {name: f"{getattr(found, name):.2f}" for name in BOUNDS}
    print_rows(rows if out is None else {**rows, "path": str(out)})
