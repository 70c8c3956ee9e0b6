"""TensorBoard: losses, validation figures, learning rates and pictures, where it is installed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Board"]

log = logging.getLogger(__name__)


class Board:
    """Event files of one run; does nothing where they are not wanted or TensorBoard is missing.

    Parameters
    ----------
    folder : Path
        Where the event files go.
    step : int
        Step that the run continues from; what an interrupted run wrote beyond it is dropped.
    wanted : bool
    """

    def __init__(self, folder: Path, step: int, wanted: bool) -> None:
        self._writer: Any = None
        if not wanted:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            log.warning("tensorboard is not installed: no event files")
            return
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)  # type: ignore[no-untyped-call]

    def scalars(self, step: int, figures: Mapping[str, float]) -> None:
        """Add figures; a name's part before the slash is its group."""
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step)

    def pictures(self, step: int, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Add (H, W, 3) RGB pictures."""
        if self._writer is not None:
            for name, picture in pictures.items():
                self._writer.add_image(name, picture, step, dataformats="HWC")
            self._writer.flush()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
