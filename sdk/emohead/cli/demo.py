"""``emohead demo``."""

from __future__ import annotations

from pathlib import Path

from emohead.cli.job import RenderTask, run_task
from emohead.cli.options import AsJson, VideoOut
from emohead.cli.reporting import ends_cleanly
from emohead.errors import InputError
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

__all__ = ["demo"]


@ends_cleanly
def demo(
    out: VideoOut = Path("out/demo.mp4"),
    as_json: AsJson = False,
) -> None:
    """Animate the sample portrait with the sample voice."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise InputError(
            f"the output folder {out.parent} cannot be made ({err.strerror}): choose another --out"
        ) from err
    fields = {"face": SAMPLE_FACE, "speech": SAMPLE_SPEECH}
    run_task(RenderTask(fields=fields, out=out), as_json=as_json)
