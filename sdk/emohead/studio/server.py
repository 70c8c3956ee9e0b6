"""Serving the page: on this machine only unless told otherwise, nothing kept afterwards.

Called by ``emohead studio``. Not here: the page (``page.py``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from emohead.errors import BackendError, InputError
from emohead.studio.limits import Limits

__all__ = ["HOST", "PORT", "StudioPlan", "serve_studio"]

HOST: Final = "127.0.0.1"
"""Reachable from this machine only."""
PORT: Final = 7860
_WAITING: Final = 20
"""Requests that may queue for the head."""
_QUIET: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
"""Environment that keeps Gradio and what it imports off the network."""


@dataclass(frozen=True, kw_only=True)
class StudioPlan:
    """How the studio is served."""

    host: str = HOST
    """Address to listen at; ``0.0.0.0`` for everybody who can reach this machine."""
    port: int = PORT
    """TCP port; 0 for a free one."""
    share: bool = False
    """Whether Gradio opens a public tunnel to the page."""
    backend: str = "auto"
    """Where the networks run."""
    bundle: Path | None = None
    """Trained networks; None for the embedded ones."""
    limits: Limits = field(default_factory=Limits)
    """Largest uploads."""


def serve_studio(
    plan: StudioPlan, *, opened: Callable[[str], object], until: threading.Event | None = None
) -> None:
    """Serve the studio until it is interrupted.

    Parameters
    ----------
    plan : StudioPlan
    opened : callable
        Called with the page's address once it answers.
    until : threading.Event, optional
        Ends it; otherwise a signal does.

    Raises
    ------
    InputError
        If the address or the port cannot be used.
    BackendError
        If Gradio is missing, or the backend does not work here.
    """
    port = _checked_port(plan)
    folder = Path(tempfile.mkdtemp(prefix="emohead-studio-")).resolve()
    os.environ.update(_QUIET)
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    try:
        _serve(replace(plan, port=port), folder, opened, until or threading.Event())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(
    plan: StudioPlan, folder: Path, opened: Callable[[str], object], until: threading.Event
) -> None:
    try:
        from emohead.studio.page import build_page
        from emohead.studio.theme import STYLE, theme
    except ModuleNotFoundError as err:
        raise BackendError(
            f"the studio needs Gradio, and {err.name} is missing: "
            "run `pip install 'emohead[studio]'`"
        ) from err
    from emohead.bundle import Bundle
    from emohead.head import TalkingHead
    from emohead.studio.workshop import Workshop

    bundle = Bundle.open(plan.bundle)
    workshop = Workshop(TalkingHead.load(bundle, backend=plan.backend), folder, plan.limits)
    page = build_page(workshop, bundle)
    page.queue(max_size=_WAITING, default_concurrency_limit=4)
    _, local, public = page.launch(
        server_name=plan.host,
        server_port=plan.port,
        share=plan.share,
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        footer_links=[],
        max_file_size=plan.limits.max_upload_bytes,
        allowed_paths=[str(folder)],
        theme=theme(),
        css_paths=[STYLE],
    )
    try:
        opened(public or local)
        until.wait()
    finally:
        page.close()


def _checked_port(plan: StudioPlan) -> int:
    """Port to listen on, free a moment ago."""
    import socket

    try:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((plan.host, plan.port))
            return int(trial.getsockname()[1])
    except (OSError, OverflowError) as err:
        raise InputError(
            f"expected a free port, cannot listen at {plan.host}:{plan.port} ({err}): "
            "choose another --port, or 0 for any, and a --host of this machine"
        ) from err
