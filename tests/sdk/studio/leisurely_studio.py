"""``emohead studio`` that takes half a second a frame for clips of three seconds, without work.

A page on a busy machine can stop such a render; a really slow one would take its cores as well.
"""

from __future__ import annotations

from typing import Any

from emohead.cli import main
from emohead.studio import rendering

LONG_FRAMES = 100
_watch = rendering.Rendering._watch


def _leisurely(self: rendering.Rendering, frame: Any) -> None:
    _watch(self, frame)
    if len(self._clip) > LONG_FRAMES:
        self._stop.wait(0.5)


if __name__ == "__main__":
    rendering.Rendering._watch = _leisurely  # type: ignore[method-assign]
    main()
