"""``Client``: the renders of a service, synchronously.

Not here: requests themselves (``transport.py``); live streams (``live.py``), which ``Client.live``
opens.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from emohead.client.errors import ConnectionLostError, RenderFailedError
from emohead.client.live import LiveClient
from emohead.client.transport import Transport
from emohead.closing import Closing
from emohead.errors import InputError
from emohead.jobs.schema import FILES
from emohead.reading import checked_file, first_problem, read_file
from emohead.service.live_protocol import Start
from emohead.service.schema import PING_S, Render, RenderPage
from emohead.whole_files import whole_file

__all__ = ["Client"]

_RENDERS: Final = "/v1/renders"
_PAGE: Final = 100
"""Renders asked for at once."""
_QUIET_S: Final = 3.0 * PING_S
"""After how long without a word a watched service counts as lost."""
_LOOK_S: Final = 1.0
"""How long a single look at a render may take, however soon the deadline is."""
_WATCH_PAUSE_S: Final = 1.0
"""Between two tries to watch."""


class Client(Closing):
    """Talks to one service; use it as a context manager, from one thread at a time.

    Parameters
    ----------
    url : str
        Where the service is, for example ``http://127.0.0.1:8000``.
    api_key : str, optional
        What it wants to see.
    timeout_s : float
        How long one answer may take, s.
    patience_s : float
        How long to try again while the service is busy, s; 0 raises ``BusyError`` at once.

    Raises
    ------
    BackendError
        If the extra ``client`` is not installed.
    InputError
        If `url` is none.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        patience_s: float = 0.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._key = api_key
        self._service = Transport(
            self.url, api_key=api_key, timeout_s=timeout_s, patience_s=patience_s
        )

    def submit(self, face: str | Path, speech: str | Path, **fields: Any) -> Render:
        """Ask for a video.

        Parameters
        ----------
        face, speech : str or Path
            Photo, and audio or video file.
        **fields
            As ``emohead.jobs.Job`` has them: ``emotion`` (text, weights by name), ``strength``,
            ``seed``, ``fps``, …; ``emotion_track``, ``emotion_from``, ``landmarks``,
            ``landmarks_from`` and ``style`` are paths.

        Returns
        -------
        Render
            Queued; its ``id`` is what the other methods take.

        Raises
        ------
        InputError
            If a file cannot be read.
        RefusedError
            If the service cannot use a field.
        BusyError
            If no more renders can wait.
        """
        files = {"face": face, "speech": speech}
        files |= {name: fields.pop(name) for name in FILES if fields.get(name) is not None}
        data = {name: _text(value) for name, value in fields.items() if value is not None}
        with ExitStack() as opened:

            def form() -> dict[str, Any]:
                opened.close()  # of a try before
                parts = {
                    n: (Path(f).name, opened.enter_context(_open(f))) for n, f in files.items()
                }
                return {"data": data, "files": parts}

            return self._service.post(_RENDERS, Render, form)

    def get(self, render_id: str) -> Render:
        """Look at a render; RefusedError with status 404 where there is none."""
        return self._service.get(f"{_RENDERS}/{render_id}", Render)

    def renders(self) -> Iterator[Render]:
        """List all renders, newest first, a page at a time; each once, whatever goes meanwhile."""
        after: str | None = None
        seen: set[str] = set()
        while True:
            where = {} if after is None else {"after": after}
            page = self._service.get(_RENDERS, RenderPage, limit=str(_PAGE), **where)
            # Where the last one of a page was removed, the service begins again.
            yield from (render for render in page.renders if render.id not in seen)
            seen.update(render.id for render in page.renders)
            after = page.next
            if after is None:
                return

    def events(self, render_id: str) -> Iterator[Render]:
        """Watch a render until it has ended.

        Parameters
        ----------
        render_id : str

        Yields
        ------
        Render
            Whenever it has changed; the last one has ended, unless the service stops.
        """
        yield from (render for render in self._watched(render_id, math.inf) if render is not None)

    def wait(
        self,
        render_id: str,
        *,
        timeout_s: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Render:
        """Wait until a render is done.

        Parameters
        ----------
        render_id : str
        timeout_s : float, optional
            How long at most, s; it is noticed a quarter of a minute later at the latest.
        progress : callable, optional
            Called as ``progress(done, total)``.

        Returns
        -------
        Render
            Done.

        Raises
        ------
        RenderFailedError
            If it ended in another way.
        TimeoutError
            If it takes longer.
        """
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with closing(self._watched(render_id, deadline)) as seen:
                for render in seen:
                    if render is not None and progress is not None and render.progress.total:
                        progress(render.progress.done, render.progress.total)
                    if render is not None and render.has_ended:
                        return _done(render)
                    if time.monotonic() >= deadline:
                        break
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"the render {render_id} has not ended in {timeout_s} s: wait on"
                )
            time.sleep(max(0.0, min(_WATCH_PAUSE_S, deadline - time.monotonic())))

    def _watched(self, render_id: str, deadline: float) -> Generator[Render | None, None, None]:
        """Give a render whenever it has changed, and None when the service says that it has not.

        Ends with the service's answer, or where nothing comes before the deadline.
        """
        quiet_s = min(_QUIET_S, max(_LOOK_S, deadline - time.monotonic()))
        events = self._service.opened(f"{_RENDERS}/{render_id}/events", quiet_s=quiet_s)
        try:
            with events as answer:
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        yield Render.model_validate_json(line.removeprefix("data:"))
                    elif line.startswith(":"):
                        yield None
        except ConnectionLostError:
            if time.monotonic() < deadline:
                raise

    def download(self, render_id: str, path: str | Path) -> Path:
        """Fetch a video, whole or not at all.

        Parameters
        ----------
        render_id : str
            Of a render that is done.
        path : str or Path
            Where the video appears.

        Returns
        -------
        Path

        Raises
        ------
        InputError
            If it cannot be written.
        """
        target, video = Path(path), self._service.opened(f"{_RENDERS}/{render_id}/video")
        with whole_file(target, "video") as place, video as answer, place.open("wb") as file:
            for block in answer.iter_bytes():
                file.write(block)
        return target

    def cancel(self, render_id: str) -> None:
        """Cancel a render, and remove everything of it."""
        self._service.delete(f"{_RENDERS}/{render_id}")

    def live(self, face: str | Path, **how: Any) -> LiveClient:
        """Open a live stream.

        Parameters
        ----------
        face : str or Path
            Photo.
        **how
            As ``emohead.service.live_protocol.Start`` has them: ``sample_rate``, ``fps``,
            ``format``, ``emotion``, ….

        Returns
        -------
        LiveClient
            A context manager.

        Raises
        ------
        InputError
            If the photo cannot be read, or a setting cannot be used.
        RefusedError, BusyError, ConnectionLostError
            As ``LiveClient``.
        """
        photo = read_file(face, "the face image", "check the path", limit="image_bytes")
        try:
            start = Start(**{**how, "api_key": self._key})
        except ValidationError as err:
            place, problem = first_problem(err, "settings")
            raise InputError(
                f"the stream's {place} cannot be used ({problem}): see docs/service.md"
            ) from err
        return LiveClient(f"ws{self.url.removeprefix('http')}/v1/live", photo, start)

    def close(self) -> None:
        """Close the connections."""
        self._service.close()


def _done(render: Render) -> Render:
    if render.state == "done":
        return render
    why = render.error.message if render.error is not None else render.state
    raise RenderFailedError(f"the render {render.id} is {render.state}: {why}")


def _open(path: str | Path) -> Any:
    try:
        return checked_file(path, "the file", "check the path").open("rb")
    except OSError as err:
        raise InputError(f"{path} cannot be read ({err.strerror}): check the path") from err


def _text(value: Any) -> str:
    """Write a field as the form has it."""
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return ",".join(str(number) for number in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
