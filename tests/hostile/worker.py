"""A process that reads its share of the corpus, so that a hang or a crash is seen from outside.

Usage: python -m tests.hostile.worker INDEX COUNT. Prints one JSON line per file.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

from emohead.errors import EmoheadError

from .boundaries import BOUNDARIES
from .cases import Case
from .generator import cases

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT_S = 10
"""Seconds that a file may take, on a busy machine too."""


def main(index: int, count: int) -> None:
    """Bring every `count`-th file from the `index`-th on to its boundary."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    for number, case in enumerate(cases()):
        if number % count == index:
            sys.stdout.write(json.dumps(_outcome(case)) + "\n")
            sys.stdout.flush()


def _outcome(case: Case) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        path = case.make(folder)
        before = sorted(folder.rglob("*"))
        faulthandler.dump_traceback_later(TIME_LIMIT_S, exit=True)
        began = time.perf_counter()
        kind, message, known = _read(case, path)
        seconds = time.perf_counter() - began
        faulthandler.cancel_dump_traceback_later()
        left = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p not in before]
    return {
        "name": case.name,
        "boundary": case.boundary,
        "kind": kind,
        "message": message,
        "ok": known or (kind == "" and case.may_pass),
        "seconds": round(seconds, 3),
        "left": left,
    }


def _read(case: Case, path: Path) -> tuple[str, str, bool]:
    """Type and text of what was raised, and whether it is an error of ours."""
    try:
        BOUNDARIES[case.boundary](path)
    except EmoheadError as err:
        return type(err).__name__, str(err), True
    except BaseException as err:
        return type(err).__name__, str(err)[:500], False
    return "", "", False


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
