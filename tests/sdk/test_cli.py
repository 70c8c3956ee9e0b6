from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import emohead
from emohead.bundle import Bundle
from emohead.cli import app
from emohead.cli.reporting import ends_cleanly, print_rows, say
from emohead.doctor import examine_machine
from emohead.errors import BackendError, BundleError, InputError


def _app_that(action) -> typer.Typer:
    """Build a one-command application whose command does `action`."""
    application = typer.Typer(pretty_exceptions_enable=False)

    @application.command()
    @ends_cleanly
    def command(as_json: bool = False) -> None:
        action()

    return application


def _raise(error: BaseException) -> None:
    raise error


def test_version_names_package_bundle_and_backend():
    result = CliRunner().invoke(app, ["--version"])
    package, bundle, backend = result.stdout.splitlines()
    graphs = Bundle.open().manifest.graphs_sha256
    assert (result.exit_code, package) == (0, f"emohead {emohead.__version__}")
    assert bundle.startswith(f"bundle default, graphs {graphs[:16]}, made 20")
    assert backend.startswith(("backend cpu, onnxruntime ", "backend cuda, onnxruntime "))


def test_help_names_every_command():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ("render", "demo", "inspect", "doctor"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("the file\n is missing: give another"), 2),
        (BackendError("no GPU: take the CPU"), 2),
        (ZeroDivisionError("oops"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_every_error_is_one_sentence_and_a_code(error, code, as_json):
    arguments = ["--as-json"] if as_json else []
    result = CliRunner().invoke(_app_that(lambda: _raise(error)), arguments)
    assert result.exit_code == code
    assert result.stderr.startswith("emohead: ")
    assert result.stderr.count("\n") == 1
    if as_json:
        told = json.loads(result.stdout)["error"]
        assert told["type"] == type(error).__name__
        assert f"emohead: {told['message']}\n" == result.stderr
    else:
        assert result.stdout == ""


def test_debug_variable_lets_the_traceback_through(monkeypatch):
    monkeypatch.setenv("EMOHEAD_DEBUG", "1")
    result = CliRunner().invoke(_app_that(lambda: _raise(ZeroDivisionError("oops"))), [])
    assert isinstance(result.exception, ZeroDivisionError)


def test_doctor_names_a_backend_and_the_reason():
    result = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(result.stdout)
    assert report["backend"] in ("cpu", "cuda")
    assert report["reason"]
    assert report["cores"] >= 1
    assert report["is_ready"] == (result.exit_code == 0)


def test_doctor_reports_a_missing_runtime_instead_of_failing(monkeypatch):
    def fail(name: str) -> None:
        raise BackendError("onnxruntime is missing: install emohead[cpu]")

    monkeypatch.setattr("emohead.backends.choose_backend", fail)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "install emohead[cpu]" in result.stdout
    assert "not ready" in result.stdout


def test_doctor_reports_a_broken_bundle(monkeypatch):
    def fail() -> None:
        raise BundleError("renderer.onnx was altered: reinstall")

    monkeypatch.setattr("emohead.bundle.Bundle.open", fail)
    report = examine_machine()
    assert report.bundle == "unusable"
    assert not report.is_ready
    assert "reinstall" in report.warnings[-1]


def test_inspect_of_a_missing_bundle_is_one_sentence(tmp_path):
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "none.zip")])
    assert result.exit_code == 2
    assert "none.zip" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)], ids=str
)
def test_a_signal_ends_with_its_code_and_no_file(tmp_path, number, code):
    script = f"""
import os, signal, sys, numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # likewise
from emohead.cli import app, main
from emohead.cli.reporting import ends_cleanly
from emohead.video import VideoWriter

@app.command()
@ends_cleanly
def endless() -> None:
    with VideoWriter({str(tmp_path / "a.mp4")!r}) as writer:
        while True:
            writer.write(np.zeros((64, 64, 3), np.uint8))
            if writer.num_frames == 50:
                os.kill(os.getpid(), signal.{number})

sys.argv = ["emohead", "endless"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_output_that_nobody_reads_is_no_error():
    """As in ``emohead farm schema | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "emohead", "farm", "schema"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_what_is_printed_does_not_act_on_the_terminal(capsys):
    say("no \x1b[2J such \x07 file\nin two lines")
    print_rows({"name": "a\x1b]0;b\nspoofed yes", "longer name": 1})
    out, err = capsys.readouterr()
    assert err == "no ?[2J such ? file\nin two lines\n"
    assert out == "name         a?]0;b spoofed yes\nlonger name  1\n"
