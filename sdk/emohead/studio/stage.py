"""What is seen of a rendering before its video is there: inline HTML.

Pure functions. Not here: rendering (``rendering.py``).
"""

from __future__ import annotations

import base64
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import EmoheadError
from emohead.studio.rendering import Look
from emohead.studio.takes import Take
from emohead.studio.wording import escaped

__all__ = ["EMPTY", "WAITING", "bar_html", "look_html", "take_html"]

_SIDE_PX: Final = 512
_QUALITY: Final = 82


def _figure(inside: str, caption: str) -> str:
    return f'<figure class="stage">{inside}<figcaption>{escaped(caption)}</figcaption></figure>'


EMPTY: Final = _figure('<div class="empty">The video appears here.</div>', "")
"""Before anything was rendered."""
WAITING: Final = _figure('<div class="empty">Preparing face and voice …</div>', "")
"""From the click to the first frame."""


def look_html(look: Look) -> str:
    """Newest frame, a bar, and how long it will take.

    Parameters
    ----------
    look : Look

    Returns
    -------
    str
        HTML with the picture inside.
    """
    rate = look.done / max(look.elapsed_s, 1e-6)
    left = (look.total - look.done) / rate
    picture = f'<img alt="Newest frame" src="{_data_url(look.frame)}">'
    told = f"frame {look.done} of {look.total} · {rate:.0f} a second · {left:.0f} s left"
    return _figure(picture + bar_html(look.done, look.total), told)


def bar_html(done: float, total: float) -> str:
    """Draw a bar that is filled to `done` of `total`."""
    return (
        f'<div class="bar" role="progressbar" aria-label="Rendering" aria-valuemin="0" '
        f'aria-valuemax="{total:g}" aria-valuenow="{done:g}">'
        f'<i style="width:{done / max(total, 1e-9):.1%}"></i></div>'
    )


def take_html(take: Take) -> str:
    """Say in a few lines what was rendered."""
    frames = len(take.points)
    length = frames / take.settings.fps
    lines = [
        f"<b>{escaped(take.emotion)}</b> on average · {escaped(take.settings.summary())}",
        f"{length:.1f} s, {frames} frames in {take.seconds:.1f} s",
        *(escaped(note) for note in take.notes),
    ]
    return "".join(f'<p class="hint">{line}</p>' for line in lines)


def _data_url(frame: NDArray[np.uint8]) -> str:
    import cv2

    shrink = min(1.0, _SIDE_PX / max(frame.shape[:2]))
    if shrink < 1:
        size = (round(frame.shape[1] * shrink), round(frame.shape[0] * shrink))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    made, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not made:
        raise EmoheadError("the preview cannot be encoded: OpenCV was built without JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
