"""Run the runtime's tests with the oldest version of every direct dependency that pyproject allows.

Usage: python script/minimum_versions.py [--extras cpu,sign,…] [--folder out/minimum] [TEST …]

Makes an environment in the folder with uv (`--resolution lowest-direct`), so that a bound that no
longer works fails here and not at a user's. The test tools and ONNX come in their tested versions.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/sdk", "tests/contract", "tests/faults", "tests/hostile")
EXTRAS = "cpu,sign,serve,client,studio,farm"
TOOLS = ("hypothesis", "onnx", "playwright", "pytest", "pytest-xdist", "soundfile")
"""What the tests themselves need beside the runtime; pinned by constraints.txt."""
NEEDS_NEWER = ("tests/sdk/live/agents",)
"""Tests of extras that are not among the given ones."""


def main() -> None:
    """Resolve, install, test."""
    given = _arguments()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    python = _environment(folder, given.python, given.extras.split(","))
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default"]
    command += ["-n", "logical", "--dist", "loadscope"]
    skipped = [f"--ignore={path}" for path in NEEDS_NEWER]
    sources = os.pathsep.join(str(ROOT / name) for name in ("sdk", "export", "training", "engines"))
    environment = {**os.environ, "PYTHONPATH": sources}
    done = subprocess.run(
        [*command, *skipped, *(given.tests or TESTS)], cwd=ROOT, env=environment, check=False
    )
    sys.exit(done.returncode)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tests", nargs="*", help="tests to run; those of the runtime by default")
    parser.add_argument("--extras", default=EXTRAS, help="extras at their lowest versions")
    parser.add_argument("--python", default="3.11", help="version of the interpreter")
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "minimum")
    return parser.parse_args()


def _environment(folder: Path, version: str, extras: list[str]) -> str:
    """Install the lowest versions, then the tools; return the interpreter."""
    lowest = folder / "lowest.txt"
    lowest.unlink(missing_ok=True)  # uv would keep what an earlier run chose
    chosen = [word for extra in extras for word in ("--extra", extra)]
    _run(
        "uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "--no-annotate",
        "--python-version", version, *chosen, "pyproject.toml", "-o", str(lowest),
    )  # fmt: skip
    environment = folder / "environment"
    _run("uv", "venv", "--quiet", "--clear", "--python", version, str(environment))
    python = str(environment / ("Scripts" if os.name == "nt" else "bin") / "python")
    _run("uv", "pip", "install", "--quiet", "--python", python, "-r", str(lowest))
    tools = [line for name in TOOLS for line in _pinned(name)]
    # The lowest versions stay: a tool that needs newer ones is a finding, too.
    _run("uv", "pip", "install", "--quiet", "--python", python, "-c", str(lowest), *tools)
    return python


def _pinned(name: str) -> list[str]:
    """Return the tested version of a tool, for example ``pytest==9.0``."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(name)}==[^;\s]+", text, re.MULTILINE)
    return [found.group()] if found else [name]


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
