"""``emohead demo``."""

from __future__ import annotations

from pathlib import Path

from emohead.cli.job import RenderTask, run_task
from emohead.cli.options import AsJson, VideoOut
from emohead.cli.reporting import ends_cleanly
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.whole_files import writable_folder

__all__ = ["demo"]


@ends_cleanly
def demo(
    out: VideoOut = Path("out/demo.mp4"),
    as_json: AsJson = False,
) -> None:
    """Animate the sample portrait with the sample voice."""
    writable_folder(out.parent, "output folder")
    fields = {"face": SAMPLE_FACE, "speech": SAMPLE_SPEECH}
    run_task(RenderTask(fields=fields, out=out), as_json=as_json)
