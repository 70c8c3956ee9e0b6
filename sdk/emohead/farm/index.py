"""What is known of every output, on disk rather than in memory: a farm may have millions.

Called by ``plan.py``. Not here: the log that it is filled from (``emohead.jobs``).
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from emohead.jobs.schema import folded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emohead.jobs import Record

__all__ = ["Index", "Known", "name_of"]

_TABLES = """
CREATE TABLE known (name TEXT PRIMARY KEY, key TEXT, status TEXT, num_bytes INTEGER) WITHOUT ROWID;
CREATE TABLE claimed (name TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID;
"""


class Known(NamedTuple):
    """What became of an output when it was last tried."""

    key: str
    status: str
    num_bytes: int


class Index:
    """Outputs by name, in a temporary database that nobody else sees."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # a file without a name
        self._database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2000;" + _TABLES
        )

    def add(self, record: Record) -> None:
        """Remember what became of an output, in place of what was known."""
        self._database.execute(
            "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)",
            (name_of(record), record.key, record.status, record.num_bytes),
        )

    def fill(self, records: Iterable[Record]) -> None:
        """Add many, oldest first."""
        self._database.execute("BEGIN")
        for record in records:
            self.add(record)
        self._database.execute("COMMIT")

    def find(self, name: str) -> Known | None:
        """Look up what is known of a name from ``name_of`` or ``folded``."""
        found = self._database.execute(
            "SELECT key, status, num_bytes FROM known WHERE name = ?", (name,)
        ).fetchone()
        return None if found is None else Known(*found)

    def claim(self, output: str, line: int) -> int:
        """Take an output for a line.

        Parameters
        ----------
        output : str
            The job's.
        line : int

        Returns
        -------
        int
            The line that it belongs to: this one, or the one that took it earlier.
        """
        name = folded(output)
        try:
            self._database.execute("INSERT INTO claimed VALUES (?, ?)", (name, line))
        except sqlite3.IntegrityError:
            row = self._database.execute("SELECT line FROM claimed WHERE name = ?", (name,))
            return int(row.fetchone()[0])
        return line

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


def name_of(record: Record) -> str:
    """Name of a record's output; of its line where that is no job."""
    return f"line {record.line}" if record.job is None else folded(record.output)
