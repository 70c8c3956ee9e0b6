"""What every command says and how it ends: sentences on stderr, results on stdout, exit codes."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec

import typer

from emohead.errors import BackendError, EmoheadError

__all__ = [
    "DEBUG_VARIABLE",
    "EXIT_ALTERED",
    "EXIT_FAILED",
    "EXIT_FOREIGN",
    "EXIT_INTERNAL",
    "EXIT_INTERRUPTED",
    "EXIT_UNHEARD",
    "EXIT_UNUSABLE",
    "ends_cleanly",
    "needs_extra",
    "print_json",
    "print_rows",
    "printable",
    "progress_bar",
    "say",
]

EXIT_INTERNAL = 1
"""A mistake of ours."""
EXIT_UNUSABLE = 2
"""Something given, or this machine, cannot be used; the message says what to do."""
EXIT_FOREIGN = 3
"""A video does not say that emohead made it."""
EXIT_ALTERED = 4
"""It says so, and is not what was written; or came out as other bytes when it was repeated."""
EXIT_FAILED = 5
"""A farm is through, and at least one job has no video."""
EXIT_INTERRUPTED = 130
"""Ctrl-C."""
EXIT_UNHEARD = 141
"""Whoever read the output has left, as `head` does."""
DEBUG_VARIABLE = "EMOHEAD_DEBUG"
"""Environment variable that lets tracebacks through."""

P = ParamSpec("P")


@contextlib.contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Say which extra is missing, instead of an ImportError.

    Parameters
    ----------
    name : str
        Of the extra that brings what is imported inside.

    Raises
    ------
    BackendError
        If something cannot be imported; it names the command that installs the extra.
    """
    try:
        yield
    except ImportError as err:
        raise BackendError(
            f"expected the extra `{name}`, but {err.name or 'a package'} cannot be imported; "
            f"run `pip install 'emohead[{name}]'`"
        ) from err


def printable(text: str) -> str:
    """Replace characters that would act on a terminal: names of files may hold any."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def say(sentence: str) -> None:
    """Tell people something without disturbing what programs read from stdout."""
    print(printable(sentence), file=sys.stderr, flush=True)


def print_rows(rows: Mapping[str, object]) -> None:
    """Print a line for each name and its value, the values below each other."""
    width = max(map(len, rows), default=0) + 1
    for name, value in rows.items():
        print(printable(f"{name:{width}} {value}".replace("\n", " ")))


def print_json(result: dict[str, Any]) -> None:
    """Print one JSON object on stdout, on one line."""
    print(json.dumps(result, ensure_ascii=False, allow_nan=False), flush=True)


@contextlib.contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while a block runs; quiet, or where nobody looks, there is none.

    Yields
    ------
    callable
        Called as ``progress(done, total)``.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not sys.stderr.isatty()
    console = Console(stderr=True, quiet=hidden)
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def ends_cleanly(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a command's exceptions into one sentence and an exit code.

    Parameters
    ----------
    command : callable
        A command; its argument ``as_json``, if any, asks for errors as JSON too.

    Returns
    -------
    callable
        The command with the same signature.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json", False))
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            with contextlib.suppress(OSError):  # what is still to be written has nobody either
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_UNHEARD) from None
        except EmoheadError as err:
            _end(err, str(err), EXIT_UNUSABLE, as_json)
        except KeyboardInterrupt as err:
            _end(err, "interrupted: no unfinished file is left", EXIT_INTERRUPTED, as_json)
        except typer.Exit:
            raise
        except Exception as err:
            advice = f"please report it, with what {DEBUG_VARIABLE}=1 shows"
            message = f"internal error, {type(err).__name__}: {err}: {advice}"
            _end(err, message, EXIT_INTERNAL, as_json)

    return wrapped


def _end(err: BaseException, message: str, code: int, as_json: bool) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        raise err
    sentence = printable(" ".join(message.split()))
    say(f"emohead: {sentence}")
    if as_json:
        print_json({"error": {"type": type(err).__name__, "message": sentence}})
    raise typer.Exit(code) from None
