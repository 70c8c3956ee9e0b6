"""``/v1/live``: a WebSocket for sound in, pictures and sound out.

Put on by ``app.py``. Not here: the stream itself (``live_session.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from emohead.errors import EmoheadError, InputError
from emohead.head import TalkingHead
from emohead.service.guard import given_key, key_is_right
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
    seats = _Seats(settings.max_live, metrics)

    @router.websocket("/v1/live")
    async def live(socket: WebSocket) -> None:
        """Run a session; the caller gets one sentence where it ends by an error."""
        await socket.accept()
        try:
            start = await read_start(socket)
            _check_key(socket, start, settings)
            with seats.one():
                session = LiveSession(socket, head, metrics, settings.live_minutes * 60)
                await session.run(start)
            await _end(socket, 1000)
        except WebSocketDisconnect:
            return
        except Exception as err:
            await _end(socket, *_reason(err))

    return router


class _NoSeatError(Exception):
    """As many live streams are open as may be."""


class _Seats:
    """Live streams that may be open at once; counted on the event loop alone."""

    def __init__(self, number: int, metrics: Metrics) -> None:
        self._number, self._taken, self._metrics = number, 0, metrics

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Take a seat while a block runs; only callers with the right key get here."""
        if self._taken >= self._number:
            raise _NoSeatError
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        self._taken += more
        self._metrics.live.set(self._taken)


def _check_key(socket: WebSocket, start: Start, settings: ServiceSettings) -> None:
    if settings.api_key is None:
        return
    given = start.api_key or given_key(socket.headers)
    if not key_is_right(settings.api_key, given.strip()):
        raise InputError("expected the API key in the message `start` or in a header")


def _reason(err: Exception) -> tuple[int, str, str]:
    """Code, kind and sentence with which a stream is closed."""
    if isinstance(err, _NoSeatError):
        return CLOSE_FULL, "FullError", "no more live streams now: try again later"
    if isinstance(err, asyncio.TimeoutError | TimeoutError):
        return CLOSE_TIMEOUT, "TimeoutError", "the stream was silent or open too long"
    if isinstance(err, EmoheadError):
        return CLOSE_REFUSED, type(err).__name__, str(err)
    logger.error("a live stream failed", exc_info=err)
    return 1011, "InternalError", f"internal error, {type(err).__name__}"


async def _end(socket: WebSocket, code: int, kind: str = "", message: str = "") -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the caller may be gone
        if message:
            error = {"type": "error", "error": {"type": kind, "message": message}}
            await socket.send_text(json.dumps(error))
        await socket.close(code)
