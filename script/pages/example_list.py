"""What the scripts of ``examples/`` show, as their own first lines say it."""

from __future__ import annotations

import ast
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def table() -> str:
    """One row per script."""
    rows = ["| script | shows |", "|---|---|"]
    for path in sorted(EXAMPLES.glob("*.py")):
        says = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
        rows.append(f"| `{path.name}` | {' '.join(says.split())} |")
    return "\n".join(rows)
