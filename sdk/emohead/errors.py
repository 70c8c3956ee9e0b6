"""Every error that emohead raises on purpose, grouped by what the caller can do.

EmoheadError
├── InputError      the file, text or number given is unusable: give another one
├── ContractError   a tensor does not fit its stage: fix the feed or re-export the stage
├── BundleError     the bundle is missing, altered or of another version: get or export it again
├── BackendError    this machine cannot run what was asked: install or choose another backend
└── ParityError     an exported graph differs from its source: do not ship it

Messages say what was expected, what was found and what to do; what a library said is quoted by its
first line (``first_line``). Not here: warnings and logging.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BackendError",
    "BundleError",
    "ContractError",
    "EmoheadError",
    "InputError",
    "ParityError",
    "first_line",
]

_LONGEST: Final = 4000
"""Characters of a message: files of strangers may give names and values of any length."""


class EmoheadError(Exception):
    """Root of every error raised on purpose by emohead; what a message quotes is cut to size."""

    def __init__(self, message: str = "") -> None:
        cut = f"{message[:_LONGEST]}…" if len(message) > _LONGEST else message
        super().__init__(cut)


class InputError(EmoheadError, ValueError):
    """A face, voice, path or parameter that cannot be used as given."""


class ContractError(EmoheadError, ValueError):
    """A tensor whose name, dtype or shape differs from its stage's specification."""


class BundleError(EmoheadError):
    """A bundle that is missing, altered, incomplete or made for another contract."""


class BackendError(EmoheadError, RuntimeError):
    """A backend that this machine cannot provide."""


class ParityError(EmoheadError):
    """An exported graph whose results differ from its source beyond the tolerance."""


def first_line(error: BaseException) -> str:
    """Quote what a library's error says: its first line, or its type where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
