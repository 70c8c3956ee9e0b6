"""Stop buttons: which session's render shall end.

Gradio's own cancelling lets a generator go without closing it, and what it began renders on.
Called by the tabs. Not here: how a render ends (``rendering.py``, ``batch.py``).
"""

from __future__ import annotations

import threading

__all__ = ["Stops"]


class Stops:
    """One stop signal for each session that renders, or waits to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signals: dict[str, threading.Event] = {}

    def begin(self, session: str) -> threading.Event:
        """Give a session's next render a signal of its own."""
        with self._lock:
            return self._signals.setdefault(session, threading.Event())

    def stop(self, session: str) -> None:
        """Tell a session's render, if there is one, to end."""
        with self._lock:
            signal = self._signals.get(session)
        if signal is not None:
            signal.set()

    def end(self, session: str) -> None:
        """Forget the signal of a render that has ended."""
        with self._lock:
            self._signals.pop(session, None)
