"""No data that runs when it is read: the packages use no such reader, and refuse such files."""

from __future__ import annotations

import ast
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emohead.bundle import Bundle
from emohead.emotion.files import read_track
from emohead.errors import EmoheadError
from emohead.jobs import read_jobs
from emohead.landmarks.files import read_landmarks
from emohead.landmarks.photo import landmarks_from
from emohead_export.packing import write_bundle
from emohead_export.parts import Part

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("sdk", "training", "export", "engines", "benchmarks", "examples", "script")
MODULES = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
    *("yaml", "jsonpickle", "pandas", "code", "runpy"),
}
"""What must not be imported: readers that run what they read, and what is built on them."""
BUILTINS = {"eval", "exec", "compile", "__import__"}
RUNS_PICKLES = {"read_pickle", "load_module", "unpickle"}


def _sources() -> list[Path]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(paths) > 200
    return paths


def _findings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of everything that could run data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        for name in names:
            if name.split(".")[0] in MODULES:
                yield node.lineno, f"import {name}"
        if isinstance(node, ast.Call) and (reason := _unsafe_call(node)):
            yield node.lineno, reason


def _unsafe_call(call: ast.Call) -> str:
    """Say why a call could run data; empty where it could not."""
    if isinstance(call.func, ast.Name):
        return call.func.id if call.func.id in BUILTINS else ""
    if not isinstance(call.func, ast.Attribute):
        return ""
    name, owner = call.func.attr, ast.unparse(call.func.value)
    given = {k.arg: ast.unparse(k.value) for k in call.keywords}
    if name == "load" and owner == "torch" and given.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if (
        name == "load"
        and owner in ("np", "numpy")
        and given.get("allow_pickle", "False") != "False"
    ):
        return "numpy.load of pickles"
    if name in ("system", "popen") and owner == "os":
        return f"os.{name}"
    if given.get("shell", "False") != "False":
        return "a shell"
    return name if name in RUNS_PICKLES else ""


def test_no_package_reads_data_that_runs() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {reason}"
        for path in _sources()
        for line, reason in _findings(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('a')",
        "torch.load('a', weights_only=False)",
        "np.load('a', allow_pickle=True)",
        "eval('1')",
        "exec('1')",
        "import yaml\nyaml.load('a')",
        "import marshal",
        "subprocess.run('ls', shell=True)",
        "os.system('ls')",
        "pd.read_pickle('a')",
    ],
)
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    assert list(_findings(ast.parse(code)))


def test_the_search_leaves_safe_code_alone() -> None:
    code = (
        "m.eval()\ntorch.load(a, weights_only=True)\nnp.load(a, allow_pickle=False)\nre.compile(a)"
    )
    assert list(_findings(ast.parse(code))) == []


class _Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def _array(trap: _Trap) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([trap] * 68, object), allow_pickle=True)
    return out.getvalue()


def _archive(trap: _Trap) -> bytes:
    out = io.BytesIO()
    np.savez(out, landmarks=np.array([trap], object), fps=np.array(trap, object))
    return out.getvalue()


def _graph(folder: Path, content: bytes) -> Path:
    from emohead.stages import EMOTION_ENCODER

    part = Part(spec=EMOTION_ENCODER, model=content, num_parameters=0, licence="x", sources=())
    write_bundle([part], folder / "b", name="b")
    return folder / "b"


def _manifest(folder: Path, content: bytes) -> Path:
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        archive.writestr("manifest.json", content)
    return folder / "b.zip"


def _file(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


READERS: dict[str, Callable[[Path, _Trap], object]] = {
    "npy": lambda f, t: landmarks_from(_file(f, "a.npy", _array(t))),
    "pickle as npy": lambda f, t: landmarks_from(_file(f, "a.npy", pickle.dumps(t))),
    "npz": lambda f, t: read_landmarks(_file(f, "a.npz", _archive(t))),
    "pickle as npz": lambda f, t: read_landmarks(_file(f, "a.npz", pickle.dumps(t))),
    "track": lambda f, t: read_track(_file(f, "a.json", pickle.dumps(t))),
    "graph": lambda f, t: Bundle.open(_graph(f, pickle.dumps(t)), stages=()).runner(
        "emotion_encoder", "cpu"
    ),
    "manifest": lambda f, t: Bundle.open(_manifest(f, pickle.dumps(t))),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_pickles_are_refused_and_never_run(
    reader: Callable[[Path, _Trap], object], tmp_path: Path
) -> None:
    trap = _Trap(tmp_path / "it ran")
    with pytest.raises(EmoheadError):
        reader(tmp_path, trap)
    assert not trap.trace.exists()
    pickle.loads(pickle.dumps(trap))  # so it would have been seen
    assert trap.trace.exists()


def test_a_pickle_among_jobs_is_a_failed_line(tmp_path: Path) -> None:
    trap = _Trap(tmp_path / "it ran")
    path = _file(tmp_path, "jobs.jsonl", pickle.dumps(trap) + b"\n" + json.dumps({}).encode())
    assert {getattr(job, "status", None) for _, job in read_jobs(path)} == {"failed"}
    assert not trap.trace.exists()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Folder of a checkpoint's weights, which are no safetensors but a pickle of torch."""
    torch = pytest.importorskip("torch")
    folder = tmp_path / "checkpoint-00000001"
    folder.mkdir()
    torch.save({"w": _Trap(tmp_path / "it ran")}, folder / "tensors-00.safetensors")
    (folder / "progress.json").write_text('{"step": 1}')
    (folder / "run.json").write_text("{}")
    return tmp_path


def test_checkpoints_that_are_pickles_are_refused(checkpoint: Path) -> None:
    from emohead_training.loop.checkpoints import latest

    with pytest.raises(EmoheadError, match="expected a safetensors file"):
        latest(checkpoint)
    assert not (checkpoint / "it ran").exists()


def test_weights_that_are_pickles_are_refused_at_export(checkpoint: Path) -> None:
    from emohead_training.loop.tensor_file import read_tensors

    pickled = next(checkpoint.rglob("*.safetensors"))
    shutil.copy(pickled, checkpoint / "weights.safetensors")
    with pytest.raises(EmoheadError):
        read_tensors(checkpoint / "weights.safetensors")
    assert not (checkpoint / "it ran").exists()
