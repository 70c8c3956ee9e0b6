"""Bad files at the command line: one sentence, exit code 2, no traceback, no output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emohead.cli import app
from emohead.cli.reporting import DEBUG_VARIABLE, EXIT_UNUSABLE
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH

from .cases import Case
from .generator import cases

FACE, SPEECH = str(SAMPLE_FACE), str(SAMPLE_SPEECH)
EACH = 3
"""Files of each boundary, evenly spread."""

COMMANDS: dict[str, Callable[[str, str], list[str]]] = {
    "answers": lambda bad, out: ["study", "score", bad, "--key", bad],
    "audio": lambda bad, out: ["emotion", bad, "-o", f"{out}/a.json"],
    "bundle": lambda bad, out: ["inspect", bad, "--json"],
    "film": lambda bad, out: ["style", bad, "-o", f"{out}/a.json"],
    "image": lambda bad, out: ["render", bad, SPEECH, "-o", f"{out}/a.mp4"],
    "landmark_track": lambda bad, out: ["arkit", bad, "-o", f"{out}/a.csv"],
    "landmarks": lambda bad, out: [
        *("render", FACE, SPEECH, "-o", f"{out}/a.mp4", "--landmarks", bad)
    ],
    "style": lambda bad, out: ["render", FACE, SPEECH, "-o", f"{out}/a.mp4", "--style", bad],
    "study": lambda bad, out: ["study", "make", "--manifest", bad, "--out", f"{out}/page"],
    "track": lambda bad, out: [
        "render",
        FACE,
        SPEECH,
        "-o",
        f"{out}/a.mp4",
        "--emotion-track",
        bad,
    ],
    "video": lambda bad, out: [
        *("replay", bad, "--face", FACE, "--speech", SPEECH, "-o", f"{out}/a.mp4")
    ],
}
"""Arguments by boundary, from the bad file and a folder for what comes out."""


@cache
def _chosen() -> dict[str, list[Case]]:
    """Return some of the files of each boundary that has a command."""
    by_boundary: dict[str, list[Case]] = {}
    for case in cases():
        if not case.may_pass:
            by_boundary.setdefault(case.boundary, []).append(case)
    return {b: by_boundary[b][:: -(-len(by_boundary[b]) // EACH)] for b in COMMANDS}


def _needs_bundle(arguments: list[str]) -> bool:
    return arguments[0] in ("render", "emotion", "style", "replay")


@pytest.mark.parametrize("boundary", COMMANDS)
def test_bad_files_end_in_one_sentence(
    boundary: str, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    chosen = _chosen()[boundary]
    assert len(chosen) >= 2
    for number, case in enumerate(chosen):
        folder, out = tmp_path / f"in{number}", tmp_path / f"out{number}"
        folder.mkdir()
        out.mkdir()
        arguments = COMMANDS[boundary](str(case.make(folder)), str(out))
        bundle = ["--bundle", str(tiny_bundle)] if _needs_bundle(arguments) else []
        result = CliRunner().invoke(app, [*arguments, *bundle])
        assert result.exit_code == EXIT_UNUSABLE, f"{case.name}: {result.output}"
        assert result.stderr.startswith("emohead: "), case.name
        assert result.stderr.count("\n") == 1, case.name
        assert result.stderr.strip("\n").isprintable(), case.name
        assert list(out.iterdir()) == [], case.name


def test_a_real_process_shows_no_traceback(tmp_path: Path) -> None:
    """FFmpeg and Pillow are quiet, too."""
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\2moov" + bytes(99))
    command = [sys.executable, "-m", "emohead", "render", FACE, str(tmp_path / "a.mp4")]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out.mp4")], capture_output=True, text=True, check=False
    )
    assert done.returncode == EXIT_UNUSABLE
    assert done.stderr.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]
