"""Rendering one video for a command: checks first, then the API, then a summary."""

from __future__ import annotations

import os
import secrets
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emohead.audio import Audio, read_audio
from emohead.cli.directing import FITS, borrowed_emotion, check_fit
from emohead.cli.reporting import print_json, say
from emohead.errors import InputError
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION, Life
from emohead.video import check_output

if TYPE_CHECKING:
    from emohead.clip import Clip
    from emohead.emotion import Emotion
    from emohead.emotion_track import EmotionTrack
    from emohead.head import TalkingHead
    from emohead.portrait import Portrait
    from emohead.valence_arousal import VA

__all__ = ["RenderJob", "run_job"]


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """Everything that one rendering needs."""

    face: Path
    """Photo."""
    speech: Path
    """Audio or video file."""
    out: Path
    """Video to write."""
    emotion: Emotion | VA | EmotionTrack | None = None
    """What the face shall express; None to read the voice."""
    emotion_from: Path | None = None
    """Another speech whose emotion the face shall express."""
    emotion_fit: str = FITS[0]
    """How the other speech's emotion is fitted to this one's length."""
    strength: float = 1.0
    """Factor on the emotion; 0 is neutral."""
    seed: int = 0
    """Seed of head motion, blinks and glances."""
    fps: int = 30
    """Frames per second of the video."""
    full_frame: bool = False
    """Whether the face is pasted back into the photo."""
    still: bool = False
    """Whether head and eyes are kept still."""
    head_motion: float = HEAD_MOTION
    """How far the head moves, [0, 4]."""
    blink_rate: float = BLINK_RATE
    """Blinks a minute."""
    gaze: float = GAZE
    """How far the eyes glance aside, [0, 1]."""
    backend: str = "auto"
    """Name of the backend."""
    save_landmarks: Path | None = None
    """Where the landmarks go, .npz."""
    face_box: tuple[float, float, float, float] | None = None
    """x0, y0, x1, y1 in pixels of the photo."""
    landmarks: Path | None = None
    """File with 68 landmarks in pixels of the photo."""
    bundle: Path | None = None
    """Trained networks; None for the embedded ones."""


def run_job(job: RenderJob, *, as_json: bool) -> None:
    """Render, save, and tell how it went.

    Parameters
    ----------
    job : RenderJob
        What to render.
    as_json : bool
        Print one JSON object instead of lines for people.

    Raises
    ------
    EmoheadError
        If an input, the output or the machine cannot be used; nothing is written then.
    """
    check_output(job.out)
    Life(head_motion=job.head_motion, blink_rate=job.blink_rate, gaze=job.gaze)  # checks them
    check_fit(job.emotion_fit)
    if job.save_landmarks is not None:
        _check_landmark_output(job.save_landmarks)
    speech = read_audio(job.speech)  # before the networks load, for a bad file should fail at once
    other = None if job.emotion_from is None else read_audio(job.emotion_from)
    began = time.perf_counter()
    head, face = _prepare(job)
    ready = time.perf_counter()
    if other is not None:
        job = replace(job, emotion=borrowed_emotion(head, other, speech, job.emotion_fit))
    clip = _animate(head, face, speech, job)
    for note in clip.notes:
        say(f"note: {note}")
    _save(clip, job, quiet=as_json)
    summary = _summary(head, clip, job, ready - began, time.perf_counter() - ready)
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary)


def _prepare(job: RenderJob) -> tuple[TalkingHead, Portrait]:
    from emohead.head import TalkingHead

    head = TalkingHead.load(job.bundle, backend=job.backend)
    return head, head.portrait(job.face, face_box=job.face_box, landmarks=job.landmarks)


def _animate(head: TalkingHead, face: Portrait, speech: Audio, job: RenderJob) -> Clip:
    return head.animate(
        face,
        speech,
        emotion=job.emotion,
        strength=job.strength,
        seed=job.seed,
        fps=job.fps,
        full_frame=job.full_frame,
        still=job.still,
        head_motion=job.head_motion,
        blink_rate=job.blink_rate,
        gaze=job.gaze,
    )


def _save(clip: Clip, job: RenderJob, quiet: bool) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task("rendering", total=len(clip))
        clip.save(job.out, progress=lambda done, total: bar.update(task, completed=done))
    if job.save_landmarks is not None:
        _write_landmarks(clip, job.save_landmarks)


def _summary(
    head: TalkingHead, clip: Clip, job: RenderJob, load_s: float, render_s: float
) -> dict[str, Any]:
    from emohead.emotion import EMOTIONS

    weights = zip(EMOTIONS, clip.emotion.weights.tolist(), strict=True)
    num_frames = len(clip)
    return {
        "emotion": clip.emotion.name,
        "emotion_source": clip.emotion.source,
        "emotion_segments": _segments(clip),
        "emotion_weights": {name: round(weight, 4) for name, weight in weights},
        "backend": head.backend.name,
        "frames": num_frames,
        "frame_rate": job.fps,
        "fps": round(num_frames / render_s, 2),
        "real_time_factor": round(render_s / (num_frames / job.fps), 3),
        "path": str(job.out),
        "timings": {"load_s": round(load_s, 3), "render_s": round(render_s, 3), **clip.timings},
        "notes": list(clip.notes),
    }


def _segments(clip: Clip) -> list[dict[str, Any]]:
    segments = clip.emotion_track.segments(clip.speech.duration_s)
    return [{"start_s": start, "emotion": name} for start, name in segments]


def _print_summary(summary: dict[str, Any]) -> None:
    rows = {
        "emotion": f"{summary['emotion']} (from the {summary['emotion_source']})",
        "backend": summary["backend"],
        "frames": f"{summary['frames']} at {summary['frame_rate']} a second",
        "speed": f"{summary['fps']:.1f} fps",
        "real-time factor": f"{summary['real_time_factor']:.2f}",
        "path": summary["path"],
    }
    for name, value in rows.items():
        print(f"{name:17} {value}")


def _check_landmark_output(path: Path) -> None:
    if path.suffix != ".npz":
        raise InputError(f"the landmark file {path} must end in .npz: choose such a name")
    if not path.parent.is_dir():
        raise InputError(f"the landmark folder {path.parent} does not exist: create it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"the landmark file {path} cannot be written: choose another place")


def _write_landmarks(clip: Clip, path: Path) -> None:
    """Write (frames, 68, 3) float32 landmarks atomically."""
    import numpy as np

    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.npz")
    try:
        np.savez_compressed(temporary, landmarks=clip.landmarks, fps=clip.fps)
        os.replace(temporary, path)
    except OSError as err:
        raise InputError(f"the landmark file {path} cannot be written ({err})") from err
    finally:
        temporary.unlink(missing_ok=True)
