"""A client of ``emohead serve``: ask for videos, wait, watch, fetch; and live streams.

>>> from emohead.client import Client
>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     render = client.submit("face.jpg", "speech.wav", emotion="happy")
...     client.download(client.wait(render.id).id, "happy.mp4")

Needs the extra ``client``. It needs no networks and opens no bundle.
Not here: the service (``emohead.service``).
"""

from __future__ import annotations

from emohead.client.errors import (
    BusyError,
    ConnectionLostError,
    RefusedError,
    RenderFailedError,
    ServiceError,
)
from emohead.client.http import Client
from emohead.client.live import LiveClient
from emohead.service.live_protocol import Media
from emohead.service.schema import Progress, Render

__all__ = [
    "BusyError",
    "Client",
    "ConnectionLostError",
    "LiveClient",
    "Media",
    "Progress",
    "RefusedError",
    "Render",
    "RenderFailedError",
    "ServiceError",
]
