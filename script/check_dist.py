"""Build wheel and sdist, install each into a clean environment, and run what a newcomer runs.

Usage: python script/check_dist.py [--out dist] [--folder out/dist]

Needs the extra `supply` (build, uv). Exits with an error at the first thing that is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("emohead", "emohead_engines", "emohead_export", "emohead_training")
FORBIDDEN = (".pkl", ".pickle", ".pth", ".pt", ".pem", ".key", ".env", ".plan", ".pyc")
"""Endings of what nobody should ship."""


def main() -> None:
    """Build, look inside, install, run."""
    given = _arguments()
    wheel, sdist = _build(given.out)
    names = _checked_names(wheel, sdist)
    for archive in (wheel, sdist):
        _try(archive, given.folder / archive.suffix.lstrip("."))
    _say(f"{wheel.name} ({len(names)} files) and {sdist.name} install and run")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=_place, default=ROOT / "dist", help="where they are built")
    parser.add_argument("--folder", type=_place, default=ROOT / "out" / "dist", help="for trials")
    return parser.parse_args()


def _place(text: str) -> Path:
    """Absolute path: installers want addresses, and trials run in folders of their own."""
    return Path(text).resolve()


def _build(out: Path) -> tuple[Path, Path]:
    """Build both; the wheel from the sdist, so that the sdist is known to be complete."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(out)]
    subprocess.run([*command, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def _checked_names(wheel: Path, sdist: Path) -> list[str]:
    """Compare what they hold with the source tree; return the wheel's names."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    with tarfile.open(sdist) as packed:
        sources = [n.partition("/")[2] for n in packed.getnames()]
    bad = [n for n in (*names, *sources) if n.endswith(FORBIDDEN)]
    _expect(not bad, f"nothing such as {bad[:3]}")
    roots = {n.split("/")[0] for n in names if ".dist-info/" not in n}
    _expect(roots == set(PACKAGES), f"the packages {PACKAGES}, got {sorted(roots)}")
    kept = set(names)
    for root in ("sdk", "training", "export", "engines"):
        for path in (ROOT / root).rglob("*.py"):
            name = path.relative_to(ROOT / root).as_posix()
            _expect(name in kept, f"{name} in the wheel")
    for name in ("manifest.json", "renderer.onnx"):
        _expect(f"emohead/bundles/default/{name}" in kept, f"{name} of the default bundle")
    _expect(any(n.endswith("licenses/LICENSE") for n in names), "the licence in the wheel")
    return names


def _try(archive: Path, folder: Path) -> None:
    """Install into an environment that knows nothing of this folder, and run the demo there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, text=True, stdout=subprocess.PIPE
        )
        return done.stdout

    run("uv", "venv", "--quiet", "--python", sys.executable, "venv")
    place = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = ["uv", "pip", "install", "--quiet", "--python", str(place / "python")]
    run(*install, "-c", str(ROOT / "constraints.txt"), f"emohead[cpu] @ {archive.as_uri()}")
    emohead = str(place / "emohead")
    told = json.loads(run(emohead, "demo", "--out", "demo.mp4", "--json"))
    _expect((folder / "demo.mp4").stat().st_size > 100_000, "a video")
    shown = json.loads(run(emohead, "inspect", "--json"))
    _expect("site-packages" in shown["path"], f"the installed bundle, got {shown['path']}")
    _say(f"{archive.name}: {told['frames']} frames, bundle {shown['name']}")


def _expect(is_so: bool, what: str) -> None:
    if not is_so:
        sys.exit(f"expected {what}")


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


if __name__ == "__main__":
    main()
