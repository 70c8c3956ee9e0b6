"""What the service says, as OpenAPI has it. Slow to import (pydantic)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ENDED",
    "ID_PATTERN",
    "PING_S",
    "Problem",
    "ProblemDetail",
    "Progress",
    "Render",
    "RenderPage",
]

ID_PATTERN: Final = r"^[0-9a-f]{32}$"
PING_S: Final = 15
"""How often whoever watches a render hears that it has not changed, s."""
State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
ENDED: Final = frozenset({"done", "failed", "cancelled", "interrupted"})
"""States that do not change any more."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ProblemDetail(_Model):
    """What went wrong."""

    type: str
    """Kind of the error, for example ``InputError``."""
    message: str
    """One sentence: what was expected, what was found, what to do."""


class Problem(_Model):
    """Every answer that is an error."""

    error: ProblemDetail


class Progress(_Model):
    """How far a render is."""

    done: int = 0
    """Frames rendered."""
    total: int = 0
    """Frames in all; 0 until that is known."""


class Render(_Model):
    """One video: asked for, being made, or ended."""

    id: Annotated[str, Field(pattern=ID_PATTERN)]
    state: State
    """``interrupted``: the service stopped before the render had ended."""
    created: str
    """UTC time, ISO 8601."""
    started: str | None = None
    """UTC time, ISO 8601."""
    finished: str | None = None
    """UTC time, ISO 8601."""
    progress: Progress = Progress()
    settings: dict[str, Any] = {}
    """Fields of the job, but for its files."""
    emotion: str = ""
    """Emotion that leads, once it is known."""
    notes: list[str] = []
    """What the caller should know, one sentence each."""
    error: ProblemDetail | None = None
    """Why it failed or was interrupted."""
    num_bytes: int = 0
    """Size of the video."""
    video_sha256: str = ""
    """Of the video's file."""

    @property
    def has_ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED


class RenderPage(_Model):
    """Some of the renders, newest first."""

    renders: list[Render]
    next: str | None = None
    """What to give as ``after`` for the next page; null on the last one."""
