"""``emohead serve`` says what is wrong before it loads anything."""

from __future__ import annotations

import socket
from pathlib import Path

from typer.testing import CliRunner

from emohead.cli import app


def _refused(*options: str) -> str:
    result = CliRunner().invoke(app, ["serve", *options])
    assert result.exit_code == 2, result.output
    return result.stderr


def test_others_are_kept_out_without_a_key(tmp_path: Path) -> None:
    said = _refused("--host", "0.0.0.0", "--data-dir", str(tmp_path / "data"))
    assert "0.0.0.0 can be reached by others: give an API key" in said
    assert not (tmp_path / "data").exists()


def test_taken_port_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = _refused("--port", port, "--data-dir", str(tmp_path / "data"))
    assert f"cannot listen at 127.0.0.1:{port}" in said
    assert "choose another --port" in said
