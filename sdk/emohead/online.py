"""Streams: a role, and a renderer of its own for each.

Called by ``head.py``. Not here: the stream itself (``stream.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emohead.performance import Role
from emohead.render import FrameRenderer, encode_portrait
from emohead.stages import PORTRAIT_ENCODER, RENDERER
from emohead.stream import TalkingStream

__all__ = ["stream_of"]


def stream_of(role: Role, *, full_frame: bool, sample_rate: int, buffer_s: float) -> TalkingStream:
    """Open a stream.

    Parameters
    ----------
    role : Role
        With all stages' runners.
    full_frame : bool
        Give whole photos rather than crops.
    sample_rate : int
        See ``TalkingStream``.
    buffer_s : float, s
        See ``TalkingStream``.

    Returns
    -------
    TalkingStream
    """
    face, runners = role.face, role.runners
    features = encode_portrait(runners[PORTRAIT_ENCODER.name], face.image, face.landmarks)
    renderer = FrameRenderer(runners[RENDERER.name], features)

    def paint(points: NDArray[np.float64]) -> NDArray[np.uint8]:
        frame = renderer.render(points)
        return face.paste_back(frame) if full_frame else frame

    return TalkingStream(
        role, paint, sample_rate=sample_rate, buffer_s=buffer_s, release=renderer.close
    )
