"""List what the runtime is made of: a CycloneDX SBOM, and a table of licences.

Usage: python script/sbom.py PYTHON [--out out]

PYTHON is the interpreter of the environment to list. Writes `sbom.cdx.json`, and `licences.md` with
every package and every source that the embedded networks were trained with. Exits with an error
where a package states no licence. Needs the extra `supply`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "sdk" / "emohead" / "bundles" / "default" / "manifest.json"
TOOLS = Path(sys.executable).parent


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="interpreter of the environment to list")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    sbom = given.out / "sbom.cdx.json"
    subprocess.run(
        [TOOLS / "cyclonedx-py", "environment", given.python, "--pyproject",
         ROOT / "pyproject.toml", "--of", "JSON", "--output-reproducible", "-o", sbom],
        check=True,
    )  # fmt: skip
    packages = _packages(given.python)
    (given.out / "licences.md").write_text(_page(packages), encoding="utf-8")
    components = json.loads(sbom.read_text(encoding="utf-8"))["components"]
    sys.stdout.write(f"{sbom}: {len(components)} components; {given.out / 'licences.md'}\n")
    unknown = [p["Name"] for p in packages if p["License"].strip().upper() in ("", "UNKNOWN")]
    if unknown:
        sys.exit(f"expected a licence of every package, found none of {', '.join(unknown)}")


def _packages(python: str) -> list[dict[str, Any]]:
    command = [TOOLS / "pip-licenses", "--python", python, "--format", "json", "--with-urls"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _page(packages: list[dict[str, Any]]) -> str:
    lines = ["# Licences", "", "| package | version | licence | home |", "|---|---|---|---|"]
    for p in packages:
        licence = " ".join(p["License"].split())[:120]
        lines.append(f"| {p['Name']} | {p['Version']} | {licence} | {p['URL']} |")
    lines += ["", "| trained with | licence | origin |", "|---|---|---|"]
    stages = json.loads(MANIFEST.read_text(encoding="utf-8"))["stages"].values()
    sources = {(s["name"], s["licence"], s["origin"]) for stage in stages for s in stage["sources"]}
    lines += [f"| {name} | {licence} | {origin} |" for name, licence, origin in sorted(sources)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
