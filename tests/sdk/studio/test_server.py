"""What the command says when the studio cannot open."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emohead.cli import app


def test_a_port_in_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, ["studio", "--port", port])
    assert result.exit_code == 2
    assert f"cannot listen at 127.0.0.1:{port}" in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")  # put back afterwards
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "")
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = CliRunner().invoke(app, ["studio", "--port", "0"])
    assert result.exit_code == 2
    assert "pip install 'emohead[studio]'" in result.stderr


def test_limits_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["studio", "--max-seconds", "0"])
    assert result.exit_code == 2
    assert "expected max_seconds above 0, got 0" in result.stderr
