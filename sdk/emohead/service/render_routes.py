"""``/v1/renders``: ask for videos, watch them being made, fetch and forget them.

Put on by ``app.py``. Not here: rendering (``desk.py``), limits (``guard.py``).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import FileResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from emohead.service.desk import Desk, Entry, FullError
from emohead.service.forms import RenderForm, job_from_form
from emohead.service.guard import full_answer
from emohead.service.schema import ID_PATTERN, PING_S, Problem, Render, RenderPage

__all__ = ["COMMON", "router"]

logger = logging.getLogger(__name__)
LOOK_S: Final = 0.1
"""How often a watched render is looked at, s."""
COMMON: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "The request cannot be read."},
    401: {"model": Problem, "description": "The API key is missing or wrong."},
    403: {"model": Problem, "description": "Another host or site."},
    413: {"model": Problem, "description": "The request is too large."},
    422: {"model": Problem, "description": "A field cannot be used."},
    429: {"model": Problem, "description": "Too many requests; see Retry-After."},
}
_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "No such render, or not any more."}
}
_EVENT: Final = {
    "type": "object",
    "properties": {"event": {"const": "render"}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
"""One server-sent event; `data` is the JSON of a Render."""
router = APIRouter(prefix="/v1/renders", tags=["renders"], responses=COMMON)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


RenderId = Annotated[str, PathParam(alias="id", pattern=ID_PATTERN)]
TheDesk = Annotated[Desk, Depends(_desk)]


def _entry(desk: TheDesk, render_id: RenderId) -> Entry:
    """Find what a path names, or answer that there is none."""
    entry = desk.find(render_id)
    if entry is None:
        raise HTTPException(404, f"there is no render {render_id}: it was deleted or never was")
    return entry


TheEntry = Annotated[Entry, Depends(_entry)]


@router.post(
    "",
    status_code=202,
    responses={503: {"model": Problem, "description": "No more can wait; see Retry-After."}},
)
async def submit(
    desk: TheDesk,
    form: Annotated[RenderForm, Form(media_type="multipart/form-data")],
    response: Response,
) -> Render:
    """Ask for a video. It is made in the background: follow the Location."""
    try:
        render = await run_in_threadpool(_accepted, desk, form)
    except FullError as err:
        return full_answer(err)  # type: ignore[return-value]
    response.headers["Location"] = f"{router.prefix}/{render.id}"
    return render


@router.get("")
async def list_renders(
    desk: TheDesk,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
) -> RenderPage:
    """List renders, newest first."""
    renders, following = desk.page(limit, after)
    return RenderPage(renders=renders, next=following)


@router.get("/{id}", responses=_UNKNOWN)
async def get(entry: TheEntry) -> Render:
    """Look at a render."""
    return entry.render


@router.get(
    "/{id}/events",
    response_class=EventSourceResponse,
    responses={
        **_UNKNOWN,
        200: {
            "content": {"text/event-stream": {"schema": _EVENT}},
            "description": "Events `render`, each with a Render; the last one has ended.",
        },
    },
)
async def events(desk: TheDesk, entry: TheEntry) -> EventSourceResponse:
    """Watch a render by server-sent events, at most ten a second, until it has ended."""
    return EventSourceResponse(_changes(desk, entry), ping=PING_S)


@router.get(
    "/{id}/video",
    response_class=FileResponse,
    responses={
        **_UNKNOWN,
        200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The range that was asked for."},
        409: {"model": Problem, "description": "The render has no video, or none yet."},
        416: {"description": "There is no such range."},
    },
)
async def video(desk: TheDesk, entry: TheEntry) -> FileResponse:
    """Fetch the video of a render that is done; ranges are served."""
    render = entry.render
    if render.state != "done":
        raise HTTPException(409, f"the render is {render.state}: only done ones have a video")
    path = desk.store.video(render.id)
    if not path.is_file():
        raise HTTPException(404, f"the video of render {render.id} is gone: ask for it again")
    name = f"emohead-{render.id[:8]}.mp4"
    return FileResponse(path, media_type="video/mp4", filename=name)


@router.delete("/{id}", status_code=204, response_class=Response, responses=_UNKNOWN)
async def delete(desk: TheDesk, entry: TheEntry) -> None:
    """Cancel a render, if it has not ended, and remove everything of it."""
    await run_in_threadpool(desk.delete, entry)


def _accepted(desk: Desk, form: RenderForm) -> Render:
    """Keep the uploads and take the job in; leaves nothing where that fails."""
    try:
        folder = desk.store.new_folder()
        try:
            return desk.accept(job_from_form(form, folder), folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as err:
        logger.exception("an upload cannot be kept")
        raise HTTPException(
            503,
            f"the service cannot keep the upload ({err.strerror}): try again later",
            {"Retry-After": "60"},
        ) from err


async def _changes(desk: Desk, entry: Entry) -> AsyncIterator[ServerSentEvent]:
    seen: Render | None = None
    while True:
        render = entry.render
        if render is not seen:
            yield ServerSentEvent(event="render", data=render.model_dump_json())
            seen = render
        if render.has_ended or entry.is_deleted or desk.is_stopping:
            return
        await asyncio.sleep(LOOK_S)
