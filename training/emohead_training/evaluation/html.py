"""The self-contained HTML report: tables, plots and contact sheets in one file that opens offline.

Called by ``emohead-train evaluate --html``. Not here: what is said (``report.py``, ``plots.py``).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emohead_training.evaluation.bars import GROUPS
from emohead_training.evaluation.evaluate import Report
from emohead_training.evaluation.methods import METHODS
from emohead_training.evaluation.pixels import Frames, PixelCase
from emohead_training.evaluation.plots import plots
from emohead_training.evaluation.printed import CAVEAT
from emohead_training.evaluation.report import (
    class_tables,
    group_tables,
    printed_table,
    rows,
    sizes,
)
from emohead_training.evaluation.sheets import sheet
from emohead_training.whole_files import write_text

__all__ = ["SheetAlbum", "write_html"]

_JPEG_QUALITY = 80
_SHEET_PX = 128


@dataclass
class SheetAlbum:
    """Keeps the contact sheets of all cases, small, for the page."""

    pictures: dict[str, str] = field(default_factory=dict)
    """Data URI by clip."""

    def __call__(self, case: PixelCase, made: Mapping[str, Frames]) -> None:
        """Keep the sheet of a case."""
        import cv2

        full = sheet(case, made)
        scale = _SHEET_PX / case.anchor.shape[0]
        small = cv2.resize(full, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(np.asarray(small, np.uint8), cv2.COLOR_RGB2BGR)
        _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        text = base64.b64encode(coded.tobytes()).decode()
        self.pictures[f"{case.clip.source}/{case.clip.path.name}"] = (
            f"data:image/jpeg;base64,{text}"
        )


def write_html(report: Report, path: Path, album: SheetAlbum | None = None) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    report : Report
    path : Path
    album : SheetAlbum, optional
        Contact sheets that were kept while measuring.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emohead_training.evaluation", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = rows(report)
    page = environment.get_template("report.html").render(
        context=report.context,
        groups=[(g, own) for g in GROUPS if (own := [r for r in shown if r.bar.group == g])],
        reached=sum(r.verdict == "yes" for r in shown),
        barred=sum(bool(r.verdict) for r in shown),
        plots=list(plots(report)),
        classes=class_tables(report),
        people=group_tables(report),
        printed=printed_table(report),
        caveat=CAVEAT,
        methods=list(_paragraphs(METHODS)),
        sizes=list(sizes(report)),
        sheets=album.pictures if album is not None else {},
    )
    write_text(path, page)


def _paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Bold lead and rest of each paragraph or item of simple Markdown."""
    for block in re.split(r"\n- |\n\n- ", text.strip()):
        words = " ".join(block.split())
        lead = re.match(r"\*\*(.+?)\*\*", words)
        rest = words[lead.end() :] if lead else words
        yield (lead.group(1) if lead else "", rest.replace("**", "").lstrip(".:, "))
