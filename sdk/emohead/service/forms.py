"""The form that asks for a render, and the job that it becomes.

Called by ``render_routes.py``. Not here: what makes a job valid (``emohead.jobs.schema``).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePath
from typing import Annotated, Any, Final, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

from emohead.errors import InputError
from emohead.jobs.schema import FILES, Job, job_from
from emohead.life import BLINK_RATE, GAZE, MAX_BLINK_RATE
from emohead.liveliness import HEAD_MOTION, MAX_HEAD_MOTION
from emohead.motion import FPS
from emohead.retime import MAX_FPS
from emohead.service.store import VIDEO_NAME

__all__ = ["RenderForm", "job_from_form"]

_SUFFIXES: Final = {
    "emotion_track": (".json",),
    "landmarks": (".npy", ".json", ".csv", ".pts"),
    "landmarks_from": (".json", ".csv", ".npz"),
    "style": (".json",),
}
"""Endings that say what a file is; of others the content does."""
_NUMBER: Final = r" *-?[0-9]{1,9}(\.[0-9]{1,9})? *"


class RenderForm(BaseModel):
    """A face, a voice, and how it shall be acted; the names are those of ``emohead render``."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    face: UploadFile
    """Photo of one face."""
    speech: UploadFile
    """Audio or video file."""
    emotion: Annotated[str, Field(max_length=10_000)] | None = None
    """Name, text such as happy=0.6,surprised=0.3, or a JSON object of weights by name or of
    valence and arousal; read from the voice by default."""
    emotion_track: UploadFile | None = None
    """Emotion over time, .json, instead of `emotion`."""
    emotion_from: UploadFile | None = None
    """Another speech whose emotion shows, as it changes, instead of `emotion`."""
    emotion_fit: Literal["stretch", "hold"] = "stretch"
    """How the other speech's emotion is fitted to this one's length."""
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """How much of the emotion shows: 0 (neutral) to 1."""
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    """Seed of head motion, blinks and glances."""
    fps: Annotated[int, Field(ge=1, le=MAX_FPS)] = FPS
    """Frames per second of the video."""
    full_frame: bool = False
    """Whether the face is pasted back into the photo."""
    still: bool = False
    """Whether head and eyes are kept still."""
    head_motion: Annotated[float, Field(ge=0, le=MAX_HEAD_MOTION, allow_inf_nan=False)] = (
        HEAD_MOTION
    )
    """How far the head moves: 0 (still), 1 (usual) to 4."""
    blink_rate: Annotated[float, Field(ge=0, le=MAX_BLINK_RATE, allow_inf_nan=False)] = BLINK_RATE
    """Blinks a minute."""
    gaze: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = GAZE
    """How far the eyes glance aside: 0 (never) to 1."""
    style: UploadFile | None = None
    """A person's own way of talking, .json, from ``emohead style``."""
    face_box: Annotated[str, Field(pattern=f"^{_NUMBER}(,{_NUMBER}){{3}}$")] | None = None
    """x0,y0,x1,y1 in pixels of the photo, for a face that is not found."""
    landmarks: UploadFile | None = None
    """68 landmarks in pixels of the photo: .npy, .json, .csv, .pts."""
    landmarks_from: UploadFile | None = None
    """Landmarks of every frame to render instead of the voice's lips: .json, .csv or .npz."""
    fit_landmarks: bool = False
    """Whether those are another face's, of which the motion is taken and not the shape."""


def job_from_form(form: RenderForm, folder: Path) -> Job:
    """Make the job of a form, its files in `folder`.

    Parameters
    ----------
    form : RenderForm
    folder : Path
        Empty; uploads are copied there under names of our own.

    Returns
    -------
    Job

    Raises
    ------
    InputError
        If the fields make no sense together.
    """
    given: dict[str, Any] = form.model_dump(exclude=set(FILES), exclude_none=True)
    if form.emotion is not None and form.emotion.lstrip().startswith("{"):
        given["emotion"] = _object(form.emotion)
    if form.face_box is not None:
        given["face_box"] = [float(number) for number in form.face_box.split(",")]
    uploads = {field: upload for field in FILES if (upload := getattr(form, field)) is not None}
    names = {field: folder / f"{field}{_suffix(field, up)}" for field, up in uploads.items()}
    job = job_from({**given, **names, "output": VIDEO_NAME})
    for field, upload in uploads.items():
        with names[field].open("xb") as target:
            shutil.copyfileobj(upload.file, target, 1 << 20)
    return job


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise InputError(f"expected the emotion as a name, weights or JSON, got {err}") from err


def _suffix(field: str, upload: UploadFile) -> str:
    """Find the ending that says what an upload is; nothing else of its name is used."""
    if field not in _SUFFIXES:
        return ""
    suffix = PurePath(upload.filename or "").suffix.lower()
    if suffix not in _SUFFIXES[field]:
        raise InputError(
            f"expected {field} as a file that ends in {', '.join(_SUFFIXES[field])}, got "
            f"{(upload.filename or 'no name')[:100]!r}"
        )
    return suffix
