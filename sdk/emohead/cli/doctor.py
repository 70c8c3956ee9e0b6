"""``emohead doctor``."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer

from emohead.cli.options import AsJson
from emohead.cli.reporting import EXIT_UNUSABLE, ends_cleanly, print_json

__all__ = ["doctor"]


@ends_cleanly
def doctor(
    as_json: AsJson = False,
) -> None:
    """Show what this machine has, and which backend will be used and why."""
    from emohead.doctor import examine_machine

    report = examine_machine()
    if as_json:
        print_json({**dataclasses.asdict(report), "is_ready": report.is_ready})
    else:
        _draw(dataclasses.asdict(report), report.is_ready)
    if not report.is_ready:
        raise typer.Exit(EXIT_UNUSABLE)


def _draw(findings: dict[str, Any], is_ready: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    warnings, obstacles = findings.pop("warnings"), findings.pop("obstacles")
    for name, value in findings.items():
        table.add_row(name.replace("_", " "), _text(value))
    console = Console(markup=False, highlight=False)
    console.print(table)
    for backend, why in obstacles.items():
        console.print(f"\nnot {backend}: {why}", soft_wrap=True)
    for warning in warnings:
        console.print(f"\nwarning: {warning}", soft_wrap=True)
    console.print("\nready to render" if is_ready else "\nnot ready: mend the warnings above")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
