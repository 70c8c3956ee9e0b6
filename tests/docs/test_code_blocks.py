"""Every code block of README, CONTRIBUTING and docs runs, or says why it does not."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from emohead.errors import BackendError

from .blocks import PAGES, ROOT, Block, blocks_of, commands_of
from .command_lines import check_command

MOST_LEFT_OUT = 8
"""Blocks that may say that they cannot run here."""

MARKS = {
    "docs/farm.md": (
        pytest.mark.slow,  # Ray's processes start, and leave sockets and children to the end
        pytest.mark.filterwarnings("ignore::ResourceWarning"),
        pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    ),
    "docs/service.md": (pytest.mark.slow,),
}
"""What is special about the pages that start servers."""

ALL_BLOCKS = {page: blocks_of(page) for page in PAGES}


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that the Python blocks of one page fill together."""
    module = ModuleType("docs_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def _run_python(block: Block, module: ModuleType) -> None:
    code = _compiled(block)
    result = eval(code, module.__dict__)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def _compiled(block: Block):  # type: ignore[no-untyped-def]
    source = "\n" * (block.line - 1) + block.code
    return compile(source, str(block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def _run_shell(block: Block, module: ModuleType) -> None:
    for words in commands_of(block.code):
        check_command(words)


def _parse_json(block: Block, module: ModuleType) -> None:
    json.loads(block.code)


def _parse_json_lines(block: Block, module: ModuleType) -> None:
    for line in block.code.splitlines():
        json.loads(line)


def _parse_yaml(block: Block, module: ModuleType) -> None:
    assert list(yaml.safe_load_all(block.code))


CHECKS: dict[str, Callable[[Block, ModuleType], None]] = {
    "python": _run_python,
    "sh": _run_shell,
    "json": _parse_json,
    "jsonl": _parse_json_lines,
    "yaml": _parse_yaml,
    "text": lambda block, module: None,
}


def _check(block: Block, module: ModuleType) -> None:
    try:
        CHECKS[block.language](block, module)
    except BackendError as err:
        if "Ray could not be started" not in str(err):
            raise
        pytest.skip(f"{block.where}: {err}")  # too busy a machine says nothing of the page


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=MARKS.get(_name(p), ()), id=_name(p)) for p in PAGES if ALL_BLOCKS[p]],
)
def test_blocks_of_a_page_run_in_order(page: Path, desk: Path, namespace: ModuleType) -> None:
    for block in ALL_BLOCKS[page]:
        assert block.language in CHECKS, f"{block.where}: a block needs one of {list(CHECKS)}"
        if block.reason is None:
            _check(block, namespace)
        elif block.language == "python":
            _compiled(block)


@pytest.mark.slow
def test_readme_works_with_the_embedded_networks(media: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(media, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    module = ModuleType("docs_page")
    (block,) = [b for b in ALL_BLOCKS[ROOT / "README.md"] if b.language == "python"]
    _run_python(block, module)
    assert (tmp_path / "out.mp4").stat().st_size > 10_000
    assert (tmp_path / "happy.mp4").read_bytes() != (tmp_path / "out.mp4").read_bytes()


def test_few_blocks_are_left_out_and_say_why() -> None:
    left_out = {b.where: b.reason for blocks in ALL_BLOCKS.values() for b in blocks if b.reason}
    assert len(left_out) <= MOST_LEFT_OUT, left_out
    assert all(reason.startswith("needs ") for reason in left_out.values()), left_out
