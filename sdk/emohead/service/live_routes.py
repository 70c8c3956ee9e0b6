"""``/v1/live``: a WebSocket for sound in, pictures and sound out.

Put on by ``app.py``. Not here: the stream itself (``live_session.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from emohead.errors import EmoheadError, InputError
from emohead.head import TalkingHead
from emohead.service.guard import key_is_right
from emohead.service.live_protocol import Start
from emohead.service.live_session import CLOSE_REFUSED, CLOSE_TIMEOUT, LiveSession, read_start
from emohead.service.metrics import Metrics
from emohead.service.settings import ServiceSettings

__all__ = ["live_router"]

CLOSE_FULL = 1013
"""Try again later."""
logger = logging.getLogger(__name__)


def live_router(settings: ServiceSettings, head: TalkingHead, metrics: Metrics) -> APIRouter:
    """Make the route.

    Parameters
    ----------
    settings : ServiceSettings
    head : TalkingHead
        Used by all streams at once; one for a GPU's networks alone.
    metrics : Metrics

    Returns
    -------
    APIRouter
    """
    router = APIRouter(tags=["live"])
    free = settings.max_live

    @router.websocket("/v1/live")
    async def live(socket: WebSocket) -> None:
        nonlocal free
        await socket.accept()
        if free <= 0:
            await _end(socket, CLOSE_FULL, "FullError", "no more live streams now: try again later")
            return
        free -= 1
        metrics.live.set(settings.max_live - free)
        try:
            await _served(socket, settings, head, metrics)
        finally:
            free += 1
            metrics.live.set(settings.max_live - free)

    return router


async def _served(
    socket: WebSocket, settings: ServiceSettings, head: TalkingHead, metrics: Metrics
) -> None:
    """Run a session; the caller gets one sentence where it ends by an error."""
    try:
        start = await read_start(socket)
        _check_key(socket, start, settings)
        session = LiveSession(socket, head, metrics, settings.live_minutes * 60)
        await session.run(start)
        await _end(socket, 1000)
    except WebSocketDisconnect:
        return
    except (asyncio.TimeoutError, TimeoutError):
        await _end(socket, CLOSE_TIMEOUT, "TimeoutError", "the stream was silent or open too long")
    except EmoheadError as err:
        await _end(socket, CLOSE_REFUSED, type(err).__name__, str(err))
    except Exception as err:
        logger.exception("a live stream failed")
        await _end(socket, 1011, "InternalError", f"internal error, {type(err).__name__}")


def _check_key(socket: WebSocket, start: Start, settings: ServiceSettings) -> None:
    if settings.api_key is None:
        return
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    header = token if scheme.lower() == "bearer" else socket.headers.get("x-api-key", "")
    if not key_is_right(settings.api_key, (start.api_key or header).strip()):
        raise InputError("expected the API key in the message `start` or in a header")


async def _end(socket: WebSocket, code: int, kind: str = "", message: str = "") -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the caller may be gone
        if message:
            error = {"type": "error", "error": {"type": kind, "message": message}}
            await socket.send_text(json.dumps(error))
        await socket.close(code)
