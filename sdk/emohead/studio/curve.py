"""An emotion over time as a picture: inline SVG that follows the page's colours.

Pure functions. Not here: the table beside it (``keyframes.py``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import Audio
from emohead.emotion import EMOTIONS
from emohead.emotion.track import EmotionTrack
from emohead.studio.keyframes import SHOWN

__all__ = ["COLOURS", "curve_svg"]

COLOURS: Final = dict(
    zip(
        SHOWN,
        ("#2a9d8f", "#e0a100", "#4a7fd6", "#d6453d", "#8a63c9", "#6b8e23", "#d9629b"),
        strict=True,
    )
)
"""Colour of each emotion's line, legible on light and dark ground."""

_WIDTH, _HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 8, 10, 24
_FAINT: Final = 0.02
"""Emotions that never exceed this weight are left out."""
_COLUMNS: Final = 160
"""Bars of the voice's envelope."""


def curve_svg(track: EmotionTrack | None, voice: Audio | None) -> str:
    """Draw a track over its voice.

    Parameters
    ----------
    track : EmotionTrack or None
        None draws an empty frame.
    voice : Audio or None
        Drawn faintly behind the curve; its length is that of the time axis.

    Returns
    -------
    str
        HTML: the picture, described for screen readers, and its legend.
    """
    last = float(track.times_s[-1]) if track is not None else 0.0
    seconds = max(voice.duration_s if voice is not None else last, 1.0)
    parts = [_axes(seconds)]
    if voice is not None:
        parts.append(_envelope(voice.samples))
    shown = [] if track is None else _shown(track)
    if track is not None:
        parts += [_line(track, name, seconds) for name in shown]
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{_described(track, seconds)}">{"".join(parts)}</svg>{_legend(track, shown)}'
    )


def _x(seconds: NDArray[np.floating] | float, length_s: float) -> NDArray[np.floating]:
    share = np.clip(np.asarray(seconds, np.float64) / length_s, 0, 1)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(weights: NDArray[np.floating] | float) -> NDArray[np.floating]:
    return _TOP + (1 - np.asarray(weights, np.float64)) * (_HEIGHT - _TOP - _BOTTOM)


def _shown(track: EmotionTrack) -> list[str]:
    return [n for n in SHOWN if track.weights[:, EMOTIONS.index(n)].max() > _FAINT]


def _line(track: EmotionTrack, name: str, seconds: float) -> str:
    """Polyline of one emotion, constant before and after its keyframes, and a dot at each."""
    column = EMOTIONS.index(name)
    inside = track.times_s[(track.times_s > 0) & (track.times_s < seconds)]
    times = np.concatenate([[0.0], inside, [seconds]])
    points = zip(_x(times, seconds), _y(track.at(times)[:, column]), strict=True)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    keys = track.times_s <= seconds
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[name]}"/>'
        for x, y in zip(
            _x(track.times_s[keys], seconds), _y(track.weights[keys, column]), strict=True
        )
    )
    return (
        f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.2" '
        f'stroke-linejoin="round"/>{dots}'
    )


def _axes(seconds: float) -> str:
    step = next(s for s in (0.5, 1, 2, 5, 10, 20, 60, 600, 3600) if seconds / s <= 8 or s == 3600)
    ticks = np.arange(0, seconds + 1e-9, step)
    lines = [
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(w):.1f}" y2="{_y(w):.1f}" '
        f'class="grid"/><text x="{_LEFT - 6}" y="{_y(w) + 4:.1f}" text-anchor="end">{w:g}</text>'
        for w in (0.0, 0.5, 1.0)
    ]
    lines += [
        f'<text x="{_x(t, seconds):.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{t:g} s</text>'
        for t in ticks
        if t < seconds - 0.3 * step or t == 0
    ]
    return "".join(lines)


def _envelope(samples: NDArray[np.float32]) -> str:
    """Loudness of the voice as one faint shape."""
    parts = np.array_split(np.abs(samples), min(_COLUMNS, max(1, len(samples))))
    peaks = np.array([part.max() if len(part) else 0.0 for part in parts])
    peaks = peaks / max(float(peaks.max()), 1e-6)
    x = np.linspace(_LEFT, _WIDTH - _RIGHT, len(peaks))
    half = peaks * (_HEIGHT - _TOP - _BOTTOM) * 0.46
    middle = float(_y(0.5))
    above = " ".join(f"{a:.1f},{middle - h:.1f}" for a, h in zip(x, half, strict=True))
    below = " ".join(f"{a:.1f},{middle + h:.1f}" for a, h in zip(x[::-1], half[::-1], strict=True))
    return f'<polygon class="voice" points="{above} {below}"/>'


def _legend(track: EmotionTrack | None, shown: list[str]) -> str:
    if track is None:
        return '<p class="legend">No curve yet: read it from the voice, or add a keyframe.</p>'
    chips = "".join(
        f'<span><i style="background:{COLOURS[name]}"></i>{name}</span>' for name in shown
    )
    return f'<p class="legend">{chips or "<span>neutral throughout</span>"}</p>'


def _described(track: EmotionTrack | None, seconds: float) -> str:
    if track is None:
        return "Emotion over time: empty"
    told = [f"{name} from {start:g} s" for start, name in track.segments(seconds)]
    return "Emotion over time: " + ", ".join(told[:12])
