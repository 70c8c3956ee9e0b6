"""Nobody types a tensor name outside ``stages.py``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from emohead.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("sdk", "training", "export", "engines", "benchmarks", "examples")
NAMES = {t.name for s in STAGES.values() for t in (*s.inputs, *s.outputs)}
UNMISTAKABLE = {n for n in NAMES if not n.isalpha()}
GRAPH_MODULES = (
    "emohead.runner",
    "emohead.feeds",
    "emohead.sessions",
    "emohead.bundle",
    "onnx",
    "onnxruntime",
)


def sources() -> list[Path]:
    found = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py")]
    return [p for p in found if p.name != "stages.py"]


def touches_graphs(tree: ast.AST) -> bool:
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    plain = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    return any(m in GRAPH_MODULES for m in (*plain, *(n.module or "" for n in imports)))


def typed_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Literals that equal a tensor name, and keywords in calls of a runner."""
    forbidden = NAMES if touches_graphs(tree) else UNMISTAKABLE
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in forbidden:
            yield node.lineno, str(node.value)
        if isinstance(node, ast.Call):
            callee = ast.unparse(node.func).rsplit(".", 1)[-1]
            if "runner" in callee or callee in STAGES:
                yield from ((node.lineno, k.arg) for k in node.keywords if k.arg in NAMES)


def test_no_tensor_name_is_typed_twice() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name!r}"
        for path in sources()
        for line, name in typed_names(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, "take these names from emohead.stages:\n" + "\n".join(found)


def test_the_search_finds_what_it_looks_for() -> None:
    name = sorted(UNMISTAKABLE)[0]
    assert list(typed_names(ast.parse(f"x = made[{name!r}]"))) == [(1, name)]
    assert list(typed_names(ast.parse("renderer(landmarks=1)"))) == [(1, "landmarks")]
    assert list(typed_names(ast.parse("import onnx\nx = 'frame'"))) == [(2, "frame")]
    assert not list(typed_names(ast.parse("x = 'frame'")))
    assert len(sources()) > 20
