"""Where one source of looks follows another: no jump, the difference fades.

A seam is sewn where an utterance begins, ends, waits for sound or is interrupted.
Called by ``director.py``. Not here: where looks come from (``performance.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.performance import Looks
from emohead.stages import NUM_LANDMARKS

__all__ = ["FACE_S", "HEAD_S", "Seam"]

FACE_S: Final = 0.2
"""Time in which a face settles: as fast as a mouth closes."""
HEAD_S: Final = 0.9
"""Time in which a head settles: as slowly as its spring lets it return."""

Array = NDArray[np.float64]
_NUM_FACE: Final = NUM_LANDMARKS * 3


class Seam:
    """Keeps looks continuous across changes of their source.

    Parameters
    ----------
    fps : int
        Frames a second.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._source: object = None
        self._last: Array | None = None
        self._away: Array | None = None
        self._since = 0

    def sewn(self, look: Looks, source: object) -> Looks:
        """Move one look towards the last one where `source` has just changed.

        Parameters
        ----------
        look : Looks
            One.
        source : object
            Whose look it is; compared by identity.

        Returns
        -------
        Looks
            One; the seam itself stays as it is until the look is ``shown``.
        """
        rows = look.rows
        away, since = self._away_from(rows, source)
        return look if away is None else Looks.from_rows(rows + self._weights(since) * away)

    def shown(self, look: Looks, sewn: Looks, source: object) -> None:
        """Remember that `look` of `source` was given, as `sewn`."""
        self._away, self._since = self._away_from(look.rows, source)
        if self._since >= max(FACE_S, HEAD_S) * self._fps:
            self._away = None
        self._last, self._source = sewn.rows, source

    def _away_from(self, rows: Array, source: object) -> tuple[Array | None, int]:
        if source is self._source or self._last is None:
            return self._away, self._since + 1
        return self._last - rows, 1

    def _weights(self, since: int) -> Array:
        """Shares (210,) of the difference that are left `since` frames after it arose."""
        face, head = (
            0.5 + 0.5 * np.cos(np.pi * min(1.0, since / self._fps / s)) for s in (FACE_S, HEAD_S)
        )
        return np.concatenate([np.full(_NUM_FACE, face), np.full(6, head)])
