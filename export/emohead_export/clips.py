"""Distance of two clips of the sample voice, made by two sets of networks.

Who calls: ``precise_bundle.py``. Not here: comparing single stages (``gate.py``).
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import read_audio
from emohead.clip import Clip
from emohead.errors import ParityError
from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead_export.feeds import EMOTION
from emohead_export.gate import LIMITS, Precision, db_from_error

__all__ = ["check_clips", "clip_errors"]

_NUM_FRAMES: Final = 60
_STEADY_SHARE: Final = 98.0
"""Percentage of frames that landmarks are judged on: on a rare frame the search for points that
have the wanted edges stops elsewhere when its input changes by a rounding, in any precision."""


def clip_errors(golden: TalkingHead, other: TalkingHead) -> dict[str, float]:
    """Let the sample portrait speak through both, from the photo to the frames.

    Parameters
    ----------
    golden : TalkingHead
        Of fp32 graphs.
    other : TalkingHead
        Of the graphs to judge.

    Returns
    -------
    dict of str to float
        ``landmarks_px``, the largest distance of a projected landmark, px of the crop, on 98 of
        100 frames, with a given emotion and with the voice's own; ``frames_db``, the PSNR of the
        clip's frames together; ``landmarks_worst_px`` and ``frames_worst_db`` of single frames.
    """
    speech = read_audio(SAMPLE_SPEECH)
    heads = (golden, other)
    faces = [head.portrait(SAMPLE_FACE) for head in heads]
    pairs = [
        [
            head.animate(face, speech, emotion=emotion)
            for head, face in zip(heads, faces, strict=True)
        ]
        for emotion in (None, EMOTION)
    ]
    moved = [_distances_px(*pair) for pair in pairs]
    noise = _squared_errors(*pairs[-1])
    return {
        "landmarks_px": round(max(float(np.percentile(d, _STEADY_SHARE)) for d in moved), 4),
        "landmarks_worst_px": round(max(float(d.max()) for d in moved), 4),
        "frames_db": round(db_from_error(float(np.mean(noise))), 2),
        "frames_worst_db": round(db_from_error(max(noise)), 2),
    }


def check_clips(errors: dict[str, float], precision: Precision) -> None:
    """Refuse clips that differ too much.

    Parameters
    ----------
    errors : dict of str to float
        From ``clip_errors``.
    precision : {"fp16", "int8"}
        Chooses the limits.

    Raises
    ------
    ParityError
        With both numbers and both limits.
    """
    limits = LIMITS[precision]
    is_close = errors["landmarks_px"] < limits.landmarks_px
    if not (is_close and errors["frames_db"] >= limits.frames_db):
        raise ParityError(
            f"{precision}: expected landmarks within {limits.landmarks_px} px and frames of at "
            f"least {limits.frames_db} dB on the sample clip, got {errors['landmarks_px']} px and "
            f"{errors['frames_db']} dB; keep the bundle in fp32"
        )


def _distances_px(a: Clip, b: Clip) -> NDArray[np.float64]:
    """Largest distance of a landmark, per frame."""
    return np.asarray(np.linalg.norm(a.points - b.points, axis=-1).max(axis=1), np.float64)


def _squared_errors(a: Clip, b: Clip) -> list[float]:
    """Mean squared error of each of the first frames, in [0, 1]."""
    frames = islice(zip(a, b, strict=True), _NUM_FRAMES)
    return [float(np.square((x.astype(float) - y) / 255).mean()) for x, y in frames]
