"""``emohead landmarks``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emohead.cli.directing import FITS, emotion_fields
from emohead.cli.job import RenderTask, act
from emohead.cli.options import (
    AsJson,
    BlinkRateOption,
    BundleOption,
    CpuBackend,
    EmotionFitOption,
    EmotionFromOption,
    EmotionOption,
    EmotionTrackOption,
    FaceArgument,
    GazeOption,
    HeadMotionOption,
    SeedOption,
    SpeechArgument,
    StillOption,
    StrengthOption,
    StyleOption,
    VaOption,
)
from emohead.cli.reporting import ends_cleanly, print_json, print_rows
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION
from emohead.whole_files import check_apart

__all__ = ["landmarks"]


@ends_cleanly
def landmarks(
    face: FaceArgument,
    speech: SpeechArgument,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .json, .csv or .npz.")],
    emotion: EmotionOption = None,
    va: VaOption = None,
    emotion_track: EmotionTrackOption = None,
    emotion_from: EmotionFromOption = None,
    emotion_fit: EmotionFitOption = FITS[0],
    strength: StrengthOption = 1.0,
    seed: SeedOption = 0,
    fps: Annotated[int, typer.Option(help="Frames per second.")] = 30,
    still: StillOption = False,
    head_motion: HeadMotionOption = HEAD_MOTION,
    blink_rate: BlinkRateOption = BLINK_RATE,
    gaze: GazeOption = GAZE,
    style: StyleOption = None,
    backend: CpuBackend = "auto",
    bundle: BundleOption = None,
    as_json: AsJson = False,
) -> None:
    """Write the landmarks of a talking face, frame by frame, without rendering it."""
    from emohead.landmarks.files import check_landmark_output

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
    task = RenderTask(fields=fields, out=out, backend=backend, bundle=bundle)
    check_apart(out, task.sources, "landmark file")
    clip = act(task).clip
    clip.save_landmarks(out)
    told = {"frames": len(clip), "frame_rate": fps, "emotion": clip.emotion.name, "path": str(out)}
    if as_json:
        print_json({**told, "notes": list(clip.notes)})
        return
    print_rows(told)
