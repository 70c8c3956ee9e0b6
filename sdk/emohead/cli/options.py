"""Options and arguments that several commands share, each written once.

Who calls: the commands. Not here: what is done with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsJson",
    "BackendOption",
    "BlinkRateOption",
    "BundleOption",
    "CpuBackend",
    "EmotionFitOption",
    "EmotionFromOption",
    "EmotionOption",
    "EmotionTrackOption",
    "EnginePrecision",
    "FaceArgument",
    "GazeOption",
    "GraphsOption",
    "HeadMotionOption",
    "PortOption",
    "PrecisionOption",
    "SeedOption",
    "SpeechArgument",
    "StillOption",
    "StrengthOption",
    "StyleOption",
    "VaOption",
    "VideoOut",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BackendOption = Annotated[str, typer.Option(help="auto, cpu, cuda, ort-tensorrt or tensorrt.")]
BlinkRateOption = Annotated[float, typer.Option(help="Blinks a minute, 0 to 40.")]
BundleOption = Annotated[Path | None, typer.Option(help="Folder or zip of trained networks.")]
CpuBackend = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
EmotionFitOption = Annotated[
    str, typer.Option(help="stretch the other speech's emotion to this one's length, or hold.")
]
EmotionFromOption = Annotated[
    Path | None, typer.Option(help="Another speech whose emotion shows, as it changes.")
]
EmotionOption = Annotated[
    str | None, typer.Option(help="NAME or name=weight,…; read from the voice by default.")
]
EmotionTrackOption = Annotated[
    Path | None, typer.Option(help="Emotion over time, .json, instead of --emotion.")
]
EnginePrecision = Annotated[str, typer.Option(help="fp32, fp16 or int8.")]
FaceArgument = Annotated[Path, typer.Argument(help="Photo of one face.", show_default=False)]
GazeOption = Annotated[float, typer.Option(help="How far the eyes glance aside: 0 (never) to 1.")]
GraphsOption = Annotated[
    Path | None, typer.Option(help="Folder or zip of networks; the embedded ones otherwise.")
]
HeadMotionOption = Annotated[
    float, typer.Option(help="How far the head moves: 0 (still), 1 (usual) to 4.")
]
PortOption = Annotated[int, typer.Option(help="TCP port; 0 for a free one.")]
PrecisionOption = Annotated[
    str, typer.Option(help="fp32, fp16, int8 or auto: which graphs of the bundle run.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of head motion, blinks and glances.")]
SpeechArgument = Annotated[Path, typer.Argument(help="Audio or video file.", show_default=False)]
StillOption = Annotated[bool, typer.Option(help="Keep head and eyes still.")]
StrengthOption = Annotated[
    float, typer.Option(help="How much of the emotion shows: 0 (neutral) to 1.")
]
StyleOption = Annotated[
    Path | None, typer.Option(help="A person's own way of talking, .json, of `emohead style`.")
]
VaOption = Annotated[
    str | None, typer.Option(help="valence,arousal in [-1, 1], instead of --emotion.")
]
VideoOut = Annotated[Path, typer.Option("-o", "--out", help="Video to write, .mp4.")]
