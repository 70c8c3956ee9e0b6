"""``emohead studio``."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from emohead.cli.options import BackendOption, BundleOption, PortOption
from emohead.cli.reporting import ends_cleanly, say

__all__ = ["studio"]


@ends_cleanly
def studio(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: PortOption = 7860,
    share: Annotated[
        bool, typer.Option("--share", help="Open a public tunnel: anybody with the link is in.")
    ] = False,
    max_upload_mb: Annotated[int, typer.Option(help="Largest file, MB.")] = 50,
    max_seconds: Annotated[float, typer.Option(help="Longest voice, seconds.")] = 180.0,
    max_megapixels: Annotated[float, typer.Option(help="Largest photo, megapixels.")] = 25.0,
    backend: BackendOption = "auto",
    bundle: BundleOption = None,
) -> None:
    """Open the studio, a page in the browser."""
    from emohead.studio.limits import Limits
    from emohead.studio.server import HOST, StudioPlan, serve_studio

    limits = Limits(
        max_upload_mb=max_upload_mb, max_seconds=max_seconds, max_megapixels=max_megapixels
    )
    plan = StudioPlan(
        host=host, port=port, share=share, limits=limits, backend=backend, bundle=bundle
    )
    if share or host not in (HOST, "localhost", "::1"):
        say("note: others can reach this page; there is no password")
    with contextlib.suppress(KeyboardInterrupt):  # the ordinary end
        serve_studio(plan, opened=lambda page: print(f"emohead studio at {page}", flush=True))
