"""A service from loading the networks to its orderly end.

Called by ``emohead serve``. Not here: what is served (``app.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from emohead.errors import InputError
from emohead.head import TalkingHead
from emohead.jobs import JobRenderer
from emohead.service.app import make_app
from emohead.service.settings import ServiceSettings

__all__ = ["background", "serve", "url_of"]


class _Server(uvicorn.Server):
    """Tells the desk at once that the end has come, so that watched renders are let go."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.config.app.state.desk.is_stopping = True  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def serve(
    settings: ServiceSettings,
    *,
    bundle: Path | None = None,
    backend: str = "auto",
    ready: Callable[[str, int], object] | None = None,
) -> None:
    """Serve until a signal comes; then finish or record every render.

    Parameters
    ----------
    settings : ServiceSettings
    bundle : Path, optional
        Networks; the embedded ones otherwise.
    backend : str
        Where they run.
    ready : callable, optional
        Called as ``ready(host, port)`` once callers are served.

    Raises
    ------
    EmoheadError
        If the networks, the folder or the address cannot be used.
    """
    with _application(settings, bundle, backend) as (app, listener):
        if ready is not None:
            ready(*listener.getsockname()[:2])
        # uvicorn raises the signal again once it has ended: that was all it was for.
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            asyncio.run(_server(app, settings).serve(sockets=[listener]))


@contextlib.contextmanager
def background(
    settings: ServiceSettings, *, bundle: Path | None = None, backend: str = "auto"
) -> Iterator[str]:
    """Serve in a thread while a block runs; for programs that bring their own service along.

    Parameters
    ----------
    settings : ServiceSettings
    bundle : Path, optional
    backend : str

    Yields
    ------
    str
        Address of the service.

    Raises
    ------
    EmoheadError
        As `serve`.
    """
    with _application(settings, bundle, backend) as (app, listener):
        server = _server(app, settings)
        thread = threading.Thread(target=server.run, args=([listener],), name="emohead-service")
        thread.start()
        try:
            yield url_of(*listener.getsockname()[:2])
        finally:
            app.state.desk.is_stopping = True
            server.should_exit = True
            thread.join()


def url_of(host: str, port: int) -> str:
    """Address that callers of this machine use."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.contextmanager
def _application(
    settings: ServiceSettings, bundle: Path | None, backend: str
) -> Iterator[tuple[FastAPI, socket.socket]]:
    """Bind the address, load the networks, put the parts together."""
    with contextlib.closing(_listen(settings)) as listener:
        head = TalkingHead.load(bundle, backend=backend)
        # Networks that hold state on a device are for one thread at a time.
        live = head if head.backend.name == "cpu" else TalkingHead.load(bundle, backend=backend)
        with JobRenderer(head, tracks=settings.tracks, worker="service") as renderer:
            yield make_app(settings, renderer, live), listener


def _server(app: FastAPI, settings: ServiceSettings) -> _Server:
    # It complains of every broken form, which is for the caller to know.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",  # the older one is deprecated by websockets
        ws_max_size=settings.max_upload_bytes,
        limit_concurrency=1000,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
    )
    return _Server(config)


def _listen(settings: ServiceSettings) -> socket.socket:
    """Bind the address before anything is loaded, for a taken port should fail at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as err:
        listener.close()
        raise InputError(
            f"cannot listen at {settings.host}:{settings.port} ({err.strerror}): "
            "choose another --port"
        ) from err
    return listener
