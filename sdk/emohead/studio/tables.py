"""Tables for reading: inline HTML that a phone shows as small cards.

Pure functions. Not here: tables that are edited (``gr.Dataframe``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from emohead.studio.wording import escaped

__all__ = ["table_html"]


def table_html(
    head: Sequence[str], rows: Iterable[Sequence[str]], classes: Iterable[str] = ()
) -> str:
    """Draw a table.

    Parameters
    ----------
    head : sequence of str
        Names of the columns; empty ones are not shown.
    rows : iterable of rows
        Text.
    classes : iterable of str
        Style of each row.

    Returns
    -------
    str
    """
    styles = iter(classes)
    names = "".join(f"<th>{escaped(name)}</th>" for name in head)
    body = "".join(f'<tr class="{next(styles, "")}">{_cells(head, row)}</tr>' for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _cells(head: Sequence[str], row: Sequence[str]) -> str:
    return "".join(
        f"<td{_named(name)}>{escaped(cell)}</td>" for name, cell in zip(head, row, strict=True)
    )


def _named(name: str) -> str:
    return f' data-head="{escaped(name)}"' if name else ""
