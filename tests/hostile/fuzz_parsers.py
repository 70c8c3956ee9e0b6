"""Coverage-guided fuzzing of one parser with Atheris; ``make fuzz SECONDS=120`` runs them all.

Usage: python -m tests.hostile.fuzz_parsers TARGET [options of libFuzzer]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

# Native code (FFmpeg, codecs, pydantic) is run, but cannot guide the search.
with atheris.instrument_imports(include=["emohead", "emohead_engines", "emohead_training", "PIL"]):
    from .targets import TARGETS, brought_to

from .seeds import seeds


def main() -> None:
    """Fuzz the target; exits with an error at the first exception that is not ours."""
    name, *options = sys.argv[1:]
    if name not in TARGETS:
        sys.exit(f"expected a target among {', '.join(TARGETS)}, got {name}")

    def test_one_input(data: bytes) -> None:
        brought_to(name, data)

    test_one_input(b"")  # imports of a target take time, which no input shall be blamed for
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds().get(name, [])):
            (Path(folder) / str(number)).write_bytes(seed)
        corpus = [] if any(not o.startswith("-") for o in options) else [folder]
        atheris.Setup([sys.argv[0], *options, *corpus], test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
