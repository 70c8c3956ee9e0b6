"""The application: parts put together, errors in one shape, an orderly end.

Called by ``running.py`` and the tests. Not here: sockets and signals.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

import emohead
from emohead.errors import InputError
from emohead.head import TalkingHead
from emohead.service.desk import Desk, Renders
from emohead.service.guard import Guard, problem
from emohead.service.health_routes import health_router
from emohead.service.live_routes import live_router
from emohead.service.metrics import Metrics
from emohead.service.render_routes import router as renders
from emohead.service.settings import ServiceSettings
from emohead.service.store import Store

__all__ = ["make_app"]

_KINDS = {
    404: "NotFoundError",
    405: "MethodError",
    409: "ConflictError",
    413: "TooLargeError",
    503: "NotReadyError",
}


def make_app(settings: ServiceSettings, renderer: Renders, head: TalkingHead) -> FastAPI:
    """Make the application; its desk works from now on, until it is shut down.

    Parameters
    ----------
    settings : ServiceSettings
    renderer : Renders
        Makes the videos, ``JobRenderer`` or what stands for it.
    head : TalkingHead
        Of the live streams.

    Returns
    -------
    FastAPI
        With its desk as ``state.desk``.

    Raises
    ------
    InputError
        If the data folder cannot be used.
    """
    metrics, store = Metrics(), Store(settings.data_dir)
    desk = Desk(settings, renderer, store, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.stop, settings.grace_s)
        store.close()

    app = FastAPI(
        title="emohead",
        version=emohead.__version__,
        description="One photo and one voice in, an emotional talking head out.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,  # the page would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.desk = desk
    app.include_router(renders)
    app.include_router(live_router(settings, head, metrics))
    app.include_router(health_router(desk, metrics))
    app.add_middleware(Guard, settings=settings, metrics=metrics, check_room=desk.check_room)
    _shape_errors(app)
    if settings.api_key is not None:
        _declare_key(app)
    return app


def _shape_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def http(request: Request, err: HTTPException) -> Response:
        kind = _KINDS.get(err.status_code, "InputError")
        headers = dict(err.headers) if err.headers else None
        return problem(err.status_code, kind, str(err.detail), headers)

    @app.exception_handler(InputError)
    async def unusable(request: Request, err: InputError) -> Response:
        return problem(422, "InputError", str(err))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, err: RequestValidationError) -> Response:
        first: dict[str, Any] = dict(err.errors()[0])
        place = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return problem(422, "InputError", f"{place}: {first['msg']}")


def _declare_key(app: FastAPI) -> None:
    """Say in the OpenAPI document that callers need a key."""
    made = app.openapi

    def with_key() -> dict[str, Any]:
        document = made()
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        schemes["header"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        for path, item in document["paths"].items():
            if not path.startswith("/health/"):
                for operation in item.values():
                    operation["security"] = [{"bearer": []}, {"header": []}]
        return document

    app.openapi = with_key  # type: ignore[method-assign]
