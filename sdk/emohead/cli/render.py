"""``emohead render``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emohead.cli.directing import FITS, emotion_fields
from emohead.cli.job import RenderTask, run_task
from emohead.cli.reporting import ends_cleanly
from emohead.errors import InputError
from emohead.life import BLINK_RATE, GAZE
from emohead.liveliness import HEAD_MOTION

if TYPE_CHECKING:
    from emohead.provenance.signing import Signer

__all__ = ["render"]


@ends_cleanly
def render(
    face: Annotated[Path, typer.Argument(help="Photo of one face.", show_default=False)],
    speech: Annotated[Path, typer.Argument(help="Audio or video file.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="Video to write, .mp4.")],
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
    fps: Annotated[int, typer.Option(help="Frames per second of the video.")] = 30,
    full_frame: Annotated[bool, typer.Option(help="Paste the face back into the photo.")] = False,
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
    backend: Annotated[
        str, typer.Option(help="auto, cpu, cuda, ort-tensorrt or tensorrt.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="fp32, fp16, int8 or auto: which graphs of the bundle run.")
    ] = "auto",
    save_landmarks: Annotated[
        Path | None,
        typer.Option(help="Write the landmarks of every frame: .json, .csv or .npz."),
    ] = None,
    landmarks_from: Annotated[
        Path | None,
        typer.Option(help="Landmarks of every frame to render instead of the voice's lips."),
    ] = None,
    fit_landmarks: Annotated[
        bool, typer.Option(help="They are another face's: take its motion, not its shape.")
    ] = False,
    face_box: Annotated[
        str | None, typer.Option(help="x0,y0,x1,y1 in pixels, for faces that are not found.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option(help="68 landmarks of the photo: .npy, .json, .csv, .pts.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder or zip of trained networks.")] = None,
    sign_cert: Annotated[
        Path | None, typer.Option(help="Certificate chain, PEM: sign the video (C2PA).")
    ] = None,
    sign_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Animate a photo with a voice."""
    fields = {
        "face": face,
        "speech": speech,
        "strength": strength,
        "seed": seed,
        "fps": fps,
        "full_frame": full_frame,
        "still": still,
        "head_motion": head_motion,
        "blink_rate": blink_rate,
        "gaze": gaze,
        "style": style,
        "face_box": None if face_box is None else _face_box(face_box),
        "landmarks": landmarks,
        "landmarks_from": landmarks_from,
        "fit_landmarks": fit_landmarks,
        **emotion_fields(emotion, va, emotion_track, emotion_from, emotion_fit),
    }
    task = RenderTask(
        fields=fields,
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
