"""``/health/live``, ``/health/ready``, ``/metrics``."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from emohead.service.desk import Desk
from emohead.service.guard import problem
from emohead.service.metrics import Metrics
from emohead.service.render_routes import COMMON
from emohead.service.schema import Problem

__all__ = ["health_router"]


class Health(BaseModel):
    """That the service is there."""

    status: Literal["ok"] = "ok"


def health_router(desk: Desk, metrics: Metrics) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live")
    async def live() -> Health:
        """Whether the process answers."""
        return Health()

    @router.get(
        "/health/ready",
        response_model=Health,
        responses={503: {"model": Problem, "description": "It takes no renders now."}},
    )
    async def ready() -> Health | Response:
        """Whether renders are accepted and made."""
        if desk.is_well:
            return Health()
        return problem(503, "NotReadyError", "the service stops, or cannot render any more")

    @router.get("/metrics", response_class=PlainTextResponse, responses=COMMON)
    async def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
