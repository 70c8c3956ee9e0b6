"""``Client``: the renders of a service, synchronously.

Not here: live streams (``live.py``), which ``Client.live`` opens.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from emohead.client.errors import (
    BusyError,
    ConnectionLostError,
    RefusedError,
    RenderFailedError,
)
from emohead.client.live import LiveClient
from emohead.closing import Closing
from emohead.errors import BackendError, InputError
from emohead.jobs.schema import FILES
from emohead.reading import checked_file, first_problem, read_file
from emohead.service.live_protocol import Start
from emohead.service.schema import PING_S, Render, RenderPage
from emohead.whole_files import whole_file

__all__ = ["Client"]

_BUSY: Final = (429, 503)
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
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        patience_s: float = 0.0,
    ) -> None:
        try:
            import httpx
        except ImportError as err:
            raise BackendError(
                "expected the extra `client`, but httpx cannot be imported; "
                "run `pip install 'emohead[client]'`"
            ) from err
        self._httpx: Any = httpx
        self.url = url.rstrip("/")
        self._key, self._timeout_s, self._patience_s = api_key, timeout_s, patience_s
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._http: Any = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)

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

        def send() -> Any:
            with ExitStack() as opened:
                parts = {
                    name: (Path(path).name, opened.enter_context(_open(path)))
                    for name, path in files.items()
                }
                return self._http.post("/v1/renders", data=data, files=parts)

        return Render.model_validate(self._answer(send).json())

    def get(self, render_id: str) -> Render:
        """Look at a render; RefusedError with status 404 where there is none."""
        answer = self._answer(lambda: self._http.get(f"/v1/renders/{render_id}"))
        return Render.model_validate(answer.json())

    def renders(self) -> Iterator[Render]:
        """List all renders, newest first, a page at a time; each once, whatever goes meanwhile."""
        after: str | None = None
        seen: set[str] = set()
        while True:
            params = {"limit": str(_PAGE)} | ({} if after is None else {"after": after})
            answer = self._answer(partial(self._http.get, "/v1/renders", params=params))
            page = RenderPage.model_validate(answer.json())
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
                raise TimeoutError(f"the render {render_id} has not ended in {timeout_s} s")
            time.sleep(max(0.0, min(_WATCH_PAUSE_S, deadline - time.monotonic())))

    def _watched(self, render_id: str, deadline: float) -> Generator[Render | None, None, None]:
        """Give a render whenever it has changed, and None when the service says that it has not.

        Ends with the service's answer, or where nothing comes before the deadline.
        """
        left_s = max(_LOOK_S, deadline - time.monotonic())
        timeout = self._httpx.Timeout(self._timeout_s, read=min(_QUIET_S, left_s))
        try:
            with self._opened(f"/v1/renders/{render_id}/events", timeout=timeout) as answer:
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
        target, video = Path(path), self._opened(f"/v1/renders/{render_id}/video")
        with whole_file(target, "video") as place, video as answer, place.open("wb") as file:
            for block in answer.iter_bytes():
                file.write(block)
        return target

    def cancel(self, render_id: str) -> None:
        """Cancel a render, and remove everything of it."""
        self._answer(lambda: self._http.delete(f"/v1/renders/{render_id}"))

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
        self._http.close()

    def _answer(self, send: Callable[[], Any]) -> Any:
        """Send, and send again while the service is busy and there is patience."""
        deadline = time.monotonic() + self._patience_s
        while True:
            with self._errors():
                answer = send()
            try:
                self._check(answer)
            except BusyError as err:
                if time.monotonic() + err.retry_s > deadline:
                    raise
                time.sleep(err.retry_s)
            else:
                return answer

    @contextmanager
    def _opened(self, address: str, **how: Any) -> Iterator[Any]:
        """Open an answer that is read while it comes, once the service is not busy."""
        with ExitStack() as opened, self._errors():
            yield self._answer(
                lambda: opened.enter_context(self._http.stream("GET", address, **how))
            )

    def _check(self, answer: Any) -> None:
        """Turn an answer that is an error into an exception."""
        if answer.status_code < 400:
            return
        answer.read()
        try:
            message = str(answer.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = f"the service answered {answer.status_code}"
        if answer.status_code in _BUSY:
            raise BusyError(message, _seconds(answer.headers.get("retry-after")))
        raise RefusedError(message, answer.status_code)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._httpx.HTTPError as err:
            raise ConnectionLostError(
                f"{self.url} cannot be reached ({err}): is `emohead serve` running there?"
            ) from err


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


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 1.0
