"""The numbers that the paper prints, to stand beside ours: other data, another size, no comparison.

Called by ``report.py`` and ``html.py``. Nothing here was measured by this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CAVEAT", "OURS_BY_METRIC", "PRINTED", "PrintedRow"]

CAVEAT: Final = (
    "Printed in Table 2 of the paper, measured by its authors on RAVDESS and CREMA-D video at full "
    "strength. Other footage, another feature network, another unit of LMD: not comparable with "
    "our columns, which are there for orientation only."
)


@dataclass(frozen=True, kw_only=True)
class PrintedRow:
    """One method's row of Table 2."""

    method: str
    """As the paper calls it."""
    cpbd: tuple[float, float]
    """RAVDESS, CREMA-D; higher is better."""
    fid: tuple[float, float]
    """RAVDESS, CREMA-D; lower is better."""
    csim: tuple[float, float]
    """RAVDESS, CREMA-D; higher is better."""
    lmd: tuple[float, float]
    """RAVDESS, CREMA-D; lower is better; unit not given."""


PRINTED: Final = (
    PrintedRow(
        method="Vougioukas et al.",
        cpbd=(0.243, 0.176),
        fid=(265.86, 135.20),
        csim=(0.165, 0.214),
        lmd=(0.901, 0.778),
    ),
    PrintedRow(
        method="Chen et al.",
        cpbd=(0.042, 0.073),
        fid=(66.78, 103.06),
        csim=(0.265, 0.458),
        lmd=(0.989, 0.674),
    ),
    PrintedRow(
        method="Zhou et al.",
        cpbd=(0.325, 0.395),
        fid=(77.05, 89.025),
        csim=(0.457, 0.761),
        lmd=(0.713, 0.658),
    ),
    PrintedRow(
        method="the paper's own",
        cpbd=(0.336, 0.442),
        fid=(14.62, 22.25),
        csim=(0.516, 0.773),
        lmd=(0.705, 0.326),
    ),
)
"""Table 2, in its order."""

OURS_BY_METRIC: Final = {
    "cpbd": ("cpbd", "cpbd_from_audio"),
    "fid": ("fid", None),
    "csim": ("csim", "csim_from_audio"),
    "lmd": ("lmd", "lmd_from_audio"),
}
"""Our nearest numbers: from true landmarks, and from sound alone."""
