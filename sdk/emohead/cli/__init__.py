"""The ``emohead`` command: one small module per subcommand.

Errors become one sentence and an exit code here, never a traceback (``reporting.py``).
Not here: anything that a Python caller could not do with the public API.
"""

from __future__ import annotations

from emohead.cli.app import app, main

__all__ = ["app", "main"]
