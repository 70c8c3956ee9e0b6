"""What is seen of a rendering before its video is there: inline HTML.

Pure functions. Not here: rendering (``rendering.py``).
"""

from __future__ import annotations

import base64
import html
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.errors import EmoheadError
from emohead.studio.rendering import Look
from emohead.studio.takes import Take

__all__ = ["EMPTY", "WAITING", "escaped", "look_html", "take_html"]

_SIDE_PX: Final = 512
_QUALITY: Final = 82


def escaped(text: str) -> str:
    """Text as HTML that neither the browser nor Gradio's templates take for more than text."""
    safe = html.escape(text, quote=True)
    return safe.replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


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
    share = look.done / look.total
    rate = look.done / max(look.elapsed_s, 1e-6)
    left = (look.total - look.done) / rate
    bar = (
        f'<div class="bar" role="progressbar" aria-label="Rendering" aria-valuemin="0" '
        f'aria-valuemax="{look.total}" aria-valuenow="{look.done}">'
        f'<i style="width:{share:.1%}"></i></div>'
    )
    picture = f'<img alt="Newest frame" src="{_data_url(look.frame)}">'
    told = f"frame {look.done} of {look.total} · {rate:.0f} a second · {left:.0f} s left"
    return _figure(picture + bar, told)


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
