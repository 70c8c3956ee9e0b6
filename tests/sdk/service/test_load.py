"""The load test at a small size: the real command, the real networks, a signal at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_service_bears_a_little_of_everything(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    sizes = ["--clients", "13", "--requests", "1", "--rounds", "1"]
    command = [sys.executable, "script/load_test.py", *sizes, "--json", str(report)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["requests"] == 13
    assert sum(found["recorded"].values()) == found["accepted"]
    assert found["recorded"]["done"] >= 2
    assert found["outcomes"]["large: 413"] + found["outcomes"]["watched: fetched"] == 2
