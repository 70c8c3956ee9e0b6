"""The valence-arousal pad: a circle to click on or drag across.

The sliders beside it do the same from the keyboard. Not here: what a place means
(``emotion/valence_arousal.py``).
"""

from __future__ import annotations

import math
from typing import Final

from emohead.emotion.valence_arousal import VA, circle_angles

__all__ = ["PAD_SCRIPT", "pad_template", "told_by"]

_REACH: Final = 100
"""Radius of the circle in the picture's own units."""

PAD_SCRIPT: Final = """
const place = event => {
  const box = element.querySelector('svg').getBoundingClientRect();
  const radius = box.width * 100 / 320;
  const x = (event.clientX - box.left - box.width / 2) / radius;
  const y = -(event.clientY - box.top - box.height / 2) / radius;
  const length = Math.max(1, Math.hypot(x, y));
  props.value = [Math.round(100 * x / length) / 100, Math.round(100 * y / length) / 100];
};
let dragging = false;
element.addEventListener('pointerdown', event => {
  if (!event.target.closest('svg')) return;
  dragging = true;
  event.preventDefault();
  place(event);
});
window.addEventListener('pointermove', event => { if (dragging) place(event); });
window.addEventListener('pointerup', () => {
  if (!dragging) return;
  dragging = false;
  trigger('input');
});
"""
"""Puts the place into the component's value, and fires ``input`` when the pointer is lifted."""


def pad_template() -> str:
    """Picture of the circle, with the names where they are felt; ``value`` is the dot's place."""
    names = "".join(_named(name, angle) for name, angle in circle_angles().items())
    return (
        '<svg class="pad" viewBox="-160 -125 320 250" role="img" '
        'aria-label="Circle of valence and arousal; the sliders move the dot from the keyboard">'
        f'<circle r="{_REACH}" class="disc"/>'
        f'<line x1="-{_REACH}" x2="{_REACH}" y1="0" y2="0" class="grid"/>'
        f'<line y1="-{_REACH}" y2="{_REACH}" x1="0" x2="0" class="grid"/>'
        f'{names}<text y="-84" class="axis" text-anchor="middle">excited</text>'
        '<text y="92" class="axis" text-anchor="middle">drowsy</text>'
        '<text x="-94" y="-6" class="axis">unpleasant</text>'
        '<text x="94" y="-6" class="axis" text-anchor="end">pleasant</text>'
        '<circle cx="${100 * value[0]}" cy="${-100 * value[1]}" r="9" class="dot"/></svg>'
    )


def _named(name: str, angle: float) -> str:
    x, y = (_REACH + 10) * math.cos(angle), -(_REACH + 10) * math.sin(angle)
    anchor = "start" if x > 60 else "end" if x < -60 else "middle"
    below = 0 if anchor == "middle" else 4
    tick = (_REACH * math.cos(angle), -_REACH * math.sin(angle))
    return (
        f'<circle cx="{tick[0]:.1f}" cy="{tick[1]:.1f}" r="2.5" class="tick"/>'
        f'<text x="{x:.1f}" y="{y + below:.1f}" text-anchor="{anchor}">{name}</text>'
    )


def told_by(valence: float, arousal: float) -> str:
    """Say which emotions a place means.

    Parameters
    ----------
    valence, arousal : float, [-1, 1]

    Returns
    -------
    str
        Names and percentages, the strongest first.
    """
    weights = VA(valence, arousal).emotion().as_dict()
    strongest = sorted(weights.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {weight:.0%}" for name, weight in strongest if weight >= 0.005)
