"""Schema of the two files of a study: the key that stays secret, and a participant's answers.

Slow to import (pydantic). Called by ``make.py`` and ``score.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emohead.errors import InputError
from emohead.reading import first_problem, read_file

__all__ = ["QUESTIONS", "Answers", "Check", "Clip", "Key", "Rating", "Score", "read_record"]

QUESTIONS: Final = {
    "visual_quality": "How good does the video look?",
    "emotion_match": "How well does the emotion of the face match that of the voice?",
}
"""What is rated from 0 to 10, and how participants are asked (paper 4.3)."""

Score = Annotated[int, Field(ge=0, le=10, strict=True)]
Name = Annotated[str, Field(min_length=1, strict=True)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Clip(_Record):
    """What an opaque name hides."""

    method: Name
    set: Name


class Check(_Record):
    """An attention check: a screen that asks for given scores."""

    participant: int
    """Who meets it."""
    visual_quality: Score
    """Score asked for."""
    emotion_match: Score
    """Score asked for."""


class Key(_Record):
    """The study's key; whoever rates must not see it."""

    format: Literal["emohead-study-key/1"] = "emohead-study-key/1"
    study: Name
    """Opaque name of the study."""
    num_participants: int = Field(ge=1)
    seed: int
    clips: dict[str, Clip]
    """By opaque name."""
    sets: dict[str, Name]
    """Name of a set by its opaque name."""
    checks: dict[str, Check] = {}
    """By opaque name."""


class Rating(_Record):
    """Scores of one clip."""

    set: Name
    clip: Name
    visual_quality: Score
    emotion_match: Score


class CheckAnswer(_Record):
    """Scores given at an attention check."""

    check: Name
    visual_quality: Score
    emotion_match: Score


class Answers(_Record):
    """One participant's answers, as the page saves them."""

    format: Literal["emohead-study-answers/1"] = "emohead-study-answers/1"
    study: Name
    participant: int = Field(ge=1, strict=True)
    started: str
    """UTC time, ISO 8601."""
    finished: str
    """UTC time, ISO 8601."""
    ratings: tuple[Rating, ...]
    checks: tuple[CheckAnswer, ...] = ()


R = TypeVar("R", bound=BaseModel)


def read_record(path: Path, record: type[R], what: str) -> R:
    """Read and validate one of the files.

    Parameters
    ----------
    path : Path
    record : type
        ``Key`` or ``Answers``.
    what : str
        What the file is, for the message.

    Raises
    ------
    InputError
        A file that is missing, not JSON, or not as the schema asks; one sentence that names it.
    """
    content = read_file(path, f"the {what}", "give its path")
    try:
        return record.model_validate_json(content)
    except ValidationError as err:
        place, problem = first_problem(err, "its content")
        raise InputError(
            f"the {what} {path} is malformed at {place} ({problem.lower()}): "
            "give the file as the study wrote it"
        ) from err
