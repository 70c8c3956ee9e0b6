"""The corpus of bad files: made when it is needed, the same every time, never stored.

``python -m tests.hostile.generator FOLDER`` writes it, to look at or to feed to other programs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .bundles import bundle_cases
from .cases import Case
from .pictures import picture_cases
from .records import record_cases
from .sounds import sound_cases


def cases() -> Iterator[Case]:
    """Yield every bad file."""
    yield from picture_cases()
    yield from sound_cases()
    yield from record_cases()
    yield from bundle_cases()


def main(folder: Path) -> None:
    """Write every bad file into a folder of its own."""
    for number, case in enumerate(cases()):
        place = folder / case.boundary / f"{number:04d}"
        place.mkdir(parents=True)
        case.make(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
