"""Contact sheets: anchor, true frames, ours and the warp, one picture a clip.

Who calls: ``evaluate.py``. Pictures of the corpus' people are for looking at, never for publishing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from emohead_training.evaluation.pixels import Frames, PixelCase

__all__ = ["SheetWriter", "sheet"]

COLUMNS = 5


def sheet(case: PixelCase, made: Mapping[str, Frames]) -> Frames:
    """Lay out a case: rows true, ours, warp; first column the anchor.

    Parameters
    ----------
    case : PixelCase
    made : mapping of suffix to (n, 256, 256, 3) uint8
        Frames by their maker.

    Returns
    -------
    (768, 1536, 3) uint8 ndarray
        RGB.
    """
    shown = np.linspace(0, len(case.frames) - 1, COLUMNS).round().astype(int)
    lines = [case.frames[shown], made[""][shown], made["_warp"][shown]]
    return np.concatenate([np.concatenate((case.anchor, *line), axis=1) for line in lines])


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

    def __call__(self, case: PixelCase, made: Mapping[str, Frames]) -> None:
        """Write the sheet of a case."""
        import cv2

        name = f"{case.clip.source}-{case.clip.path.stem}.png"
        picture = cv2.cvtColor(sheet(case, made), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(self._folder / name), picture)
