"""``emohead serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead.cli.options import AsJson, BackendOption, BundleOption, PortOption
from emohead.cli.reporting import ends_cleanly, needs_extra, print_json, say

__all__ = ["serve"]

HostOption = Annotated[
    str, typer.Option(help="Address to listen at; others than the loopback's need a key.")
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        envvar="EMOHEAD_API_KEY", help="Key that callers must present, 16 characters or more."
    ),
]
DataDirOption = Annotated[Path, typer.Option(help="Folder of renders; made where it is missing.")]
RateOption = Annotated[
    int, typer.Option(help="Requests a minute from one address; 0 for no limit.")
]
QueueOption = Annotated[
    int, typer.Option(help="Renders that may wait; more are refused for a while.")
]
KeepOption = Annotated[int, typer.Option(help="Ended renders that stay; older ones are removed.")]
GraceOption = Annotated[
    float, typer.Option(help="Seconds that renders in hand get when the service stops.")
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(help="Another name that callers may use; may be repeated."),
]


@ends_cleanly
def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    api_key: ApiKeyOption = None,
    data_dir: DataDirOption = Path("emohead-data"),
    max_upload_mb: Annotated[int, typer.Option(help="Largest request, MB.")] = 64,
    rate: RateOption = 600,
    tracks: Annotated[int, typer.Option(help="Videos rendered at once.")] = 2,
    queue: QueueOption = 64,
    keep: KeepOption = 1000,
    max_live: Annotated[int, typer.Option(help="Live streams at once; 0 for none.")] = 4,
    live_minutes: Annotated[float, typer.Option(help="Longest live stream, minutes.")] = 60.0,
    grace: GraceOption = 30.0,
    allow_host: AllowHostOption = None,
    backend: BackendOption = "auto",
    bundle: BundleOption = None,
    as_json: AsJson = False,
) -> None:
    """Serve renders and live streams over HTTP."""
    with needs_extra("serve"):
        from emohead.service import running
        from emohead.service.settings import ServiceSettings

    settings = ServiceSettings(
        data_dir=data_dir,
        host=host,
        port=port,
        api_key=api_key or None,
        max_upload_mb=max_upload_mb,
        rate=rate,
        tracks=tracks,
        queue=queue,
        keep=keep,
        max_live=max_live,
        live_minutes=live_minutes,
        grace_s=grace,
        allowed_hosts=tuple(allow_host or ()),
    )

    def ready(address: str, number: int) -> None:
        url = running.url_of(address, number)
        if as_json:
            print_json({"url": url})
        else:
            say(f"emohead serves at {url}, Ctrl-C ends it")

    running.serve(settings, bundle=bundle, backend=backend, ready=ready)
    say("emohead: the service has ended, every render is finished or recorded")
