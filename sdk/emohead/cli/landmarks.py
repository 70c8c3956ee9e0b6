"""``emohead landmarks``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead.cli.directing import FITS, emotion_fields
from emohead.cli.job import RenderTask, act
from emohead.cli.reporting import ends_cleanly, print_json
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION

__all__ = ["landmarks"]


@ends_cleanly
def landmarks(
    face: Annotated[Path, typer.Argument(help="Photo of one face.", show_default=False)],
    speech: Annotated[Path, typer.Argument(help="Audio or video file.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .json, .csv or .npz.")],
    emotion: Annotated[
        str | None, typer.Option(help="NAME or name=weight,…; read from the voice by default.")
    ] = None,
    va: Annotated[
        str | None, typer.Option(help="valence,arousal in [-1, 1], instead of --emotion.")
    ] = None,
    emotion_track: Annotated[
        Path | None, typer.Option(help="Emotion over time, .json, instead of --emotion.")
    ] = None,
    emotion_from: Annotated[
        Path | None, typer.Option(help="Another speech whose emotion shows, as it changes.")
    ] = None,
    emotion_fit: Annotated[
        str, typer.Option(help="stretch the other speech's emotion to this one's length, or hold.")
    ] = FITS[0],
    strength: Annotated[
        float, typer.Option(help="How much of the emotion shows: 0 (neutral) to 1.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of head motion, blinks and glances.")] = 0,
    fps: Annotated[int, typer.Option(help="Frames per second.")] = 30,
    still: Annotated[bool, typer.Option(help="Keep head and eyes still.")] = False,
    head_motion: Annotated[
        float, typer.Option(help="How far the head moves: 0 (still), 1 (usual) to 4.")
    ] = HEAD_MOTION,
    blink_rate: Annotated[float, typer.Option(help="Blinks a minute, 0 to 40.")] = BLINK_RATE,
    gaze: Annotated[
        float, typer.Option(help="How far the eyes glance aside: 0 (never) to 1.")
    ] = GAZE,
    style: Annotated[
        Path | None, typer.Option(help="A person's own way of talking, .json, of `emohead style`.")
    ] = None,
    backend: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    bundle: Annotated[Path | None, typer.Option(help="Folder or zip of trained networks.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the landmarks of a talking face, frame by frame, without rendering it."""
    from emohead.landmark_track_files import check_landmark_output

    check_landmark_output(out)
    fields = {
        "face": face,
        "speech": speech,
        "strength": strength,
        "seed": seed,
        "fps": fps,
        "still": still,
        "head_motion": head_motion,
        "blink_rate": blink_rate,
        "gaze": gaze,
        "style": style,
        **emotion_fields(emotion, va, emotion_track, emotion_from, emotion_fit),
    }
    clip = act(RenderTask(fields=fields, out=out, backend=backend, bundle=bundle)).clip
    clip.save_landmarks(out)
    told = {"frames": len(clip), "frame_rate": fps, "emotion": clip.emotion.name, "path": str(out)}
    if as_json:
        print_json({**told, "notes": list(clip.notes)})
        return
    for name, value in told.items():
        print(f"{name:12} {value}")
