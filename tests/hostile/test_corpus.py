"""Every bad file gets an error of ours at its boundary: no traceback, no hang, nothing left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from emohead.errors import EmoheadError

from .boundaries import BOUNDARIES
from .worker import ROOT, TIME_LIMIT_S

WORKERS = 2
LEAST = 200

Outcome = dict[str, Any]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """What became of every file, read in processes of their own."""
    command = [sys.executable, "-m", "tests.hostile.worker"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(
            [*command, str(index), str(WORKERS)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(WORKERS)
    ]
    found: list[Outcome] = []
    for worker in workers:
        out, err = worker.communicate(timeout=600)
        lines = [json.loads(line) for line in out.splitlines()]
        last = lines[-1]["name"] if lines else "nothing"
        assert worker.returncode == 0, f"hung or died after {last}: {err[-3000:]}"
        found += lines
    return found


def test_the_corpus_is_large_and_reaches_every_boundary(outcomes: list[Outcome]) -> None:
    assert len(outcomes) >= LEAST
    assert len({(o["name"], o["boundary"]) for o in outcomes}) == len(outcomes)
    counts = Counter(o["boundary"] for o in outcomes)
    assert counts.keys() == BOUNDARIES.keys()
    assert min(counts.values()) >= 10


def test_every_bad_file_is_refused_with_an_error_of_ours(outcomes: list[Outcome]) -> None:
    ours = {kind.__name__ for kind in EmoheadError.__subclasses__()}
    wrong = [o for o in outcomes if not o["ok"] or (o["kind"] and o["kind"] not in ours)]
    assert not wrong, "\n".join(f"{o['boundary']} {o['name']}: {o['kind']}" for o in wrong)


def test_most_bad_files_are_bad(outcomes: list[Outcome]) -> None:
    """Files that a reader may still use are the exception, or the test above would mean little."""
    passed = [o for o in outcomes if not o["kind"]]
    assert len(passed) < len(outcomes) / 10


def test_messages_are_one_sentence_of_bounded_length(outcomes: list[Outcome]) -> None:
    messages = [o["message"] for o in outcomes if o["kind"]]
    assert all(messages)
    assert max(map(len, messages)) < 4100


def test_nothing_hangs(outcomes: list[Outcome]) -> None:
    """The workers' watchdog ends a process whose file takes longer."""
    assert max(o["seconds"] for o in outcomes) < TIME_LIMIT_S


def test_nothing_is_left_behind(outcomes: list[Outcome]) -> None:
    assert [o["left"] for o in outcomes if o["left"]] == []
