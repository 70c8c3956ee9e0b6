"""Write the parts of ``docs/`` that follow from the code, or check that they still do.

Usage: python script/pages [--check]

A page marks such a part with ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import command_lines
import data_flow
import example_list
import gpu_matrix

DOCS = Path(__file__).resolve().parents[2] / "docs"
SECTIONS = {
    "cli.md": {
        "emohead": command_lines.emohead_section,
        "emohead-train": command_lines.training_section,
        "emohead-export": command_lines.export_section,
    },
    "examples.md": {"examples": example_list.table},
    "gpus.md": {"matrix": gpu_matrix.matrix},
}
FILES = {"images/data-flow.svg": data_flow.drawing}


def main() -> None:
    """Write what is stale; with ``--check`` only name it, and fail."""
    stale = {path: text for path, text in _wanted() if not _holds(path, text)}
    if "--check" in sys.argv[1:]:
        names = ", ".join(str(path.relative_to(DOCS.parent)) for path in stale)
        sys.exit(f"stale: {names}; run `make pages`" if stale else 0)
    for path, text in stale.items():
        path.write_text(text)


def _wanted() -> Iterator[tuple[Path, str]]:
    for name, sections in SECTIONS.items():
        text = (DOCS / name).read_text()
        for section, make in sections.items():
            text = _replaced(text, section, make())
        yield DOCS / name, text
    for name, draw in FILES.items():
        yield DOCS / name, draw()


def _replaced(text: str, section: str, content: str) -> str:
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    written, count = re.subn(
        pattern, lambda _: f"{begin}\n\n{content.strip()}\n\n{end}", text, flags=re.DOTALL
    )
    if count != 1:
        sys.exit(f"expected one part {begin} … {end} in the page, found {count}")
    return written


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


main()
