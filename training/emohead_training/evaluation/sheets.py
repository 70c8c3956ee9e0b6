"""Contact sheets: anchor, true frames, ours and the warp, one picture a clip.

Who calls: ``evaluate.py``. Pictures of the corpus' people are for looking at, never for publishing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emohead_training.evaluation.pixels import Frames, PixelCase

__all__ = ["SheetWriter"]

COLUMNS = 5


class SheetWriter:
    """Writes one sheet per case.

    Parameters
    ----------
    folder : Path
        Made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, case: PixelCase, made: dict[str, Frames]) -> None:
        """Write the sheet of a case: rows true, ours, warp; first column the anchor."""
        import cv2

        shown = np.linspace(0, len(case.frames) - 1, COLUMNS).round().astype(int)
        rows = [case.frames[shown], made[""][shown], made["_warp"][shown]]
        strips = [np.concatenate((case.anchor, *row), axis=1) for row in rows]
        name = f"{case.clip.source}-{case.clip.path.stem}.png"
        picture = cv2.cvtColor(np.concatenate(strips), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(self._folder / name), picture)
