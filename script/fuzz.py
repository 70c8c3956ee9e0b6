"""Fuzz every parser for some time each, and print a table of what was tried and found.

Usage: python script/fuzz.py [--seconds 120] [--at-once 1] [--out out/fuzz] [TARGET …]

Needs the extras `fuzz` and `test`. What breaks a parser is left in the folder, one file a finding.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the harness of every target."""
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    names = given.targets or _targets()
    with ThreadPoolExecutor(given.at_once) as pool:
        rows = list(pool.map(lambda name: _fuzzed(name, given.seconds, given.out), names))
    lines = ["| parser | inputs tried | seconds | findings |", "|---|---|---|---|"]
    lines += [f"| {name} | {tried:,} | {given.seconds} | {found} |" for name, tried, found in rows]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(any(found for _, _, found in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="parsers; all by default")
    parser.add_argument("--seconds", type=int, default=120, help="for each")
    parser.add_argument("--at-once", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "fuzz")
    return parser.parse_args()


def _targets() -> list[str]:
    code = (
        "from tests.hostile.targets import TARGETS; import sys; sys.stdout.write(' '.join(TARGETS))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout.split()


def _fuzzed(name: str, seconds: int, out: Path) -> tuple[str, int, int]:
    """Name, inputs tried, findings."""
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096", "-max_len=65536"]
    where = [f"-artifact_prefix={out.resolve()}/{name}-", "-print_final_stats=1"]
    log = out / f"{name}.log"
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "tests.hostile.fuzz_parsers", name, *limits, *where]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    text = log.read_text(encoding="utf-8", errors="replace")
    stat = re.search(r"stat::number_of_executed_units:\s+(\d+)", text)
    return name, int(stat[1]) if stat else 0, int(done.returncode != 0)


if __name__ == "__main__":
    main()
