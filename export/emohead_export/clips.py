"""Distance of two clips of the sample voice, made by two sets of networks.

Who calls: ``precise_bundle.py``. Not here: comparing single stages (``gate.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from emohead.audio import read_audio
from emohead.clip import Clip
from emohead.errors import ParityError
from emohead.head import TalkingHead
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead_export.feeds import EMOTION
from emohead_export.gate import LIMITS, Precision, psnr_db

__all__ = ["check_clips", "clip_errors"]

_NUM_FRAMES: Final = 60


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
        ``landmarks_px``, the largest distance of a projected landmark, px of the crop, with a
        given emotion and with the voice's own; ``frames_db``, the smallest PSNR of a frame.
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
    return {
        "landmarks_px": round(float(np.max([_distance_px(*pair) for pair in pairs])), 4),
        "frames_db": round(min(_psnrs_db(*pairs[-1])), 2),
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


def _distance_px(a: Clip, b: Clip) -> float:
    return float(np.linalg.norm(a.points - b.points, axis=-1).max())


def _psnrs_db(a: Clip, b: Clip) -> Iterator[float]:
    frames = islice(zip(a, b, strict=True), _NUM_FRAMES)
    return (psnr_db(x / 255, y / 255) for x, y in frames)
