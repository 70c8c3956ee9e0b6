"""What a documented shell command must fulfil: programs, options and files that exist."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer
from typer.testing import CliRunner

import emohead.cli
import emohead_export.cli
import emohead_training.cli

from .blocks import ROOT

OURS = {
    "emohead": emohead.cli.app,
    "emohead-train": emohead_training.cli.app,
    "emohead-export": emohead_export.cli.app,
}
MODULES = {
    "emohead": "emohead",
    "emohead_training": "emohead-train",
    "emohead_export": "emohead-export",
}
RUN_FOR_REAL = ("render", "emotion", "landmarks", "style", "inspect", "doctor", "verify")
"""Commands of ``emohead`` that take no hardware, no corpus and little time."""
OTHERS = {
    "cd",
    "curl",
    "docker",
    "export",
    "git",
    "helm",
    "kubectl",
    "mkdir",
    "openssl",
    "ray",
    "tritonserver",
}
"""Programs of other people that pages may name; nobody checks their options."""


def check_command(words: Sequence[str]) -> None:
    """Parse a command of ours as the real command line does, or run it; know all others.

    Raises
    ------
    AssertionError, typer exceptions
        For a program, option, file, target or extra that does not exist, or a run that fails.
    """
    assert not any("…" in word for word in words), f"{words} is no command: write it out"
    program, *arguments = _ours(words)
    if program in OURS:
        if arguments != ["--version"]:
            parse(OURS[program], program, arguments)
        if program == "emohead" and arguments and arguments[0] in RUN_FOR_REAL:
            result = CliRunner().invoke(OURS[program], arguments)
            assert result.exit_code == 0, result.output
    elif program == "make":
        _check_targets([a for a in arguments if "=" not in a])
    elif program in ("pip", "pip3"):
        _check_extras(arguments)
    elif program in ("python", "python3") or program.startswith("script/"):
        _check_files([program, *arguments])
    else:
        assert program in OTHERS, f"{program} is not among the programs that pages may use"


def _ours(words: Sequence[str]) -> list[str]:
    """Write our programs by their names, wherever they lie and however they are called."""
    name = os.path.basename(words[0])
    if name in ("python", "python3") and words[1:2] == ["-m"] and words[2] in MODULES:
        return [MODULES[words[2]], *words[3:]]
    return [name, *words[1:]] if name in OURS else list(words)


def parse(app: typer.Typer, program: str, arguments: Sequence[str]) -> None:
    """Let the real command line parse arguments, down to the last subcommand, and do nothing."""
    command: Any = _command_of(app)
    context, rest = None, list(arguments)
    while True:
        context = command.make_context(program, rest, parent=context)
        if not hasattr(command, "commands"):
            return
        words = [*context._protected_args, *context.args]
        program, command, rest = command.resolve_command(context, words)


@cache
def _command_of(app: typer.Typer) -> Any:
    return typer.main.get_command(app)


def _check_targets(targets: Sequence[str]) -> None:
    known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets) <= set(known), f"make {targets}: the Makefile has {known}"


def _check_extras(arguments: Sequence[str]) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    table = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    known = set(re.findall(r"^([\w-]+) = \[", table, re.MULTILINE))
    for argument in arguments:
        if match := re.fullmatch(r"(?:\.|emohead)\[(.*)\]", argument):
            assert set(match[1].split(",")) <= known, f"{argument}: the extras are {known}"


def _check_files(words: Sequence[str]) -> None:
    ours = [w for w in words if w.startswith(("script/", "examples/", "benchmarks/", "tests/"))]
    for word in ours:
        assert (ROOT / word).exists(), f"{word} does not exist"
