"""Requests to one service: patience while it is busy, and its errors as exceptions.

Called by ``http.py``. Not here: what is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from emohead.client.errors import BusyError, ConnectionLostError, RefusedError
from emohead.closing import Closing
from emohead.errors import BackendError, InputError

__all__ = ["Transport"]

_BUSY: Final = (429, 503)
Model = TypeVar("Model", bound=BaseModel)


class Transport(Closing):
    """Sends requests over connections that stay open.

    Parameters
    ----------
    url : str
        Where the service is, without a slash at the end.
    api_key : str or None
    timeout_s : float
        How long one answer may take, s.
    patience_s : float
        How long to try again while the service is busy, s.

    Raises
    ------
    BackendError
        If the extra ``client`` is not installed.
    InputError
        If `url` is none.
    """

    def __init__(
        self, url: str, *, api_key: str | None, timeout_s: float, patience_s: float
    ) -> None:
        try:
            import httpx
        except ImportError as err:
            raise BackendError(
                "expected the extra `client`, but httpx cannot be imported; "
                "run `pip install 'emohead[client]'`"
            ) from err
        self._httpx: Any = httpx
        self._url, self._timeout_s, self._patience_s = url, timeout_s, patience_s
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        try:
            self._http: Any = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        except httpx.InvalidURL as err:
            raise InputError(f"expected the address of a service, got {url!r} ({err})") from err

    def get(self, path: str, model: type[Model], **params: str) -> Model:
        """Fetch a record.

        Raises
        ------
        RefusedError, BusyError
            As the service says.
        ConnectionLostError
            If it cannot be reached, or answers something else.
        """
        return self._read(self.answer(lambda: self._http.get(path, params=params)), model)

    def post(self, path: str, model: type[Model], form: Callable[[], dict[str, Any]]) -> Model:
        """Send a form, made anew for each try, and read the record that is answered; as `get`."""
        return self._read(self.answer(lambda: self._http.post(path, **form())), model)

    def delete(self, path: str) -> None:
        """Remove what a path names; raises as `get`."""
        self.answer(lambda: self._http.delete(path))

    @contextmanager
    def opened(self, path: str, *, quiet_s: float | None = None) -> Iterator[Any]:
        """Open an answer that is read while it comes.

        Parameters
        ----------
        path : str
        quiet_s : float, optional
            How long it may be silent, s; as long as an answer may take by default.

        Yields
        ------
        httpx.Response
        """
        silence_s = self._timeout_s if quiet_s is None else quiet_s
        timeout = self._httpx.Timeout(self._timeout_s, read=silence_s)
        with ExitStack() as opened, self._errors():
            yield self.answer(
                lambda: opened.enter_context(self._http.stream("GET", path, timeout=timeout))
            )

    def answer(self, send: Callable[[], Any]) -> Any:
        """Send, and send again while the service is busy and there is patience."""
        deadline = time.monotonic() + self._patience_s
        while True:
            with self._errors():
                answer = send()
                busy = _refusal(answer)
            if busy is None:
                return answer
            if time.monotonic() + busy.retry_s > deadline:
                raise busy
            time.sleep(busy.retry_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read(self, answer: Any, model: type[Model]) -> Model:
        with self._errors():
            return model.model_validate_json(answer.content)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._httpx.HTTPError as err:
            raise ConnectionLostError(
                f"{self._url} cannot be reached ({err}): is `emohead serve` running there?"
            ) from err
        except ValidationError as err:
            raise ConnectionLostError(
                f"{self._url} answers what no service of emohead does: check the address"
            ) from err


def _refusal(answer: Any) -> BusyError | None:
    """Return that the service is busy; raises RefusedError for what will not change by waiting."""
    if answer.status_code < 400:
        return None
    answer.read()
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the service answered {answer.status_code}"
    if answer.status_code in _BUSY:
        retry = answer.headers.get("retry-after", "")
        return BusyError(message, float(retry) if retry.isdigit() else 1.0)
    raise RefusedError(message, answer.status_code)
