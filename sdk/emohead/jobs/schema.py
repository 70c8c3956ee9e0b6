"""``Job``: everything that one video needs, checked before any work is done.

Its names are those of ``TalkingHead.animate`` and of ``emohead render``.
Not here: reading files of jobs (``reading.py``), the files that a job names (``inputs.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from emohead.emotion import Emotion, emotion_from
from emohead.emotion.valence_arousal import VA
from emohead.errors import EmoheadError, InputError
from emohead.life import BLINK_RATE, GAZE, MAX_BLINK_RATE
from emohead.liveliness import HEAD_MOTION, MAX_HEAD_MOTION, Life
from emohead.motion import FPS
from emohead.retime import MAX_FPS, checked_fps

__all__ = [
    "FILES",
    "Job",
    "Place",
    "checked_name",
    "folded",
    "job_from",
    "job_schema",
    "sentence_of",
    "storable",
]

FILES: Final = (
    "face",
    "speech",
    "emotion_track",
    "emotion_from",
    "landmarks",
    "landmarks_from",
    "style",
)
"""Fields that name files which a job reads."""
VIDEO_SUFFIX: Final = ".mp4"
_MAX_NAME: Final = 512
_WINDOWS: Final = frozenset('<>:"|?*\\')


class Place(BaseModel):
    """A feeling by valence and arousal, see ``emohead.VA``."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    valence: float = Field(json_schema_extra={"minimum": -1, "maximum": 1})
    """Unpleasant (-1) to pleasant (1)."""
    arousal: float = Field(json_schema_extra={"minimum": -1, "maximum": 1})
    """Drowsy (-1) to excited (1)."""


Felt = Annotated[Place | str | dict[str, float], Field(union_mode="left_to_right")]


def _range(low: float, high: float | None = None) -> dict[str, Any]:
    """Tell the JSON Schema the bounds of a number, which its owner checks."""
    return {"minimum": low} | ({} if high is None else {"maximum": high})


class Job(BaseModel):
    """One video: a face, a voice, and how it shall be acted.

    Relative paths are relative to the current folder; ``read_jobs`` makes those of a file relative
    to that file's folder.

    Raises
    ------
    pydantic.ValidationError
        For an unknown field, or a value that makes no sense; ``job_from`` turns it into an
        ``InputError`` of one sentence.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    face: Path
    """Photo of one face."""
    speech: Path
    """Audio or video file."""
    output: str
    """Name of the video below the output folder, ends in .mp4; `/` separates folders."""
    emotion: Felt | None = None
    """Name, text such as happy=0.6,surprised=0.3, weights by name, or valence and arousal; read
    from the voice by default."""
    emotion_track: Path | None = None
    """File with the emotion over time, .json, instead of `emotion`."""
    emotion_from: Path | None = None
    """Another speech whose emotion shows, as it changes, instead of `emotion`."""
    emotion_fit: Literal["stretch", "hold"] = "stretch"
    """How the other speech's emotion is fitted to this one's length."""
    strength: float = Field(1.0, json_schema_extra=_range(0))
    """How much of the emotion shows: 0 (neutral) to 1; more is taken for 1."""
    seed: int = Field(0, json_schema_extra=_range(0))
    """Seed of head motion, blinks and glances."""
    fps: int = Field(FPS, json_schema_extra=_range(1, MAX_FPS))
    """Frames per second of the video."""
    full_frame: bool = False
    """Whether the face is pasted back into the photo."""
    still: bool = False
    """Whether head and eyes are kept still."""
    head_motion: float = Field(HEAD_MOTION, json_schema_extra=_range(0, MAX_HEAD_MOTION))
    """How far the head moves: 0 (still), 1 (usual) to 4."""
    blink_rate: float = Field(BLINK_RATE, json_schema_extra=_range(0, MAX_BLINK_RATE))
    """Blinks a minute."""
    gaze: float = Field(GAZE, json_schema_extra=_range(0, 1))
    """How far the eyes glance aside: 0 (never) to 1."""
    face_box: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 in pixels of the photo, for a face that is not found."""
    landmarks: Path | None = None
    """File with 68 landmarks in pixels of the photo: .npy, .json, .csv, .pts."""
    landmarks_from: Path | None = None
    """File with landmarks of every frame, .json, .csv or .npz, to render as they are."""
    fit_landmarks: bool = False
    """Whether those are another face's, of which the motion is taken and not the shape."""

    style: Path | None = None
    """File with a person's own way of talking, .json, from `emohead style`."""

    @field_validator("output")
    @classmethod
    def _named_safely(cls, name: str) -> str:
        return checked_name(name)

    @model_validator(mode="after")
    def _makes_sense(self) -> Job:
        sources = ("emotion", "emotion_track", "emotion_from")
        given = [f for f in sources if getattr(self, f) is not None]
        if len(given) > 1:
            raise InputError(
                f"expected one source of the emotion, got {', '.join(given)}: choose one"
            )
        if given and self.landmarks_from is not None:
            raise InputError(f"expected landmarks_from or {given[0]}, got both: choose one")
        if self.fit_landmarks and self.landmarks_from is None:
            raise InputError("expected landmarks_from with fit_landmarks, got none: add the file")
        self.felt()
        if not self.strength >= 0:
            raise InputError(f"expected a strength in [0, 1], got {self.strength}")
        checked_fps(self.fps)
        Life(
            seed=self.seed,
            head_motion=self.head_motion,
            blink_rate=self.blink_rate,
            gaze=self.gaze,
        )
        return self

    def felt(self) -> Emotion | VA | None:
        """Emotion that the job names; None where a file or the voice has it."""
        if self.emotion is None:
            return None
        if isinstance(self.emotion, Place):
            return VA(self.emotion.valence, self.emotion.arousal)
        return emotion_from(self.emotion)

    def files(self) -> dict[str, Path]:
        """Files that the job reads, by field."""
        return {f: path for f in FILES if (path := getattr(self, f)) is not None}

    def based(self, folder: Path) -> Job:
        """Make relative paths absolute, taken from `folder`."""
        return self.model_copy(update={f: folder / path for f, path in self.files().items()})


