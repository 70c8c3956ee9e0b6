"""Every command and option of the three command lines, as the commands themselves declare them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import typer

import emohead.cli
import emohead_export.cli
import emohead_training.cli

_TYPES = {"path": "PATH", "str": "TEXT", "int": "INTEGER", "float": "NUMBER"}
_FACTS = re.compile(r"\s*\[((?:default|required|env var|x[<>=]|[^\]\[]*[<>]=)[^\]]*)\]$")
"""What a help text says at its end, in brackets."""

Leaf = tuple[str, str, tuple[str, ...]]
"""Name with its program, first sentences of the help, rows of the table."""


def emohead_section() -> str:
    """Sections of ``emohead``."""
    return _section(emohead.cli.app, "emohead")


def training_section() -> str:
    """Sections of ``emohead-train``."""
    return _section(emohead_training.cli.app, "emohead-train")


def export_section() -> str:
    """Sections of ``emohead-export``."""
    return _section(emohead_export.cli.app, "emohead-export")


def _section(app: typer.Typer, program: str) -> str:
    leaves = list(_leaves(typer.main.get_command(app), program))
    alike = groupby(leaves, key=lambda leaf: leaf[2])
    return "\n\n".join(_written(list(group), rows) for rows, group in alike)


def _leaves(command: Any, name: str) -> Iterator[Leaf]:
    """Commands that have no subcommands, in the order in which help lists them."""
    if hasattr(command, "commands"):
        for word, inner in command.commands.items():
            if not inner.hidden:
                yield from _leaves(inner, f"{name} {word}")
        return
    context = typer._click.Context(command, info_name=name)  # what help texts are made in
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    rows = tuple(_row(p, context) for p in shown if p.name != "help")
    yield name, " ".join((command.help or "").split()), rows


def _row(parameter: Any, context: Any) -> str:
    names, text = parameter.get_help_record(context) or (parameter.name.upper(), "")
    if parameter.param_type_name == "argument":
        names = names.partition(" <")[0].upper()
    facts = _FACTS.search(text)
    default = facts[1].replace("default: ", "").replace("x>=", "at least ") if facts else ""
    meaning = text[: facts.start()] if facts else text
    if default.startswith("no-"):
        default = "off"
    return f"| {_code(_typed(names))} | {_cell(meaning)} | {_cell(default)} |"


def _typed(names: str) -> str:
    """Write types as people read them: ``<list[Path]>`` as ``PATH``, for it may be repeated."""

    def named(match: re.Match[str]) -> str:
        word = match[1].removeprefix("list[").removesuffix("]").removesuffix(" range")
        return word if "|" in word else _TYPES.get(word.lower(), word.upper())

    return re.sub(r"<([^<>]+)>", named, names)


def _written(leaves: list[Leaf], rows: tuple[str, ...]) -> str:
    """One table for neighbours that take the same options, as the stages of training do."""
    parts = [f"### {leaves[0][0]}" if len(leaves) == 1 else f"### {_joint_name(leaves)}"]
    if len(leaves) == 1:
        parts.append(leaves[0][1])
    else:
        parts.append("\n".join(f"- `{name}`: {text}" for name, text, _ in leaves))
    if rows:
        parts.append("\n".join(["| option | meaning | default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _joint_name(leaves: list[Leaf]) -> str:
    program = leaves[0][0].rpartition(" ")[0]
    return f"{program} {', '.join(name.rpartition(' ')[2] for name, _, _ in leaves)}"


def _code(text: str) -> str:
    return "`" + " ".join(text.split()).replace("|", r"\|") + "`"


def _cell(text: str) -> str:
    escaped = " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
    return escaped.replace("[", r"\[")
