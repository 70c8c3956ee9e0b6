"""``LiveClient``: sound in, pictures and sound out, over a WebSocket.

Made by ``Client.live``. Not here: what the messages mean (``emohead.service.live_protocol``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emohead.client.errors import BusyError, ConnectionLostError, RefusedError
from emohead.closing import Closing
from emohead.errors import BackendError
from emohead.service.live_protocol import Media, Start, unpack

__all__ = ["LiveClient"]


class LiveClient(Closing):
    """A live stream; use it as a context manager. One thread may send, another iterate.

    Parameters
    ----------
    url : str
        ``ws://…/v1/live``.
    photo : bytes
        Image file.
    start : Start
        How the face shall act.

    Raises
    ------
    RefusedError
        If the service cannot use photo, key or settings.
    BusyError
        If it has no live stream free.
    ConnectionLostError
        If it cannot be reached.
    """

    def __init__(self, url: str, photo: bytes, start: Start) -> None:
        try:
            from websockets.exceptions import ConcurrencyError, ConnectionClosed, WebSocketException
            from websockets.sync.client import connect
        except ImportError as err:
            raise BackendError(
                "expected the extra `client`, but websockets cannot be imported; "
                "run `pip install 'emohead[client]'`"
            ) from err
        self._closed: Any = ConnectionClosed
        self._in_use: Any = ConcurrencyError
        self._opened = ExitStack()
        try:
            self._socket: Any = self._opened.enter_context(connect(url, max_size=None))
        except (OSError, WebSocketException) as err:
            raise ConnectionLostError(
                f"{url} cannot be reached ({err}): is `emohead serve` running there?"
            ) from err
        try:
            self._send(start.model_dump_json(exclude_none=True))
            self._send(photo)
            self.ready: dict[str, Any] = json.loads(self._receive() or "{}")
        except BaseException:
            self._opened.close()
            raise

    def push(self, pcm: NDArray[np.int16] | NDArray[np.float32] | bytes) -> None:
        """Send the next sound.

        Parameters
        ----------
        pcm : (n,) int16 or float32 in [-1, 1], or bytes
            Mono, at the stream's rate; bytes are int16, little-endian.
        """
        if isinstance(pcm, np.ndarray):
            if pcm.dtype != np.int16:
                pcm = np.clip(np.round(pcm * 32768.0), -32768, 32767).astype(np.int16)
            pcm = pcm.astype("<i2").tobytes()
        self._send(pcm)

    def flush(self) -> None:
        """End the utterance: its last frames wait for no more sound."""
        self._command("flush")

    def interrupt(self) -> None:
        """Fall silent at once."""
        self._command("interrupt")

    def clear_buffer(self) -> None:
        """Forget sound that the face has not heard."""
        self._command("clear")

    def stop(self) -> None:
        """Say the rest, then end; iterate to get it."""
        self._command("stop")

    def __iter__(self) -> Iterator[Media]:
        """Give pictures and sound as they come, until the stream ends.

        Yields
        ------
        Media
            A picture, then the sound that belongs to it.

        Raises
        ------
        RefusedError
            If the service ended the stream, with its reason.
        """
        while (message := self._receive()) is not None:
            if isinstance(message, bytes):
                yield unpack(message)

    def close(self) -> None:
        """Leave, whatever is left to come."""
        self._opened.close()

    def _command(self, word: str) -> None:
        self._send(json.dumps({"type": word}))

    def _send(self, message: str | bytes) -> None:
        try:
            self._socket.send(message)
        except self._closed:
            with suppress(self._in_use):  # whoever iterates gets it
                self._skip_to_end()
            raise ConnectionLostError("the live stream has ended: open another one") from None

    def _skip_to_end(self) -> None:
        """Raise what the service said at the end, behind what it had sent before."""
        while self._receive() is not None:
            pass

    def _receive(self) -> str | bytes | None:
        """Take the next message; None at an orderly end."""
        try:
            message: str | bytes = self._socket.recv()
        except self._closed as err:
            code = err.rcvd.code if err.rcvd is not None else 1006
            if code == 1000:
                return None
            raise ConnectionLostError(
                f"the live stream was closed ({code}): open another one"
            ) from err
        if isinstance(message, str) and (failure := json.loads(message)).get("type") == "error":
            text = str(failure["error"]["message"])
            if failure["error"]["type"] == "FullError":
                raise BusyError(text, 1.0)
            raise RefusedError(text)
        return message