def checked_name(name: str) -> str:
    """Refuse names that lead out of the output folder or that not every system can store.

    Parameters
    ----------
    name : str
        As a job gives it, for example ``anna/hello.mp4``.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    InputError
        If it is absolute, has ``..``, hidden or empty parts or odd characters, or does not end in
        ``.mp4``.
    """
    parts = name.split("/")
    is_odd = any(c in _WINDOWS or not c.isprintable() for c in name) or len(name) > _MAX_NAME
    if is_odd or any(not p or p[0] == "." or p[-1] in ". " for p in parts):
        raise InputError(
            f"expected an output such as anna/hello.mp4 below the output folder, got {name!r}: "
            "give no absolute path, no part that begins with a dot, no backslash, none of "
            '<>:"|?*, and at most 512 characters'
        )
    if PurePosixPath(name).suffix.lower() != VIDEO_SUFFIX:
        raise InputError(f"the output {name} must end in .mp4: choose such a name")
    return name


def folded(output: str) -> str:
    """Name alike those outputs whose videos or records would be one file on some system."""
    return str(PurePosixPath(output).with_suffix("")).casefold()


def storable(text: str) -> str:
    """Replace what ``checked_name`` refuses inside of a name, and cut it to a file's length."""
    return "".join(_storable(character) for character in text)[:100]


def _storable(character: str) -> str:
    return "-" if character in _WINDOWS | {"/"} or not character.isprintable() else character


def job_from(given: Mapping[str, Any]) -> Job:
    """Make a job of what somebody sent.

    Parameters
    ----------
    given : mapping
        Fields of ``Job``.

    Returns
    -------
    Job

    Raises
    ------
    InputError
        With one sentence on the first thing that is wrong.
    """
    try:
        return Job.model_validate(given)
    except ValidationError as err:
        raise InputError(sentence_of(err)) from err


def sentence_of(error: ValidationError) -> str:
    """First complaint about a job, in one sentence."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, EmoheadError):
        return str(cause)
    place = str(first["loc"][0]) if first["loc"] else "the job"
    if first["type"] == "missing":
        return f"expected a job with {place}, got none: add it"
    if first["type"] == "extra_forbidden":
        fields = ", ".join(Job.model_fields)
        return f"a job has no field {place}: choose from {fields}"
    got = repr(first["input"])
    shown = got if len(got) <= 80 else f"{got[:77]}..."
    if place == "emotion":
        return (
            f"expected an emotion as a name, weights by name, or valence and arousal, got {shown}"
        )
    return f"the job's {place} cannot be used ({first['msg']}), got {shown}"


def job_schema() -> dict[str, Any]:
    """JSON Schema of a job.

    Returns
    -------
    dict
        As ``emohead farm --schema`` prints it and ``docs/job.schema.json`` has it.
    """
    schema = Job.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Job"}
