"""What stands before every request: hosts, origin, key, rate, room, size. Plain ASGI.

It answers before a body is read, and counts bytes while it is. Put on by ``app.py``.
Not here: what a request means.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emohead.service.desk import FullError
from emohead.service.metrics import Metrics
from emohead.service.settings import LOOPBACK_NAMES, ServiceSettings

__all__ = ["Guard", "RateLimiter", "full_answer", "given_key", "key_is_right", "problem"]

OPEN: Final = ("/health/live", "/health/ready")
"""Paths that need no key and count for no limit."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MAX_CALLERS: Final = 10_000
_DRAIN_S: Final = 2.0


def problem(
    status: int, kind: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Make the answer that every error has."""
    body = {"error": {"type": kind, "message": message}}
    return JSONResponse(body, status_code=status, headers=headers)


def given_key(headers: Headers) -> str:
    """Find the key that a caller presents, as a bearer's token or in a header of its own."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return (token if scheme.lower() == "bearer" else headers.get("x-api-key", "")).strip()


def key_is_right(wanted: str, given: str) -> bool:
    """Compare two keys in a time that tells nothing of where they differ."""
    digests = (hashlib.sha256(text.encode()).digest() for text in (wanted, given))
    return hmac.compare_digest(*digests)


class RateLimiter:
    """A bucket of tokens per caller, refilled evenly.

    Parameters
    ----------
    per_minute : int
        Requests; 0 for no limit.
    clock : callable
        Time, s.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = per_minute / 60, clock
        self._room = float(max(1, per_minute))
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Take a token, or say how long to wait for one, s."""
        if self._rate == 0:
            return 0.0
        now = self._clock()
        tokens, then = self._buckets.pop(caller, (self._room, now))
        tokens = min(self._room, tokens + (now - then) * self._rate)
        is_free = tokens >= 1
        self._buckets[caller] = (tokens - 1 if is_free else tokens, now)
        while len(self._buckets) > _MAX_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if is_free else (1 - tokens) / self._rate


class Guard:
    """The middleware.

    Parameters
    ----------
    app : ASGI application
    settings : ServiceSettings
    metrics : Metrics
    check_room : callable
        Raises FullError where no render can wait.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServiceSettings,
        metrics: Metrics,
        check_room: Callable[[], None],
    ) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._check_room = check_room
        self._limiter = RateLimiter(settings.rate)
        names = (*LOOPBACK_NAMES, settings.host, *settings.allowed_hosts)
        self._hosts = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._stranger(headers) or self._rate(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._http(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        if answer is not None:
            await answer(scope, receive, send)
            await _drain(receive, self._settings.max_upload_bytes)
            return
        limited = _Limited(receive, self._settings.max_upload_bytes, self._size_message())
        await self._app(scope, limited.receive, send)
        if limited.is_over:
            await _drain(receive, self._settings.max_upload_bytes)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        """Answer what must not pass; None for what may."""
        if scope["path"] in OPEN:
            return None
        return (
            self._stranger(headers)
            or self._keyless(headers)
            or self._rate(scope)
            or self._oversized(headers)
            or self._full(scope)
        )

    def _stranger(self, headers: Headers) -> JSONResponse | None:
        """Refuse pages of other sites, and names that were bent to point here."""
        host = _host_of(f"//{headers.get('host', '')}")
        if self._settings.api_key is None and host not in self._hosts:
            known = ", ".join(sorted(self._hosts))
            message = f"expected the host to be one of {known}: add another by --allow-host"
            return problem(403, "ForbiddenError", message)
        origin = headers.get("origin")
        if origin is not None and _netloc_of(origin) != headers.get("host"):
            return problem(403, "ForbiddenError", "pages of other sites may not use this service")
        return None

    def _keyless(self, headers: Headers) -> JSONResponse | None:
        wanted = self._settings.api_key
        if wanted is None:
            return None
        if key_is_right(wanted, given_key(headers)):
            return None
        message = "expected the API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
        return problem(401, "UnauthorizedError", message, {"WWW-Authenticate": "Bearer"})

    def _rate(self, scope: Scope) -> JSONResponse | None:
        client = scope.get("client")
        wait_s = self._limiter.wait_s(client[0] if client else "")
        if wait_s == 0:
            return None
        message = f"more than {self._settings.rate} requests a minute: wait {wait_s:.1f} s"
        return problem(429, "RateError", message, {"Retry-After": str(int(wait_s) + 1)})

    def _oversized(self, headers: Headers) -> JSONResponse | None:
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and len(length) < 19:
            if int(length) <= self._settings.max_upload_bytes:
                return None
            return problem(413, "TooLargeError", self._size_message())
        return problem(400, "InputError", "the content length must be a number of bytes")

    def _size_message(self) -> str:
        limit = self._settings.max_upload_mb
        return f"the request is larger than {limit} MB: shorten or compress the files"

    def _full(self, scope: Scope) -> JSONResponse | None:
        """Refuse uploads that could not be accepted, before they are read."""
        if (scope["method"], scope["path"]) != ("POST", "/v1/renders"):
            return None
        try:
            self._check_room()
        except FullError as err:
            return full_answer(err)
        return None


def full_answer(err: FullError) -> JSONResponse:
    """Answer that no more renders can wait now."""
    message = f"no more renders can wait now: try again in {err.retry_s} s"
    return problem(503, "FullError", message, {"Retry-After": str(err.retry_s)})


class _Limited:
    """Counts the bytes of a body that comes without a length, or with a wrong one."""

    def __init__(self, receive: Receive, limit: int, message: str) -> None:
        self._receive, self._left, self._message = receive, limit, message

    @property
    def is_over(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.is_over:
            raise HTTPException(413, self._message)
        return message


async def _drain(receive: Receive, limit: int) -> None:
    """Read what is still coming for a moment, or the caller sees a reset instead of the answer."""

    async def read() -> None:
        left = limit
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), _DRAIN_S)


def _netloc_of(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _host_of(address: str) -> Any:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
