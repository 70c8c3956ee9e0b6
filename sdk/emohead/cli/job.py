"""Rendering one video for a command: checks first, then the API, then a summary.

Not here: the job itself (``emohead.jobs``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emohead.cli.reporting import print_json, print_rows, progress_bar, say
from emohead.video import check_output
from emohead.whole_files import check_apart

if TYPE_CHECKING:
    from emohead.clip import Clip
    from emohead.provenance.signing import Signer

__all__ = ["Acted", "RenderTask", "act", "run_task"]


@dataclass(frozen=True, kw_only=True)
class RenderTask:
    """One job for one command, and what only a command has."""

    fields: Mapping[str, Any]
    """Fields of ``emohead.jobs.Job`` but ``output``."""
    out: Path
    """Video to write, or whatever else the command makes."""
    backend: str = "auto"
    """Name of the backend."""
    precision: str = "auto"
    """Of the graphs that run."""
    save_landmarks: Path | None = None
    """Where the landmarks of every frame go, .json, .csv or .npz."""
    bundle: Path | None = None
    """Trained networks; None for the embedded ones."""
    sign: Signer | None = None
    """Whose content credentials the video gets."""

    @property
    def sources(self) -> list[Path]:
        """Files that the job reads."""
        return [value for value in self.fields.values() if isinstance(value, Path)]


def run_task(task: RenderTask, *, as_json: bool) -> None:
    """Render, save, and tell how it went.

    Parameters
    ----------
    task : RenderTask
        What to render.
    as_json : bool
        Print one JSON object instead of lines for people.

    Raises
    ------
    EmoheadError
        If an input, the output or the machine cannot be used; nothing is written then.
    """
    check_output(task.out)
    check_apart(task.out, task.sources, "video")
    if task.save_landmarks is not None:
        from emohead.landmarks.files import check_landmark_output

        check_landmark_output(task.save_landmarks)
        check_apart(task.save_landmarks, task.sources, "landmark file")
    acted = act(task)
    ready = time.perf_counter()
    _save(acted.clip, task, quiet=as_json)
    summary = _summary(acted, task, acted.animate_s + time.perf_counter() - ready)
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary)


@dataclass(frozen=True, kw_only=True)
class Acted:
    """A clip whose pixels nobody has asked for yet, and how it came about."""

    clip: Clip
    """Its landmarks are known."""
    backend: str
    """Name of the backend."""
    load_s: float
    """Seconds for networks and face."""
    animate_s: float
    """Seconds for landmarks."""


def act(task: RenderTask) -> Acted:
    """Check what was given, read it, and work out the landmarks; notes go to stderr.

    Parameters
    ----------
    task : RenderTask

    Returns
    -------
    Acted

    Raises
    ------
    EmoheadError
        If an input or the machine cannot be used.
    """
    from emohead.head import TalkingHead
    from emohead.jobs.inputs import animate_job, find_face, read_inputs
    from emohead.jobs.schema import VIDEO_SUFFIX, job_from

    job = job_from({**task.fields, "output": f"clip{VIDEO_SUFFIX}"})
    inputs = read_inputs(job)  # before the networks load, for a bad file should fail at once
    began = time.perf_counter()
    head = TalkingHead.load(task.bundle, backend=task.backend, precision=task.precision)
    face = find_face(head, job)
    ready = time.perf_counter()
    clip = animate_job(head, face, inputs, job)
    for note in clip.notes:
        say(f"note: {note}")
    return Acted(
        clip=clip,
        backend=head.backend.name,
        load_s=ready - began,
        animate_s=time.perf_counter() - ready,
    )


def _save(clip: Clip, task: RenderTask, quiet: bool) -> None:
    with progress_bar("rendering", quiet=quiet) as progress:
        clip.save(task.out, progress=progress, sign=task.sign)
    if task.save_landmarks is not None:
        clip.save_landmarks(task.save_landmarks)


def _summary(acted: Acted, task: RenderTask, render_s: float) -> dict[str, Any]:
    from emohead.jobs.inputs import shown_emotion

    clip = acted.clip
    num_frames = len(clip)
    return {
        **shown_emotion(clip),
        "emotion_segments": _segments(clip),
        "backend": acted.backend,
        "frames": num_frames,
        "frame_rate": clip.fps,
        "fps": round(num_frames / render_s, 2),
        "real_time_factor": round(render_s / (num_frames / clip.fps), 3),
        "path": str(task.out),
        "timings": {
            "load_s": round(acted.load_s, 3),
            "render_s": round(render_s, 3),
            **clip.timings,
        },
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
    print_rows(rows)
