"""``emohead render``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.directing import FITS, emotion_fields
from emohead.cli.job import RenderTask, run_task
from emohead.cli.options import (
    AsJson,
    BackendOption,
    BlinkRateOption,
    BundleOption,
    EmotionFitOption,
    EmotionFromOption,
    EmotionOption,
    EmotionTrackOption,
    FaceArgument,
    GazeOption,
    HeadMotionOption,
    PrecisionOption,
    SeedOption,
    SpeechArgument,
    StillOption,
    StrengthOption,
    StyleOption,
    VaOption,
    VideoOut,
)
from emohead.cli.reporting import ends_cleanly
from emohead.errors import InputError
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION

if TYPE_CHECKING:
    from emohead.provenance.signing import Signer

__all__ = ["render"]

SaveLandmarksOption = Annotated[
    Path | None,
    typer.Option(help="Write the landmarks of every frame: .json, .csv or .npz."),
]
LandmarksFromOption = Annotated[
    Path | None,
    typer.Option(help="Landmarks of every frame to render instead of the voice's lips."),
]
FitLandmarksOption = Annotated[
    bool, typer.Option(help="They are another face's: take its motion, not its shape.")
]
FaceBoxOption = Annotated[
    str | None, typer.Option(help="x0,y0,x1,y1 in pixels, for faces that are not found.")
]
LandmarksOption = Annotated[
    Path | None, typer.Option(help="68 landmarks of the photo: .npy, .json, .csv, .pts.")
]
SignCertOption = Annotated[
    Path | None, typer.Option(help="Certificate chain, PEM: sign the video (C2PA).")
]


@ends_cleanly
def render(
    face: FaceArgument,
    speech: SpeechArgument,
    out: VideoOut,
    emotion: EmotionOption = None,
    va: VaOption = None,
    emotion_track: EmotionTrackOption = None,
    emotion_from: EmotionFromOption = None,
    emotion_fit: EmotionFitOption = FITS[0],
    strength: StrengthOption = 1.0,
    seed: SeedOption = 0,
    fps: Annotated[int, typer.Option(help="Frames per second of the video.")] = 30,
    full_frame: Annotated[bool, typer.Option(help="Paste the face back into the photo.")] = False,
    still: StillOption = False,
    head_motion: HeadMotionOption = HEAD_MOTION,
    blink_rate: BlinkRateOption = BLINK_RATE,
    gaze: GazeOption = GAZE,
    style: StyleOption = None,
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
    save_landmarks: SaveLandmarksOption = None,
    landmarks_from: LandmarksFromOption = None,
    fit_landmarks: FitLandmarksOption = False,
    face_box: FaceBoxOption = None,
    landmarks: LandmarksOption = None,
    bundle: BundleOption = None,
    sign_cert: SignCertOption = None,
    sign_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    as_json: AsJson = False,
) -> None:
    """Animate a photo with a voice."""
    box = None if face_box is None else _face_box(face_box)
    files = {"face": face, "speech": speech, "style": style, "landmarks": landmarks}
    given = {"landmarks_from": landmarks_from, "fit_landmarks": fit_landmarks}
    motion = {"still": still, "head_motion": head_motion, "blink_rate": blink_rate, "gaze": gaze}
    shown = {"strength": strength, "seed": seed, "fps": fps, "full_frame": full_frame}
    felt = emotion_fields(emotion, va, emotion_track, emotion_from, emotion_fit)
    task = RenderTask(
        fields={**files, **given, **motion, **shown, **felt, "face_box": box},
        out=out,
        backend=backend,
        precision=precision,
        save_landmarks=save_landmarks,
        bundle=bundle,
        sign=_signer(sign_cert, sign_key),
    )
    run_task(task, as_json=as_json)


def _signer(cert: Path | None, key: Path | None) -> Signer | None:
    """Open certificate and key before any work is done."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise InputError("--sign-cert and --sign-key belong together: give both or neither")
    from emohead.provenance.signing import Signer

    return Signer(cert=cert, key=key)


def _face_box(text: str) -> tuple[float, float, float, float]:
    """Read ``x0,y0,x1,y1``; whether they make a box of the photo is for the API to say."""
    try:
        x0, y0, x1, y1 = (float(number) for number in text.split(","))
    except ValueError as err:
        raise InputError(
            f"the face box {text!r} must be x0,y0,x1,y1 in pixels: "
            "write for example --face-box 120,80,360,350"
        ) from err
    return x0, y0, x1, y1
