"""From a job to a clip: read its files, then ask a head. Shared by every way to render.

Files are read without a head, so that a bad one fails before any network loads.
Called by ``rendering.py`` and ``emohead render``. Not here: writing the video.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emohead.audio import Audio, read_audio
from emohead.emotion import EMOTIONS
from emohead.jobs.schema import Job

if TYPE_CHECKING:
    from typing import Any

    from emohead.clip import Clip
    from emohead.emotion import Emotion
    from emohead.emotion.track import EmotionTrack
    from emohead.emotion.valence_arousal import VA
    from emohead.head import TalkingHead
    from emohead.landmarks.track import LandmarkTrack
    from emohead.portrait import Portrait
    from emohead.style import Style

__all__ = ["Inputs", "animate_job", "find_face", "read_inputs", "shown_emotion"]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a job's files hold, but for the photo."""

    speech: Audio
    """The voice."""
    felt: Emotion | VA | EmotionTrack | None
    """Emotion that the job or its track gives; None to hear it."""
    other: Audio | None
    """Speech to take the emotion from."""
    landmarks: LandmarkTrack | None = None
    """Landmarks of every frame to render."""
    style: Style | None = None
    """How a person talks."""


def read_inputs(job: Job) -> Inputs:
    """Read what a job names, the photo excepted.

    Parameters
    ----------
    job : Job

    Returns
    -------
    Inputs

    Raises
    ------
    InputError
        If a file cannot be used.
    """
    felt: Emotion | VA | EmotionTrack | None = job.felt()
    if job.emotion_track is not None:
        from emohead.emotion.files import read_track

        felt = read_track(job.emotion_track)
    speech = read_audio(job.speech)
    other = None if job.emotion_from is None else read_audio(job.emotion_from)
    return Inputs(
        speech=speech, felt=felt, other=other, landmarks=_landmarks(job), style=_style(job)
    )


def _landmarks(job: Job) -> LandmarkTrack | None:
    if job.landmarks_from is None:
        return None
    from emohead.landmarks.files import read_landmarks

    return read_landmarks(job.landmarks_from)


def _style(job: Job) -> Style | None:
    if job.style is None:
        return None
    from emohead.style.files import read_style

    return read_style(job.style)


def find_face(head: TalkingHead, job: Job) -> Portrait:
    """Prepare the job's face; raises InputError where the photo shows none."""
    return head.portrait(job.face, face_box=job.face_box, landmarks=job.landmarks)


def animate_job(head: TalkingHead, face: Portrait, inputs: Inputs, job: Job) -> Clip:
    """Make the clip of a job.

    Parameters
    ----------
    head : TalkingHead
    face : Portrait
        From ``find_face``.
    inputs : Inputs
        From ``read_inputs``.
    job : Job

    Returns
    -------
    Clip
        Frames are rendered when asked for.

    Raises
    ------
    EmoheadError
        As for ``TalkingHead.animate``.
    """
    felt = inputs.felt
    if inputs.other is not None:
        track = head.read_emotion(inputs.other)
        factor = inputs.speech.duration_s / inputs.other.duration_s
        felt = track if job.emotion_fit == "hold" else track.stretched(factor)
    brought = inputs.landmarks
    if brought is not None and job.fit_landmarks:
        brought = brought.fitted_to(face)
    return head.animate(
        face,
        inputs.speech,
        emotion=felt,
        strength=job.strength,
        seed=job.seed,
        fps=job.fps,
        full_frame=job.full_frame,
        still=job.still,
        head_motion=job.head_motion,
        blink_rate=job.blink_rate,
        gaze=job.gaze,
        landmarks=brought,
        style=inputs.style,
    )


def shown_emotion(clip: Clip) -> dict[str, Any]:
    """Emotion of a clip for records and summaries: name, source, weights."""
    weights = zip(EMOTIONS, clip.emotion.weights.tolist(), strict=True)
    return {
        "emotion": clip.emotion.name,
        "emotion_source": clip.emotion.source,
        "emotion_weights": {name: round(weight, 4) for name, weight in weights},
    }
