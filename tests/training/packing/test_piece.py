"""Pieces of training on a machine with torch, lightning, numpy and OpenCV alone."""

import json
import os
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from packaging.requirements import Requirement  # noqa: E402

from emohead.errors import InputError  # noqa: E402
from emohead_training import piece  # noqa: E402
from emohead_training.loop import Budget, RunConfig, fit  # noqa: E402
from emohead_training.packing.packing import PackConfig, pack  # noqa: E402
from emohead_training.trainers import TRAINERS  # noqa: E402

from ..loop.tasks import Line  # noqa: E402

LIBRARIES = ("torch", "lightning", "numpy", "opencv-python-headless")
SOURCES = Path(piece.__file__).parents[1]


def _with_requirements(names):
    """Names of distributions and of all that they require."""
    found, waiting = set(), list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        wanted = [Requirement(line) for line in lines]
        waiting += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="session")
def few_libraries(tmp_path_factory):
    """Environment of a Python that finds the four libraries and nothing else."""
    folder = tmp_path_factory.mktemp("libraries")
    for name in _with_requirements(LIBRARIES):
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in distribution.files or []}:
            link = folder / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(distribution.locate_file(top))
    roots = [folder, SOURCES.parent / "sdk", SOURCES]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots)), "OMP_NUM_THREADS": "1"}


def _run(environment, *arguments):
    command = [sys.executable, "-S", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_machine_of_these_tests_is_as_poor_as_said(few_libraries):
    names = ("av", "onnx", "onnxruntime", "safetensors", "scipy", "pydantic", "typer", "PIL")
    tries = "; ".join(f"print({n!r}, find_spec({n!r}))" for n in names)
    result = _run(few_libraries, "-c", f"from importlib.util import find_spec; {tries}")
    assert result.stdout.splitlines() == [f"{name} None" for name in names]


@pytest.mark.slow
def test_every_stage_trains_with_few_libraries_and_goes_on(corpus, few_libraries, tmp_path):
    archive, out = tmp_path / "pack.tar", tmp_path / "runs"
    pack(PackConfig(data=corpus, out=archive, max_mib=4, actors=False, synthesise=False))
    base = ("-m", "emohead_training.piece", "--pack", archive, "--out", out, "--device", "cpu")
    small = ("--recipe", "smoke", "--steps", "2", "--bring", tmp_path / "brought")
    whole = _run(few_libraries, *base, *small, "--minutes", "9")
    assert whole.returncode == 0, whole.stderr
    state = json.loads(whole.stdout)
    assert state["next"] is None
    assert state["steps"] == dict.fromkeys(TRAINERS, 2)
    for stage in TRAINERS:
        weights = tmp_path / "brought" / stage / "weights.safetensors"
        assert weights.stat().st_size <= 16 << 20
        assert (weights.parent / "run.json").is_file()


def test_a_run_leaves_off_in_time_and_goes_on(tmp_path):
    def run(seconds):
        late = time.monotonic() + seconds
        return RunConfig(data=tmp_path, out=tmp_path, device="cpu", stop_at_s=late)

    assert fit(Line(), run(-1), Budget(steps=40)) == {}
    slow = Line()
    step = slow.step
    slow.step = lambda *a: (time.sleep(0.05), step(*a))[1]
    fit(slow, run(0.3), Budget(steps=40))
    done = json.loads((tmp_path / slow.name / "progress.json").read_text())["step"]
    assert 1 <= done < 40
    fit(Line(), run(60), Budget(steps=40))
    assert json.loads((tmp_path / slow.name / "progress.json").read_text())["step"] == 40


def test_what_is_no_pack_is_refused(tmp_path):
    (tmp_path / "noise.tar").write_bytes(b"noise")
    for name in ("noise.tar", "absent.tar"):
        with pytest.raises(InputError, match=r"expected a data pack at .*emohead-train pack"):
            piece.unpacked(tmp_path / name, tmp_path)


def test_too_large_files_stay(tmp_path, monkeypatch):
    stage = tmp_path / "out" / "identity"
    (stage / "checkpoint-00000001").mkdir(parents=True)
    (stage / "weights.safetensors").write_bytes(b"1234")
    (stage / "checkpoint-00000001" / "tensors-00.safetensors").write_bytes(b"123456789")
    monkeypatch.setattr(piece, "MAX_BROUGHT_BYTES", 8)
    copies = piece.bring(tmp_path / "out", tmp_path / "to", "identity")
    assert copies == [tmp_path / "to" / "identity" / "weights.safetensors"]
