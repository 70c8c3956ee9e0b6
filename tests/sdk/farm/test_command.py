"""``emohead farm`` and what it shows; nothing here starts Ray."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emohead.cli import app
from emohead.cli.farm_table import farm_table, sentence
from emohead.errors import InputError
from emohead.farm import FarmState
from emohead.farm.metrics import Metrics
from emohead.farm.tasks import Worker

from .fakes import make_task

pytestmark = pytest.mark.usefixtures("small_bundle")


@pytest.fixture
def small_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the embedded bundle for read; checking its hashes is another test's work."""
    monkeypatch.setattr("emohead.farm.run._loader", lambda options: _Loader())


class _Loader:
    bundle_sha256 = "b"

    def __call__(self, worker: str) -> Any:
        raise AssertionError("nothing is to be rendered here")


def _run(*given: object) -> Any:
    return CliRunner().invoke(app, ["farm", *(str(g) for g in given)])


def test_a_farm_without_good_jobs_says_so_and_remembers(tmp_path: Path) -> None:
    jobs, out = tmp_path / "jobs.jsonl", tmp_path / "out"
    jobs.write_text('{"face": "f"}\nnonsense\n')
    first = _run(jobs, "--out", out, "--json")
    assert first.exit_code == 5
    said = json.loads(first.stdout)
    assert (said["failed"], said["done"]) == (2, 0)
    again = json.loads(_run("run", jobs, "--out", out, "--json").stdout)
    assert (again["failed"], again["failed_before"]) == (0, 2)
    assert len((out / "records.jsonl").read_text().splitlines()) == 2
    report = json.loads(_run("status", out, "--json").stdout)
    assert (report["failed"], report["failures"][1]["output"]) == (2, "line 2")
    shown = _run("status", out).stdout
    assert "expected a job with speech" in " ".join(shown.replace("│", " ").split())


def test_an_empty_file_succeeds(tmp_path: Path) -> None:
    (tmp_path / "jobs.jsonl").write_text("\n")
    result = _run("--out", tmp_path / "out", tmp_path / "jobs.jsonl")
    assert result.exit_code == 0, result.output
    assert "0 done" in result.stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("none.jsonl", "--out", "{}"), "cannot be read"),
        (("none.jsonl", "--out", "{}/file/out"), "cannot be made"),
        (("none.jsonl", "--out", "{}", "--tracks", "0"), "tracks of 1 or more"),
        (("none.jsonl", "--out", "{}", "--cpus-per-worker", "0"), "cores a worker"),
        (("none.jsonl", "--out", "{}", "--metrics-port", "99999"), "another port"),
        (("status", "{}"), "records.jsonl"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(
    tmp_path: Path, given: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "file").touch()
    result = _run(*(g.format(tmp_path) for g in given))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_two_farms_keep_out_of_each_others_folder(tmp_path: Path) -> None:
    from emohead.farm.run import _alone, render

    with _alone(tmp_path), pytest.raises(InputError, match="another farm works"):
        render([], tmp_path, loader=_Loader())
    assert render([], tmp_path, loader=_Loader()).has_succeeded


def test_the_schema_is_printed() -> None:
    assert json.loads(_run("schema").stdout)["title"] == "Job"


def _state() -> FarmState:
    worker = Worker(name="w1", slots=1, node="node-a", is_ready=True, tasks=[make_task(7)], done=3)
    loading = Worker(name="w2", slots=1)
    workers = (worker, loading)
    return FarmState(workers=workers, done=3, failed=1, frames=6, deaths=1, last="b: no face")


def test_the_table_tells_who_does_what() -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(farm_table(_state()))
    console.file.close()
    text = console.export_text()
    for word in ("node-a", "working", "7.mp4", "loading", "3 done, 1 failed", "no face"):
        assert word in text
    assert "1 workers died" in sentence(_state())


def test_prometheus_reads_the_state() -> None:
    state = _state()
    with Metrics(0) as metrics:
        metrics.watch(state)
        state.done = 5
        url = f"http://127.0.0.1:{metrics.port}/metrics"
        with urllib.request.urlopen(url) as answer:
            lines = answer.read().decode().splitlines()
    assert 'emohead_farm_jobs_total{outcome="done"} 5.0' in lines
    assert 'emohead_farm_workers{state="loading"} 1.0' in lines
    assert "emohead_farm_jobs_in_hand 1.0" in lines
    assert "emohead_farm_worker_deaths_total 1.0" in lines
