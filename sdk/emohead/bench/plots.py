"""Plots as SVG text: horizontal bars and lines, as much as the report needs and no library.

Called by ``page.py``. Text is escaped, numbers are rounded, nothing refers to the outside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Series", "bars", "lines"]

_COLOURS = ("#2563a8", "#d9822b", "#2e8b57", "#8e44ad", "#c0392b", "#5b6775")
_WIDTH, _LEFT, _RIGHT = 760, 190, 90
_ROW, _BAR = 17, 13
_HEIGHT, _TOP, _FOOT = 260, 14, 40
_MARKS = 12


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one line."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def bars(values: Sequence[tuple[str, str, float]], unit: str) -> str:
    """Draw horizontal bars on a common scale.

    Parameters
    ----------
    values : sequence of (label, series, value)
        In the order of drawing; values not negative. Bars of a series share a colour.
    unit : str

    Returns
    -------
    str
        An ``svg`` element.
    """
    names = list(dict.fromkeys(series for _, series, _ in values))
    top = max((v for _, _, v in values), default=0.0) or 1.0
    room = _WIDTH - _LEFT - _RIGHT
    parts, y = [_legend(names)], 24
    for label, series, value in values:
        width = room * value / top
        middle = y + _BAR - 3
        parts.append(_text(_LEFT - 8, middle, label, "end"))
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" '
            f'fill="{_colour(names, series)}"/>'
        )
        parts.append(_text(_LEFT + width + 6, middle, f"{_number(value)} {unit}", "start"))
        y += _ROW
    return _svg(parts, y + 4)


def lines(series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Draw lines with marks; the vertical axis starts at zero.

    Parameters
    ----------
    series : sequence of Series
        At least one point in all.
    x_label, y_label : str

    Returns
    -------
    str
        An ``svg`` element.
    """
    names = [s.name for s in series]
    xs = [x for s in series for x in s.x]
    low, high = min(xs), max(xs)
    top = _rounded_up(max(y for s in series for y in s.y))
    width, height = _WIDTH - 70 - 30, _HEIGHT - _TOP - _FOOT - 20

    def at(x: float, y: float) -> tuple[float, float]:
        share = 0.5 if high == low else (x - low) / (high - low)
        return 70 + width * share, _TOP + 20 + height * (1 - y / top)

    parts = [_legend(names)]
    for step in range(5):
        value = top * step / 4
        _, y = at(low, value)
        parts.append(f'<path d="M70 {y:.1f}H{70 + width}" stroke="#dde3ea"/>')
        parts.append(_text(62, y + 4, _number(value), "end"))
    places = sorted(set(xs))
    for x in places[:: -(-len(places) // _MARKS)]:
        parts.append(_text(at(x, 0)[0], _HEIGHT - _FOOT + 16, _number(x), "middle"))
    for own in series:
        points = [at(x, y) for x, y in zip(own.x, own.y, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = _colour(names, own.name)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    parts.append(_text(70 + width / 2, _HEIGHT - 4, x_label, "middle"))
    parts.append(_text(_WIDTH - 30, _TOP, y_label, "end"))
    return _svg(parts, _HEIGHT)


def _svg(parts: Sequence[str], height: float) -> str:
    style = 'font-family="system-ui,sans-serif" font-size="12" fill="#1d2733"'
    body = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" {style}>{body}</svg>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(names: Sequence[str]) -> str:
    """Names of several series beside their colours; one needs none."""
    if len(names) < 2:
        return ""
    parts, x = [], 70.0
    for name in names:
        parts.append(
            f'<rect x="{x:.0f}" y="4" width="10" height="10" fill="{_colour(names, name)}"/>'
        )
        parts.append(_text(x + 14, 13, name, "start"))
        x += 30 + 7 * len(name)
    return "".join(parts)


def _colour(names: Sequence[str], name: str) -> str:
    return _COLOURS[names.index(name) % len(_COLOURS)]


def _rounded_up(value: float) -> float:
    """Next of 1, 2, 4, 5, 8 or 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1, 2, 4, 5, 8, 10) if m * power >= value * (1 - 1e-9))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
